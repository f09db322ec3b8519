"""Shapes of rigid bodies, in m, in the body's own axes; `pieces` takes any of them apart into what engines know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from .looks import Look

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]  # w, x, y, z
UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
FLAT = 1e-6  # of its width: a hull that is thinner has no volume to speak of


def positive(what: str, *values: float) -> None:
    """Raise UserError unless every value is a number above 0."""
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise UserError(f"{what} must be above 0, got {_listed(values)}")


def at_least(what: str, low: float, *values: float) -> None:
    """Raise UserError unless every value is a number of `low` or more."""
    if not all(low <= value < math.inf for value in values):
        raise UserError(f"{what} must be {low:g} or more, got {_listed(values)}")


def finite(what: str, *values: float) -> None:
    """Raise UserError where a value is infinite or no number."""
    if not all(map(math.isfinite, values)):
        raise UserError(f"{what} must be finite, got {_listed(values)}")


def unit(what: str, rotation: Quaternion) -> None:
    """Raise UserError unless a rotation is a quaternion of length 1, to a thousandth."""
    if not abs(math.hypot(*rotation) - 1) <= 1e-3:
        raise UserError(f"{what} must be a unit quaternion (w, x, y, z), got {rotation}")


def one_of(what: str, value: str, known: Sequence[str]) -> None:
    """Raise UserError unless a value is one of those known."""
    if value not in known:
        raise UserError(f"{what} must be one of {', '.join(known)}, got {value!r}")


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


@part
class Sphere:
    """A ball of `radius` m."""

    radius: float = field(kw_only=False)

    def __post_init__(self) -> None:
        positive("a sphere's radius", self.radius)


@part
class Box:
    """A box with edges of `size` m."""

    size: Vector = field(kw_only=False)

    def __post_init__(self) -> None:
        positive("a box's size", *self.size)


@part
class Capsule:
    """A cylinder of `length` m along z with half spheres of `radius` m on both ends."""

    radius: float = field(kw_only=False)
    length: float = field(kw_only=False)

    def __post_init__(self) -> None:
        positive("a capsule's radius and length", self.radius, self.length)


@part
class Cylinder:
    """A cylinder of `radius` and `length` m along z, the origin in its middle."""

    radius: float = field(kw_only=False)
    length: float = field(kw_only=False)

    def __post_init__(self) -> None:
        positive("a cylinder's radius and length", self.radius, self.length)


@part
class Hull:
    """The convex hull of `points`: at least four, not all in one plane."""

    points: tuple[Vector, ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        if len(self.points) < 4:
            raise UserError(f"a convex hull needs at least 4 points, got {len(self.points)}")
        for point in self.points:
            finite("a convex hull's points", *point)
        spread = np.linalg.svd(np.array(self.points) - np.mean(self.points, 0), compute_uv=False)
        if spread[2] <= FLAT * spread[0]:
            raise UserError("a convex hull's points must not all lie in one plane")


@part
class Piece:
    """One shape of a compound, where it sits in the body's axes, and its own look (None: the body's)."""

    shape: Sphere | Box | Capsule | Cylinder | Hull = field(kw_only=False)
    position: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion = UPRIGHT
    look: Look | None = None

    def __post_init__(self) -> None:
        finite("a piece's position", *self.position)
        unit("a piece's rotation", self.rotation)


@part
class Compound:
    """Several shapes that move as one: a table, a bowl, a ring, a car."""

    pieces: tuple[Piece, ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        if not self.pieces:
            raise UserError("a compound needs at least one piece")


Solid = Sphere | Box | Capsule | Cylinder | Hull
Shape = Sphere | Box | Capsule | Cylinder | Hull | Compound


class Placed(NamedTuple):
    """One convex solid of a body."""

    solid: Solid
    position: Vector
    rotation: Quaternion
    look: Look | None


def pieces(shape: Shape) -> list[Placed]:
    """The convex solids that a shape is made of, in the body's axes.

    >>> [type(placed.solid).__name__ for placed in pieces(Sphere(0.1))]
    ['Sphere']
    """
    if isinstance(shape, Compound):
        return [Placed(piece.shape, piece.position, piece.rotation, piece.look) for piece in shape.pieces]
    return [Placed(shape, (0.0, 0.0, 0.0), UPRIGHT, None)]
