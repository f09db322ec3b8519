"""What Phys4D's nine categories share: base scenes, the curriculum single / two / multi, ranges and what lies outside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np

from ....core.config import part
from ....core.errors import UserError
from .. import styles
from ..scene import Floor, Light, Scene, Sky, Wind
from ..shapes import Vector
from ..world import SpatialWorld
from .ranges import Ranges, overridden

Complexity = Literal["single", "two", "multi"]
COMPLEXITIES: dict[Complexity, float] = {"single": 0.30, "two": 0.35, "multi": 0.35}  # Phys4D sec. 5
Name = TypeVar("Name", bound=str)
Base = Callable[[np.random.Generator, Ranges, Complexity], Scene]


@part
class Category(SpatialWorld):
    """A category of Phys4D: scenes of one kind of matter, drawn from base scenes.

    `base` names one base scene and `complexity` one step of the curriculum (None: drawn, the complexities 30/35/35 %).
    `outside` draws at least one parameter of every scene out of its range. `wind` blows over scenes that have none. `ranges`
    replaces ranges of the table (`phys4d/ranges.py`) by name: {"rope.density": (500, 600)}.

    A category is a class with a `name` and `bases`, and one function (rng, ranges, complexity) -> Scene per base scene. What a
    base leaves as a Scene has it (gravity, floor, light, sky) is drawn here; `ranges.drawn["gravity"]` is known before.
    """

    bases: ClassVar[Mapping[str, Base]] = {}
    splits: ClassVar[Mapping[str, Any]] = {}
    windy: ClassVar[bool] = False  # whether wind acts on its matter

    base: str | None = None
    complexity: Literal["single", "two", "multi"] | None = None
    outside: bool = False
    wind: bool = False
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __init_subclass__(cls) -> None:
        cls.splits = {"id": {"outside": False}, "ood": {"outside": True}}
        cls.splits |= {name: {"base": name} for name in cls.bases} | {name: {"complexity": name} for name in COMPLEXITIES}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base is not None and self.base not in self.bases:
            raise UserError(f"{self.name}: there is no base scene {self.base!r}; there are {', '.join(self.bases)}")
        if self.complexity is not None and self.complexity not in COMPLEXITIES:
            raise UserError(f"{self.name}: complexity must be one of {', '.join(COMPLEXITIES)}, got {self.complexity!r}")
        if self.wind and not self.windy:
            raise UserError(f"{self.name}: wind does not act on what this category holds")
        overridden(self.ranges)

    def split(self, name: str) -> Self:
        """The same category drawing from a named split: "id", "ood", a base scene, a complexity; or several joined by "+"
        ("ood+two"). Raises UserError listing the splits where there is none of that name."""
        found = self
        for one in name.split("+"):
            if one not in self.splits:
                raise UserError(f"{self.name} has no split {one!r}; it has {', '.join(self.splits)}")
            found = replace(found, **self.splits[one])
        return found

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene of run `index` of the stream."""
        name = self.base or _pick(rng, tuple(self.bases))
        complexity = self.complexity or _pick(rng, tuple(COMPLEXITIES), tuple(COMPLEXITIES.values()))
        seed = int(rng.integers(2**62))
        rows = overridden(self.ranges)
        scene = self._dressed(name, complexity, seed, Ranges(rows))
        if self.outside:
            # The same scene but for what moves out of range: draws take one number from the stream either way.
            wider = [key for key in scene.drawn if "/" not in key and rows[key].widens and not key.startswith("look.")]
            if not wider:
                raise UserError(f"{self.name}: the ranges leave nothing outside; what is drawn is {', '.join(scene.drawn)}")
            count = 1 + int(rng.binomial(len(wider) - 1, 0.15))
            moved = [wider[int(k)] for k in rng.permutation(len(wider))[:count]]
            scene = self._dressed(name, complexity, seed, Ranges(rows, moved))
        return scene

    def _dressed(self, name: str, complexity: Complexity, seed: int, ranges: Ranges) -> Scene:
        """A base scene of that seed, with whatever it leaves open."""
        rng = np.random.default_rng(seed)
        gravity = ranges.draw(rng, "gravity")
        floor, light, sky = styles.surroundings(rng)
        floor = replace(floor, friction=ranges.draw(rng, "floor.friction"), restitution=ranges.draw(rng, "floor.restitution"))
        strength, ambient = ranges.draw(rng, "light.strength"), ranges.draw(rng, "light.ambient")
        direction = _sunk(light.direction, ranges.draw(rng, "light.elevation"))
        light = replace(light, direction=direction, strength=strength, ambient=ambient)
        wind = self._wind(rng, ranges) if self.wind else None
        scene = self.bases[name](rng, ranges, complexity)
        return replace(
            scene,
            gravity=(0.0, 0.0, -gravity) if scene.gravity == Scene.gravity else scene.gravity,
            floor=floor if scene.floor == Floor() else scene.floor,
            light=light if scene.light == Light() else scene.light,
            sky=sky if scene.sky == Sky() else scene.sky,
            wind=scene.wind or wind,
            tags={**scene.tags, "category": self.name, "base": name, "complexity": complexity},
            drawn=dict(ranges.drawn),
        )

    def _wind(self, rng: np.random.Generator, ranges: Ranges) -> Wind:
        around, speed = rng.uniform(0, 2 * math.pi), ranges.draw(rng, "wind.speed")
        velocity = styles.vector(speed * np.array([math.cos(around), math.sin(around), 0.0]))
        return Wind(velocity=velocity, gusts=ranges.draw(rng, "wind.gusts"), density=ranges.draw(rng, "wind.density"))


def _pick(rng: np.random.Generator, names: tuple[Name, ...], shares: tuple[float, ...] | None = None) -> Name:
    return names[int(rng.choice(len(names), p=shares))]


def _sunk(direction: Vector, elevation: float) -> Vector:
    """Light from the same side, `elevation` degrees high."""
    around, high = math.atan2(direction[1], direction[0]), math.radians(elevation)
    return styles.vector(np.array([math.cos(around) * math.cos(high), math.sin(around) * math.cos(high), -math.sin(high)]))
