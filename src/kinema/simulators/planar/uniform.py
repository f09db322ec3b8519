"""Uniform motion: a ball crosses the image at constant speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.config import part
from .scenario import ONE_BALL, WORLD, Planar, Ranges, Start, along, as_array, between


@part
class Uniform(Planar):
    """One ball in uniform motion (PhyWorld sec. 3, C.1; ranges in m and m/s of the released code)."""

    name = "uniform"
    splits = ONE_BALL

    radius: Ranges = ((0.7, 1.4),)
    speed: Ranges = ((1.0, 4.0),)
    radius_outside: Ranges = ((0.3, 0.6), (1.5, 2.0))
    speed_outside: Ranges = ((0.0, 0.8), (4.5, 6.0))
    visible_frames: int = 24

    def _draw(self, rng: np.random.Generator, level: tuple[str, ...]) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius", level), self._range(rng, "speed", level)
        x = along(rng, radius, speed, self.visible_frames * self.dt)
        return {"radius": radius, "speed": speed, "x": x, "y": between(rng, radius + 0.5, WORLD - 0.5 - radius)}

    def _start(self, params: Mapping[str, Any]) -> Start:
        return as_array(params["x"], params["y"])[None], as_array(params["speed"], 0.0)[None], as_array(params["radius"])

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A red ball moves to the {side} at a constant {params['speed']:.1f} m/s."
