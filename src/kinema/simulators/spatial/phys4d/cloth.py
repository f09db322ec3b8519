"""Phys4D's cloth: a flag in the wind, a curtain that is hit, a sheet that falls over things, one that catches what falls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Cloth, Rigid
from ..scene import Scene, Wind
from ..shapes import Box, Capsule, Compound, Cylinder, Piece, Quaternion, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges

UPRIGHT_SHEET: Quaternion = (0.707107, 0.707107, 0.0, 0.0)  # the sheet's y points up


def flag(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A flag on a pole in the wind; a ball flies into it (two); two flags and a ball (multi)."""
    width = draw.draw(rng, "cloth.size")
    height, top = round(0.65 * width, 4), round(0.75 + draw.draw(rng, "cloth.height"), 4)
    wind = breeze(rng, draw)
    flags = 2 if complexity == "multi" else 1
    bodies: list[AnyBody] = []
    for k in range(flags):
        mark, along = (f"{k}" if flags > 1 else ""), round(0.35 * width * (2 * k - flags + 1), 4)
        place = (0.03, along, round(top - height / 2, 4))
        bodies.append(pole(rng, f"pole{mark}", (-width / 2, along, 0.0), top + 0.05))
        bodies.append(sheet(rng, draw, f"flag{mark}", (width, height), place, UPRIGHT_SHEET, "left", (25, 17) if flags == 1 else (19, 13)))
    target = (0.0, 0.0, round(top - 0.6 * height, 4))
    agent = patient = None
    if complexity != "single":
        agent, patient, speed = "ball", bodies[1].name, draw.draw(rng, "cloth.speed")
        bodies.append(thrown(rng, draw, "ball", bodies[1].position, speed))
    text = {
        "single": "A flag flies in the wind.",
        "two": "A ball flies into a flag in the wind.",
        "multi": "A ball flies at two flags in the wind.",
    }
    views = styles.views(rng, target, 0.62 * width + 0.1 * flags)
    return Scene(tuple(bodies), views=views, wind=wind, text=text[complexity], agent=agent, patient=patient)


