"""Phys4D's inflatables: a balloon bounces, rises or is blown away, is blown up, carries a weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Balloon, Rigid
from ..scene import Scene, Wind
from ..shapes import Box, Cylinder, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges

STILL_AIR = Wind(velocity=(0.0, 0.0, 0.0))
GAP = 0.004


def bounce(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A balloon is thrown to the floor; against a wall (two); among blocks (multi)."""
    radius, height, speed = draw.draw(rng, "inflatable.radius"), draw.draw(rng, "inflatable.height"), draw.draw(rng, "inflatable.speed")
    start = (-0.45, 0.0, round(radius + 0.5 * height, 4))
    bodies: list[AnyBody] = [balloon(rng, draw, "balloon", radius, start, (speed, 0.0, -1.5))]
    if complexity == "two":
        bodies.append(Rigid(name="wall", shape=Box((0.08, 0.9, 0.9)), position=(0.4, 0.0, 0.45), fixed=True, look=styles.look(rng)))
    if complexity == "multi":
        bodies += [block(rng, draw, f"block{k}", (0.3, (k - 1) * 0.2, 0.0)) for k in range(3)]
    text = {"single": "A balloon bounces on the floor.", "two": "A balloon bounces off the floor and a wall.",
            "multi": "A balloon bounces among blocks."}  # fmt: skip
    agent, patient = ("balloon", bodies[1].name) if len(bodies) > 1 else (None, None)
    views = styles.views(rng, (0.0, 0.0, 0.35), 0.7)
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def rise(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A balloon lighter than air rises; the wind takes one along (two); past blocks (multi)."""
    radius = draw.draw(rng, "inflatable.radius")
    start = (0.0 if complexity == "single" else -0.6, 0.0, round(radius + 0.05, 4))
    body = balloon(rng, draw, "balloon", radius, start, (0.0, 0.0, 0.0), weightless=True)
    bodies: list[AnyBody] = [body]
    wind = STILL_AIR
    if complexity != "single":
        angle, speed = rng.uniform(-0.3, 0.3), 0.2 * draw.draw(rng, "wind.speed")
        wind = Wind(velocity=styles.vector(speed * np.array([math.cos(angle), math.sin(angle), 0.0])), gusts=draw.draw(rng, "wind.gusts"))
    if complexity == "multi":
        bodies += [block(rng, draw, f"block{k}", (round(0.45 + 0.1 * k, 4), (k - 1) * 0.25, 0.0)) for k in range(3)]
    text = {
        "single": "A balloon rises.",
        "two": "The wind takes a rising balloon along.",
        "multi": "The wind drives a rising balloon over blocks.",
    }
    views = styles.views(rng, (0.0 if complexity == "single" else 0.2, 0.0, 0.8), 0.95, "balloon")
    return Scene(tuple(bodies), views=views, wind=wind, text=text[complexity])


def inflate(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A balloon is blown up; it lifts a board (two); a board with things on it (multi)."""
    radius, rate = 0.8 * draw.draw(rng, "inflatable.radius"), 0.3 + 20 * draw.draw(rng, "inflatable.inflation")
    body = balloon(rng, draw, "balloon", radius, (0.0, 0.0, round(radius + 0.01, 4)), (0.0, 0.0, 0.0), inflation=round(rate, 4))
    bodies: list[AnyBody] = [body]
    side, thick = round(2.4 * radius, 4), 0.03
    level = 2.03 * radius + 0.02
    if complexity != "single":
        spot = styles.vector(np.array([0.0, 0.0, level + thick / 2]))
        bodies.append(Rigid(name="board", shape=Box((side, side, thick)), position=spot, mass=0.4, look=styles.look(rng)))
        frame = side / 2 + 0.02
        for k, (x, y) in enumerate(((frame, 0.0), (-frame, 0.0), (0.0, frame), (0.0, -frame))):
            place = (round(x, 4), round(y, 4), 0.45)
            bodies.append(
                Rigid(name=f"post{k}", shape=Cylinder(0.015, 0.9), position=place, fixed=True, friction=0.0, look=styles.look(rng, "grey"))
            )
    if complexity == "multi":
        for k in range(2):
            edge = round(0.5 * draw.draw(rng, "rigid.size"), 4)
            upon = styles.vector(np.array([(2 * k - 1) * 0.3 * side, 0.0, level + thick + edge / 2 + 0.002]))
            bodies.append(Rigid(name=f"load{k}", shape=Box((edge, edge, edge)), position=upon, mass=0.15, look=styles.look(rng)))
    text = {"single": "A balloon is blown up.", "two": "A balloon that is blown up lifts a board.",
            "multi": "A balloon that is blown up lifts a board with things on it."}  # fmt: skip
    agent, patient = ("balloon", "board") if complexity != "single" else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(1.2 * radius, 4)), max(0.5, 2.6 * radius))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def cushion(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """An air cushion drops; a ball bounces on one (two); several things do (multi)."""
    radius = 1.2 * draw.draw(rng, "inflatable.radius")
    height = draw.draw(rng, "inflatable.height")
    drop = 0.5 * height if complexity == "single" else GAP
    bodies: list[AnyBody] = [balloon(rng, draw, "cushion", radius, (0.0, 0.0, round(1.02 * radius + drop, 4)), (0.0, 0.0, 0.0))]
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    for k in range(count):
        size = round(0.4 * draw.draw(rng, "rigid.size"), 4)
        spot = np.array([rng.uniform(-0.04, 0.04), rng.uniform(-0.04, 0.04), 2.1 * radius + 0.12 + 0.2 * height + 0.2 * k])
        shape = Sphere(size) if k % 2 == 0 else Box((1.6 * size, 1.6 * size, 1.6 * size))
        density = round(0.15 * draw.draw(rng, "rigid.density"), 2)
        bodies.append(
            Rigid(
                name=f"thing{k}" if count > 1 else "ball", shape=shape, position=styles.vector(spot), density=density,
                look=styles.look(rng), friction=draw.draw(rng, "rigid.friction"),
            )
        )  # fmt: skip
    text = {
        "single": "An air cushion drops to the floor.",
        "two": "A ball drops onto an air cushion.",
        "multi": "Things drop onto an air cushion.",
    }
    agent, patient = (bodies[1].name, "cushion") if count else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(1.6 * radius, 4)), max(0.6, 2.5 * radius))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def balloon(
    rng: np.random.Generator, draw: Ranges, name: str, radius: float, place: Vector, velocity: Vector, inflation: float = 0.0,
    weightless: bool = False,
) -> Balloon:  # fmt: skip
    """A balloon of drawn matter; a `weightless` one is carried by the air, and rises by a share of its drawn lift."""
    mass, lift = draw.draw(rng, "inflatable.mass"), draw.draw(rng, "inflatable.lift")
    carried = mass * draw.drawn.get("gravity", 9.81)
    return Balloon(
        name=name, radius=round(radius, 4), position=place, velocity=velocity, mass=mass, young=draw.draw(rng, "inflatable.young"),
        poisson=draw.draw(rng, "inflatable.poisson"), pressure=draw.draw(rng, "inflatable.pressure"), inflation=inflation,
        lift=round(carried + 0.03 + 0.15 * lift, 4) if weightless else 0.0, friction=draw.draw(rng, "inflatable.friction"),
        look=styles.look(rng),
    )  # fmt: skip


def block(rng: np.random.Generator, draw: Ranges, name: str, place: Vector) -> Rigid:
    """A light block on the floor."""
    edge = round(0.6 * draw.draw(rng, "rigid.size"), 4)
    return Rigid(
        name=name, shape=Box((edge, edge, edge)), position=(place[0], round(place[1], 4), edge / 2), look=styles.look(rng),
        density=round(0.2 * draw.draw(rng, "rigid.density"), 2), friction=draw.draw(rng, "rigid.friction"),
    )  # fmt: skip


@part
class Inflatables(Category):
    """Phys4D's inflatables: balloons that bounce, rise, are blown away or up, and an air cushion."""

    name = "inflatable"
    windy: ClassVar[bool] = True
    bases: ClassVar[Mapping[str, Base]] = {"bounce": bounce, "rise": rise, "inflate": inflate, "cushion": cushion}
