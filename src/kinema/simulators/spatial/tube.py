"""A rope as a tube: the line it lies along at the start, and rings of points about that line whatever it does later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bodies import Rope

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDES = 8
TIP = 0.6  # of the radius, by which an end is rounded


def centre_line(body: Rope) -> Floats:
    """The ends of the rope's segments [s+1,3] m at the start in the body's axes: from the origin straight along x, or hanging
    down (-z) in a catenary between the origin and (span, 0, 0)."""
    span = body.length if body.span is None else body.span
    if body.length < span * (1 + 1e-5):
        along = np.linspace(0.0, span, body.segments + 1)
        return np.stack([along, np.zeros_like(along), np.zeros_like(along)], 1)
    from scipy.optimize import brentq

    def hanging(a: float) -> Floats:
        """The catenary of parameter `a` m over the span, at equal steps of its length."""
        arc = a * np.sinh(span / 2 / a) * np.linspace(-1, 1, body.segments + 1)
        depth = np.hypot(a, arc)
        return np.stack([a * np.arcsinh(arc / a) + span / 2, np.zeros_like(arc), depth - depth[0]], 1)

    def excess(a: float) -> float:
        return float(np.linalg.norm(np.diff(hanging(a), axis=0), axis=1).sum() - body.length)

    return hanging(float(brentq(excess, span / 40, span * 1000)))


def pitches(line: Floats) -> Floats:
    """The angles [s] rad by which segments of a line in the xz plane are turned about y, from x."""
    step = np.diff(line, axis=0)
    return np.asarray(-np.arctan2(step[:, 2], step[:, 0]))


def turned(pitch: Floats) -> Floats:
    """Rotations [s,4] (w, x, y, z) about y."""
    zero = np.zeros_like(pitch)
    return np.stack([np.cos(pitch / 2), zero, np.sin(pitch / 2), zero], -1)


def tube(line: Floats, rotation: Floats, radius: float) -> Floats:
    """Points [(s+1) 8 + 2, 3] m about a line [s+1,3] of segments with rotations [s,4] (w, x, y, z), their x axes along it: rings
    of eight, then both tips. Rings between two segments share their turn, so the tube twists as the rope does."""
    from scipy.spatial.transform import Rotation

    later = rotation[1:] * np.where((rotation[1:] * rotation[:-1]).sum(1, keepdims=True) < 0, -1.0, 1.0)
    between = np.concatenate([rotation[:1], rotation[:-1] + later, rotation[-1:]])
    matrices = Rotation.from_quat(between, scalar_first=True).as_matrix()
    around = 2 * np.pi * np.arange(SIDES) / SIDES
    ring = radius * np.stack([np.zeros(SIDES), np.cos(around), np.sin(around)], 1)
    rings = line[:, None] + np.einsum("sij,kj->ski", matrices, ring)
    tips = line[[0, -1]] + TIP * radius * matrices[[0, -1], :, 0] * [[-1.0], [1.0]]
    return np.concatenate([rings.reshape(-1, 3), tips])


def faces(segments: int) -> Ints:
    """The triangles [f,3] of a tube's points, wound outwards."""
    k, i = (index.ravel() for index in np.meshgrid(np.arange(segments), np.arange(SIDES), indexing="ij"))
    j = (i + 1) % SIDES
    a, b, c, d = k * SIDES + i, k * SIDES + j, (k + 1) * SIDES + j, (k + 1) * SIDES + i
    i, j = i[:SIDES], j[:SIDES]
    last, first_tip = segments * SIDES, (segments + 1) * SIDES
    first_cap = np.stack([np.full(SIDES, first_tip), j, i], 1)
    last_cap = np.stack([np.full(SIDES, first_tip + 1), last + i, last + j], 1)
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1), first_cap, last_cap])
