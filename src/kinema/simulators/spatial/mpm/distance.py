"""How far points are from solids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Rigid
from ..shapes import Box, Capsule, Cylinder, Hull, Solid, Sphere, pieces

Floats = NDArray[np.float64]


def distance(body: Rigid, position: Floats, rotation: Floats, points: Floats) -> Floats:
    """The distances [q] m of `points` [q,3] from a body's surface, below 0 inside, where its frame is at `position` with
    `rotation` (w, x, y, z). Outside a convex hull, past its edges, it is a lower bound."""
    local = Rotation.from_quat(rotation, scalar_first=True).inv().apply(points - position)
    each = []
    for placed in pieces(body.shape):
        own = Rotation.from_quat(placed.rotation, scalar_first=True).inv().apply(local - placed.position)
        each.append(_distance(placed.solid, own))
    return np.asarray(np.min(each, axis=0))


def _distance(solid: Solid, points: Floats) -> Floats:
    if isinstance(solid, Sphere):
        return np.asarray(np.linalg.norm(points, axis=1) - solid.radius)
    if isinstance(solid, Box):
        return _outside(np.abs(points) - np.array(solid.size) / 2)
    if isinstance(solid, Cylinder):
        across = np.linalg.norm(points[:, :2], axis=1) - solid.radius
        return _outside(np.stack([across, np.abs(points[:, 2]) - solid.length / 2], 1))
    if isinstance(solid, Capsule):
        along = np.clip(points[:, 2], -solid.length / 2, solid.length / 2)
        return np.asarray(np.hypot(np.linalg.norm(points[:, :2], axis=1), points[:, 2] - along) - solid.radius)
    assert isinstance(solid, Hull)
    from scipy.spatial import ConvexHull

    planes = ConvexHull(np.array(solid.points)).equations
    return np.asarray((points @ planes[:, :3].T + planes[:, 3]).max(1))


def _outside(excess: Floats) -> Floats:
    """The distance from a product of intervals, of points that exceed them by `excess` [q,k]."""
    return np.asarray(np.linalg.norm(np.maximum(excess, 0), axis=1) + np.minimum(excess.max(1), 0))
