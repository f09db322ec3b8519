"""Wall bounce: a ball reaches the edge of the world and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.config import part
from .grid import Level
from .one_ball import OneBall
from .scenario import WORLD, between, to_wall


@part
class Bounce(OneBall):
    """One ball bouncing elastically off the wall at the image's edge (PhyWorld sec. 5's part of temporal composition).

    It reaches the wall between `before` frames after the start and `after` frames before the end, as far as the room allows.
    """

    name = "bounce"
    walls = (0.0, WORLD, 0.0, WORLD)

    before: int = 8
    after: int = 8

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius", level), self._range(rng, "speed", level)
        gap = to_wall(rng, radius, speed, self.before, self.num_frames - 1 - self.after, self.dt)
        return {"radius": radius, "speed": speed, "x": WORLD - radius - gap, "y": between(rng, radius + 0.5, WORLD - 0.5 - radius)}

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A red ball bounces off the {side} wall at {params['speed']:.1f} m/s."
