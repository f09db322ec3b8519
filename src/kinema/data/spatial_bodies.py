"""What a spatial clip's scene says of its bodies, by closed formulas: how far points are from their surfaces, when they fly free."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.transform import Rotation

from ..core.clip import Clip
from ..core.config import from_json
from ..core.errors import UserError
from ..simulators import Balloon, Box, Capsule, Cloth, Cylinder, Hull, Particles, Rigid, Rope, Scene, Soft, Sphere
from ..simulators.spatial.matter import matter
from ..simulators.spatial.shapes import Solid, pieces

Floats = NDArray[np.float64]

NEAR = 16  # balls about a point, one of which it may lie on


def scene_of(clip: Clip) -> Scene:
    """The scene that a clip shows."""
    params = clip.meta["params"]
    params = params["scene"] if "violation" in params else params  # of twins
    return _read(json.dumps(params["scene"], sort_keys=True))


@lru_cache(maxsize=8)
def _read(text: str) -> Scene:
    scene = from_json(json.loads(text), "meta.params.scene")
    if not isinstance(scene, Scene):
        raise UserError(f"meta.params.scene: is no scene, got {type(scene).__name__}")
    return scene


def distance_to_surface(clip: Clip, t: int, points: Floats, ids: NDArray[np.int64]) -> Floats:
    """How far points [k,3] m are at frame t from the surface of body `ids` - 1 [k]; from the floor where the id is 0."""
    scene = scene_of(clip)
    apart = np.abs(points[:, 2])
    first = 0
    for n, body in enumerate(scene.bodies):
        count = len(matter(body).points)
        own = ids == n + 1
        if own.any():
            if isinstance(body, Rigid):
                turn = Rotation.from_quat(clip.bodies["rotation"][t, n].numpy(), scalar_first=True)
                local = turn.inv().apply(points[own] - clip.bodies["position"][t, n].numpy())
                apart[own] = np.min([np.abs(_outside(placed.solid, _into(placed, local))) for placed in pieces(body.shape)], axis=0)
            else:
                vertices = clip.vertices[t, first : first + count].double().numpy()
                apart[own] = _from_points(body, vertices, points[own])
        first += count
    return apart


def _into(placed: object, points: Floats) -> Floats:
    turn, shift = Rotation.from_quat(placed.rotation, scalar_first=True), placed.position  # type: ignore[attr-defined]
    return np.asarray(turn.inv().apply(points - shift))


def _outside(solid: Solid, p: Floats) -> Floats:
    """Signed distance of points from a solid's surface, exact near it."""
    if isinstance(solid, Sphere):
        return np.asarray(np.linalg.norm(p, axis=1) - solid.radius)
    if isinstance(solid, Hull):
        equations = ConvexHull(np.array(solid.points)).equations
        return np.asarray((p @ equations[:, :3].T + equations[:, 3]).max(1))
    if isinstance(solid, Capsule):
        axis = np.clip(p[:, 2], -solid.length / 2, solid.length / 2)
        return np.asarray(np.linalg.norm(p - axis[:, None] * [0.0, 0.0, 1.0], axis=1) - solid.radius)
    if isinstance(solid, Cylinder):
        beyond = np.stack([np.hypot(p[:, 0], p[:, 1]) - solid.radius, np.abs(p[:, 2]) - solid.length / 2], 1)
    else:
        assert isinstance(solid, Box)
        beyond = np.abs(p) - np.array(solid.size) / 2
    return np.asarray(np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0))


def _from_points(body: object, vertices: Floats, points: Floats) -> Floats:
    """Of particles the distance from the nearest surface of a ball near by; of meshes that from the nearest vertex beyond the
    longest edge."""
    if isinstance(body, Particles):  # balls overlap: the ball that is seen need not be the one whose centre is nearest
        apart, _ = cKDTree(vertices).query(points, k=range(1, min(NEAR, len(vertices)) + 1))
        return np.asarray(np.abs(apart - (body.radius or body.spacing / 2)).min(1))
    nearest, _ = cKDTree(vertices).query(points)
    corners = vertices[matter(body).triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max()
    return np.asarray(np.maximum(nearest - longest, 0))


def loose(scene: Scene) -> NDArray[np.bool_]:
    """Whether each body is rigid and held by nothing [n]."""
    held = {body.parent for body in scene.bodies if isinstance(body, Rigid)}
    held |= {end for body in scene.bodies if isinstance(body, Rope) for end in (body.start, body.end)}
    return np.array([
        isinstance(body, Rigid) and not (body.fixed or body.path or body.joint or body.ghost) and body.name not in held
        for body in scene.bodies
    ])  # fmt: skip


def bends_freely(scene: Scene) -> NDArray[np.bool_]:
    """Whether each body is cloth, soft or a balloon, not pinned and without lift [n]: inner forces cannot move its centre of mass."""
    return np.array([
        isinstance(body, Soft) or (isinstance(body, Cloth) and body.pinned == "none") or (isinstance(body, Balloon) and not body.lift)
        for body in scene.bodies
    ])  # fmt: skip


def free_flights(clip: Clip) -> NDArray[np.bool_]:
    """Whether between two frames a body is rigid or bends freely, is held by nothing, pushed by nothing and touches nothing [t-1,n]."""
    alone = _unpushed(clip)
    for beside, pair in _touching(clip):
        for n in pair[pair >= 0]:
            alone[beside, n] = False
    return alone


def free_groups(clip: Clip) -> Iterator[tuple[int, NDArray[np.int64], float | None]]:
    """Frames t and bodies that, until frame t + 1, touch each other and at most the floor: rigid, held and pushed by nothing; with
    the floor's upward impulse on them in N s, None where it touches none of them."""
    free, contacts = _unpushed(clip), {key: value.numpy() for key, value in clip.contacts.items()}
    count = free.shape[1]
    frame = np.floor(contacts["time"] / clip.dt + 1e-6).astype(int)
    for t in np.flatnonzero(free.any(1)):
        pair, impulse = contacts["bodies"][frame == t], contacts["impulse"][frame == t]
        floor = pair.min(1) < 0
        links = coo_array((np.ones((~floor).sum()), (pair[~floor, 0], pair[~floor, 1])), shape=(count, count))
        group, carried = connected_components(links, directed=False)[1], pair.max(1)
        for k in np.unique(group[pair[pair >= 0]]):
            members = np.flatnonzero(group == k)
            below = floor & (group[carried] == k)
            if free[t, members].all():
                yield int(t), members, float(impulse[below].sum()) if below.any() else None


def _unpushed(clip: Clip) -> NDArray[np.bool_]:
    """Whether between two frames a body is rigid or bends freely, held by nothing and pushed by nothing but what touches it [t-1,n]."""
    scene = scene_of(clip)
    free = np.zeros((clip.num_frames - 1, len(scene.bodies)), bool)
    if scene.wind is not None or any(isinstance(body, Particles) for body in scene.bodies):
        return free
    free[:] = loose(scene) | bends_freely(scene)
    start = np.arange(clip.num_frames - 1) * clip.dt
    for push in scene.pushes:
        free[(push.time < start + clip.dt) & (push.time + push.duration > start), scene.index(push.body)] = False
    return free


def _touching(clip: Clip) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int64]]]:
    """Of every contact, between which frames it is [t-1], and its two bodies."""
    start = np.arange(clip.num_frames - 1) * clip.dt
    contacts = {key: value.numpy() for key, value in clip.contacts.items()}
    for time, duration, pair in zip(contacts["time"], contacts["duration"], contacts["bodies"], strict=True):
        yield (time <= start + clip.dt + 1e-9) & (time + duration >= start - 1e-9), pair
