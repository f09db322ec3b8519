"""Paths on the ground: curves of given curvature, what runs beside them, and where a point is along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SPACING = 0.25  # m between a path's points


@dataclass(frozen=True)
class Path:
    """A curve by its `points` [m,2] m, `SPACING` apart along it, and its `heading` [m] rad there."""

    points: Floats
    heading: Floats

    @property
    def length(self) -> float:
        """Its length m."""
        return (len(self.points) - 1) * SPACING

    @property
    def normal(self) -> Floats:
        """Unit vectors to the left [m,2]."""
        return np.stack([-np.sin(self.heading), np.cos(self.heading)], 1)

    @cached_property
    def poses(self) -> Floats:
        """Position and heading [m,3] at its points."""
        return np.concatenate([self.points, self.heading[:, None]], 1)

    def at(self, s: Floats | float) -> Floats:
        """Position and heading [...,3] (x, y, angle) at `s` m along it; it goes straight on beyond its ends."""
        where = np.asarray(s, np.float64)[..., None] / SPACING
        k = np.clip(np.floor(where).astype(int), 0, len(self.points) - 2)
        share = where - k
        low, high = self.poses[k[..., 0]], self.poses[k[..., 0] + 1]
        pose = low + share * (high - low)
        pose[..., 2] = (low + np.clip(share, 0.0, 1.0) * (high - low))[..., 2]
        return np.asarray(pose)

    def curvature(self, s: Floats | float) -> Floats:
        """Curvature [...] 1/m at `s` m along it, left positive."""
        return np.asarray(np.interp(s, np.arange(len(self.bends)) * SPACING, self.bends))

    @cached_property
    def bends(self) -> Floats:
        """Curvature [m] 1/m at its points."""
        return np.asarray(np.gradient(self.heading, SPACING))

    def nearest(self, points: Floats, start: float = 0.0, stop: float = np.inf, every: int = 1) -> tuple[Floats, Floats]:
        """How far along [k] m, and how far to the left of it [k] m, points [k,2] are; only start..stop of the path is looked at, and
        of its points one in `every`."""
        first = max(0, int(start / SPACING))
        last = max(first + 1, int(min(stop, self.length) / SPACING) + 1)
        line = self.points[first:last:every]
        k = first + every * ((points[:, :1] - line[:, 0]) ** 2 + (points[:, 1:] - line[:, 1]) ** 2).argmin(1)
        near, heading = points - self.points[k], self.heading[k]
        along = near[:, 0] * np.cos(heading) + near[:, 1] * np.sin(heading)
        return k * SPACING + along, near[:, 1] * np.cos(heading) - near[:, 0] * np.sin(heading)

    def beside(self, offset: Floats | float) -> Path:
        """The path `offset` m [m] to the left of it."""
        return through(self.points + self.normal * np.broadcast_to(offset, len(self.points))[:, None])

    def back(self) -> Path:
        """The same path the other way."""
        return Path(self.points[::-1], self.heading[::-1] + np.pi)

    def change(self, start: float, length: float, offset: float) -> Path:
        """The path that leaves it at `start` m and runs `offset` m to its left from `start + length` on."""
        x = np.clip((np.arange(len(self.points)) * SPACING - start) / length, 0.0, 1.0)
        return self.beside(offset * x**3 * (10 - 15 * x + 6 * x**2))


def curve(start: Sequence[float], sections: Sequence[tuple[float, float, float]]) -> Path:
    """The path from the pose `start` (x, y, angle) through sections of (length m, curvature at its start and end 1/m), between
    which curvature is linear: straights, arcs and clothoids."""
    lengths = np.array([section[0] for section in sections])
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, int(ends[-1] / SPACING) + 1)
    knots = np.concatenate([[ends[k], ends[k + 1] - 1e-9] for k in range(len(sections))])
    bends = np.interp((np.arange(count - 1) + 0.5) * SPACING, knots, [bend for section in sections for bend in section[1:]])
    heading = start[2] + np.concatenate([[0.0], np.cumsum(bends * SPACING)])
    middle, chord = heading[:-1] + bends * SPACING / 2, SPACING * np.sinc(bends * SPACING / (2 * np.pi))
    steps = chord[:, None] * np.stack([np.cos(middle), np.sin(middle)], 1)
    return Path(np.array(start[:2]) + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)]), heading)


def bend(angle: float, radius: float, share: float = 0.4) -> list[tuple[float, float, float]]:
    """Sections that turn by `angle` rad (left positive) at `radius` m, a `share` of the angle on clothoids in and out."""
    ramp, arc = (SPACING * max(1, round(abs(angle) * part * radius / SPACING)) for part in (share, 1 - share))
    k = angle / (ramp + arc)  # lengths are whole numbers of points, so that the angle is met exactly
    return [(ramp, 0.0, k), (arc, k, k), (ramp, k, 0.0)]


def through(points: Floats) -> Path:
    """The path through points [k,2] m."""
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    s = np.arange(int(along[-1] / SPACING) + 1) * SPACING
    even = np.stack([np.interp(s, along, points[:, k]) for k in range(2)], 1)
    slope = np.gradient(even, axis=0)
    return Path(even, np.unwrap(np.arctan2(slope[:, 1], slope[:, 0])))
