"""The four shapes of PHYRE, each of one length: convex parts about the centre of mass, area, moment, extent.

Everything is in fractions of the scene's side; the scene is 512 x 512 units of which 6 make a metre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]

UNITS = 512.0  # the scene's side, as PhyWorld's code has it (PHYRE's own is 256)
UNITS_PER_METRE = 6.0
SIDE = UNITS / UNITS_PER_METRE  # m
SHAPES = ("ball", "bar", "jar", "sticks")  # in the order of PHYRE's one-hot codes
THICKNESS = 1 / 50  # of bars


@dataclass(frozen=True)
class Shape:
    """A shape about its centre of mass: a disc of `radius` where `parts` is empty, else the union of convex polygons,
    each counter-clockwise. `radius` bounds it; `area` and `moment` (of area) count an overlap of two parts twice, as
    Box2D counts fixtures; `diameter` is the one PHYRE states among an object's features."""

    parts: tuple[Points, ...]
    radius: float
    area: float
    moment: float
    diameter: float


@lru_cache(maxsize=65536)
def shape(name: str, length: float) -> Shape:
    """The shape `name` of SHAPES: a ball of that diameter, a bar of that length, a jar of that height, sticks of that width."""
    if name == "ball":
        r = length / 2
        return Shape((), r, math.pi * r**2, math.pi * r**4 / 2, length)
    parts, diameter = _PARTS[name](length)
    return _about_its_centre(parts, diameter)


def bounds(name: str, length: float, angle: float) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of a turned shape, seen from its centre of mass."""
    it = shape(name, length)
    if not it.parts:
        return -it.radius, it.radius, -it.radius, it.radius
    points = turn(np.array([p for part in it.parts for p in part]), angle)
    (left, bottom), (right, top) = points.min(0), points.max(0)
    return float(left), float(right), float(bottom), float(top)


def turn(points: Array, angle: float) -> Array:
    """Points [k,2] turned counter-clockwise by an angle in rad."""
    c, s = math.cos(angle), math.sin(angle)
    turned: Array = points @ np.array([[c, s], [-s, c]])
    return turned


def _bar(length: float) -> tuple[list[Array], float]:
    return [_box(length, THICKNESS)], math.hypot(length, THICKNESS)


def _sticks(length: float) -> tuple[list[Array], float]:
    """Two bars that cross in their middles, 77.5 degrees up, two thirds of the stated width and thickness."""
    bar, up = _box(2 * length / 3, 2 * THICKNESS / 3), math.radians(77.5)
    return [turn(bar, -up), turn(bar, up)], math.hypot(length, THICKNESS)


def _jar(length: float) -> tuple[list[Array], float]:
    """A base and two walls that lean outwards; 1.2 times as high as wide at the top, the base .8 of that, walls thicker in high jars."""
    width, base = length / 1.2, 0.8 * length / 1.2
    thick = math.log(length * UNITS) / math.log(0.3 * UNITS) * THICKNESS
    lean = (width - base) / 2
    slant = math.hypot(length, lean)
    dx, dy, top = thick * length / slant, thick * lean / slant, thick * slant / length
    low, high = -thick / 2, length - thick / 2
    right = np.array([[width / 2, high], [width / 2 - top, high], [base / 2 - dx, low + dy], [base / 2, low]])
    left = right[::-1] * [-1.0, 1.0]
    return [_box(base, thick), left, right], math.hypot(lean + base, length)


_PARTS = {"bar": _bar, "jar": _jar, "sticks": _sticks}


def _box(width: float, height: float) -> Array:
    return np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * [width, height]


def _about_its_centre(parts: list[Array], diameter: float) -> Shape:
    areas, centres, moments = zip(*(_moments(part) for part in parts), strict=True)
    area = sum(areas)
    centre = sum(a * c for a, c in zip(areas, centres, strict=True)) / area
    moved = [part - centre for part in parts]
    about = sum(m + a * float((c - centre) @ (c - centre)) for m, a, c in zip(moments, areas, centres, strict=True))
    radius = max(float(np.hypot(*part.T).max()) for part in moved)
    return Shape(tuple(tuple((float(x), float(y)) for x, y in part) for part in moved), radius, area, about, diameter)


def _moments(polygon: Array) -> tuple[float, Array, float]:
    """Area, centroid and second moment about the centroid of a simple polygon (Green's theorem)."""
    following = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]
    area = float(cross.sum()) / 2
    centre: Array = ((polygon + following) * cross[:, None]).sum(0) / (6 * area)
    second = (cross * ((polygon**2 + polygon * following + following**2).sum(1))).sum() / 12
    return area, centre, float(second) - area * float(centre @ centre)
