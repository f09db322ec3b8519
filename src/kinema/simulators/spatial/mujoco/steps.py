"""How long a step may be: fast and thin bodies want short ones, or they pass through each other unnoticed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from ..bodies import Key, Rigid
from ..driven import inertia, weight
from ..matter import corners, extent, half
from ..scene import Push, Scene
from ..shapes import Hull, Solid, Sphere, pieces

STEP, SHORTEST = 1 / 240, 1 / 20000  # s
LASTING = 2.0  # s for which wind speeds bodies up
ROLLED = 2 / 7  # of a ball's spin times its radius it gets as speed where it comes to roll


class _Pace(NamedTuple):
    """The most speed [m/s] and spin [rad/s] that a body is given."""

    speed: float
    spin: float


def longest(bodies: Sequence[Rigid], scene: Scene) -> float:
    """The longest step in s in which nothing goes further than a quarter of the scene's thinnest solid by its first speed, path
    and fall, nor than half of it by all that spin, pushes, wind and joints can add to that; `SHORTEST` at least."""
    moving = [body for body in bodies if not body.fixed and not body.ghost]
    if not moving:
        return STEP
    thin = min(thinnest(placed.solid) for other in scene.bodies if isinstance(other, Rigid) for placed in pieces(other.shape))
    usual, most = np.max([_speeds(body, scene) for body in moving], 0).clip(0.1)
    return min(STEP, max(thin / max(4 * usual, 2 * most), SHORTEST))


def thinnest(solid: Solid) -> float:
    """How thick a solid is where it is thinnest [m]; a hull's thickness is that along its principal axes."""
    if not isinstance(solid, Hull):
        return 2 * float(half(solid).min())
    points = np.array(solid.points)
    axes = np.linalg.svd(points - points.mean(0), full_matrices=False)[2]
    return float(np.ptp(points @ axes.T, 0).min())


def _speeds(body: Rigid, scene: Scene) -> tuple[float, float]:
    """Speeds that a point of a body may come to [m/s]: by its start, path and fall alone, and by all that acts on it and on those
    that carry it."""
    fall = math.sqrt(2 * math.hypot(*scene.gravity) * max(body.position[2], 0.1))
    driven = max((_between(a, b, _size(body)) for a, b in pairwise(body.path)), default=0.0)
    given = [(one, _given(one, scene)) for one in _carriers(body, scene)]
    turning = sum(pace.spin * _reach(body, one) for one, pace in given)
    return max(driven, math.hypot(*body.velocity, fall)), math.hypot(sum(pace.speed for _, pace in given), fall) + turning


def _given(body: Rigid, scene: Scene) -> _Pace:
    """What a body starts with, and what pushes and wind give it."""
    mass, _ = weight(body)
    speed, spin = math.hypot(*body.velocity), math.hypot(*body.angular_velocity)
    for push in scene.pushes:
        if push.body == body.name:
            speed += math.hypot(*push.force) * push.duration / mass
            spin += _spun(body, push)
    if body.joint is not None:
        speed += abs(body.joint.speed) * (body.joint.kind == "slide")
        spin += abs(body.joint.speed) * (body.joint.kind != "slide")
    if scene.wind is not None:
        air = math.hypot(*scene.wind.velocity) * (1 + scene.wind.gusts)
        force = 0.5 * scene.wind.density * 1.05 * float(np.prod(np.sort(extent(body))[1:])) * air**2
        speed += min(air, force / mass * LASTING)
    return _Pace(speed, spin)


def _spun(body: Rigid, push: Push) -> float:
    """The spin that a push's torque gives [rad/s]."""
    if not any(push.torque):
        return 0.0
    local = Rotation.from_quat(body.rotation, scalar_first=True).inv().apply(push.torque)
    return float(np.linalg.norm(np.linalg.solve(inertia(body), local))) * push.duration


def _carriers(body: Rigid, scene: Scene) -> list[Rigid]:
    """A body and, where joints hold it, its parents."""
    found = [body]
    while found[-1].parent is not None:
        parent = scene.body(found[-1].parent)
        if not isinstance(parent, Rigid) or parent in found:
            break
        found.append(parent)
    return found


def _reach(body: Rigid, one: Rigid) -> float:
    """How far points of a body are from what `one`, which carries it, turns about [m]."""
    if body is one and body.joint is None:
        return ROLLED * body.shape.radius if isinstance(body.shape, Sphere) else _size(body)
    anchor = math.hypot(*one.joint.anchor) if one.joint is not None else 0.0
    return math.dist(body.position, one.position) + anchor + _size(body)


def _size(body: Rigid) -> float:
    """How far points of a body are from its frame's origin [m]."""
    return float(np.linalg.norm(corners(body), axis=1).max())


def _between(one: Key, two: Key, size: float) -> float:
    """The most speed between two keys of a path [m/s]."""
    turn = 2 * math.acos(min(abs(float(np.dot(one.rotation, two.rotation))), 1.0))
    return (math.dist(one.position, two.position) + turn * size) / (two.time - one.time)