def curtain(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A curtain swings from a rail; a ball is thrown at one (two); three are (multi)."""
    width = draw.draw(rng, "cloth.size")
    top = round(0.35 + draw.draw(rng, "cloth.height"), 4)
    height = round(min(width, top - 0.12), 4)
    lean = math.radians(rng.uniform(25, 50)) if complexity == "single" else 0.0
    # It hangs from its upper edge, y = height / 2 of the sheet, turned about the rail.
    turn = math.pi / 2 - lean
    hung = np.array([0.0, -height / 2 * math.cos(turn), top - height / 2 * math.sin(turn)])
    rotation = (round(math.cos(turn / 2), 6), round(math.sin(turn / 2), 6), 0.0, 0.0)
    bodies: list[AnyBody] = [
        rail(rng, width, top),
        sheet(rng, draw, "curtain", (width, height), styles.vector(hung), rotation, "top", (23, 23)),
    ]
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    speed = draw.draw(rng, "cloth.speed")
    for k in range(count):
        across = (k - (count - 1) / 2) * 0.3 * width
        aim = (round(across + rng.uniform(-0.05, 0.05), 4), 0.0, round(top - height * rng.uniform(0.4, 0.7), 4))
        bodies.append(thrown(rng, draw, f"ball{k}" if count > 1 else "ball", aim, speed, 0.06 + 0.05 * k))
    text = {"single": "A curtain swings.", "two": "A ball is thrown at a curtain.", "multi": "Three balls are thrown at a curtain."}
    agent, patient = (bodies[2].name, "curtain") if count else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(top - 0.55 * height, 4)), 0.6 * max(width, height))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def drape(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A sheet falls over a thing on the floor; over two; over four."""
    count = {"single": 1, "two": 2, "multi": 4}[complexity]
    bodies: list[AnyBody] = []
    around = rng.uniform(0, 2 * math.pi)
    high = 0.0
    sizes = [draw.draw(rng, "rigid.size") * {1: 1.3, 2: 1.0, 4: 0.8}[count] for _ in range(count)]
    far = 0.0 if count == 1 else max(0.28, 1.02 * max(sizes) * (1 if count == 2 else math.sqrt(2)))  # clear of each other
    for k, size in enumerate(sizes):
        angle = around + 2 * math.pi * k / count
        shape = (Sphere(size), Box((1.4 * size, 1.4 * size, 1.8 * size)), Cylinder(0.7 * size, 1.8 * size))[int(rng.integers(3))]
        half = size if isinstance(shape, Sphere) else 0.9 * size
        spot = styles.vector(np.array([far * math.cos(angle), far * math.sin(angle), half]))
        # Heavy things stand firm: a cloth of a few hundred grams does not move them, and its contacts are solved far better.
        bodies.append(
            Rigid(
                name=f"thing{k}" if count > 1 else "thing", shape=shape, position=spot, rotation=about_z(rng.uniform(0, 2 * math.pi)),
                fixed=True, friction=draw.draw(rng, "rigid.friction"), look=styles.look(rng),
            )
        )  # fmt: skip
        high = max(high, 2 * half)
    width = draw.draw(rng, "cloth.size")
    place = (0.0, 0.0, round(high + 0.3 * draw.draw(rng, "cloth.height"), 4))
    turn = rng.uniform(0, math.pi / 4)
    bodies.append(
        sheet(rng, draw, "sheet", (width, width), place, (round(math.cos(turn), 6), 0.0, 0.0, round(math.sin(turn), 6)), "none", (25, 25))
    )
    things = {1: "a thing", 2: "two things", 4: "four things"}[count]
    views = styles.views(rng, (0.0, 0.0, round(0.4 * high, 4)), 0.62 * width)
    return Scene(tuple(bodies), views=views, text=f"A sheet falls over {things} on the floor.", agent="sheet", patient=bodies[0].name)


def hammock(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A sheet held by its corners sags and swings; it catches a ball (two); several things (multi)."""
    width, height = draw.draw(rng, "cloth.size"), draw.draw(rng, "cloth.height")
    bodies: list[AnyBody] = [
        posts(rng, width, height),
        sheet(rng, draw, "sheet", (width, width), (0.0, 0.0, height), (1.0, 0.0, 0.0, 0.0), "corners", (23, 23)),
    ]
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    for k in range(count):
        size = round(0.5 * draw.draw(rng, "rigid.size"), 4)
        shape = Sphere(size) if k % 2 == 0 else Box((1.6 * size, 1.6 * size, 1.6 * size))
        across = 0.0 if count == 1 else 0.16 * width
        angle = 2 * math.pi * k / max(count, 1)
        spot = np.array([across * math.cos(angle), across * math.sin(angle), height + 0.3 + 0.15 * k])
        bodies.append(
            Rigid(
                name=f"thing{k}" if count > 1 else "ball", shape=shape, position=styles.vector(spot), density=light(rng, draw),
                friction=draw.draw(rng, "rigid.friction"), look=styles.look(rng),
            )
        )  # fmt: skip
    text = {"single": "A sheet held by its corners sags.", "two": "A sheet held by its corners catches a ball.",
            "multi": "Three things fall onto a sheet held by its corners."}  # fmt: skip
    agent, patient = (bodies[2].name, "sheet") if count else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(0.75 * height, 4)), 0.65 * width)
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def about_z(angle: float) -> Quaternion:
    """A rotation by `angle` rad about z."""
    return (round(math.cos(angle / 2), 6), 0.0, 0.0, round(math.sin(angle / 2), 6))


def sheet(
    rng: np.random.Generator, draw: Ranges, name: str, size: tuple[float, float], place: Vector, rotation: Quaternion, pinned: str,
    count: tuple[int, int],
) -> Cloth:  # fmt: skip
    """A cloth of drawn matter."""
    return Cloth(
        name=name, position=place, rotation=rotation, size=size, count=count, pinned=pinned, density=draw.draw(rng, "cloth.density"),  # type: ignore[arg-type]
        young=draw.draw(rng, "cloth.young"), poisson=draw.draw(rng, "cloth.poisson"), thickness=draw.draw(rng, "cloth.thickness"),
        friction=draw.draw(rng, "cloth.friction"), look=styles.look(rng),
    )  # fmt: skip


def breeze(rng: np.random.Generator, draw: Ranges) -> Wind:
    """A wind roughly along x, with gusts."""
    angle, speed = rng.uniform(-0.35, 0.35), draw.draw(rng, "wind.speed")
    velocity = styles.vector(speed * np.array([math.cos(angle), math.sin(angle), 0.0]))
    return Wind(
        velocity=velocity,
        gusts=draw.draw(rng, "wind.gusts"),
        period=round(float(rng.uniform(0.5, 1.2)), 3),
        density=draw.draw(rng, "wind.density"),
    )


def light(rng: np.random.Generator, draw: Ranges) -> float:
    """The density [kg/m^3] of a hollow ball or box: a tenth of what it is made of."""
    return round(0.1 * draw.draw(rng, "rigid.density"), 3)


def thrown(rng: np.random.Generator, draw: Ranges, name: str, aim: Vector, speed: float, early: float = 0.0) -> Rigid:
    """A ball that flies along y to `aim` and is there after about 0.4 s, `early` s later for each."""
    time, size = 0.35 + early, round(0.45 * draw.draw(rng, "rigid.size"), 4)
    ahead = 0.6 * speed + 1.0
    rise = 9.81 * time / 2
    spot = (aim[0], round(aim[1] - ahead * time, 4), max(aim[2], size + 0.02))
    return Rigid(
        name=name, shape=Sphere(size), position=spot, velocity=styles.vector(np.array([0.0, ahead, rise])), density=light(rng, draw),
        friction=draw.draw(rng, "rigid.friction"), look=styles.look(rng),
    )  # fmt: skip


def pole(rng: np.random.Generator, name: str, place: Vector, top: float) -> Rigid:
    """A thin pole with a knob."""
    parts = (Piece(Cylinder(0.015, top), position=(0.0, 0.0, top / 2)), Piece(Sphere(0.03), position=(0.0, 0.0, top)))
    return Rigid(name=name, shape=Compound(parts), position=styles.vector(np.array(place)), fixed=True, look=styles.look(rng))


def rail(rng: np.random.Generator, width: float, top: float) -> Rigid:
    """A round rail along x at `top`, on two posts."""
    half, thin, over = width / 2 + 0.08, 0.015, 0.025
    posts_ = tuple(Piece(Cylinder(thin, top), position=(side * half, 0.0, top / 2)) for side in (-1, 1))
    beam = Piece(Capsule(thin, 2 * half), position=(0.0, 0.0, top + over), rotation=(0.707107, 0.0, 0.707107, 0.0))
    return Rigid(name="rail", shape=Compound((*posts_, beam)), fixed=True, look=styles.look(rng))


def posts(rng: np.random.Generator, width: float, height: float) -> Rigid:
    """Four posts outside a sheet's corners."""
    thin, half = 0.02, width / 2 + 0.026
    corners = [(x * half, y * half) for x in (-1, 1) for y in (-1, 1)]
    parts = tuple(Piece(Cylinder(thin, height), position=(x, y, height / 2)) for x, y in corners)
    return Rigid(name="posts", shape=Compound(parts), fixed=True, look=styles.look(rng))


@part
class Cloths(Category):
    """Phys4D's cloth: a flag in the wind, a curtain that is hit, a sheet that falls over things, one that catches what falls."""

    name = "cloth"
    windy: ClassVar[bool] = True
    bases: ClassVar[Mapping[str, Base]] = {"flag": flag, "curtain": curtain, "drape": drape, "hammock": hammock}
