"""Collision: two balls meet head on and part elastically."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ...core.config import part
from .scenario import WORLD, Planar, Ranges, Splits, Start, as_array, between


@part
class Collision(Planar):
    """Two balls on one line, the red one moving right, the blue one left, elastic (PhyWorld sec. 3, C.1).

    The initial gap is drawn between the extremes that leave `before` frames before and `after` frames after the impact
    and keep both balls inside at the start; where the balls are too fast for that, the widest gap that fits is taken.
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

    radius: Ranges = ((0.5, 1.5),)
    speed: Ranges = ((1.0, 4.0),)
    radius_outside: Ranges = ((0.3, 0.4), (1.7, 2.0))
    speed_outside: Ranges = ((0.0, 0.8), (4.5, 6.0))
    before: int = 8
    after: int = 8

    def _draw(self, rng: np.random.Generator, level: tuple[str, ...]) -> dict[str, Any]:
        r1, r2 = self._range(rng, "radius1", level), self._range(rng, "radius2", level)
        v1, v2 = self._range(rng, "speed1", level), self._range(rng, "speed2", level)
        room = WORLD - 2 * (r1 + r2)
        soonest, latest = self.before * self.dt, (self.num_frames - 1 - self.after) * self.dt
        low, high = min((v1 + v2) * soonest, room), min((v1 + v2) * latest, room)
        gap = between(rng, low, high)
        x1 = between(rng, r1, r1 + room - gap)
        return {"radius": [r1, r2], "speed": [v1, v2], "x": x1, "gap": gap, "y": WORLD / 2}

    def _start(self, params: Mapping[str, Any]) -> Start:
        (r1, r2), (v1, v2), x1, y = params["radius"], params["speed"], params["x"], params["y"]
        position = np.array([[x1, y], [x1 + r1 + params["gap"] + r2, y]])
        return position, np.array([[v1, 0.0], [-v2, 0.0]]), as_array(r1, r2)

    def _caption(self, params: Mapping[str, Any]) -> str:
        v1, v2 = params["speed"]
        return f"A red ball at {v1:.1f} m/s and a blue ball at {v2:.1f} m/s move towards each other and collide."
