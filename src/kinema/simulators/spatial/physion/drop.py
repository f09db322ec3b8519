"""Physion's drop: an agent falls, onto a patient or beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ....core.config import part
from ....core.errors import UserError
from .. import styles
from ..bodies import Rigid
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Sphere
from ..world import SpatialWorld


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
            shape = (Box((0.2, 0.3, 0.25)), Sphere(0.12), Capsule(0.08, 0.3), Cylinder(0.1, 0.25))[k % 4]
            spot = (float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.6)), float(0.3 + 0.25 * k))
            turn = styles.rotation(rng)
            bodies.append(Rigid(name=f"body{k}", shape=shape, position=spot, rotation=turn, look=styles.look(rng)))
        floor, light, sky = styles.surroundings(rng)
        views = styles.views(rng, target=(0.0, 0.0, 0.3), extent=0.8)
        return Scene(
            tuple(bodies), floor=floor, light=light, sky=sky, views=views, agent="body1", patient="body0", text="Things fall onto the floor."
        )
