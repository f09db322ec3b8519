"""Phys4D's fluids: poured from a cup, a dam that breaks, things that fall into a pool, thick and thin ones that spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Particles, Rigid
from ..looks import Look
from ..scene import Scene
from ..shapes import Box, Cylinder, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges
from .vessels import WALL, matter, tipping, tray

WATERS = ((60, 130, 205), (45, 150, 180), (80, 110, 215), (70, 165, 165), (150, 70, 140))
SYRUPS = ((215, 145, 40), (190, 95, 35), (225, 180, 80), (120, 60, 35))


def pour(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A cup tips and pours onto the floor; into a tray (two); into a tray with blocks of wood in it (multi)."""
    side, speed = 0.55 * draw.draw(rng, "fluid.size"), 1.0 + draw.draw(rng, "fluid.speed")
    inside = (round(side, 4), round(side, 4), round(1.2 * side, 4))
    place = (-0.28, 0.0, round(0.4 + 0.4 * draw.draw(rng, "fluid.height"), 4))
    gap = 0.012
    fill = (round(side - gap, 4), round(side - gap, 4), round(0.85 * side, 4))
    water = _fluid(rng, draw, "water", fill, (place[0], place[1], round(place[2] + gap / 2 + fill[2] / 2, 4)), 1200)
    bodies: list[AnyBody] = [tipping(rng, inside, place, 0.1, speed), water]
    if complexity != "single":
        bodies.append(tray(rng, (0.5, 0.36, 0.1), place=(0.12, 0.0)))
    if complexity == "multi":
        bodies += [_block(rng, f"block{k}", (round(0.02 + 0.2 * k, 4), 0.0, WALL + 0.045)) for k in range(2)]
    text = {"single": "A cup tips and pours water onto the floor.", "two": "A cup pours water into a tray.",
            "multi": "A cup pours water into a tray with blocks of wood in it."}  # fmt: skip
    patient = {"single": None, "two": "tray", "multi": "block0"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.28), 0.38)
    return Scene(tuple(bodies), views=views, agent=patient and "water", patient=patient, text=text[complexity])


