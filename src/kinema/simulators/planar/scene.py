"""Rigid bodies in image units: where each is in every frame, and which pixels of its window it covers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UserError
from .shapes import PUBLISHED_RIM, UPRIGHT, Disc, Outline, Polygon, Turn

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
View = tuple[int, int, slice, slice]  # a frame, the run it is of, rows and columns of a body's window
Patch = tuple[NDArray[np.floating[Any]], Bools]  # covered shares and what is inside, both [k,h,w]


@dataclass(frozen=True)
class Look:
    """The outlines in m that a body has in the course of a clip, and `which` [t] of them it has in each frame."""

    outlines: tuple[Outline, ...]
    which: NDArray[np.intp]


@dataclass(frozen=True)
class Style:
    """How bodies become pixels: the last pixel's centre is at (W - `margin`) px, the rim as `covered` says; shares of
    colour are rounded down after `rounding` is added."""

    margin: float
    covered: Callable[[Outline, Array, Array, Turn], Patch]
    rounding: np.float32


def _smooth(outline: Outline, x: Array, y: Array, turn: Turn) -> Patch:
    return outline.covered(x, y, turn)


def _published(outline: Outline, x: Array, y: Array, turn: Turn) -> Patch:
    """PhyWorld's released generator: a ball fades over the outer 1.5 % of its radius, a square is cut hard."""
    if isinstance(outline, Disc):
        room = outline.radius**2 - (y**2 + x**2)
        return np.clip(room / (PUBLISHED_RIM * outline.radius**2), 0.0, 1.0), room > 0
    if isinstance(outline, Polygon):
        inside = outline.distance(x, y, turn) <= 0
        return inside.astype(np.float64), inside
    raise UserError("the published style draws balls and squares alone; take the style 'smooth'")


STYLES = {"smooth": Style(0.0, _smooth, np.float32(0.5)), "published": Style(1.0, _published, np.float32(0))}


