"""What a true clip of flat-coloured rigid bodies says of its scene: which bodies there are, what stands fast, and its limits."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..core.clip import Clip, as_uint8
from ..core.errors import UserError
from .layers import Array, Color, Frames, Piece, palette_of, pieces, shares

Mask = NDArray[np.bool_]
Bodies = tuple[Piece, ...]

_LEAST = 6.0  # px; what is smaller is dirt
_SPECK = 0.25  # and so is what is smaller than this share of the smallest body
_MOST = 0.6  # of a pixel
_MANY = 12  # bodies of a colour, up to which it is tried which of them make up which piece
_LISTS = 8  # ways of a colour's bodies to hang together that are kept


@dataclass(frozen=True)
class Tolerance:
    """How far a piece may be off the bodies it is made of: area by `area` of theirs and `rim` px per px of their outline,
    the second moments of a single body by `shape`."""

    area: float
    rim: float
    shape: float

    def slack(self, body: Piece) -> float:
        """px of area."""
        return self.area * body.area + self.rim * body.rim

    def alike(self, piece: Piece, body: Piece) -> bool:
        """Whether both have one shape. What the rim's pixels add to a moment grows with the length it is taken over."""
        return all(abs(a - b) <= self.shape * b + np.sqrt(b) / 2 + 0.25 for a, b in zip(piece.spread, body.spread, strict=True))


@dataclass(frozen=True)
class Scene:
    """The bodies of every moving colour, as lists of which one must account for a frame; and what else a dream is held to."""

    moving: tuple[Color, ...]
    fixed: tuple[Color, ...]
    bodies: tuple[tuple[Bodies, ...], ...]
    place: tuple[Mask, ...]  # [h,w] of every fixed colour: its pixels
    halo: tuple[Mask, ...]  # [h,w] of every fixed colour: they and two pixels around
    speck: float  # px; smaller pieces are dirt
    smallest: float  # px, of the smallest moving body
    least: tuple[float, ...]  # px, of the smallest piece of every fixed colour
    lost: tuple[tuple[float, float], ...]  # px of every fixed colour that are gone, and are elsewhere, in the truth itself
    foreign: float  # px of no known colour in the truth itself
    walled: bool  # whether bodies touch the frame's border and stay whole
    gap: float  # px; the widest gap between a piece and those of the frame before
    motion: float  # px that change in the course of the clip


def scene_of(truth: Clip, fixed: tuple[Color, ...], tolerance: Tolerance) -> Scene:
    """The scene of a single true clip. Raises UserError where it shows no moving body.

    Its bodies are what the segmentation of the first frame tells apart; without one, the pieces of the frame that shows
    most. Where these do not account for a true frame, because bodies touched that later part, its own pieces are a list too.
    """
    return _scene(truth, fixed, tolerance)


@functools.lru_cache(maxsize=4)  # several systems are judged by one truth
def _scene(truth: Clip, fixed: tuple[Color, ...], tolerance: Tolerance) -> Scene:
    frames = as_uint8(truth.rgb).numpy()
    colors = _colors(truth, frames)
    fixed = _fixed(truth, fixed)
    moving, fast = tuple(c for c in colors if c not in fixed), tuple(c for c in colors if c in fixed)
    if not moving:
        where = truth.meta.get("file", "truth")
        raise UserError(f"{where}: shows no moving body of a flat colour on white (three pixels wide at least), as the abnormal rule needs")
    first, _ = shares(frames[0], (*moving, *fast))
    exact = [_labelled(truth, first, c) for c in range(len(moving))]
    speck = max(_LEAST, _SPECK * min((b.area for bodies in exact for b in bodies), default=0.0))
    still = [first[len(moving) + c] for c in range(len(fast))]
    place, halo = tuple(x > _MOST for x in still), tuple(ndimage.binary_dilation(x > 0, iterations=2) for x in still)
    seen: list[list[list[Piece]]] = []
    motion, strange, last = 0.0, 0.0, first
    lost = [(0.0, 0.0)] * len(fast)
    for frame in frames:
        share, foreign = shares(frame, (*moving, *fast))
        seen.append([pieces(share[c], speck) for c in range(len(moving))])
        strange = max(strange, max((p.area for p in pieces(foreign.astype(np.float32), speck)), default=0.0))
        motion += float(np.abs(share - last).sum())
        lost = [tuple(map(max, old, missing(share[len(moving) + c], place[c], halo[c]))) for c, old in enumerate(lost)]  # type: ignore[misc]
        last = share
    walled = _walled(seen)
    bodies = tuple(_lists(exact[c], [found[c] for found in seen], tolerance, walled) for c in range(len(moving)))
    smallest = min((b.area for lists in bodies for b in lists[0]), default=_LEAST)
    return Scene(
        moving, fast, bodies, place, halo, max(_LEAST, _SPECK * smallest), smallest,
        tuple(min((p.area for p in pieces(x, 0.0)), default=0.0) for x in still), tuple(lost), strange, walled,
        max((gap for a, b in itertools.pairwise(seen) for gap in gaps(a, b)), default=0.0), motion,
    )  # fmt: skip


