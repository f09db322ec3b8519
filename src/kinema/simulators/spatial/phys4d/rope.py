"""Phys4D's ropes: they swing with a load, fall over a bar, swing a wrecking ball, hang between posts, hold a seat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import AnyBody, Rigid, Rope
from ..scene import Scene
from ..shapes import Box, Capsule, Compound, Cylinder, Piece, Quaternion, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges

KNOB = 0.06  # m, the radius of a post's knob
SOFT = 0.1  # rolling resistance of soft balls, which come to rest within the picture


def pendulum(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A load swings on a rope; into another that hangs at rest (two); into a row of them (multi)."""
    size, angle, length = draw.draw(rng, "rope.size"), math.radians(draw.draw(rng, "rope.angle")), 0.6 * draw.draw(rng, "rope.length")
    count = {"single": 1, "two": 2, "multi": 4}[complexity]
    top = length + 2 * size + 0.15
    half = size * (count - 1)
    bodies: list[AnyBody] = [gallows(rng, top, half + 0.15)]
    load, bounce = draw.draw(rng, "rope.load"), draw.draw(rng, "rigid.restitution")
    for k in range(count):
        place = (round(2.02 * size * k - half, 4), 0.0, round(top, 4))
        bodies += hung(rng, draw, f"{k}" if count > 1 else "", place, length, math.pi / 2 + (angle if k == 0 else 0.0), size, load, bounce)
    agent, patient = ("ball0", "ball1") if count > 1 else (None, None)
    text = {
        "single": "A ball swings on a rope.",
        "two": "A ball on a rope swings into another.",
        "multi": "A ball on a rope swings into a row of others.",
    }
    target = (-0.1, 0.0, round(0.5 * top, 4))
    wide = max(0.52 * top, 0.75 * (half + length * math.sin(angle) + 2 * size))
    return Scene(tuple(bodies), views=styles.views(rng, target, wide), text=text[complexity], agent=agent, patient=patient)


