"""Phys4D's articulated bodies: pendulums and chains, cradles, doors, seesaws, carts on springs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import Joint, Rigid
from ..scene import Scene
from ..shapes import Box, Compound, Cylinder, Hull, Piece, Shape, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges
from .rigid import about

THIN = 0.014  # m, the radius of rods and beams


def pendulum(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A pendulum swings; a double one (two); a chain of five links (multi)."""
    count = {"single": 1, "two": 2, "multi": 5}[complexity]
    length = round(1.6 * draw.draw(rng, "articulated.size") / (1 if count == 1 else 0.6 * count), 4)
    angle, top = math.radians(min(draw.draw(rng, "articulated.angle"), 80.0)), round(length * count + 0.2, 4)
    bodies = [gallows(rng, top, 0.2)]
    pivot, ahead = np.array([0.0, 0.0, top]), np.array([-math.sin(angle), 0.0, -math.cos(angle)])
    for k in range(count):
        last = k == count - 1
        rod = Piece(Cylinder(THIN, length), position=(0.0, 0.0, round(-length / 2, 4)))
        weight = round(min(0.16 * length + 0.02, 0.1), 4) if last else round(1.6 * THIN, 4)
        bob = Piece(Sphere(weight), position=(0.0, 0.0, -length))
        turn = {"rotation": about(1, angle), "joint": Joint(damping=round(0.2 * draw.draw(rng, "articulated.damping") * length, 5))}
        parent = bodies[-1].name
        link = Compound((rod, bob))
        bodies.append(made(rng, draw, "pendulum" if count == 1 else f"link{k}", link, styles.vector(pivot), parent=parent, **turn))
        pivot = pivot + ahead * length
    text = {"single": "A pendulum swings.", "two": "A double pendulum swings.", "multi": "A chain of five links swings."}
    target = (0.0, 0.0, round(0.5 * top, 4))
    return Scene(tuple(bodies), views=styles.views(rng, target, 0.62 * top), text=text[complexity])