def accounts(bodies: Bodies, now: Sequence[Piece], tolerance: Tolerance, *, walled: bool, some_left: bool, shapes: bool = True) -> bool:
    """Whether the bodies, each used once and all used (unless some left), make up the pieces. Of many, only the total counts."""
    if len(bodies) > _MANY:
        over, slack = sum(p.area for p in now) - sum(b.area for b in bodies), sum(map(tolerance.slack, bodies))
        return over <= slack and (some_left or over >= -slack)
    areas, slacks = _sums([b.area for b in bodies]), _sums([tolerance.slack(b) for b in bodies])
    choices = []
    for piece in now:
        partly = piece.cut and not walled
        fits = (piece.area - areas <= slacks) & (partly | (areas - piece.area <= slacks))
        fits[0] = False
        if shapes and not partly:
            for i, body in enumerate(bodies):
                fits[1 << i] &= tolerance.alike(piece, body)
        choices.append(np.flatnonzero(fits).tolist())
    return _cover(choices, (1 << len(bodies)) - 1, some_left)


def missing(share: Array, place: Mask, halo: Mask) -> tuple[float, float]:
    """px of a fixed colour that are gone or covered, with none of it in the next pixel either; and px of it that are elsewhere."""
    near = ndimage.maximum_filter(share, 3)
    return float((place & (near < 1 - _MOST)).sum()), float((~halo & (share > _MOST)).sum())


def gaps(before: Sequence[Sequence[Piece]], now: Sequence[Sequence[Piece]]) -> Iterator[float]:
    """For every piece, what is left in px between it and the nearest of its colour before, were both discs of their extent."""
    for old, new in zip(before, now, strict=True):
        if old:
            yield from (min(_gap(p, q) for q in old) for p in new)


def _colors(truth: Clip, frames: Frames) -> list[Color]:
    """The colours of the truth's bodies where it knows them, else of the flat areas of its first frame."""
    if truth.has("bodies") and "color" in truth.bodies:
        return _distinct(truth.bodies["color"])
    return palette_of(frames[0])


def _fixed(truth: Clip, fixed: tuple[Color, ...]) -> tuple[Color, ...]:
    """The colours of which all bodies are static, where the truth knows that."""
    if not truth.has("bodies") or not {"color", "static"} <= set(truth.bodies):
        return fixed
    color, static = truth.bodies["color"], truth.bodies["static"]
    return tuple(c for c in _distinct(color[static]) if c not in _distinct(color[~static]))


def _distinct(colors: torch.Tensor) -> list[Color]:
    return [(int(r), int(g), int(b)) for r, g, b in torch.unique(colors.reshape(-1, 3), dim=0).tolist()]


def _labelled(truth: Clip, first: Array, c: int) -> Bodies:
    """The bodies of a colour by the segmentation of the first frame; none where there is no segmentation."""
    if not truth.has("segmentation"):
        return ()
    labels = truth.segmentation[0].numpy().astype(np.int64)
    own = np.where(first[c] >= first.max(0), labels, 0)  # a pixel on another body's rim is not this colour's
    return tuple(pieces(first[c], _LEAST, own))


def _lists(exact: Bodies, seen: list[list[Piece]], tolerance: Tolerance, walled: bool) -> tuple[Bodies, ...]:
    whole = sum(p.area for p in seen[0])
    full: list[list[Piece]] = [found for found in seen if sum(p.area for p in found) >= 0.95 * whole] or [seen[0]]
    most = max(range(len(full)), key=lambda i: len(full[i]))
    lists = [exact or tuple(full[most])]
    for found in full:
        if len(lists) == _LISTS:
            break
        if not any(accounts(bodies, found, tolerance, walled=walled, some_left=not walled) for bodies in lists):
            lists.append(tuple(found))
    return tuple(lists)


def _walled(seen: list[list[list[Piece]]]) -> bool:
    """Whether some body touches the border, and no colour ever loses area."""
    wholes = [max(sum(p.area for p in found[c]) for found in seen) for c in range(len(seen[0]))]
    touched = any(p.cut for found in seen for group in found for p in group)
    return touched and all(sum(p.area for p in group) >= 0.85 * whole for found in seen for group, whole in zip(found, wholes, strict=True))


def _sums(values: Sequence[float]) -> NDArray[np.float64]:
    """The sum of every subset, by the bits of its index."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _cover(choices: list[list[int]], bodies: int, some_left: bool) -> bool:
    """Whether every piece can have a choice of its own, disjoint from the others', all bodies used (unless some may have left)."""
    failed: set[tuple[int, int]] = set()

    def search(i: int, left: int) -> bool:
        if i == len(choices):
            return not left or some_left
        if (i, left) in failed:
            return False
        if any(mask & left == mask and search(i + 1, left & ~mask) for mask in choices[i]):
            return True
        failed.add((i, left))
        return False

    return search(0, bodies)


def _gap(p: Piece, q: Piece) -> float:
    centers = float(np.hypot(p.center[0] - q.center[0], p.center[1] - q.center[1]))
    return max(centers - 2 * float(np.sqrt(p.spread[0])) - 2 * float(np.sqrt(q.spread[0])), 0.0)
