"""Bodies as points: the mesh or the particles of a body at rest in its own axes, the same for engines and pictures."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bodies import AnyBody, Balloon, Cloth, Particles, Rigid, Rope, Soft
from .shapes import Box, Capsule, Cylinder, Hull, Solid, Sphere, pieces

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Matter(NamedTuple):
    """`points` [m,3] m at rest in the body's axes; `triangles` [f,3] of its surface, wound outwards (none: particles), whether
    the surface is `smooth`, and `elements` [e,4], the tetrahedra of a solid."""

    points: Floats
    triangles: Ints
    smooth: bool = True
    elements: Ints = np.zeros((0, 4), np.int64)


_NOTHING = Matter(np.zeros((0, 3)), np.zeros((0, 3), np.int64))


@lru_cache(maxsize=256)
def matter(body: AnyBody) -> Matter:
    """The points of a body that bends or flows; of a rigid body none: it is drawn from its shapes.

    The order of the points is that of a clip's `vertices`.
    """
    if isinstance(body, Cloth):
        return _sheet(body)
    if isinstance(body, Particles):
        return Matter(_filling(body), np.zeros((0, 3), np.int64))
    return _NOTHING


def extent(body: AnyBody) -> Floats:
    """The size [3] m of the box about a body in its own axes."""
    if isinstance(body, Rigid):
        corners = np.concatenate([_corners(placed.solid, placed.position, placed.rotation) for placed in pieces(body.shape)])
    elif isinstance(body, Rope):
        return np.array([body.length, 2 * body.radius, 2 * body.radius])
    elif isinstance(body, Balloon):
        return np.full(3, 2 * body.radius)
    elif isinstance(body, Soft | Particles):
        return np.array(body.size)
    else:
        corners = matter(body).points
    return np.asarray(corners.max(0) - corners.min(0))


def half(solid: Solid) -> Floats:
    """Half the size [3] m of the box about a solid, the origin in its middle (a hull's: about the origin)."""
    if isinstance(solid, Sphere):
        return np.full(3, solid.radius)
    if isinstance(solid, Box):
        return np.array(solid.size) / 2
    if isinstance(solid, Capsule):
        return np.array([solid.radius, solid.radius, solid.length / 2 + solid.radius])
    if isinstance(solid, Cylinder):
        return np.array([solid.radius, solid.radius, solid.length / 2])
    return np.abs(np.array(solid.points)).max(0)


def hull(solid: Hull) -> Matter:
    """A convex hull's own vertices and triangles, wound outwards."""
    from scipy.spatial import ConvexHull

    points = np.array(solid.points)
    found = ConvexHull(points)
    triangles, normals = found.simplices.astype(np.int64), found.equations[:, :3]
    a, b, c = (points[triangles[:, k]] for k in range(3))
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), normals) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return Matter(points, triangles, smooth=False)


def _corners(solid: Solid, position: tuple[float, ...], rotation: tuple[float, ...]) -> Floats:
    from scipy.spatial.transform import Rotation

    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    local = np.array(solid.points) if isinstance(solid, Hull) else signs * half(solid)
    return np.asarray(Rotation.from_quat(rotation, scalar_first=True).apply(local) + position)


def _sheet(body: Cloth) -> Matter:
    nx, ny = body.count
    x, y = (np.linspace(-side / 2, side / 2, n) for side, n in zip(body.size, body.count, strict=True))
    grid = np.stack([*np.meshgrid(x, y, indexing="ij"), np.zeros((nx, ny))], -1).reshape(-1, 3)
    i, j = (k.ravel() for k in np.meshgrid(np.arange(nx - 1), np.arange(ny - 1), indexing="ij"))
    a, b, c, d = i * ny + j, (i + 1) * ny + j, (i + 1) * ny + j + 1, i * ny + j + 1
    return Matter(grid, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def _filling(body: Particles) -> Floats:
    counts = np.maximum(1, np.round(np.array(body.size) / body.spacing).astype(int))
    axes = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    if body.form == "ball":
        grid = grid[np.linalg.norm(grid, axis=1) <= 0.5]
    if body.form == "cylinder":
        grid = grid[np.linalg.norm(grid[:, :2], axis=1) <= 0.5]
    return np.asarray(grid * body.size)
