"""Phys4D's granular matter: a column that collapses, grains poured onto a heap, a ball dropped into sand, a funnel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Particles, Rigid
from ..looks import Look
from ..scene import Scene
from ..shapes import Box, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges
from .vessels import WALL, funnel, matter, tipping, tray

SANDS = ((205, 175, 120), (185, 150, 105), (215, 195, 160), (150, 115, 80), (170, 165, 160))


def column(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A column of sand collapses; beside a box that stands in its way (two); two columns collapse into each other (multi)."""
    side, height = 0.8 * draw.draw(rng, "granular.size"), 0.2 + 0.4 * draw.draw(rng, "granular.height")
    places = [-0.16, 0.16] if complexity == "multi" else [0.0]
    bodies: list[AnyBody] = []
    for k, along in enumerate(places):
        place = (along, 0.0, round(height / 2 + 0.006, 4))
        bodies.append(
            _sand(rng, draw, f"sand{k}", (round(side, 4), round(side, 4), round(height, 4)), place, 1500 // len(places), "cylinder")
        )
    if complexity == "two":
        bodies.append(Rigid(name="box", shape=Box((0.12, 0.2, 0.16)), position=(0.26, 0.0, 0.08), fixed=True, look=styles.look(rng)))
    text = {
        "single": "A column of sand collapses.",
        "two": "A column of sand collapses beside a box.",
        "multi": "Two columns of sand collapse.",
    }
    patient = {"single": None, "two": "box", "multi": "sand1"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.12), 0.33)
    return Scene(tuple(bodies), views=views, agent=patient and "sand0", patient=patient, text=text[complexity])


def heap(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A cup pours sand onto the floor; over a box (two); over a box and a ball (multi)."""
    side, speed = 0.6 * draw.draw(rng, "granular.size"), 1.2 + draw.draw(rng, "granular.speed")
    place = (-0.25, 0.0, round(0.35 + 0.4 * draw.draw(rng, "granular.height"), 4))
    fill = (round(side - 0.012, 4), round(side - 0.012, 4), round(side, 4))
    sand = _sand(rng, draw, "sand", fill, (place[0], 0.0, round(place[2] + 0.006 + side / 2, 4)), 1200)
    inside = (round(side, 4), round(side, 4), round(1.1 * side, 4))
    bodies: list[AnyBody] = [tipping(rng, inside, place, 0.1, speed), sand]
    if complexity != "single":
        bodies.append(Rigid(name="box", shape=Box((0.16, 0.2, 0.1)), position=(0.08, 0.0, 0.05), fixed=True, look=styles.look(rng)))
    if complexity == "multi":
        bodies.append(Rigid(name="ball", shape=Sphere(0.07), position=(0.26, 0.03, 0.07), fixed=True, look=styles.look(rng)))
    what = {"single": "onto the floor", "two": "over a box", "multi": "over a box and a ball"}[complexity]
    agent, patient = (None, None) if complexity == "single" else ("sand", "box")
    return Scene(
        tuple(bodies), views=styles.views(rng, (0.0, 0.0, 0.27), 0.38), agent=agent, patient=patient, text=f"A cup pours sand {what}."
    )


def impact(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A ball drops into a tray of sand; two balls, one heavy and one light; four (multi)."""
    bed = _sand(rng, draw, "sand", (0.5, 0.5, 0.12), (0.0, 0.0, WALL + 0.066), 1600)
    bodies: list[AnyBody] = [tray(rng, (0.51, 0.51, 0.14)), bed]
    count = {"single": 1, "two": 2, "multi": 4}[complexity]
    high = WALL + 0.25 + 0.6 * draw.draw(rng, "granular.height")
    for k in range(count):
        radius = round(float(rng.uniform(0.05, 0.08)), 4)
        x, y = (0.12 * np.cos(2 * np.pi * k / count), 0.12 * np.sin(2 * np.pi * k / count)) if count > 1 else (0.0, 0.0)
        density = draw.draw(rng, "rigid.density") * (4.0 if k % 2 == 0 else 1.0)
        place = styles.vector(np.array([x, y, high + 0.06 * k]))
        bodies.append(Rigid(name=f"ball{k}", shape=Sphere(radius), position=place, density=density, look=styles.look(rng)))
    what = {"single": "A ball drops", "two": "Two balls drop", "multi": "Four balls drop"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.28), 0.42) if complexity == "multi" else styles.views(rng, (0.0, 0.0, 0.22), 0.35)
    return Scene(tuple(bodies), views=views, agent="ball0", patient="sand", text=f"{what} into a tray of sand.")


def hourglass(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """Sand runs through a funnel onto the floor; onto a box (two); into a tray (multi)."""
    side, height = round(0.75 * draw.draw(rng, "granular.size"), 4), round(0.32 + 0.2 * draw.draw(rng, "granular.height"), 4)
    size = (side, side, round(0.7 * side, 4))
    mouth, slope, grains = round(side + 0.1, 4), round(float(rng.uniform(1.2, 2.0)), 2), float(rng.uniform(9.3, 11.0))
    sand = _sand(rng, draw, "sand", size, (0.0, 0.0, 0.0), 2000)
    throat = round(grains * sand.spacing, 4)  # narrower ones, three cells of the solver's grid, jam
    fits = slope * (side + 2 * sand.spacing - throat) / 2  # above the hole: there the sand is as wide as the funnel
    sand = replace(sand, position=(0.0, 0.0, round(height + fits + size[2] / 2, 4)))
    bodies: list[AnyBody] = [funnel(rng, mouth, throat, round(slope * (mouth - throat) / 2, 4), (0.0, 0.0, height)), sand]
    if complexity == "two":
        bodies.append(Rigid(name="box", shape=Box((0.12, 0.12, 0.08)), position=(0.0, 0.0, 0.04), fixed=True, look=styles.look(rng)))
    if complexity == "multi":
        bodies.append(tray(rng, (0.3, 0.3, 0.08)))
    where = {"single": "onto the floor", "two": "onto a box", "multi": "into a tray"}[complexity]
    patient = {"single": None, "two": "box", "multi": "tray"}[complexity]
    views = styles.views(rng, (0.0, 0.0, 0.28), 0.38)
    return Scene(tuple(bodies), views=views, agent=patient and "sand", patient=patient, text=f"Sand runs through a funnel {where}.")


def _sand(rng: np.random.Generator, draw: Ranges, name: str, size: Vector, place: Vector, count: int, form: str = "box") -> Particles:
    color = SANDS[int(rng.integers(len(SANDS)))]
    dark = (int(0.75 * color[0]), int(0.75 * color[1]), int(0.75 * color[2]))
    look = Look(color=color, second=dark, texture="noise", scale=0.03, gloss=0.0, seed=int(rng.integers(1000)))
    density, friction = draw.draw(rng, "granular.density"), draw.draw(rng, "granular.friction")
    return matter(name, size, look, count, position=place, substance="sand", density=density, friction=friction, form=form)


@part
class Granular(Category):
    """Phys4D's granular matter: a column that collapses, sand poured from a cup, balls dropped into sand, a funnel."""

    name = "granular"
    violations: ClassVar[tuple[str, ...]] = ("vanish", "teleport", "swap", "reverse", "gravity")
    why: ClassVar[str] = "particles go through nothing"
    bases: ClassVar[Mapping[str, Base]] = {"column": column, "heap": heap, "impact": impact, "hourglass": hourglass}
