"""Uniform motion: a ball crosses the image at constant speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.config import part
from .grid import Level
from .one_ball import OneBall
from .scenario import WORLD, along, between


@part
class Uniform(OneBall):
    """One ball in uniform motion (PhyWorld sec. 3, C.1; ranges in m and m/s of the released code)."""

    name = "uniform"

    visible_frames: int = 24

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius", level), self._range(rng, "speed", level)
        x = along(rng, radius, speed, self.visible_frames * self.dt)
        return {"radius": radius, "speed": speed, "x": x, "y": between(rng, radius + 0.5, WORLD - 0.5 - radius)}

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A red ball moves to the {side} at a constant {params['speed']:.1f} m/s."
