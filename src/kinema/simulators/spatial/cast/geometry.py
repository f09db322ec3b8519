"""A scene and its run as the arrays that rays are cast into: primitives, triangles, balls, looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Particles, Rigid
from ..looks import Look
from ..matter import half, hull, matter
from ..run import Run
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Placed, Solid, Sphere, pieces

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
CODES: dict[type, int] = {Sphere: 1, Box: 2, Capsule: 3, Cylinder: 4}


@dataclass(frozen=True)
class Geometry:
    """What rays may hit, at every frame.

    Primitives [p]: `kind`, `size` [p,3], `body`, `look`, `pose` [t,p,7] (x, y, z and quaternion x, y, z, w) and
    its inverse `back`, `half` [p,3] m of the box about each.
    Triangles [f]: `corners` [f,3] into `mesh` [t,v,3], whose points are `rest` [v,3] in the body's own axes, `face_body`,
    `face_look`, `face_smooth` [f]. Balls [q]: `balls` [t,q,3], `radius`, `ball_body`, `ball_look`, `ball_rest`."""

    kind: Ints
    size: Floats
    body: Ints
    look: Ints
    pose: Floats
    back: Floats
    half: Floats
    corners: Ints
    mesh: Floats
    rest: Floats
    face_body: Ints
    face_look: Ints
    face_smooth: Ints
    balls: Floats
    radius: Floats
    ball_body: Ints
    ball_look: Ints
    ball_rest: Floats
    looks: tuple[Look, ...]


def geometry(scene: Scene, run: Run, origin: NDArray[np.float64]) -> Geometry:
    """Everything in the scene that can be seen, in coordinates about `origin` m."""
    frames = len(run.times)
    looks: list[Look] = []
    prims: list[tuple[Placed, int, int]] = []
    mesh, balls = _Points(frames), _Points(frames)
    faces: list[tuple[NDArray[Any], int, int, bool]] = []
    radius: list[float] = []
    first = 0
    for n, body in enumerate(scene.bodies):
        looks.append(body.look)
        own = len(looks) - 1
        if isinstance(body, Rigid):
            for placed in () if body.ghost else pieces(body.shape):
                if placed.look is not None:
                    looks.append(placed.look)
                look = len(looks) - 1 if placed.look is not None else own
                if isinstance(placed.solid, Hull):
                    found = hull(placed.solid)
                    local = _turned(placed, found.points)
                    turn = Rotation.from_quat(run.rotation[:, n], scalar_first=True).as_matrix()
                    faces.append((found.triangles + mesh.count, n, look, False))
                    mesh.add(np.einsum("tij,vj->tvi", turn, local) + (run.position[:, n, None] - origin), local, n, look)
                else:
                    prims.append((placed, n, look))
            continue
        points = matter(body)
        moved = run.vertices[:, first : first + len(points.points)] - origin
        first += len(points.points)
        if isinstance(body, Particles):
            balls.add(moved, points.points, n, own)
            radius += [body.radius or body.spacing / 2] * len(points.points)
        else:
            faces.append((points.triangles + mesh.count, n, own, points.smooth))
            mesh.add(moved, points.points, n, own)
    each = [len(face[0]) for face in faces]
    body_of, look_of, smooth = (np.repeat([int(face[k]) for face in faces], each).astype(np.int32) for k in (1, 2, 3))
    bodies = np.array([n for _, n, _ in prims], np.int32)
    pose, back = _poses(run, prims, bodies, origin)
    return Geometry(
        kind=np.array([CODES[type(placed.solid)] for placed, _, _ in prims], np.int32),
        size=np.array([_size(placed.solid) for placed, _, _ in prims], np.float32).reshape(-1, 3),
        body=bodies, look=np.array([look for _, _, look in prims], np.int32), pose=pose, back=back,
        half=np.array([half(placed.solid) for placed, _, _ in prims], np.float32).reshape(-1, 3),
        corners=np.concatenate([np.zeros((0, 3)), *(face[0] for face in faces)]).astype(np.int32), mesh=mesh.moved, rest=mesh.rest,
        face_body=body_of, face_look=look_of, face_smooth=smooth,
        balls=balls.moved, radius=np.array(radius, np.float32), ball_body=balls.body, ball_look=balls.look, ball_rest=balls.rest,
        looks=tuple(looks),
    )  # fmt: skip


class _Points:
    """Points of several bodies one after the other."""

    def __init__(self, frames: int) -> None:
        self.count = 0
        self._moved: list[NDArray[Any]] = [np.zeros((frames, 0, 3))]
        self._rest: list[NDArray[Any]] = [np.zeros((0, 3))]
        self._owners: list[tuple[int, int, int]] = []

    def add(self, moved: NDArray[Any], rest: NDArray[Any], body: int, look: int) -> None:
        self.count += len(rest)
        self._moved.append(moved)
        self._rest.append(rest)
        self._owners.append((body, look, len(rest)))

    @property
    def moved(self) -> Floats:
        return np.concatenate(self._moved, 1).astype(np.float32)

    @property
    def rest(self) -> Floats:
        return np.concatenate(self._rest).astype(np.float32)

    @property
    def body(self) -> Ints:
        return np.repeat([owner[0] for owner in self._owners], [owner[2] for owner in self._owners]).astype(np.int32)

    @property
    def look(self) -> Ints:
        return np.repeat([owner[1] for owner in self._owners], [owner[2] for owner in self._owners]).astype(np.int32)


def _turned(placed: Placed, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(Rotation.from_quat(placed.rotation, scalar_first=True).apply(points) + placed.position)


def _poses(run: Run, prims: list[tuple[Placed, int, int]], bodies: Ints, origin: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Poses [t,p,7] of primitives and their inverses (x, y, z and quaternion x, y, z, w)."""
    shape = (len(run.times), len(prims))
    if not prims:
        return np.zeros((*shape, 7), np.float32), np.zeros((*shape, 7), np.float32)
    turn = Rotation.from_quat(run.rotation[:, bodies].reshape(-1, 4), scalar_first=True)
    local = np.tile([placed.position for placed, _, _ in prims], (shape[0], 1))
    own = Rotation.from_quat(np.tile([placed.rotation for placed, _, _ in prims], (shape[0], 1)), scalar_first=True)
    at = run.position[:, bodies].reshape(-1, 3) - origin + turn.apply(local)
    whole = turn * own
    back = whole.inv()
    pose = np.concatenate([at, whole.as_quat()], 1)
    inverse = np.concatenate([-back.apply(at), back.as_quat()], 1)
    return np.asarray(pose.reshape(*shape, 7), np.float32), np.asarray(inverse.reshape(*shape, 7), np.float32)


def _size(solid: Solid) -> Floats:
    if isinstance(solid, Box):
        return np.array([edge / 2 for edge in solid.size], np.float32)
    if isinstance(solid, Sphere):
        return np.array([solid.radius, 0, 0], np.float32)
    assert isinstance(solid, Capsule | Cylinder)
    return np.array([solid.radius, solid.length / 2, 0], np.float32)
