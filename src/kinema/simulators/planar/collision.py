"""Collision: two balls meet head on and part elastically."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from .grid import Level
from .scenario import WORLD, Holes, Planar, Ranges, Splits, Start, as_array, between, draw_in, in_any

_TRIES = 1000


@part
class Collision(Planar):
    """Two balls on one line, the red one moving right, the blue one left, elastic (PhyWorld sec. 3, C.1).

    The initial gap is drawn between the extremes that leave `before` frames before and `after` frames after the impact
    and keep both balls inside at the start; where the balls are too fast for that, the widest gap that fits is taken.

    `speed_holes` and `radius_holes` are rectangles of (red, blue) values that are left out of every draw inside the
    training ranges (PhyWorld sec. 5.1); `split("speed_hole")` and `split("radius_hole")` draw from them alone, and a grid
    walks through them. `height` of the line: the middle of the image, or drawn (as PhyWorld's generator does, so always
    if `box2d_compatible`).
    """

    name = "collision"
    splits: ClassVar[Splits] = {
        "id": ((),),
        "ood": (
            ("radius1",), ("speed1",), ("radius1", "radius2"), ("speed1", "speed2"), ("radius1", "speed1"),
            ("radius1", "radius2", "speed1", "speed2"),
        ),
        "r1": (("radius1",),),
        "v1": (("speed1",),),
        "r1r2": (("radius1", "radius2"),),
        "v1v2": (("speed1", "speed2"),),
        "r1v1": (("radius1", "speed1"),),
        "all": (("radius1", "radius2", "speed1", "speed2"),),
    }  # fmt: skip
    abreast = 2
    levels = ("speed_hole", "radius_hole")

    radius: Ranges = ((0.5, 1.5),)
    speed: Ranges = ((1.0, 4.0),)
    radius_outside: Ranges = ((0.3, 0.4), (1.7, 2.0))
    speed_outside: Ranges = ((0.0, 0.8), (4.5, 6.0))
    before: int = 8
    after: int = 8
    speed_holes: Holes = ()
    radius_holes: Holes = ()
    height: Literal["middle", "drawn"] = "middle"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.height not in ("middle", "drawn"):
            raise UserError(f"{self.name}: height must be 'middle' or 'drawn', got {self.height!r}")
        for family in ("speed", "radius"):
            for hole in getattr(self, f"{family}_holes"):
                if not all(math.isfinite(high) and 0 <= low < high for low, high in hole):
                    raise UserError(f"{self.name}: {family}_holes must hold pairs of intervals 0 <= low < high, got {hole}")

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        r1, r2 = self._two(rng, "radius", level, self.radius_holes)
        v1, v2 = self._two(rng, "speed", level, self.speed_holes)
        room = WORLD - 2 * (r1 + r2)
        soonest, latest = self.before * self.dt, (self.num_frames - 1 - self.after) * self.dt
        low, high = min((v1 + v2) * soonest, room), min((v1 + v2) * latest, room)
        gap = between(rng, low, high)
        x1 = between(rng, r1, r1 + room - gap)
        most = max(r1, r2) + 0.5
        drawn = self.height == "drawn" or self.box2d_compatible
        y = between(rng, most, WORLD - most) if drawn else WORLD / 2
        return {"radius": [r1, r2], "speed": [v1, v2], "x": x1, "gap": gap, "y": y}

    def _two(self, rng: np.random.Generator, family: str, level: Level, holes: Holes) -> tuple[float, float]:
        """The red and the blue ball's radius or speed, outside the holes or, if `level` says so, inside."""
        for _ in range(_TRIES):
            pair = self._range(rng, f"{family}1", level), self._range(rng, f"{family}2", level)
            if f"{family}_hole" in level:
                level.asked.difference_update((f"{family}1", f"{family}2"))
                return draw_in(rng, holes)
            if level.at or not in_any(holes, *pair):
                return pair
        raise UserError(f"{self.name}: {family}_holes leave nothing of the ranges they lie in")

    def _start(self, params: Mapping[str, Any]) -> Start:
        (r1, r2), (v1, v2), x1, y = params["radius"], params["speed"], params["x"], params["y"]
        position = np.array([[x1, y], [x1 + r1 + params["gap"] + r2, y]])
        return Start(position, np.array([[v1, 0.0], [-v2, 0.0]]), as_array(r1, r2))

    def _caption(self, params: Mapping[str, Any]) -> str:
        v1, v2 = params["speed"]
        return f"A red ball at {v1:.1f} m/s and a blue ball at {v2:.1f} m/s move towards each other and collide."
