"""How far the bodies of a scene overlap, and how far they leave it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pymunk
from torch import Tensor

from .engine import GRAVITY, STEP
from .objects import KINDS, Object
from .scene import convex
from .shapes import SIDE, shape, turn

ONE_STEP = math.sqrt(-2 * GRAVITY * SIDE) * STEP  # m that the fastest fall covers in a step: how far a body may enter another


def overlap(bodies: Mapping[str, Tensor]) -> float:
    """The deepest overlap of two bodies in any frame, in m; two static ones do not count."""
    return max(_deepest(bodies, t) for t in range(len(bodies["angle"])))


def escape(bodies: Mapping[str, Tensor]) -> float:
    """How far any point of a body ever lies outside the scene, in m; 0 where none does."""
    worst = 0.0
    for n, item in enumerate(_objects(bodies, 0)):
        it = shape(KINDS[item.kind].shape, item.length)
        points = np.array([p for part in it.parts for p in part] or [(0.0, 0.0)]) * SIDE
        reach = 0.0 if it.parts else it.radius * SIDE
        for (x, y), angle in zip(bodies["position"][:, n].tolist(), bodies["angle"][:, n].tolist(), strict=True):
            at = turn(points, angle) + np.array([x, y])
            worst = max(worst, reach - float(at.min()), float(at.max()) + reach - SIDE)
    return worst


def _deepest(bodies: Mapping[str, Tensor], t: int) -> float:
    space, worst = pymunk.Space(), 0.0
    still = bodies["static"][t].tolist()
    known: dict[pymunk.Shape, bool] = {}
    for item, static in zip(_objects(bodies, t), still, strict=True):
        body = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
        body.position, body.angle = (item.x * SIDE, item.y * SIDE), item.angle
        shapes = convex(body, item, SIDE)
        for one in shapes:
            for info in space.shape_query(one):
                assert info.shape is not None
                if not (static and known[info.shape]):
                    worst = max([worst, *(-point.distance for point in info.contact_point_set.points)])
        known |= dict.fromkeys(shapes, static)
        space.add(body, *shapes)
    return worst


def _objects(bodies: Mapping[str, Tensor], t: int) -> list[Object]:
    names = list(KINDS)
    columns = (bodies[key][t].tolist() for key in ("kind", "length", "position", "angle"))
    return [Object(names[kind], length / SIDE, x / SIDE, y / SIDE, angle) for kind, length, (x, y), angle in zip(*columns, strict=True)]
