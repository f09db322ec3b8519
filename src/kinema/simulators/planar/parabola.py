"""Parabola: a ball is thrown sideways and falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.config import part
from .grid import Level
from .one_ball import OneBall
from .scenario import WORLD, along, between


@part
class Parabola(OneBall):
    """One ball thrown horizontally under gravity (0, -2.5) m/s^2 (PhyWorld sec. 3, C.1)."""

    name = "parabola"
    gravity = (0.0, -2.5)

    visible_frames: int = 24

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius", level), self._range(rng, "speed", level)
        x = along(rng, radius, speed, self.visible_frames * self.dt)
        return {"radius": radius, "speed": speed, "x": x, "y": between(rng, WORLD - 1.5 - radius, WORLD - 0.5 - radius)}

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A red ball is thrown to the {side} at {params['speed']:.1f} m/s and falls."
