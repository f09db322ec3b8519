"""Phys4D's rigid bodies: they fall and bounce, slide and roll down a ramp, collide like billiard balls, knock a tower over, spin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ....core.config import part
from .. import styles
from ..bodies import Rigid
from ..scene import Scene
from ..shapes import Box, Capsule, Compound, Cylinder, Hull, Piece, Quaternion, Shape, Sphere, Vector
from .base import Base, Category, Complexity
from .ranges import Ranges

SOFT = 0.1  # rolling resistance of a soft ball, which comes to rest within the picture


def fall(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A body falls and bounces; onto another (two); several fall onto each other (multi)."""
    height, count = draw.draw(rng, "rigid.height"), {"single": 1, "two": 2, "multi": int(rng.integers(3, 6))}[complexity]
    sizes = [draw.draw(rng, "rigid.size") for _ in range(count)]
    bodies, top, wide = [], 0.0, 0.04 if count == 2 else 0.12
    for k, size in enumerate(sizes):
        lift = {"single": height, "two": height * k, "multi": 0.0 if k else 0.3 * height}[complexity] + (0.01 if top else 0.0)
        spot = np.array([*rng.uniform(-wide, wide, 2), top + lift + 0.75 * size])
        resting = complexity == "two" and k == 0
        shape: Shape = Box((size * 1.2, size * 1.2, size)) if resting else solid(rng, size)
        place = (0.0, 0.0, round(size / 2, 4)) if resting else styles.vector(spot)
        turn = {} if resting else {"rotation": styles.rotation(rng)}
        speed = draw.draw(rng, "rigid.spin")
        spin: dict[str, Any] = {} if resting else {"angular_velocity": styles.vector(speed * _direction(rng))}
        if complexity == "multi":
            spin["restitution"] = round(0.5 * draw.draw(rng, "rigid.restitution"), 4)  # livelier, they scatter out of the picture
        bodies.append(made(rng, draw, f"body{k}", shape, place, **turn, **spin))
        top = size if resting else float(spot[2]) + 0.75 * size
    text = {"single": "A body falls and bounces.", "two": "A body falls onto a box.", "multi": "Bodies fall onto each other."}[complexity]
    reach = round(0.45 * max(top, 0.7), 4)
    return _scene(rng, bodies, (0.0, 0.0, reach), max(reach, 0.45), text, complexity, ("body1", "body0"))


