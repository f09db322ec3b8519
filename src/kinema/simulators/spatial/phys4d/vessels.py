"""What holds matter that flows: cups that tip, trays, funnels; and matter that fills a size with as many particles as look well."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import styles
from ..bodies import Key, Particles, Rigid
from ..looks import Look
from ..shapes import Box, Compound, Piece, Quaternion, Vector

COUNT = 1500  # particles of a body: enough to look like matter, few enough for 2 s in some seconds
WALL = 0.06  # m: thicker than a cell of the solver's grid


def matter(name: str, size: Vector, look: Look, count: int = COUNT, **fields: Any) -> Particles:
    """Matter of `size` m in about `count` particles, drawn so large that no gaps show."""
    spacing = round((size[0] * size[1] * size[2] / count) ** (1 / 3), 4)
    return Particles(name=name, size=size, spacing=spacing, radius=round(0.62 * spacing, 4), look=look, **fields)


def walls(inside: Vector, thick: float = WALL) -> Compound:
    """An open box of boards, `inside` m within; the origin is on its inner floor."""
    a, b, h = inside
    whole, sides = (a + 2 * thick, b + 2 * thick, thick), h + thick
    parts = [Piece(Box(whole), position=(0.0, 0.0, -thick / 2))]
    for side in (-1, 1):
        parts.append(Piece(Box((thick, b + 2 * thick, sides)), position=(side * (a + thick) / 2, 0.0, h / 2 - thick / 2)))
        parts.append(Piece(Box((a, thick, sides)), position=(0.0, side * (b + thick) / 2, h / 2 - thick / 2)))
    return Compound(tuple(parts))


def tray(rng: np.random.Generator, inside: Vector, name: str = "tray", place: tuple[float, float] = (0.0, 0.0)) -> Rigid:
    """An open box that stands on the floor."""
    return Rigid(name=name, shape=walls(inside), position=(*place, WALL), fixed=True, look=styles.look(rng), friction=0.4)


def tipping(rng: np.random.Generator, inside: Vector, place: Vector, start: float, speed: float) -> Rigid:
    """A cup at `place` m that begins to tip about y at `start` s, at `speed` rad/s, by 120 degrees."""
    angle = math.radians(120)
    keys = [Key(time=0.0, position=place)]
    for k in range(9):
        turned = angle * k / 8
        keys.append(Key(time=round(start + turned / speed, 4), position=place, rotation=about_y(turned)))
    return Rigid(name="cup", shape=walls(inside), position=place, path=tuple(keys), look=styles.look(rng), friction=0.3)


def funnel(rng: np.random.Generator, mouth: float, throat: float, height: float, place: Vector) -> Rigid:
    """Four boards that lead from a square mouth to a square hole `throat` m wide at the bottom, the origin in the hole."""
    run = (mouth - throat) / 2
    length, lean = math.hypot(run, height) + WALL, math.atan2(run, height)
    parts = []
    for k in range(4):
        around = k * math.pi / 2
        out = throat / 2 + run / 2 + WALL / 2 * math.cos(lean)
        place_k = (out * math.cos(around), out * math.sin(around), height / 2 - WALL / 2 * math.sin(lean))
        parts.append(Piece(Box((WALL, mouth + 2 * WALL, length)), position=styles.vector(np.array(place_k)), rotation=_times(around, lean)))
    return Rigid(name="funnel", shape=Compound(tuple(parts)), position=place, fixed=True, look=styles.look(rng), friction=0.2)


def about_y(angle: float) -> Quaternion:
    """A rotation by `angle` rad about y."""
    return (round(math.cos(angle / 2), 6), 0.0, round(math.sin(angle / 2), 6), 0.0)


def _times(around: float, lean: float) -> Quaternion:
    """First `lean` rad about y, then `around` rad about z."""
    a, b, c, d = math.cos(around / 2), math.sin(around / 2), math.cos(lean / 2), math.sin(lean / 2)
    return (round(a * c, 6), round(-b * d, 6), round(a * d, 6), round(b * c, 6))