class Scene:
    """Bodies in px, y down, each with a window that holds it in every frame.

    Frames in which a body's pose, outline and colour stay the same are one run, drawn once: `run[n]` [t] numbers them,
    `starts[n]` are their first frames, `cover[n]` and `inside[n]` [runs,k,k] say what is covered of the window, whose left
    upper pixel is `corner[n]` [t,2]. `views[n]` are the frames in which the body may be in view. `still` are bodies that
    never change and lie over none that does, `moving` the others: painting first those and then these keeps the order.
    """

    def __init__(
        self, looks: Sequence[Look], position: Array, angle: Array | None, color: NDArray[np.uint8], size: int, world_width: float,
        cut: Bools | None, style: str,
    ) -> None:  # fmt: skip
        if style not in STYLES:
            raise UserError(f"there is no style {style!r} of drawing; there are {', '.join(STYLES)}")
        self.size, self.style, (self.frames, self.count) = size, STYLES[style], position.shape[:2]
        margin = self.style.margin
        scale = (size - margin) / world_width
        self.color = np.broadcast_to(color, (self.frames, self.count, 3))
        self.angle = None if angle is None else np.asarray(angle, np.float64)
        self.looks = [Look(tuple(outline.scaled(scale) for outline in look.outlines), look.which) for look in looks]
        self.bound = np.array([max(outline.bound for outline in look.outlines) for look in self.looks])
        center = np.stack([position[..., 0] * scale + margin / 2, size - margin / 2 - position[..., 1] * scale], -1)
        self.there: Bools = np.isfinite(center.sum(-1))
        self.center = center if self.there.all() else np.where(self.there[..., None], center, -size - 2 * self.bound[:, None])
        self._steps(cut)
        self._windows()
        self._runs()
        self._layers()
        self.views = [self._views(n) for n in range(self.count)]
        patches = [self._patch(n) for n in range(self.count)]
        self.cover, self.inside = [cover for cover, _ in patches], [inside for _, inside in patches]

    def _steps(self, cut: Bools | None) -> None:
        """`step` [t-1,n,2] px and `turn` [t-1,n] rad from each frame to the next, 0 where `cut`."""
        broken = ~(self.there[1:] & self.there[:-1])
        self.cut: Bools = broken if cut is None else broken | cut
        self.step = np.diff(self.center, axis=0)
        self.turn = None if self.angle is None else np.diff(self.angle, axis=0)
        if self.cut.any():
            self.step[self.cut] = 0.0
            if self.turn is not None:
                self.turn[self.cut] = 0.0

    def _windows(self) -> None:
        self.window = [min(self.size, int(np.ceil(2 * bound)) + 3) for bound in self.bound.tolist()]
        self.corner = [
            np.clip(np.floor(self.center[:, n] - k / 2 + 0.5).astype(int), 0, self.size - k) for n, k in enumerate(self.window)
        ]
        reach = self.bound[:, None] + 1.0
        self.inview: Bools = ((self.center > -reach) & (self.center < self.size + reach)).all(-1) & self.there

    def _runs(self) -> None:
        changed = (np.diff(self.center, axis=0) != 0).any(-1) | (self.color[1:] != self.color[:-1]).any(-1) | self.cut
        if self.angle is not None:
            changed |= np.diff(self.angle, axis=0) != 0
        self.run, self.starts = [], []
        self.rests = np.empty((self.frames - 1, self.count), bool)
        for n, look in enumerate(self.looks):
            new = np.concatenate([[True], changed[:, n] | (np.diff(look.which) != 0)])
            self.run.append(np.cumsum(new) - 1)
            self.starts.append(np.flatnonzero(new))
            self.rests[:, n] = ~new[1:]

    def _layers(self) -> None:
        apart = np.hypot(*np.moveaxis(self.center[:, :, None] - self.center[:, None], -1, 0))
        self.near = apart < self.bound[:, None] + self.bound
        beside = (apart < self.bound[:, None] + self.bound + 2.0).any(0)  # the softened rims included
        self.still: list[int] = []
        self.moving: list[int] = []
        for n in range(self.count):
            lies_over = any(beside[n, below] for below in self.moving)
            (self.moving if len(self.starts[n]) > 1 or lies_over else self.still).append(n)

    def _views(self, n: int) -> list[View]:
        k, run, corner = self.window[n], self.run[n].tolist(), self.corner[n].tolist()
        frames = np.flatnonzero(self.inview[:, n]).tolist()
        return [(t, run[t], slice(corner[t][1], corner[t][1] + k), slice(corner[t][0], corner[t][0] + k)) for t in frames]

    def _patch(self, n: int) -> Patch:
        look, starts = self.looks[n], self.starts[n]
        kinds = [np.flatnonzero(look.which[starts] == i) for i in range(len(look.outlines))]
        drawn = [
            self.style.covered(outline, *self.offsets(n, starts[kind]), self.turned(n, starts[kind, None, None]))
            for outline, kind in zip(look.outlines, kinds, strict=True)
        ]
        if len(drawn) == 1:
            return drawn[0]
        order = np.argsort(np.concatenate(kinds))
        cover, inside = (np.concatenate(part)[order] for part in zip(*drawn, strict=True))
        return cover, inside

    def offsets(self, n: int, frames: NDArray[np.intp]) -> tuple[Array, Array]:
        """Columns x [f,1,k] and rows y [f,k,1] of body n's window as offsets from its centre in px, y up."""
        offset = self.corner[n][frames][:, :, None] + (np.arange(self.window[n]) + 0.5) - self.center[frames, n, :, None]
        return offset[:, 0, None, :], -offset[:, 1, :, None]

    def turned(self, n: int, frames: NDArray[np.intp]) -> Turn:
        """Cosine and sine of body n's angle in these frames, shaped as `frames`."""
        return UPRIGHT if self.angle is None else (np.cos(self.angle[frames, n]), np.sin(self.angle[frames, n]))

    def drift(self, n: int, x: Array, y: Array, frames: NDArray[np.intp], sign: int = 1) -> tuple[Array, Array]:
        """How far in px, y down, points that belong to body n, at offset (x, y), y up, from its centre, go with it from
        these frames to the next, or (sign -1) from the next ones back: p -> c' + R (p - c). `frames` broadcasts with x."""
        u, v = (sign * self.step[frames, n, axis] for axis in (0, 1))
        turn = None if self.turn is None else sign * self.turn[frames, n]
        if turn is None or not turn.any():
            return u, v
        cos, sin = np.cos(turn) - 1.0, np.sin(turn)
        return u + cos * x - sin * y, v - sin * x - cos * y

    def holds(self, n: int, x: Array, y: Array, frames: NDArray[np.intp]) -> Bools:
        """Whether the image points (x, y) [k] lie inside body n in these frames [k]."""
        dx, dy, look = x - self.center[frames, n, 0], self.center[frames, n, 1] - y, self.looks[n]
        cos, sin = (np.broadcast_to(part, dx.shape) for part in self.turned(n, frames))
        if len(look.outlines) == 1:
            return look.outlines[0].holds(dx, dy, (cos, sin))
        inside = np.zeros(dx.shape, bool)
        for i, outline in enumerate(look.outlines):
            those = look.which[frames] == i
            inside[those] = outline.holds(dx[those], dy[those], (cos[those], sin[those]))
        return inside
