"""Framing: still and moving cameras come as near as they can with all that matters still inside their first image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..bodies import AnyBody, Rigid
from ..matter import corners, extent
from ..styles import vector
from ..views import AnyView, Crane, Dolly, Orbit, Still

Floats = NDArray[np.float64]
SPARE = 0.92  # of the image's half: what matters stays inside


def outline(bodies: Iterable[AnyBody]) -> Floats:
    """Corners [k,3] m of boxes about the bodies, where they start."""
    from scipy.spatial.transform import Rotation

    found = []
    for body in bodies:
        if isinstance(body, Rigid):
            local = corners(body)
        else:
            signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
            local = signs * extent(body) / 2
        found.append(Rotation.from_quat(body.rotation, scalar_first=True).apply(local) + body.position)
    return np.concatenate(found)


def fitted(view: AnyView, points: Floats, turn: float = 0.0, rise: float = 0.0) -> AnyView:
    """A still camera, an orbit, a dolly or a crane, moved along and across its first direction until the `points` [k,3] m fill its
    first image; before, turned about the vertical by `turn` degrees, and tilted down until it looks at least `rise` degrees down."""
    if isinstance(view, Orbit):
        angle = math.radians(view.start)
        back = np.array([view.radius * math.cos(angle), view.radius * math.sin(angle), view.height])
    elif isinstance(view, Still | Dolly | Crane):
        back = np.array(view.eye) - view.target
    else:
        raise TypeError(f"{type(view).__name__} follows a body")
    around = math.atan2(back[1], back[0]) + math.radians(turn)
    height = max(math.atan2(back[2], math.hypot(back[0], back[1])), math.radians(rise))
    ahead = -np.array([math.cos(height) * math.cos(around), math.cos(height) * math.sin(around), math.sin(height)])
    eye, far = _nearest(points, ahead, SPARE * math.tan(math.radians(view.fov) / 2))
    if isinstance(view, Orbit):
        return dataclasses.replace(
            view, target=vector(eye + far * ahead), radius=round(far * math.cos(height), 4), height=round(far * math.sin(height), 4),
        )  # fmt: skip
    return dataclasses.replace(view, eye=vector(eye), target=vector(eye + far * ahead))


def _nearest(points: Floats, ahead: Floats, slope: float) -> tuple[Floats, float]:
    """The eye that looks `ahead` and sees all points within `slope` of its axis, up, down, left and right, as near as can be, and how
    far ahead their middle is, m."""
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, ahead), ahead])
    seen = points @ axes.T
    high = (seen[:, :2] - slope * seen[:, 2:]).max(0)  # of the two planes that bound the image on each side
    low = (-seen[:, :2] - slope * seen[:, 2:]).max(0)
    across = (high - low) / 2
    deep = -((high + low) / (2 * slope)).max()
    return np.array([*across, deep]) @ axes, float((seen[:, 2].min() + seen[:, 2].max()) / 2 - deep)
