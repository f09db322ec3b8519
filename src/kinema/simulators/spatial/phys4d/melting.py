"""Phys4D's thermodynamics: what melts on a hot plate, over a hot ball, in a warm pan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Particles, Rigid
from ..looks import Look
from ..scene import Heater, Scene
from ..shapes import Cylinder, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges
from .vessels import WALL, matter, tray

WAXES = ((235, 225, 200), (200, 60, 60), (70, 120, 180), (235, 200, 110), (120, 160, 100))
PLATE = 0.05  # m


def plate(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A block of wax melts on a hot plate; two, three blocks."""
    count = {"single": 1, "two": 2, "multi": 3}[complexity]
    radius, hot = 0.4, draw.draw(rng, "heater.temperature")
    bodies: list[AnyBody] = [_hot("plate", Cylinder(radius, PLATE), (0.0, 0.0, PLATE / 2))]
    size = draw.draw(rng, "melting.size") * (0.85 if count == 1 else 0.55)
    for k in range(count):
        side, tall = round(size, 4), round(size * float(rng.uniform(0.7, 1.1)), 4)
        around = 2 * np.pi * k / count
        place = np.array([0.17 * np.cos(around), 0.17 * np.sin(around), 0.0]) * (count > 1) + [0, 0, PLATE + tall / 2 + 0.006]
        bodies.append(_wax(rng, draw, f"wax{k}", (side, side, tall), styles.vector(place), 1500 // count))
    heater = Heater(radius=radius, height=PLATE, temperature=hot, rate=draw.draw(rng, "melting.rate"), reach=round(0.35 * size, 4))
    what = {"single": "A block of wax melts", "two": "Two blocks of wax melt", "multi": "Three blocks of wax melt"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.12), 0.34)
    agent, patient = ("wax0", "wax1") if count > 1 else (None, None)
    return Scene(tuple(bodies), views=views, heaters=(heater,), agent=agent, patient=patient, text=f"{what} on a hot plate.")


def ball(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A cube of butter melts over a hot ball; two cubes over two balls; three."""
    count = {"single": 1, "two": 2, "multi": 3}[complexity]
    hot, rate, size = draw.draw(rng, "heater.temperature"), draw.draw(rng, "melting.rate"), 0.55 * draw.draw(rng, "melting.size")
    bodies: list[AnyBody] = []
    heaters = []
    for k in range(count):
        radius = round(float(rng.uniform(0.1, 0.14)), 4)
        along = round(0.36 * (k - (count - 1) / 2), 4)
        bodies.append(_hot(f"ball{k}", Sphere(radius), (along, 0.0, radius)))
        place = (along, 0.0, round(2 * radius + size / 2 - 0.005, 4))
        bodies.append(
            _wax(rng, draw, f"butter{k}", (round(size, 4), round(size, 4), round(size, 4)), place, 1500 // count, (245, 215, 110))
        )
        heaters.append(Heater(body=f"ball{k}", temperature=hot, rate=round(0.6 * rate, 4), reach=round(0.35 * size, 4)))
    what = {"single": "A cube of butter melts over a hot ball.", "two": "Two cubes of butter melt over hot balls.",
            "multi": "Three cubes of butter melt over hot balls."}[complexity]  # fmt: skip
    views = styles.views(rng, (0.0, 0.0, 0.16), 0.24 + 0.08 * (count - 1))
    return Scene(tuple(bodies), views=views, heaters=tuple(heaters), agent="butter0", patient="ball0", text=what)


def thaw(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A ball of ice melts in a warm pan; a stack of two, a snowman; two such (multi)."""
    hot, rate = draw.draw(rng, "heater.temperature"), draw.draw(rng, "melting.rate")
    places = [-0.2, 0.2] if complexity == "multi" else [0.0]
    sizes = [1.0] if complexity == "single" else [1.0, 0.7]
    large = 0.75 * draw.draw(rng, "melting.size")
    look = Look(color=(215, 230, 240), gloss=0.5)
    bodies: list[AnyBody] = [tray(rng, (0.8, 0.45, 0.06), "pan")]
    for i, along in enumerate(places):
        high = WALL + 0.004
        for k, share in enumerate(sizes):
            size = round(large * share, 4)
            place = (along, 0.0, round(high + size / 2, 4))
            name = f"ice{i * len(sizes) + k}"
            spacing = round(large * (0.52 * sum(s**3 for s in sizes) * len(places) / 1600) ** (1 / 3), 4)
            bodies.append(
                Particles(
                    name=name,
                    form="ball",
                    size=(size, size, size),
                    position=place,
                    spacing=spacing,
                    radius=round(0.62 * spacing, 4),
                    substance="ice",
                    temperature=-5.0,
                    density=draw.draw(rng, "melting.density"),
                    yield_stress=draw.draw(rng, "melting.yield_stress"),
                    viscosity=draw.draw(rng, "melting.viscosity"),
                    look=look,
                )
            )
            high += size * 0.97
    heater = Heater(radius=1.0, height=WALL, temperature=round(0.4 * hot, 4), rate=round(0.5 * rate, 4), reach=round(0.25 * large, 4))
    what = {"single": "A ball of ice melts", "two": "A snowman melts", "multi": "Two snowmen melt"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.2), 0.38)
    return Scene(tuple(bodies), views=views, heaters=(heater,), text=f"{what} in a warm pan.")


def _wax(
    rng: np.random.Generator, draw: Ranges, name: str, size: Vector, place: Vector, count: int, color: tuple[int, int, int] | None = None
) -> Particles:
    chosen = WAXES[int(rng.integers(len(WAXES)))] if color is None else color
    fields = {key: draw.draw(rng, f"melting.{key}") for key in ("density", "viscosity", "yield_stress", "melting")}
    return matter(name, size, Look(color=chosen, gloss=0.4), count, position=place, substance="wax", **fields)


def _hot(name: str, shape: Cylinder | Sphere, place: Vector) -> Rigid:
    look = Look(color=(175, 60, 45), second=(120, 40, 35), gloss=0.5)
    return Rigid(name=name, shape=shape, position=place, fixed=True, material="steel", friction=0.3, look=look)


@part
class Melting(Category):
    """Phys4D's thermodynamics: wax melts on a hot plate, butter over hot balls, snowmen in a warm pan."""

    name = "melting"
    violations: ClassVar[tuple[str, ...]] = ("vanish", "teleport", "swap", "reverse", "gravity")
    why: ClassVar[str] = "particles go through nothing"
    bases: ClassVar[Mapping[str, Base]] = {"plate": plate, "ball": ball, "thaw": thaw}
