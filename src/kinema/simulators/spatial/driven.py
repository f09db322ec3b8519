"""Motion as told: scenes in which every body is fixed or driven along keys need no solver."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UserError
from .bodies import Rigid
from .change import Change
from .matter import hull
from .run import Run
from .scene import Scene
from .shapes import Box, Capsule, Cylinder, Solid, Sphere, pieces

Floats = NDArray[np.float64]


def told(scene: Scene) -> bool:
    """Whether every body of the scene is rigid and either fixed or driven along a path."""
    return all(isinstance(body, Rigid) and (body.fixed or body.drive) for body in scene.bodies)


def simulate(scene: Scene, times: Floats, change: Change | None = None) -> Run:
    """The run of a scene in which nothing is free: positions linear and rotations at a constant rate between keys, held before
    the first and after the last; nothing is pushed and no contact is looked for. Velocities are those of the interval that
    begins at a frame (the last frame: that ends there). Raises UserError for a change of gravity or of contacts."""
    from scipy.spatial.transform import Rotation

    if change is not None and (change.gravity is not None or change.passing is not None):
        raise UserError("in this scene everything moves as it is told: nothing falls another way, or goes through what it would meet")
    frames, bodies = len(times), [body for body in scene.bodies if isinstance(body, Rigid)]
    position, rotation = np.zeros((frames, len(bodies), 3)), np.zeros((frames, len(bodies), 4))
    speed, spin = np.zeros_like(position), np.zeros_like(position)
    mass, middle = np.zeros(len(bodies)), np.zeros((len(bodies), 3))
    for n, body in enumerate(bodies):
        mass[n], middle[n] = weight(body)
        if body.drive:
            position[:, n], rotation[:, n], speed[:, n], spin[:, n] = along(body, times)
        else:
            position[:, n], rotation[:, n] = body.position, np.array(body.rotation) / math.hypot(*body.rotation)
    turned = Rotation.from_quat(rotation.reshape(-1, 4), scalar_first=True)
    arm = turned.apply(np.tile(middle, (frames, 1))).reshape(position.shape)
    center, velocity = position + arm, speed + np.cross(spin, arm)
    kinetic = 0.5 * mass * (velocity**2).sum(-1)
    for n, body in enumerate(bodies):
        if spin[:, n].any():
            local = Rotation.from_quat(rotation[:, n], scalar_first=True).inv().apply(spin[:, n])
            kinetic[:, n] += 0.5 * np.einsum("ti,ij,tj->t", local, inertia(body), local)
    visible, cut = _marks(change, center, position)
    potential = -mass * (center @ np.array(scene.gravity))
    if visible is not None:
        kinetic[~visible], potential[~visible] = 0.0, 0.0
    total = (kinetic + potential).sum(1)
    return Run(
        times=times, position=position, rotation=rotation, center=center, velocity=velocity, angular_velocity=spin, mass=mass,
        kinetic=kinetic, potential=potential, elastic=np.zeros_like(kinetic), vertices=np.zeros((frames, 0, 3), np.float32),
        work=total - total[0], visible=visible, cut=cut,
    )  # fmt: skip


def along(body: Rigid, times: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Position [t,3], rotation [t,4], velocity [t,3] and angular velocity [t,3] of a driven body's frame."""
    from scipy.spatial.transform import Rotation, Slerp

    keys = np.array([key.time for key in body.path])
    places = np.array([key.position for key in body.path], np.float64)
    turns = Rotation.from_quat([key.rotation for key in body.path], scalar_first=True)
    if len(keys) == 1:
        still = np.zeros((len(times), 3))
        return still + places[0], np.tile(turns.as_quat(scalar_first=True), (len(times), 1)), still, still
    clamped = np.clip(times, keys[0], keys[-1])
    place = np.stack([np.interp(clamped, keys, places[:, k]) for k in range(3)], 1)
    turn = Slerp(keys, turns)(clamped).as_quat(scalar_first=True)
    # A frame on a key belongs to the interval that begins there, whatever the last bit of its time; the last frame to the one before.
    near = 1e-9 * max(1.0, keys[-1])
    at = np.searchsorted(keys, np.append(times[:-1], times[-1] - 4 * near) + near, side="right") - 1
    moving = (at >= 0) & (at < len(keys) - 1)
    at = np.clip(at, 0, len(keys) - 2)
    gap = np.diff(keys)[:, None]
    speed = np.where(moving[:, None], (np.diff(places, axis=0) / gap)[at], 0.0)
    spin = np.where(moving[:, None], ((turns[1:] * turns[:-1].inv()).as_rotvec() / gap)[at], 0.0)
    return place, turn, speed, spin


