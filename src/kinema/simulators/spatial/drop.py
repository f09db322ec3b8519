"""Physion's drop: an agent falls, onto a patient or beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from .bodies import Rigid
from .looks import Look
from .scene import Scene
from .shapes import Box, Capsule, Cylinder, Sphere
from .views import Orbit, Still
from .world import SpatialWorld


@part
class Drop(SpatialWorld):
    """Physion's drop: an agent falls, onto a patient or beside it."""

    name = "drop"
    splits: ClassVar[Mapping[str, Any]] = {"id": None}

    def split(self, name: str) -> Self:
        """The same scenario drawing from a named split."""
        if name not in self.splits:
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return self

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene of run `index` of the stream."""
        bodies = []
        for k in range(int(rng.integers(4, 8))):
            shape = [Box((0.2, 0.3, 0.25)), Sphere(0.12), Capsule(0.08, 0.3), Cylinder(0.1, 0.25)][k % 4]
            spot = (float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.6)), float(0.3 + 0.25 * k))
            color = tuple(int(c) for c in rng.integers(40, 256, 3))
            turn = rng.normal(size=4)
            turn = tuple(float(x) for x in turn / np.linalg.norm(turn))
            look = Look(color=color, texture=("plain", "checker", "stripes", "wood")[k % 4])  # type: ignore[arg-type]
            bodies.append(Rigid(name=f"body{k}", shape=shape, position=spot, rotation=turn, look=look))  # type: ignore[arg-type]
        return Scene(tuple(bodies), views=(Still(), Orbit()), agent="body1", patient="body0", text="Things fall onto the floor.")
