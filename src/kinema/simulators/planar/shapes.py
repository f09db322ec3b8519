"""Outlines of rigid bodies on a plane: signed distances, and the share of a pixel that they cover."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UserError

Array = NDArray[Any]
Turn = tuple[Any, Any]  # cosine and sine of a body's angle, broadcast with the points
Covered = tuple[NDArray[np.float32], NDArray[np.bool_]]
Point = tuple[float, float]

UPRIGHT: Turn = (1.0, 0.0)
BALL, SQUARE, RING = 0, 1, 2  # codes of a planar world's `bodies["shape"]`
SHAPES = {"ball": BALL, "square": SQUARE, "ring": RING}
PUBLISHED = ("ball", "square")  # the first of them, which PhyWorld's released renderer draws
PUBLISHED_RIM = 0.03  # the share of r^2 over which a ball fades there; half of it is missing from its area
RING_INNER = 0.6  # inner over outer radius; PhyWorld shows rings, its released code draws none


class Outline(Protocol):
    """The shape of a body in its own frame, lengths in any one unit.

    `bound` is the radius of a circle about the body's origin that holds it all, `area` what its mass is worked out from.
    Points are offsets (x, y) from that origin along the world's axes, y up, broadcast together; `turn` is the cosine and
    sine of the angle by which the body is turned counter-clockwise.
    """

    @property
    def bound(self) -> float: ...
    @property
    def area(self) -> float: ...
    def distance(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Array:
        """Signed distance of points to the rim, below 0 inside."""
        ...

    def holds(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> NDArray[np.bool_]:
        """Whether points are inside."""
        ...

    def covered(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Covered:
        """The share of the pixel (1 unit wide) about each point that is covered, and whether the point is inside."""
        ...

    def scaled(self, factor: float) -> Outline:
        """The same shape `factor` times as large."""
        ...


@dataclass(frozen=True)
class Disc:
    """A disc about `at` of the body's frame."""

    radius: float
    at: Point = (0.0, 0.0)

    @property
    def bound(self) -> float:
        return self.radius + math.hypot(*self.at)

    @property
    def area(self) -> float:
        return math.pi * self.radius**2

    def distance(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Array:
        distance: Array = _from(self.at, x, y, turn) - self.radius
        return distance

    def holds(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> NDArray[np.bool_]:
        return self.distance(x, y, turn) < 0

    def covered(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Covered:
        distance = _from(self.at, x, y, turn).astype(np.float32)
        return _ramp(self.radius, distance), distance < np.float64(self.radius)

    def scaled(self, factor: float) -> Disc:
        return Disc(self.radius * factor, (self.at[0] * factor, self.at[1] * factor))


@dataclass(frozen=True)
class Ring:
    """What lies between two circles about the body's origin."""

    radius: float
    inner: float

    @property
    def bound(self) -> float:
        return self.radius

    @property
    def area(self) -> float:
        return math.pi * (self.radius**2 - self.inner**2)

    def distance(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Array:
        distance = _from((0.0, 0.0), x, y, turn)
        return np.maximum(distance - self.radius, self.inner - distance)

    def holds(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> NDArray[np.bool_]:
        return self.distance(x, y, turn) < 0

    def covered(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Covered:
        distance = _from((0.0, 0.0), x, y, turn).astype(np.float32)
        inside = (distance < np.float64(self.radius)) & (distance > np.float64(self.inner))
        return _ramp(self.radius, distance) - _ramp(self.inner, distance), inside

    def scaled(self, factor: float) -> Ring:
        return Ring(self.radius * factor, self.inner * factor)


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, its `vertices` counter-clockwise. Raises UserError where they are not."""

    vertices: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(self.vertices) < 3 or any(len(vertex) != 2 for vertex in self.vertices):
            raise UserError(f"a polygon needs at least three vertices (x, y), got {self.vertices}")
        along = [(bx - ax, by - ay) for (ax, ay), (bx, by) in self._sides()]
        bends = [math.atan2(ux * vy - uy * vx, ux * vx + uy * vy) for (ux, uy), (vx, vy) in zip(along, (*along[1:], along[0]), strict=True)]
        if not (min(bends) > 0 and math.isclose(sum(bends), 2 * math.pi)):
            raise UserError(f"a polygon must be convex, with its vertices counter-clockwise, got {self.vertices}")

    @classmethod
    def box(cls, width: float, height: float, at: Point = (0.0, 0.0)) -> Polygon:
        """A rectangle about `at`."""
        (x, y), w, h = at, width / 2, height / 2
        return cls(((x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)))

    @property
    def bound(self) -> float:
        return max(math.hypot(x, y) for x, y in self.vertices)

    @property
    def area(self) -> float:
        return sum(ax * by - ay * bx for (ax, ay), (bx, by) in self._sides()) / 2

    @cached_property
    def edges(self) -> Array:
        """[m,5]: each edge's direction, outward normal, and distance along that normal."""
        rows = []
        for (ax, ay), (bx, by) in self._sides():
            length = math.hypot(bx - ax, by - ay)
            ux, uy = (bx - ax) / length, (by - ay) / length
            rows.append((ux, uy, uy, -ux, uy * ax - ux * ay))
        return np.array(rows)

    @cached_property
    def thickness(self) -> float:
        """Width in the direction in which it is least wide."""
        depth = self.edges[:, 4:] - self.edges[:, 2:4] @ np.array(self.vertices, float).T
        return float(depth.max(1).min())

    def distance(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Array:
        distance = self._beyond_edges(x, y, turn, np.float64)
        self._around_corners(distance, distance > 0, x, y, turn)
        return distance

    def holds(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> NDArray[np.bool_]:
        return self._beyond_edges(x, y, turn, np.float64) < 0

    def covered(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Covered:
        distance = self._beyond_edges(x, y, turn, np.float32)
        self._around_corners(distance, (distance > 0) & (distance < 0.5), x, y, turn)  # the others cover all or nothing
        cover = np.clip(np.float32(0.5) - distance, 0.0, min(1.0, self.thickness))  # a sliver never fills its pixel
        return cover, distance < 0

    def scaled(self, factor: float) -> Polygon:
        return Polygon(tuple((x * factor, y * factor) for x, y in self.vertices))

    def _sides(self) -> list[tuple[Point, Point]]:
        return list(zip(self.vertices, (*self.vertices[1:], self.vertices[0]), strict=True))

    def _beyond_edges(self, x: Array, y: Array, turn: Turn, dtype: Any) -> Array:
        """The largest signed distance to a line through an edge: that to the rim, but around the corners outside."""
        distance: Array | None = None
        for nx, ny, offset in self.edges[:, 2:].tolist():
            nx, ny = _turned(nx, ny, turn)
            beyond = (nx * x - offset).astype(dtype) + (ny * y).astype(dtype)
            distance = beyond if distance is None else np.maximum(distance, beyond, out=distance)
        assert distance is not None
        return distance

    def _around_corners(self, distance: Array, where: NDArray[np.bool_], x: Array, y: Array, turn: Turn) -> None:
        """Put right the distances of those points that are nearest to a corner."""
        place = np.nonzero(where)
        if not len(place[0]):
            return
        x, y, cos, sin = (np.broadcast_to(a, distance.shape)[place] for a in (x, y, *turn))
        x, y = _turned(x, y, (cos, -sin))
        for i, (cx, cy) in enumerate(self.vertices):
            dx, dy = x - cx, y - cy
            past = self.edges[i - 1, 0] * dx + self.edges[i - 1, 1] * dy > 0
            before = self.edges[i, 0] * dx + self.edges[i, 1] * dy < 0
            nearest = past & before
            distance[tuple(p[nearest] for p in place)] = np.hypot(dx[nearest], dy[nearest])


@dataclass(frozen=True)
class Union:
    """Several pieces as one body. `area` counts an overlap twice, as a physics engine weighs it; where pieces overlap,
    `distance` inside is that to the nearest rim of the piece one is deepest in."""

    pieces: tuple[Disc | Ring | Polygon, ...]

    @property
    def bound(self) -> float:
        return max(piece.bound for piece in self.pieces)

    @property
    def area(self) -> float:
        return sum(piece.area for piece in self.pieces)

    def distance(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Array:
        return np.minimum.reduce([piece.distance(x, y, turn) for piece in self.pieces])

    def holds(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = np.logical_or.reduce([piece.holds(x, y, turn) for piece in self.pieces])
        return inside

    def covered(self, x: Array, y: Array, turn: Turn = UPRIGHT) -> Covered:
        covers, insides = zip(*(piece.covered(x, y, turn) for piece in self.pieces), strict=True)
        cover = np.minimum(sum(covers[1:], covers[0]), np.float32(1))  # pieces that touch leave no seam
        return cover, np.logical_or.reduce(insides) | (cover >= 1)

    def scaled(self, factor: float) -> Union:
        return Union(tuple(piece.scaled(factor) for piece in self.pieces))


def outline(shape: int, radius: float) -> Disc | Ring | Polygon:
    """The outline of a planar world's body: a ball or a ring of this outer radius, a square of this half side.

    Raises UserError where there is no such shape.
    """
    if shape == BALL:
        return Disc(radius)
    if shape == SQUARE:
        return Polygon.box(2 * radius, 2 * radius)
    if shape == RING:
        return Ring(radius, RING_INNER * radius)
    raise UserError(f"there is no shape of code {shape}; there are {', '.join(f'{code} ({name})' for name, code in SHAPES.items())}")


def _turned(x: Any, y: Any, turn: Turn) -> tuple[Any, Any]:
    cos, sin = turn
    return cos * x - sin * y, sin * x + cos * y


def _from(at: Point, x: Array, y: Array, turn: Turn) -> Array:
    if at != (0.0, 0.0):
        dx, dy = _turned(*at, turn)
        x, y = x - dx, y - dy
    distance: Array = np.sqrt(y**2 + x**2)
    return distance


def _ramp(radius: float, distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """One inside, zero outside, falling over one unit at the rim."""
    ramp: NDArray[np.float32] = np.clip(np.float32(0.5) + np.float32(radius) - distance, 0.0, 1.0)
    return ramp
