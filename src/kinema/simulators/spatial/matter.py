"""Bodies as points: the mesh or the particles of a body at rest in its own axes, the same for engines and pictures."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bodies import AnyBody, Balloon, Cloth, Particles, Rigid, Rope, Soft
from .shapes import Box, Capsule, Cylinder, Hull, Solid, Sphere, pieces
from .tube import centre_line, faces, pitches, tube, turned

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


JITTER = 0.1  # of the spacing, by which particles start beside their lattice


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
    if isinstance(body, Soft):
        return _block(body)
    if isinstance(body, Balloon):
        return _icosphere(body)
    if isinstance(body, Rope):
        line = centre_line(body)
        return Matter(tube(line, turned(pitches(line)), body.radius), faces(body.segments))
    if isinstance(body, Particles):
        return Matter(_filling(body), np.zeros((0, 3), np.int64))
    return _NOTHING


def extent(body: AnyBody) -> Floats:
    """The size [3] m of the box about a body in its own axes."""
    if isinstance(body, Rigid):
        points = corners(body)
    elif isinstance(body, Balloon):
        return np.full(3, 2 * body.radius)
    elif isinstance(body, Soft | Particles):
        return np.array(body.size)
    else:
        points = matter(body).points
    return np.asarray(points.max(0) - points.min(0))


def corners(body: Rigid) -> Floats:
    """Corners [k,3] m of boxes that together hold a rigid body, in its own axes."""
    return np.concatenate([_corners(placed.solid, placed.position, placed.rotation) for placed in pieces(body.shape)])


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
    # Diagonals alternate: all one way, the sheet bends three times as easily across them as along.
    turned = (i + j) % 2 == 1
    a, b, c, d = (np.where(turned, q, p) for p, q in ((a, b), (b, c), (c, d), (d, a)))
    return Matter(grid, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def _block(body: Soft) -> Matter:
    """A grid of cells of six tetrahedra each, mapped onto the form. The diagonal that the six share points away from the
    middle: each then has a vertex inside, and none goes flat where a ball's or cylinder's surface bends."""
    counts = np.array(body.count)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in counts), indexing="ij"), -1).reshape(-1, 3)
    cells = np.stack(np.meshgrid(*(np.arange(n - 1) for n in counts), indexing="ij"), -1).reshape(-1, 3)
    outward = np.where(2 * cells + 1 >= counts - 1, 1, -1)
    near = cells + (outward < 0)
    strides = np.array([counts[1] * counts[2], counts[2], 1])
    elements = []
    for order in permutations(range(3)):
        corners = [near]
        for axis in order:
            corners.append(corners[-1] + outward * np.eye(3, dtype=int)[axis])
        elements.append(np.stack([corner @ strides for corner in corners], 1))
    tetrahedra = np.concatenate(elements).astype(np.int64)
    points = _mapped(grid, body.form) * np.array(body.size) / 2
    a, b, c, d = (points[tetrahedra[:, k]] for k in range(4))
    inverted = np.einsum("ei,ei->e", np.cross(b - a, c - a), d - a) < 0
    tetrahedra[inverted] = tetrahedra[inverted][:, [0, 2, 1, 3]]
    return Matter(points, skin(tetrahedra), smooth=body.form != "box", elements=tetrahedra)


def _mapped(grid: Floats, form: str) -> Floats:
    """Points of the cube from -1 to 1 as those of the ball or cylinder in it: shells stay shells."""
    axes = {"box": 0, "cylinder": 2, "ball": 3}[form]
    if not axes:
        return grid
    round_ = grid[:, :axes]
    length = np.linalg.norm(round_, axis=1, keepdims=True)
    shrunk = round_ * np.abs(round_).max(1, keepdims=True) / np.maximum(length, 1e-12)
    return np.concatenate([shrunk, grid[:, axes:]], 1)


def skin(tetrahedra: Ints) -> Ints:
    """The triangles [f,3] on the outside of tetrahedra [e,4] of positive volume, wound outwards: those of one tetrahedron only."""
    faces = tetrahedra[:, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]].reshape(-1, 3)
    _, first, count = np.unique(np.sort(faces, 1), axis=0, return_index=True, return_counts=True)
    return np.asarray(faces[np.sort(first[count == 1])])


def _icosphere(body: Balloon) -> Matter:
    golden = (1 + 5**0.5) / 2
    ring = [(-1, golden), (1, golden), (-1, -golden), (1, -golden)]
    corners = [(x, y, 0.0) for x, y in ring] + [(0.0, x, y) for x, y in ring] + [(y, 0.0, x) for x, y in ring]
    points = [np.array(corner) / np.hypot(1, golden) for corner in corners]
    faces = [
        (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6), (7, 1, 8),
        (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1),
    ]  # fmt: skip
    for _ in range(body.subdivisions):
        halves: dict[tuple[int, int], int] = {}
        finer = []
        for face in faces:
            middle = []
            for a, b in zip(face, face[1:] + face[:1], strict=True):
                edge = (min(a, b), max(a, b))
                if edge not in halves:
                    halves[edge] = len(points)
                    points.append((points[a] + points[b]) / np.linalg.norm(points[a] + points[b]))
                middle.append(halves[edge])
            (a, b, c), (x, y, z) = face, middle
            finer += [(a, x, z), (b, y, x), (c, z, y), (x, y, z)]
        faces = finer
    return Matter(np.array(points) * body.radius, np.array(faces, np.int64))


def _filling(body: Particles) -> Floats:
    counts = np.maximum(1, np.round(np.array(body.size) / body.spacing).astype(int))
    axes = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    grid += np.random.default_rng(0).uniform(-JITTER, JITTER, grid.shape) / counts  # a perfect lattice keeps its planes for ever
    if body.form == "ball":
        grid = grid[np.linalg.norm(grid, axis=1) <= 0.5]
    if body.form == "cylinder":
        grid = grid[np.linalg.norm(grid[:, :2], axis=1) <= 0.5]
    return np.asarray(grid * body.size)