def wrecking(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A wrecking ball on a rope swings into one box, a stack of two, or a wall."""
    size, angle, length = draw.draw(rng, "rope.size"), math.radians(draw.draw(rng, "rope.angle")), 0.6 * draw.draw(rng, "rope.length")
    top = round(length + 2 * size + 0.06, 4)
    load, bounce = draw.draw(rng, "rope.load"), draw.draw(rng, "rigid.restitution")
    ball = hung(rng, draw, "", (0.0, 0.0, top), length, math.pi / 2 + angle, size, load, bounce)
    bodies: list[AnyBody] = [gallows(rng, top, 0.2), *ball]
    edge = 0.18
    rows = {"single": (1, 1), "two": (1, 2), "multi": (3, 3)}[complexity]
    density, friction = 0.3 * draw.draw(rng, "rigid.density"), draw.draw(rng, "rigid.friction")
    for k in range(rows[0] * rows[1]):
        column, row = k % rows[0], k // rows[0]
        place = (size + edge / 2 + 0.03, (column - (rows[0] - 1) / 2) * 1.02 * edge, edge * (row + 0.5))
        box = Box((edge, edge, edge))
        bodies.append(
            Rigid(
                name=f"box{k}",
                shape=box,
                position=styles.vector(np.array(place)),
                density=density,
                friction=friction,
                look=styles.look(rng),
            )
        )
    what = {"single": "a box", "two": "a stack of two boxes", "multi": "a wall of boxes"}[complexity]
    target = (0.0, 0.0, round(0.48 * top, 4))
    text = f"A ball on a rope swings into {what}."
    return Scene(tuple(bodies), views=styles.views(rng, target, 0.62 * top, "ball"), agent="ball", patient="box0", text=text)


def bar(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A rope falls over a bar; two ropes; three."""
    height = round(0.35 + 0.6 * draw.draw(rng, "rope.height"), 4)
    bodies: list[AnyBody] = [goal(rng, "bar", height, 0.45, draw.draw(rng, "rope.friction"))]
    count = {"single": 1, "two": 2, "multi": 3}[complexity]
    turn = rng.uniform(-0.3, 0.3)
    for k in range(count):
        length, above = draw.draw(rng, "rope.length"), draw.draw(rng, "rope.height") * 0.5
        across = (k - (count - 1) / 2) * 0.22
        start = (round(-length * rng.uniform(0.45, 0.55), 4), round(across, 4), round(height + 0.03 + above, 4))
        along = about_z(turn + (rng.uniform(-0.04, 0.04) if count > 1 else 0.0))
        bodies.append(rope(rng, draw, f"rope{k}" if count > 1 else "rope", start, length, rotation=along, segments=28))
    text = {"single": "A rope falls over a bar.", "two": "Two ropes fall over a bar.", "multi": "Three ropes fall over a bar."}
    target = (0.0, 0.0, round(0.6 * height, 4))
    return Scene(tuple(bodies), views=styles.views(rng, target, 0.55), agent=bodies[1].name, patient="bar", text=text[complexity])


def bridge(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A rope between two posts swings sideways; a ball drops onto it (two); several do (multi)."""
    span, slack = draw.draw(rng, "rope.length"), min(draw.draw(rng, "rope.slack"), 1.35)
    slack += 0.12 if complexity == "single" else 0.0  # what hangs tight hardly swings
    length, height = round(span * slack, 4), round(0.5 + 0.45 * slack, 4)
    turn = math.radians(draw.draw(rng, "rope.angle")) if complexity == "single" else 0.0
    swung = (round(math.cos(turn / 2), 6), round(math.sin(turn / 2), 6), 0.0, 0.0)
    line = rope(rng, draw, "rope", (-span / 2, 0.0, height), length, span, swung, "left post", "right post", 28)
    posts = [post(rng, name, side * (span / 2 + KNOB), height) for name, side in (("left post", -1), ("right post", 1))]
    bodies: list[AnyBody] = [*posts, line]
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    density = round(0.1 * draw.draw(rng, "rope.load"), 2)  # hollow balls: a stone's weight tears at so light a rope
    for k in range(count):
        radius = round(0.7 * draw.draw(rng, "rope.size"), 4)
        place = np.array(
            [(k - (count - 1) / 2) * 0.25 * span + rng.uniform(-0.03, 0.03), rng.uniform(-0.01, 0.01), height + 0.05 + 0.12 * k]
        )
        soft: dict[str, Any] = {"density": density, "restitution": 0.1, "rolling": SOFT}
        bodies.append(Rigid(name=f"ball{k}", shape=Sphere(radius), position=styles.vector(place), look=styles.look(rng), **soft))
    text = {"single": "A rope between two posts swings from side to side.", "two": "A ball drops onto a rope between two posts.",
            "multi": "Balls drop onto a rope between two posts."}  # fmt: skip
    agent, patient = ("ball0", "rope") if count else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(0.54 * height, 4)), 0.54 * max(span, height))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def swing(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A seat on two ropes swings; one at rest has a ball dropped on it (two); several boxes and balls (multi)."""
    length = round(0.6 * draw.draw(rng, "rope.length"), 4)
    height, angle, thick = round(length + 0.2, 4), math.radians(draw.draw(rng, "rope.angle")) if complexity == "single" else 0.0, 0.04
    bodies: list[AnyBody] = [goal(rng, "frame", height, 0.32, draw.draw(rng, "rigid.friction"))]
    turn, lean = about_y(math.pi / 2 + angle), about_y(angle)
    ahead = np.array([-math.sin(angle), 0.0, -math.cos(angle)])
    bodies += [rope(rng, draw, f"rope{k}", (0.0, 0.16 * (2 * k - 1), height), length, None, turn, "frame", "seat", 18) for k in range(2)]
    place = np.array([0.0, 0.0, height]) + ahead * (length + thick / 2)
    friction = draw.draw(rng, "rigid.friction")
    bodies.append(
        Rigid(
            name="seat",
            shape=Box((0.24, 0.38, thick)),
            position=styles.vector(place),
            rotation=lean,
            friction=friction,
            look=styles.look(rng),
        )
    )
    density, multi = draw.draw(rng, "rope.load"), complexity == "multi"
    for k in range({"single": 0, "two": 1, "multi": 3}[complexity]):
        size, widest = draw.draw(rng, "rope.size"), (length - 0.14) / 4.2
        size = round(min(0.4 * size, 0.06, widest) if multi else 0.6 * size, 4)
        name, shape = (f"ball{k}", Sphere(size)) if k % 2 == 0 else (f"box{k}", Box((2 * size, 2 * size, 2 * size)))
        # Two side by side and one above: all between the ropes, below what they hang on.
        three = ((0.07, size + 0.05), (-0.07, size + 0.05), (0.0, length - 0.07 - size))
        across, up = three[k] if multi else (rng.uniform(-0.04, 0.04), 0.15)
        spot = place + np.array([rng.uniform(-0.05, 0.05), across, up])
        soft: dict[str, Any] = {"density": density, "friction": friction, "restitution": 0.1, "rolling": SOFT}
        bodies.append(Rigid(name=name, shape=shape, position=styles.vector(spot), look=styles.look(rng), **soft))
    text = {"single": "A seat swings on two ropes.", "two": "A ball drops onto a seat that hangs on two ropes.",
            "multi": "Things drop onto a seat that hangs on two ropes."}  # fmt: skip
    agent, patient = ("ball0", "seat") if complexity != "single" else (None, None)
    views = styles.views(rng, (0.0, 0.0, round(0.5 * height, 4)), 0.55 * height)
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def rope(
    rng: np.random.Generator, draw: Ranges, name: str, place: Vector, length: float, span: float | None = None,
    rotation: Quaternion = (1.0, 0.0, 0.0, 0.0), start: str | None = None, end: str | None = None, segments: int = 24,
) -> Rope:  # fmt: skip
    """A rope of drawn matter."""
    return Rope(
        name=name, position=place, rotation=rotation, length=length, span=span, segments=segments, start=start, end=end,
        radius=draw.draw(rng, "rope.radius"), density=draw.draw(rng, "rope.density"), bend=draw.draw(rng, "rope.bend"),
        twist=draw.draw(rng, "rope.bend"), damping=draw.draw(rng, "rope.damping"), friction=draw.draw(rng, "rope.friction"),
        look=styles.look(rng),
    )  # fmt: skip


def hung(
    rng: np.random.Generator, draw: Ranges, mark: str, place: Vector, length: float, pitch: float, size: float, load: float, bounce: float
) -> list[AnyBody]:  # fmt: skip
    """A rope from the gallows at `place`, straight, `pitch` rad below x, with a ball of radius `size`, density `load` and
    restitution `bounce` on it."""
    turn = about_y(pitch)
    ahead = np.array([math.cos(pitch), 0.0, -math.sin(pitch)])
    line = rope(rng, draw, f"rope{mark}", place, length, None, turn, "gallows", f"ball{mark}", 20)
    ball = Rigid(
        name=f"ball{mark}", shape=Sphere(size), position=styles.vector(np.array(place) + ahead * (length + size)), rotation=turn,
        density=load, restitution=bounce, look=styles.look(rng),
    )  # fmt: skip
    return [line, ball]


def gallows(rng: np.random.Generator, top: float, half: float) -> Rigid:
    """A beam along x at height `top` m, reaching `half` m to both sides, on a post behind it."""
    thick, back = 0.06, 0.45
    parts = (
        Piece(Box((2 * half, thick, thick)), position=(0.0, 0.0, top + thick / 2)),
        Piece(Box((thick, back, thick)), position=(0.0, (back + thick) / 2, top + thick / 2)),
        Piece(Box((thick, thick, top)), position=(0.0, back, top / 2)),
        Piece(Box((0.4, 0.3, 0.03)), position=(0.0, back, 0.015)),
    )
    return Rigid(name="gallows", shape=Compound(parts), fixed=True, look=styles.look(rng))


def goal(rng: np.random.Generator, name: str, height: float, half: float, friction: float) -> Rigid:
    """A round bar along y at `height` m, `half` m to both sides, on a post behind it that hides nothing."""
    size = (0.06, 0.06, height)
    parts = (
        Piece(Capsule(0.03, 2 * half), position=(0.0, 0.0, height), rotation=(math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)),
        Piece(Box(size), position=(0.0, half, height / 2)),
        Piece(Box((0.4, 0.3, 0.03)), position=(0.0, half, 0.015)),
    )
    return Rigid(name=name, shape=Compound(parts), fixed=True, friction=friction, look=styles.look(rng))


def post(rng: np.random.Generator, name: str, x: float, height: float) -> Rigid:
    """A post with a knob at its top, at whose side a rope hangs."""
    parts = (Piece(Cylinder(0.03, height), position=(0.0, 0.0, height / 2)), Piece(Sphere(KNOB), position=(0.0, 0.0, height)))
    return Rigid(name=name, shape=Compound(parts), position=(round(x, 4), 0.0, 0.0), fixed=True, look=styles.look(rng))


def about_y(angle: float) -> Quaternion:
    """A rotation by `angle` rad about y."""
    return (round(math.cos(angle / 2), 6), 0.0, round(math.sin(angle / 2), 6), 0.0)


def about_z(angle: float) -> Quaternion:
    """A rotation by `angle` rad about z."""
    return (round(math.cos(angle / 2), 6), 0.0, 0.0, round(math.sin(angle / 2), 6))


@part
class Ropes(Category):
    """Phys4D's ropes: a load swings on one, they fall over a bar, swing a wrecking ball, hang between posts, hold
    a seat."""

    name = "rope"
    windy: ClassVar[bool] = True
    bases: ClassVar[Mapping[str, Base]] = {"pendulum": pendulum, "wrecking": wrecking, "bar": bar, "bridge": bridge, "swing": swing}
