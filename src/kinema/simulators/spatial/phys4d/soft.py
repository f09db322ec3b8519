"""Phys4D's soft bodies: dropped, thrown at a wall, squeezed by a weight, hit by what rolls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Rigid, Soft
from ..scene import Scene
from ..shapes import Box, Quaternion, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges

Form = Literal["box", "ball", "cylinder"]


def jelly(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A soft block drops onto the floor; onto a box (two); onto several boxes (multi)."""
    size, height = draw.draw(rng, "soft.size"), draw.draw(rng, "soft.height")
    under: list[AnyBody] = []
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    high = 0.0
    for k in range(count):
        edge = 0.8 * draw.draw(rng, "rigid.size")
        angle, far = 2 * math.pi * k / count + 0.5, 0.0 if count == 1 else 0.22
        spot = np.array([far * math.cos(angle), far * math.sin(angle), edge / 2])
        under.append(block(rng, draw, f"box{k}" if count > 1 else "box", edge, spot, about_z(rng.uniform(0, 1.5))))
        high = max(high, edge)
    lean = rng.uniform(-0.5, 0.5)
    turn = (round(math.cos(lean / 2), 6), round(math.sin(lean / 2), 6), 0.0, 0.0)
    top = styles.vector(np.array([rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05), high + 0.75 * size + 0.6 * height]))
    body = matter(rng, draw, "jelly", "box", size, top, rotation=turn)
    what = {0: "the floor", 1: "a box", 3: "three boxes"}[count]
    views = styles.views(rng, (0.0, 0.0, round(0.45 * top[2], 4)), max(0.55, 0.6 * top[2]))
    agent, patient = ("jelly", under[0].name) if under else (None, None)
    return Scene((body, *under), views=views, text=f"A block of jelly drops onto {what}.", agent=agent, patient=patient)


def throw(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A soft ball bounces along the floor; it is thrown at a wall (two); at a wall of blocks (multi)."""
    size, height, speed = draw.draw(rng, "soft.size"), draw.draw(rng, "soft.height"), draw.draw(rng, "soft.speed")
    speed = 0.6 + 0.5 * speed if complexity == "single" else 1.0 + speed  # alone, it stays in the picture
    bodies: list[AnyBody] = [matter(rng, draw, "ball", "ball", size, (-0.55, 0.0, round(size / 2 + 0.5 * height, 4)), (speed, 0.0, 0.4))]
    if complexity == "two":
        bodies.append(Rigid(name="wall", shape=Box((0.08, 0.9, 0.9)), position=(0.35, 0.0, 0.45), fixed=True, look=styles.look(rng)))
    if complexity == "multi":
        edge = 0.16
        for k in range(6):
            spot = np.array([0.3, (k % 3 - 1) * 1.02 * edge, edge * (k // 3 + 0.5)])
            bodies.append(block(rng, draw, f"block{k}", edge, spot, (1.0, 0.0, 0.0, 0.0), 0.4))
    text = {"single": "A soft ball bounces along the floor.", "two": "A soft ball is thrown at a wall.",
            "multi": "A soft ball is thrown at a wall of blocks."}  # fmt: skip
    agent, patient = ("ball", bodies[1].name) if len(bodies) > 1 else (None, None)
    views = styles.views(rng, (0.0, 0.0, 0.3), 0.58)
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def squeeze(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A soft cylinder wobbles after a short drop; a weight falls on one (two); several weights (multi)."""
    size, height = draw.draw(rng, "soft.size"), draw.draw(rng, "soft.height")
    drop = 0.3 * height if complexity == "single" else 0.006
    form: Form = "cylinder" if rng.random() < 0.5 else "box"
    bodies: list[AnyBody] = [matter(rng, draw, "cushion", form, size, (0.0, 0.0, round(size / 2 + drop, 4)))]
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    top = size + 0.25 * height
    for k in range(count):
        edge = round(0.75 * draw.draw(rng, "rigid.size"), 4)
        top += 0.75 * edge
        spot = np.array([rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02), top])
        if k % 2:
            bodies.append(
                Rigid(
                    name=f"weight{k}",
                    shape=Sphere(round(edge / 2, 4)),
                    position=styles.vector(spot),
                    density=draw.draw(rng, "rigid.density"),
                    look=styles.look(rng),
                )
            )
        else:
            bodies.append(block(rng, draw, f"weight{k}" if count > 1 else "weight", edge, spot, about_z(rng.uniform(0, 1.5))))
        top += 0.75 * edge
    text = {
        "single": "A soft block drops and wobbles.",
        "two": "A weight falls on a soft cushion.",
        "multi": "Three weights fall on a soft cushion.",
    }
    agent, patient = (bodies[1].name, "cushion") if count else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(max(0.6 * size, 0.35 * top), 4)), max(0.4, 0.55 * top))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def matter(
    rng: np.random.Generator, draw: Ranges, name: str, form: Form, size: float, place: Vector, velocity: Vector = (0.0, 0.0, 0.0),
    rotation: Quaternion = (1.0, 0.0, 0.0, 0.0),
) -> Soft:  # fmt: skip
    """A soft body of drawn matter."""
    return Soft(
        name=name, form=form, size=(size, size, size), count=(7, 7, 7) if form == "ball" else (6, 6, 6), position=place, velocity=velocity,
        rotation=rotation, density=draw.draw(rng, "soft.density"), young=draw.draw(rng, "soft.young"),
        poisson=draw.draw(rng, "soft.poisson"), damping=draw.draw(rng, "soft.damping"),
        friction=draw.draw(rng, "soft.friction"), look=styles.look(rng),
    )  # fmt: skip


def block(
    rng: np.random.Generator, draw: Ranges, name: str, edge: float, spot: np.ndarray, rotation: Quaternion, share: float = 1.0
) -> Rigid:
    """A rigid cube of drawn matter (`share` of it: hollow)."""
    edge = round(edge, 4)
    return Rigid(
        name=name, shape=Box((edge, edge, edge)), position=styles.vector(spot), rotation=rotation, look=styles.look(rng),
        density=round(share * draw.draw(rng, "rigid.density"), 2), friction=draw.draw(rng, "rigid.friction"),
    )  # fmt: skip


def about_z(angle: float) -> Quaternion:
    """A rotation by `angle` rad about z."""
    return (round(math.cos(angle / 2), 6), 0.0, 0.0, round(math.sin(angle / 2), 6))


@part
class SoftBodies(Category):
    """Phys4D's soft bodies: dropped, thrown at a wall, squeezed by weights."""

    name = "soft"
    windy: ClassVar[bool] = True
    bases: ClassVar[Mapping[str, Base]] = {"jelly": jelly, "throw": throw, "squeeze": squeeze}