def cradle(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A ball swings on a rod; into another (two); into the last of a row of five, Newton's cradle (multi)."""
    count = {"single": 1, "two": 2, "multi": 5}[complexity]
    length, radius = round(1.5 * draw.draw(rng, "articulated.size"), 4), round(float(rng.uniform(0.045, 0.065)), 4)
    angle, top = math.radians(0.8 * draw.draw(rng, "articulated.angle")), round(length + radius + 0.12, 4)
    pitch, half = 2 * radius + 0.001, 0.5 * (count - 1) * (2 * radius + 0.001)
    lifted = int(rng.integers(1, 3)) if count == 5 else 1
    angle = angle if lifted == 1 else min(angle, 0.9)  # steeper, one ball's rod would pass through the other
    shape = Compound(
        (Piece(Sphere(radius)), Piece(Cylinder(0.005, round(length - radius, 4)), position=(0.0, 0.0, round((length + radius) / 2, 4))))
    )
    bodies = [gallows(rng, top, half + 0.12)]
    alike: dict[str, Any] = {
        "density": draw.draw(rng, "articulated.density"),
        "restitution": 0.97,
        "friction": 0.0,
        "look": styles.look(rng),
    }
    for k in range(count):
        lean = angle if k < lifted else 0.0
        place = np.array([pitch * k - half - length * math.sin(lean), 0.0, top - length * math.cos(lean)])
        hinge = Joint(anchor=(0.0, 0.0, length))
        bodies.append(
            Rigid(
                name=f"ball{k}", shape=shape, position=styles.vector(place), rotation=about(1, lean), parent="gallows", joint=hinge, **alike
            )
        )
    text = {"single": "A ball swings on a rod.", "two": "A ball on a rod swings into another.", "multi": "Newton's cradle with five balls."}
    agent, patient = ("ball0", f"ball{count - 1}") if count == 2 else (None, None)
    target = (0.0, 0.0, round(0.5 * top, 4))
    wide = 0.8 * (half + length * math.sin(angle) + radius)
    return Scene(tuple(bodies), views=styles.views(rng, target, max(0.62 * top, wide)), text=text[complexity], agent=agent, patient=patient)


def door(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A door swings shut against its stop; a ball rolls into it (two) and boxes stand behind it (multi)."""
    wide, high = round(1.7 * draw.draw(rng, "articulated.size"), 4), round(2.0 * draw.draw(rng, "articulated.size"), 4)
    posts = [Piece(Box((0.07, 0.07, high + 0.1)), position=(0.0, round(y, 4), round(high / 2 + 0.05, 4))) for y in (0.0, wide + 0.1)]
    lintel = Piece(Box((0.07, wide + 0.17, 0.07)), position=(0.0, round(wide / 2 + 0.05, 4), high + 0.135))
    frame = Compound((*posts, lintel))
    across = round(wide / 2 + 0.05, 4)
    bodies = [made(rng, draw, "frame", frame, (0.0, -across, 0.0), fixed=True)]
    single = complexity == "single"
    hinge = Joint(
        axis=(0.0, 0.0, 1.0), anchor=(0.0, round(-wide / 2 - 0.003, 4), 0.0), limits=(-2.0, 2.0),
        damping=round(2 * draw.draw(rng, "articulated.damping"), 5), speed=round(draw.draw(rng, "articulated.spin"), 4) if single else 0.0,
    )  # fmt: skip
    leaf, place = Box((0.035, wide, high)), (0.0, round(0.003 + 0.05 + wide / 2 - across, 4), round(high / 2 + 0.02, 4))
    bodies.append(
        made(rng, draw, "door", leaf, place, parent="frame", joint=hinge, density=round(0.3 * draw.draw(rng, "articulated.density"), 1))
    )
    if not single:
        radius, speed = (
            round(0.06 + 0.25 * draw.draw(rng, "articulated.size"), 4),
            round(1.0 + 0.4 * draw.draw(rng, "articulated.speed"), 4),
        )
        start = (-0.8, round(float(rng.uniform(0.0, 0.2)) * wide, 4), radius)
        roll: dict[str, Any] = {"velocity": (speed, 0.0, 0.0), "angular_velocity": (0.0, round(speed / radius, 4), 0.0)}
        bodies.append(made(rng, draw, "ball", Sphere(radius), start, **roll))
    for k in range(2 if complexity == "multi" else 0):
        edge = round(float(rng.uniform(0.14, 0.2)), 4)
        spot = (round(0.25 + 0.1 * k, 4), round(0.1 * wide + 0.24 * k, 4), edge / 2)
        bodies.append(made(rng, draw, f"box{k}", Box((edge, edge, edge)), spot, density=300.0))
    text = {
        "single": "A door swings on its hinges.",
        "two": "A ball rolls into a door.",
        "multi": "A ball rolls into a door with boxes behind it.",
    }
    agent, patient = (None, None) if single else ("ball", "door")
    views = styles.views(rng, (0.0, 0.0, round(0.45 * high, 4)), max(0.75, 0.75 * high))
    # Turned, so that the first camera sees the leaf, not its edge.
    return Scene(turned(bodies, math.radians(50)), views=views, text=text[complexity], agent=agent, patient=patient)


def seesaw(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A weight drops onto one end of a seesaw; and throws up what lies on the other (two); two bodies lie there (multi)."""
    arm, thick, height = (
        round(1.8 * draw.draw(rng, "articulated.size"), 4),
        0.04,
        round(0.42 * draw.draw(rng, "articulated.size") + 0.06, 4),
    )
    tilt = math.asin(height / math.hypot(arm, thick / 2)) - math.atan2(thick / 2, arm)
    wedge = Hull(
        tuple((round(x, 4), y, round(z, 4)) for y in (-0.12, 0.12) for x, z in ((-0.1, 0.0), (0.1, 0.0), (0.0, height - thick / 2)))
    )
    bodies = [made(rng, draw, "fulcrum", wedge, (0.0, 0.0, 0.0), fixed=True)]
    hinge = Joint(damping=draw.draw(rng, "articulated.damping"))
    plank = Box((2 * arm, 0.24, thick))
    lean: dict[str, Any] = {"rotation": about(1, -tilt), "parent": "fulcrum", "joint": hinge, "density": 400.0, "restitution": 0.1}
    bodies.append(made(rng, draw, "plank", plank, (0.0, 0.0, height), **lean))
    along, away = np.array([math.cos(tilt), 0.0, math.sin(tilt)]), np.array([-math.sin(tilt), 0.0, math.cos(tilt)])
    for k in range({"single": 0, "two": 1, "multi": 2}[complexity]):
        edge = round(0.4 * draw.draw(rng, "articulated.size"), 4)
        spot = np.array([0.0, 0.0, height]) - along * (arm - 0.06 - edge / 2 - 0.2 * k) + away * (thick / 2 + edge / 2 + 2e-4)
        shape: Shape = Box((edge, edge, edge))
        bodies.append(
            made(rng, draw, f"load{k}", shape, styles.vector(spot), rotation=about(1, -tilt), density=250.0, friction=0.9, restitution=0.1)
        )
    radius = round(0.3 * draw.draw(rng, "articulated.size") + 0.04, 4)
    drop = np.array([0.0, 0.0, height]) + along * (arm - 0.6 * radius) + [0.0, 0.0, radius + float(rng.uniform(0.4, 0.7))]
    falls: dict[str, Any] = {"density": round(1.5 * draw.draw(rng, "articulated.density"), 1), "restitution": 0.1, "friction": 0.8}
    edge = round(1.7 * radius, 4)  # no ball: it would roll out of the picture
    bodies.append(made(rng, draw, "weight", Box((edge, edge, edge)), styles.vector(drop), **falls))
    text = {"single": "A weight drops onto a seesaw.", "two": "A weight drops onto a seesaw with a box on its other end.",
            "multi": "A weight drops onto a seesaw with two boxes on its other side."}  # fmt: skip
    agent, patient = ("weight", "plank")
    views = styles.views(rng, (0.0, 0.0, 0.4), max(0.75, 1.25 * arm))
    return Scene(tuple(bodies), views=views, text=text[complexity], agent=agent, patient=patient)


def cart(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A cart on a rail swings on a spring; hits a ball (two); hits a second cart on a spring (multi)."""
    size, long = round(min(0.75 * draw.draw(rng, "articulated.size"), 0.36), 4), 1.5
    stops = [Piece(Box((0.05, 0.2, 0.2)), position=(x, 0.0, 0.1)) for x in (-long / 2, long / 2)]
    rail = Compound((Piece(Box((long, 0.1, 0.05)), position=(0.0, 0.0, 0.025)), *stops))
    bodies = [made(rng, draw, "rail", rail, (0.0, 0.0, 0.0), fixed=True, friction=0.1)]
    speed, density = round(0.8 + draw.draw(rng, "articulated.speed"), 4), draw.draw(rng, "articulated.density")
    mass, rate = density * 0.16 * 0.8 * size**2, 2 * math.pi * float(rng.uniform(0.7, 1.2))
    far = (long - 0.06 - size) / 2  # from the middle to where it meets a stop
    spring: dict[str, Any] = {"stiffness": round(mass * rate**2, 3), "damping": round(0.1 * mass * rate, 4)}
    block, lift = Box((size, 0.16, round(0.8 * size, 4))), round(0.06 + 0.4 * size, 4)
    solo = complexity == "single"
    rails: dict[str, Any] = {"kind": "slide", "axis": (1.0, 0.0, 0.0)}
    start = 0.0 if solo else -0.3
    free = {"damping": round(spring["damping"] / 10, 5)}
    slide = Joint(speed=speed, limits=(round(-far - start, 4), round(far - start, 4)), **rails, **(spring if solo else free))
    bodies.append(made(rng, draw, "cart", block, (start, 0.0, lift), parent="rail", joint=slide, density=density, restitution=0.6))
    if complexity == "multi":
        other = Joint(limits=(round(-far - 0.1, 4), round(far - 0.1, 4)), **rails, **spring)
        bodies.append(made(rng, draw, "second cart", block, (0.1, 0.0, lift), parent="rail", joint=other, density=density, restitution=0.6))
    if complexity == "two":
        radius = round(0.45 * size, 4)
        bodies.append(made(rng, draw, "ball", Sphere(radius), (0.15, 0.0, round(0.05 + radius, 4)), restitution=0.6))
    text = {
        "single": "A cart swings on a spring.",
        "two": "A cart on a rail runs into a ball.",
        "multi": "A cart runs into another on a spring.",
    }
    agent, patient = {"single": (None, None), "two": ("cart", "ball"), "multi": ("cart", "second cart")}[complexity]
    return Scene(tuple(bodies), views=styles.views(rng, (0.0, 0.0, 0.12), 0.58), text=text[complexity], agent=agent, patient=patient)


@part
class Articulated(Category):
    """Phys4D's articulated bodies: pendulums, Newton's cradle, doors, seesaws, carts on springs."""

    name = "articulated"
    bases: ClassVar[Mapping[str, Base]] = {"pendulum": pendulum, "cradle": cradle, "door": door, "seesaw": seesaw, "cart": cart}


def made(rng: np.random.Generator, draw: Ranges, name: str, shape: Shape, position: Vector, **rest: Any) -> Rigid:
    """A body of random density, friction, restitution and look."""
    drawn = {key: draw.draw(rng, f"articulated.{key}") for key in ("density", "friction", "restitution")}
    return Rigid(name=name, shape=shape, position=position, look=styles.look(rng), **{**drawn, **rest})


def turned(bodies: list[Rigid], angle: float) -> tuple[Rigid, ...]:
    """The bodies, turned about the z axis by `angle` rad."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("z", angle)

    def one(body: Rigid) -> Rigid:
        from scipy.spatial.transform import Rotation

        both = (turn * Rotation.from_quat(body.rotation, scalar_first=True)).as_quat(scalar_first=True)
        w, x, y, z = (round(float(value), 8) for value in both)
        vectors: dict[str, Any] = {
            key: styles.vector(turn.apply(getattr(body, key))) for key in ("position", "velocity", "angular_velocity")
        }
        return replace(body, rotation=(w, x, y, z), **vectors)

    return tuple(one(body) for body in bodies)


def gallows(rng: np.random.Generator, top: float, half: float) -> Rigid:
    """A beam along x at the height `top`, on two posts behind what hangs on it."""
    high = round(top + 0.03, 4)
    posts = [Piece(Box((0.04, 0.04, high)), position=(round(x, 4), 0.25, round(high / 2, 4))) for x in (-half - 0.1, half + 0.1)]
    arms = [Piece(Box((0.04, 0.29, 0.04)), position=(round(x, 4), 0.125, high)) for x in (-half - 0.1, half + 0.1)]
    beam = Piece(Box((round(2 * half + 0.24, 4), 0.03, 0.03)), position=(0.0, 0.0, high))
    return Rigid(name="gallows", shape=Compound((*posts, *arms, beam)), fixed=True, look=styles.look(rng))