def ramp(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A body slides or rolls down a ramp; into another at its foot (two); into a row of them (multi)."""
    slope, size, long = math.radians(draw.draw(rng, "rigid.slope")), 0.05 + 0.8 * draw.draw(rng, "rigid.size"), 1.1
    side = ((0, 0), (-long, 0), (-long, long * math.tan(slope)))
    wedge = Hull(tuple(styles.vector(np.array([x, y, z])) for y in (-0.3, 0.3) for x, z in side))
    bodies = [made(rng, draw, "ramp", wedge, (0.2, 0.0, 0.0), fixed=True)]
    rolls = bool(rng.random() < 0.6)
    shape: Shape = (Sphere(size / 2), Cylinder(size / 2, 0.9 * size))[int(rng.integers(2))] if rolls else Box((size, size, 0.7 * size))
    lift = size / 2 if rolls else 0.35 * size
    along, away = np.array([-math.cos(slope), 0.0, math.sin(slope)]), np.array([math.sin(slope), 0.0, math.cos(slope)])
    place = np.array([0.2, 0.0, 0.0]) + along * (long / math.cos(slope) - 0.14) + away * (lift + 5e-4)
    turn = about(0, math.pi / 2) if isinstance(shape, Cylinder) else about(1, slope)
    glide = {} if rolls else {"friction": round(0.3 * draw.draw(rng, "rigid.friction"), 4)}
    bodies.append(made(rng, draw, "slider", shape, styles.vector(place), rotation=turn, **glide))
    count = {"single": 0, "two": 1, "multi": 3}[complexity]
    for k in range(count):
        edge = 0.85 * draw.draw(rng, "rigid.size")
        spot = (round(0.42 + 0.02 * k, 4), round((k - (count - 1) / 2) * 0.28, 4), round(edge / 2, 4))
        bodies.append(made(rng, draw, f"target{k}", Box((edge, edge, edge)) if rng.random() < 0.5 else Sphere(edge / 2), spot))
    bodies.append(made(rng, draw, "board", Box((0.06, 0.9, 0.22)), (0.85, 0.0, 0.11), fixed=True))
    what = "rolls" if rolls else "slides"
    ends = {"single": ".", "two": ", and there is a body at its foot.", "multi": ", and there are three bodies at its foot."}
    text, pair = f"A body {what} down a ramp{ends[complexity]}", ("slider", f"target{count // 2}")
    return _scene(rng, bodies, (-0.05, 0.0, 0.2), 0.72, text, complexity, pair)


def billiard(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A ball rolls against a cushion; into another ball (two); into a triangle of six (multi)."""
    radius, speed = round(0.05 + 0.35 * draw.draw(rng, "rigid.size"), 4), round(0.6 + 0.4 * draw.draw(rng, "rigid.speed"), 4)
    bounce, density = max(draw.draw(rng, "rigid.restitution"), 0.7), draw.draw(rng, "rigid.density")
    alike: dict[str, Any] = {"restitution": bounce, "density": density, "friction": 0.12}
    angle = float(rng.uniform(-0.06, 0.06))
    ahead = np.array([math.cos(angle), math.sin(angle), 0.0])
    start = np.array([-0.65, 0.0, radius]) - np.array([0.0, 0.65 * math.tan(angle) + rng.uniform(-0.5, 0.5) * radius, 0.0])
    spin = np.array([-ahead[1], ahead[0], 0.0]) * speed / radius
    motion: dict[str, Any] = {"velocity": styles.vector(speed * ahead), "angular_velocity": styles.vector(spin)}
    bodies = [Rigid(name="cue ball", shape=Sphere(radius), position=styles.vector(start), look=styles.look(rng), **motion, **alike)]
    if complexity == "single":
        wall, edge = Box((0.08, 1.2, round(1.6 * radius, 4))), (0.35, 0.0, round(0.8 * radius, 4))
        bodies.append(Rigid(name="cushion", shape=wall, position=edge, fixed=True, look=styles.look(rng), restitution=bounce))
    triangle = [(row, n - row / 2) for row in range(3) for n in range(row + 1)]
    spots = {"single": triangle[:0], "two": triangle[:1], "multi": triangle}[complexity]
    for k, (row, across) in enumerate(spots):
        place = np.array([0.05 + row * 1.75 * radius, across * 2.02 * radius, radius])
        bodies.append(Rigid(name=f"ball{k}", shape=Sphere(radius), position=styles.vector(place), look=styles.look(rng), **alike))
    text = {
        "single": "A ball rolls against a cushion.",
        "two": "A ball rolls towards another.",
        "multi": "A ball rolls towards six others.",
    }
    return _scene(rng, bodies, (0.0, 0.0, 0.05), 0.62, text[complexity], complexity, ("cue ball", "ball0"))


def tower(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A ball hits a tall block; a stack of two (two); a tower of five or six (multi)."""
    size, speed = draw.draw(rng, "rigid.size"), round(2.2 + 0.5 * draw.draw(rng, "rigid.speed"), 4)
    count = {"single": 1, "two": 2, "multi": int(rng.integers(5, 7))}[complexity]
    tall = {"single": 2.6 * size, "two": 1.1 * size, "multi": 0.7 * size}[complexity]
    bodies, height = [], 0.0
    for k in range(count):
        shift = rng.uniform(-0.06, 0.06, 2) * size if k else np.zeros(2)
        box = Box(styles.vector(np.array([size, size, tall]) * rng.uniform(0.9, 1.0, 3)))
        bodies.append(made(rng, draw, f"block{k}", box, styles.vector(np.array([*shift, height + box.size[2] / 2]))))
        height += box.size[2]
    radius, aim = round(0.05 + 0.25 * size, 4), float(rng.uniform(0.6, 0.85)) * height
    time = 0.75 / speed
    ball = styles.vector(np.array([-0.75 - size / 2, rng.uniform(-0.1, 0.1) * size, max(aim, radius + 0.02)]))
    motion = {"velocity": (speed, 0.0, round(0.5 * draw.drawn["gravity"] * time, 4))}
    heavy = round({"single": 1.2, "two": 1.6, "multi": 2.5}[complexity] * draw.draw(rng, "rigid.density"), 1)
    bodies.append(made(rng, draw, "ball", Sphere(radius), ball, density=heavy, rolling=SOFT, **motion))
    what = {"single": "a tall block", "two": "a stack of two blocks", "multi": "a tower of blocks"}[complexity]
    middle = (-0.1, 0.0, round(0.5 * height, 4))
    pair = ("ball", f"block{int(aim / height * count)}")
    return _scene(rng, bodies, middle, max(0.62, 0.62 * height), f"A ball flies at {what}.", complexity, pair)


def spin(rng: np.random.Generator, draw: Ranges, complexity: Complexity) -> Scene:
    """A coin rolls on its rim, or a top spins; a coin rolls at a box (two); tops spin into each other (multi)."""
    count = {"single": 1, "two": 1, "multi": 3}[complexity]
    coin = complexity == "two" or (complexity == "single" and rng.random() < 0.5)
    bodies = []
    for k in range(count):
        size = draw.draw(rng, "rigid.size")
        if coin:
            bodies.append(_coin(rng, draw, size))
        else:
            around = 2 * math.pi * k / count
            spot = np.zeros(3) if count == 1 else 0.24 * np.array([math.cos(around), math.sin(around), 0.0])
            bodies.append(_top(rng, draw, f"top{k}", size, spot, -0.6 * spot / 0.24 if count > 1 else spot))
    if complexity == "two":
        edge = round(0.8 * draw.draw(rng, "rigid.size"), 4)
        bodies.append(made(rng, draw, "box", Box((edge, 1.5 * edge, edge)), (0.35, 0.0, round(edge / 2, 4))))
    alone = "A coin rolls on its rim." if coin else "A top spins."
    text = {"single": alone, "two": "A coin rolls towards a box.", "multi": "Three tops spin."}[complexity]
    pair = ("coin", "box") if coin else ("top0", "top1")
    return _scene(rng, bodies, (0.0, 0.0, 0.1), 0.58 if coin else 0.38, text, complexity, pair)


@part
class RigidBodies(Category):
    """Phys4D's rigid bodies: falls, ramps, billiards, towers, coins and tops."""

    name = "rigid"
    bases: ClassVar[Mapping[str, Base]] = {"fall": fall, "ramp": ramp, "billiard": billiard, "tower": tower, "spin": spin}


def made(rng: np.random.Generator, draw: Ranges, name: str, shape: Shape, position: Vector, **rest: Any) -> Rigid:
    """A body of random density, friction, restitution and look."""
    drawn = {key: draw.draw(rng, f"rigid.{key}") for key in ("density", "friction", "restitution")}
    return Rigid(name=name, shape=shape, position=position, look=styles.look(rng), **{**drawn, **rest})


def solid(rng: np.random.Generator, size: float) -> Shape:
    """A random shape about `size` m wide."""
    half = round(size / 2, 4)
    box, can = Box(styles.vector(size * rng.uniform(0.6, 1.1, 3))), Cylinder(half, round(0.9 * size, 4))
    kinds = (Sphere(half), box, can, Capsule(round(0.6 * half, 4), half))
    return kinds[int(rng.integers(len(kinds)))]


def about(axis: int, angle: float) -> Quaternion:
    """A turn about x, y or z by `angle` rad."""
    turn = [math.cos(angle / 2), 0.0, 0.0, 0.0]
    turn[1 + axis] = math.sin(angle / 2)
    w, x, y, z = (round(value, 8) for value in turn)
    return (w, x, y, z)


def _coin(rng: np.random.Generator, draw: Ranges, size: float) -> Rigid:
    """A coin that rolls along x, leaning a little so that it curves."""
    radius, speed, lean = round(0.7 * size, 4), round(0.4 + 0.16 * draw.draw(rng, "rigid.speed"), 4), float(rng.uniform(-0.08, 0.08))
    place = styles.vector(np.array([-0.55, 0.0, radius * math.cos(lean) + 0.08 * radius * abs(math.sin(lean)) + 2e-4]))
    motion: dict[str, Any] = {"velocity": (speed, 0.0, 0.0), "angular_velocity": (0.0, round(speed / radius, 4), 0.0)}
    coin = Cylinder(radius, round(0.16 * radius, 4))
    return made(rng, draw, "coin", coin, place, rotation=about(0, math.pi / 2 + lean), restitution=0.1, friction=0.5, **motion)


def _top(rng: np.random.Generator, draw: Ranges, name: str, size: float, spot: np.ndarray, velocity: np.ndarray) -> Rigid:
    """A top on its tip: a disc on a stem."""
    radius, tip, lean = round(0.6 * size, 4), round(0.09 * size, 4), float(rng.uniform(0.05, 0.15))
    high = round(0.5 * size, 4)
    shape = Compound((
        Piece(Sphere(tip), position=(0.0, 0.0, tip)),
        Piece(Capsule(tip, round(1.2 * size, 4)), position=(0.0, 0.0, round(tip + 0.6 * size, 4))),
        Piece(Cylinder(radius, round(0.22 * size, 4)), position=(0.0, 0.0, high)),
    ))  # fmt: skip
    turn, spin = about(0, lean), 30.0 + 4 * draw.draw(rng, "rigid.spin")
    axis = np.array([0.0, -math.sin(lean), math.cos(lean)])
    place = spot + np.array([0.0, 0.0, tip]) - tip * axis + [0.0, 0.0, 2e-4]
    motion = {"velocity": styles.vector(velocity), "angular_velocity": styles.vector(spin * axis)}
    return made(rng, draw, name, shape, styles.vector(place), rotation=turn, restitution=0.2, friction=0.15, **motion)


def _direction(rng: np.random.Generator) -> np.ndarray:
    found = rng.normal(size=3)
    return np.asarray(found / np.linalg.norm(found))


def _scene(
    rng: np.random.Generator, bodies: list[Rigid], target: Vector, extent: float, text: str, complexity: Complexity, pair: tuple[str, str]
) -> Scene:
    agent, patient = pair if complexity != "single" else (None, None)
    views = styles.views(rng, target, extent, next(body.name for body in reversed(bodies) if not body.fixed))
    return Scene(tuple(bodies), views=views, text=text, agent=agent, patient=patient)