def dam(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A column of water in a basin breaks down; against a post (two); against three (multi)."""
    width, height = draw.draw(rng, "fluid.size"), 0.1 + 0.4 * draw.draw(rng, "fluid.height")
    size = (round(0.7 * width, 4), 0.43, round(height, 4))
    water = _fluid(rng, draw, "water", size, (round(0.35 * width - 0.44, 4), 0.0, round(WALL + height / 2 + 0.008, 4)))
    posts = {"single": [], "two": [0.0], "multi": [-0.13, 0.0, 0.13]}[complexity]
    bodies: list[AnyBody] = [tray(rng, (0.9, 0.45, 0.18), "basin"), water]
    for k, across in enumerate(posts):
        tall = round(float(rng.uniform(0.2, 0.35)), 4)
        shape = Box((0.08, 0.08, tall)) if rng.random() < 0.5 else Cylinder(0.045, tall)
        spot = (round(0.12 + 0.1 * (k % 2) + float(rng.uniform(0, 0.05)), 4), across, round(WALL + tall / 2, 4))
        bodies.append(Rigid(name=f"post{k}", shape=shape, position=spot, fixed=True, look=styles.look(rng)))
    what = {"single": "", "two": " against a post", "multi": " against three posts"}[complexity]
    agent, patient = ("water", "post0") if posts else (None, None)
    views = styles.views(rng, (0.0, 0.0, 0.15), 0.48)
    return Scene(tuple(bodies), views=views, agent=agent, patient=patient, text=f"A column of water breaks down{what}.")


def splash(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A drop falls into a pool; a ball (two); balls light and heavy (multi)."""
    inside = (0.5, 0.5, 0.16)
    pool = _fluid(rng, draw, "pool", (0.49, 0.49, 0.13), (0.0, 0.0, WALL + 0.07), 1600)
    bodies: list[AnyBody] = [tray(rng, inside), pool]
    high = WALL + 0.3 + 0.4 * draw.draw(rng, "fluid.height")
    if complexity == "single":
        size = round(0.45 * draw.draw(rng, "fluid.size"), 4)
        spacing = pool.spacing
        place = (0.0, 0.0, round(high, 4))
        bodies.append(
            Particles(
                name="drop",
                form="ball",
                size=(size, size, size),
                position=place,
                spacing=spacing,
                radius=pool.radius,
                density=pool.density,
                viscosity=pool.viscosity,
                look=pool.look,
            )
        )
    for k in range({"single": 0, "two": 1, "multi": 3}[complexity]):
        radius = round(float(rng.uniform(0.055, 0.075)), 4)
        spot = (round(0.15 * ((k + 1) % 3 - 1), 4), round(float(rng.uniform(-0.1, 0.1)), 4), round(high + 0.08 * k, 4))
        density = draw.draw(rng, "rigid.density") * (1.0 if k != 1 else 2.0)
        bodies.append(Rigid(name=f"ball{k}", shape=Sphere(radius), position=spot, density=density, look=styles.look(rng)))
    text = {"single": "A drop falls into a pool.", "two": "A ball falls into a pool.", "multi": "Balls fall into a pool."}[complexity]
    agent = "drop" if complexity == "single" else "ball0"
    views = styles.views(rng, (0.0, 0.0, 0.26), 0.41) if complexity == "multi" else styles.views(rng, (0.0, 0.0, 0.21), 0.35)
    return Scene(tuple(bodies), views=views, agent=agent, patient="pool", text=text)


def thick(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A column of a thick fluid spreads; two, the second thicker; three, each thicker than the one before."""
    count = {"single": 1, "two": 2, "multi": 3}[complexity]
    side, height, base = 0.45 * draw.draw(rng, "fluid.size"), 0.12 + 0.3 * draw.draw(rng, "fluid.height"), draw.draw(rng, "fluid.viscosity")
    bodies: list[AnyBody] = []
    for k in range(count):
        color = SYRUPS[int(rng.integers(len(SYRUPS)))]
        across = round(0.38 * (k - (count - 1) / 2), 4)
        bodies.append(
            matter(
                f"column{k}",
                (round(side, 4), round(side, 4), round(height, 4)),
                _look(color),
                2000 // (count + 1),
                form="cylinder",
                position=(across, 0.0, round(height / 2 + 0.006, 4)),
                substance="honey",
                viscosity=round((5 + 30 * base) * 5**k, 4),
            )
        )
    text = {"single": "A thick fluid spreads.", "two": "Two fluids spread, one thicker than the other.",
            "multi": "Three fluids spread, each thicker than the one before."}[complexity]  # fmt: skip
    return Scene(tuple(bodies), views=styles.views(rng, (0.0, 0.0, 0.08), 0.18 + 0.09 * count), text=text)


def _fluid(rng: np.random.Generator, draw: Ranges, name: str, size: Vector, place: Vector, count: int = 1500) -> Particles:
    color = WATERS[int(rng.integers(len(WATERS)))]
    density, viscosity = draw.draw(rng, "fluid.density"), draw.draw(rng, "fluid.viscosity")
    return matter(name, size, _look(color), count, position=place, density=density, viscosity=viscosity)


def _look(color: tuple[int, int, int]) -> Look:
    return Look(color=color, gloss=0.7)


def _block(rng: np.random.Generator, name: str, place: Vector) -> Rigid:
    return Rigid(
        name=name, shape=Box((0.09, 0.12, 0.08)), position=place, density=round(float(rng.uniform(400, 700)), 1), look=styles.look(rng)
    )


@part
class Fluids(Category):
    """Phys4D's fluids: poured from a cup, a dam that breaks, things that fall into a pool, thick fluids that spread."""

    name = "fluid"
    violations: ClassVar[tuple[str, ...]] = ("vanish", "teleport", "swap", "reverse", "gravity")
    why: ClassVar[str] = "particles go through nothing"
    bases: ClassVar[Mapping[str, Base]] = {"pour": pour, "dam": dam, "splash": splash, "thick": thick}
