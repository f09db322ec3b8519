"""Parabola: a ball is thrown sideways and falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.config import part
from .scenario import ONE_BALL, WORLD, Planar, Ranges, Start, along, as_array, between


@part
class Parabola(Planar):
    """One ball thrown horizontally under gravity (0, -2.5) m/s^2 (PhyWorld sec. 3, C.1)."""

    name = "parabola"
    splits = ONE_BALL
    gravity = (0.0, -2.5)

    radius: Ranges = ((0.7, 1.4),)
    speed: Ranges = ((1.0, 4.0),)
    radius_outside: Ranges = ((0.3, 0.6), (1.5, 2.0))
    speed_outside: Ranges = ((0.0, 0.8), (4.5, 6.0))
    visible_frames: int = 24

    def _draw(self, rng: np.random.Generator, level: tuple[str, ...]) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius", level), self._range(rng, "speed", level)
        x = along(rng, radius, speed, self.visible_frames * self.dt)
        return {"radius": radius, "speed": speed, "x": x, "y": between(rng, WORLD - 1.5 - radius, WORLD - 0.5 - radius)}

    def _start(self, params: Mapping[str, Any]) -> Start:
        return as_array(params["x"], params["y"])[None], as_array(params["speed"], 0.0)[None], as_array(params["radius"])

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A red ball is thrown to the {side} at {params['speed']:.1f} m/s and falls."