def weight(body: Rigid) -> tuple[float, Floats]:
    """A body's mass kg and its centre of mass [3] m in its own axes, its solids all of one density, overlaps counted twice."""
    from scipy.spatial.transform import Rotation

    volumes = np.array([volume(placed.solid) for placed in pieces(body.shape)])
    places = np.array([Rotation.from_quat(p.rotation, scalar_first=True).apply(middle(p.solid)) + p.position for p in pieces(body.shape)])
    mass = body.mass if body.mass is not None else float(volumes.sum()) * body.property_of("density")
    return mass, np.asarray(volumes @ places / volumes.sum())


def volume(solid: Solid) -> float:
    """A solid's volume m^3."""
    if isinstance(solid, Sphere):
        return 4 / 3 * math.pi * solid.radius**3
    if isinstance(solid, Box):
        return math.prod(solid.size)
    if isinstance(solid, Cylinder):
        return math.pi * solid.radius**2 * solid.length
    if isinstance(solid, Capsule):
        return math.pi * solid.radius**2 * (solid.length + 4 / 3 * solid.radius)
    return float(_parts(solid).sum())


def middle(solid: Solid) -> Floats:
    """A solid's centre of mass [3] m in its own axes."""
    if isinstance(solid, Sphere | Box | Cylinder | Capsule):
        return np.zeros(3)
    found, parts = hull(solid), _parts(solid)
    base = found.points.mean(0)
    return np.asarray((found.points[found.triangles].sum(1) + base).T @ parts / (4 * parts.sum()))


def _parts(solid: Solid) -> Floats:
    """Volumes of the tetrahedra between a hull's triangles and the mean of its points."""
    found = hull(solid)  # type: ignore[arg-type]
    return np.abs(np.linalg.det(found.points[found.triangles] - found.points.mean(0))) / 6


def inertia(body: Rigid) -> Floats:
    """The inertia tensor [3,3] kg m^2 about the centre of mass, each solid taken as the box or cylinder about it."""
    from scipy.spatial.transform import Rotation

    mass, center = weight(body)
    solids = pieces(body.shape)
    volumes = np.array([volume(placed.solid) for placed in solids])
    total = np.zeros((3, 3))
    for placed, m in zip(solids, mass * volumes / volumes.sum(), strict=True):
        turn = Rotation.from_quat(placed.rotation, scalar_first=True)
        arm = turn.apply(middle(placed.solid)) + placed.position - center
        own = turn.as_matrix() @ np.diag(_own(placed.solid)) @ turn.as_matrix().T
        total += m * (own + arm @ arm * np.eye(3) - np.outer(arm, arm))
    return total


def _own(solid: Solid) -> Floats:
    """Moments of inertia [3] of a solid of 1 kg about its own axes."""
    if isinstance(solid, Sphere):
        return np.full(3, 0.4 * solid.radius**2)
    if isinstance(solid, Cylinder | Capsule):
        r, h = solid.radius, solid.length + (solid.radius if isinstance(solid, Capsule) else 0.0)
        return np.array([(3 * r * r + h * h) / 12, (3 * r * r + h * h) / 12, r * r / 2])
    x, y, z = np.ptp(np.array(solid.points), 0) if not isinstance(solid, Box) else solid.size
    return np.array([y * y + z * z, x * x + z * z, x * x + y * y]) / 12


def _marks(change: Change | None, *places: Floats) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """What is visible, and what is cut [t,n], after a breach of law; bodies that are moved go on from where they were put."""
    if change is None:
        return None, None
    visible, cut = np.ones(places[0].shape[:2], bool), np.zeros(places[0].shape[:2], bool)
    visible[change.frame :, list(change.vanish)] = False
    cut[change.frame, list(change.vanish)] = True
    for n, to in change.moved.items():
        step = np.array(to) - places[-1][change.frame, n]
        for place in places:
            place[change.frame :, n] += step
        cut[change.frame, n] = True
    return visible, cut
