"""What stands and moves in a street: cars, people, trees, lamps, traffic lights, as shapes."""

from __future__ import annotations

import math

import numpy as np

from ..looks import Color, Look
from ..shapes import Box, Capsule, Compound, Cylinder, Hull, Piece, Quaternion, Sphere
from ..styles import NAMED
from .traffic import AXLE, Car, Walker

GLASS = Look(color=(38, 46, 56), gloss=0.6)
TYRE = Look(color=(28, 28, 30), gloss=0.05)
METAL = Look(color=(70, 74, 78), gloss=0.3)
ACROSS: Quaternion = (0.7071068, 0.7071068, 0.0, 0.0)  # z along the car's y: how a wheel lies


def turned(angle: float, digits: int = 6) -> Quaternion:
    """The rotation by `angle` rad about z."""
    return (round(math.cos(angle / 2), digits), 0.0, 0.0, round(math.sin(angle / 2), digits))


def paint(name: str, gloss: float = 0.5) -> Look:
    """A plain surface of a named colour."""
    return Look(color=NAMED[name], gloss=gloss)


def car(driven: Car) -> Compound:
    """A car or van; its origin is on the ground under the rear axle, x ahead."""
    return _van(driven) if driven.style == "van" else _saloon(driven)


def _saloon(driven: Car) -> Compound:
    length, width = driven.length, driven.width
    low, high = round(AXLE - length / 2, 3), round(AXLE + length / 2, 3)
    cabin = _tapered((low + 0.25, high - 1.15), (low + 0.75, high - 1.95), width - 0.12, width - 0.42, 0.86, 1.42)
    lid = Box((round(length - 2.75, 3), round(width - 0.4, 3), 0.05))
    return Compound((
        Piece(Box((length, width, 0.56)), position=(AXLE, 0.0, 0.58)),
        Piece(cabin, look=GLASS),
        Piece(lid, position=(round((low + 0.75 + high - 1.95) / 2, 3), 0.0, 1.43)),
        *_wheels(length, width, 0.32),
        *_lamps(low, high, width, 0.68),
    ))  # fmt: skip


def _van(driven: Car) -> Compound:
    length, width = driven.length, driven.width
    low, high = round(AXLE - length / 2, 3), round(AXLE + length / 2, 3)
    return Compound((
        Piece(Box((round(length - 0.9, 3), width, 1.75)), position=(round(low + (length - 0.9) / 2, 3), 0.0, 1.18)),
        Piece(Box((0.9, width, 0.75)), position=(round(high - 0.45, 3), 0.0, 0.68)),
        Piece(_tapered((high - 0.92, high - 0.1), (high - 0.92, high - 0.6), width - 0.1, width - 0.25, 1.05, 1.95), look=GLASS),
        *_wheels(length, width, 0.36),
        *_lamps(low, high, width, 0.8),
    ))  # fmt: skip


def _wheels(length: float, width: float, radius: float) -> list[Piece]:
    front = round(length - 1.75, 3)
    wide = round(width + 0.04, 3)  # a pair in one, which hides inside the body
    return [Piece(Cylinder(radius, wide), position=(x, 0.0, radius), rotation=ACROSS, look=TYRE) for x in (0.0, front)]


def _lamps(low: float, high: float, width: float, height: float) -> list[Piece]:
    size = (0.06, round(width - 0.1, 3), 0.12)
    return [
        Piece(Box(size), position=(low, 0.0, height), look=Look(color=(190, 25, 25))),
        Piece(Box(size), position=(high, 0.0, round(height - 0.05, 3)), look=Look(color=(245, 240, 215))),
    ]


def _tapered(base: tuple[float, float], roof: tuple[float, float], wide: float, narrow: float, low: float, high: float) -> Hull:
    points = [(x, s * wide / 2, low) for x in base for s in (-1, 1)] + [(x, s * narrow / 2, high) for x in roof for s in (-1, 1)]
    return Hull(tuple((round(x, 3), round(y, 3), z) for x, y, z in points))


def person(walker: Walker) -> Compound:
    """Somebody on foot; the origin is on the ground, x ahead."""
    shirt, trousers = (paint(name, 0.05) for name in walker.colors)
    return Compound((
        Piece(Capsule(0.09, 0.64), position=(0.14, 0.1, 0.41), rotation=(0.9848, 0.0, -0.1736, 0.0), look=trousers),
        Piece(Capsule(0.09, 0.64), position=(-0.14, -0.1, 0.41), rotation=(0.9848, 0.0, 0.1736, 0.0), look=trousers),
        Piece(Capsule(0.19, 0.38), position=(0.0, 0.0, 1.12), look=shirt),
        Piece(Capsule(0.065, 0.5), position=(0.0, 0.27, 1.12), look=shirt),
        Piece(Capsule(0.065, 0.5), position=(0.0, -0.27, 1.12), look=shirt),
        Piece(Sphere(0.13), position=(0.0, 0.0, 1.63), look=Look(color=(215, 170, 140), gloss=0.05)),
    ))  # fmt: skip


def tree(rng: np.random.Generator) -> tuple[Compound, Look]:
    """A street tree and its leaves' look; the origin is on the ground."""
    trunk, crown = round(float(rng.uniform(2.2, 3.0)), 2), round(float(rng.uniform(1.3, 2.0)), 2)
    green: Color = (int(rng.integers(45, 85)), int(rng.integers(95, 130)), int(rng.integers(35, 60)))
    leaves = Look(color=green, second=(green[0] // 2, green[1] // 2, green[2] // 2), texture="noise", scale=0.35, gloss=0.0)
    high = round(trunk + 0.7 * crown, 2)
    shape = Compound((
        Piece(Cylinder(0.14, trunk), position=(0.0, 0.0, round(trunk / 2, 3)), look=Look(color=(95, 72, 52), gloss=0.0)),
        Piece(Sphere(crown), position=(0.0, 0.0, high)),
        Piece(Sphere(round(0.7 * crown, 2)), position=(0.3, 0.2, round(high + 0.75 * crown, 2))),
    ))  # fmt: skip
    return shape, leaves


def lamp() -> Compound:
    """A lamp post, its arm along x."""
    return Compound((
        Piece(Cylinder(0.07, 6.0), position=(0.0, 0.0, 3.0)),
        Piece(Box((1.9, 0.18, 0.12)), position=(0.9, 0.0, 6.0)),
    ))  # fmt: skip


def light(green: bool) -> Compound:
    """A traffic light that looks along -x, over an arm along y: what comes along x sees it."""
    lit, dark = ((60, 230, 110), (70, 22, 20)) if green else ((22, 60, 32), (250, 50, 40))
    return Compound((
        Piece(Cylinder(0.08, 3.6), position=(0.0, 0.0, 1.8)),
        Piece(Box((0.3, 0.42, 1.15)), position=(0.0, 0.0, 3.6)),
        Piece(Sphere(0.17), position=(-0.12, 0.0, 3.96), look=Look(color=dark)),
        Piece(Sphere(0.17), position=(-0.12, 0.0, 3.6), look=Look(color=(80, 65, 20))),
        Piece(Sphere(0.17), position=(-0.12, 0.0, 3.24), look=Look(color=lit)),
    ))  # fmt: skip
