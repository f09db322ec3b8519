"""Attributes: one body in uniform motion whose colour, shape, size and speed come in two kinds each, tied in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from .grid import Level
from .scenario import COLORS, WORLD, Planar, Ranges, Splits, Start, along, as_array, between
from .shapes import SHAPES

Attribute = Literal["color", "shape", "radius", "speed"]


@part
class Attributes(Planar):
    """One body in uniform motion; of two of its attributes, some of the four combinations are trained, the others test
    (PhyWorld sec. 5.3: which attribute does a model hold on to?).

    Every attribute has two kinds, which its field lists: names, or ranges in m and m/s. `combinations` of the kinds of
    `pair` are drawn in "id", all others in "ood". An attribute that is not of the pair is its first name, or anywhere in
    its ranges.
    """

    name = "attributes"
    splits: ClassVar[Splits] = {"id": ((),), "ood": (("combination",),)}
    levels = ("combination",)

    pair: tuple[Attribute, Attribute] = ("color", "shape")
    combinations: tuple[tuple[int, int], ...] = ((0, 0), (1, 1))
    color: tuple[str, str] = ("red", "blue")
    shape: tuple[str, str] = ("ball", "square")
    radius: Ranges = ((0.7, 1.05), (1.05, 1.4))
    speed: Ranges = ((1.0, 2.5), (2.5, 4.0))
    visible_frames: int = 24

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, known in (("color", COLORS), ("shape", SHAPES)):
            for value in getattr(self, key):
                if value not in known:
                    raise UserError(f"{self.name}: there is no {key} {value!r}; there are {', '.join(known)}")
        if self.pair[0] == self.pair[1]:
            raise UserError(f"{self.name}: pair must name two attributes, got {self.pair[0]!r} twice")
        for key in self.pair:
            if len(getattr(self, key)) != 2:
                raise UserError(f"{self.name}: {key} must have two kinds to be one of a pair, got {getattr(self, key)}")
        if not self.combinations or any(kind not in (0, 1) for both in self.combinations for kind in both):
            raise UserError(f"{self.name}: combinations must be some of (0, 0), (0, 1), (1, 0), (1, 1), got {self.combinations}")
        if ("combination",) in self.outside and not self._others:
            raise UserError(f"{self.name}: all four combinations are trained, none is left to test")

    @property
    def _others(self) -> list[tuple[int, int]]:
        return [(i, j) for i in (0, 1) for j in (0, 1) if (i, j) not in self.combinations]

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        choice = self._others if "combination" in level else self.combinations
        kind = dict(zip(self.pair, choice[int(rng.integers(len(choice)))], strict=True))
        radius, speed = (
            self._range(rng, key, level, (ranges[kind[key]],) if key in kind else ranges)
            for key, ranges in (("radius", self.radius), ("speed", self.speed))
        )
        x = along(rng, radius, speed, self.visible_frames * self.dt)
        y = between(rng, radius + 0.5, WORLD - 0.5 - radius)
        names = {"color": self.color[kind.get("color", 0)], "shape": self.shape[kind.get("shape", 0)]}
        return {"radius": radius, "speed": speed, "x": x, "y": y, **names}

    def _start(self, params: Mapping[str, Any]) -> Start:
        position, velocity = as_array(params["x"], params["y"])[None], as_array(params["speed"], 0.0)[None]
        return Start(position, velocity, as_array(params["radius"]), [params["color"]], [params["shape"]])

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        return f"A {params['color']} {params['shape']} moves to the {side} at a constant {params['speed']:.1f} m/s."
