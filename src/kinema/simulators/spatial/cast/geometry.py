"""A scene and its run as the arrays that rays are cast into: primitives, triangles, balls, looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Particles, Rigid
from ..looks import TEXTURES, Look
from ..matter import half, hull, matter
from ..run import Run
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Solid, Sphere, pieces

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
CODES: dict[type, int] = {Sphere: 1, Box: 2, Capsule: 3, Cylinder: 4}


@dataclass(frozen=True)
class Geometry:
    """What rays may hit, at every frame.

    Primitives [p]: `kind`, `size` [p,3], `body`, `look`, `pose` [t,p,7] (x, y, z and quaternion x, y, z, w), `reach` [p] m.
    Triangles [f]: `corners` [f,3] into `mesh` [t,v,3], whose points are `rest` [v,3] in the body's own axes, `face_body`,
    `face_look`, `face_smooth` [f]. Balls [q]: `balls` [t,q,3], `radius`, `ball_body`, `ball_look`, `ball_rest`."""

    kind: Ints
    size: Floats
    body: Ints
    look: Ints
    pose: Floats
    reach: Floats
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


def geometry(scene: Scene, run: Run) -> Geometry:
    """Everything in the scene that can be seen."""
    frames = len(run.times)
    looks: list[Look] = []
    prims: list[tuple[int, Floats, int, int, NDArray[np.float64], float]] = []
    faces: list[tuple[Ints, int, int, bool]] = []
    mesh, rest = [np.zeros((frames, 0, 3))], [np.zeros((0, 3))]
    balls, radius, owner, dress, inside = [np.zeros((frames, 0, 3))], [np.zeros(0)], [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros((0, 3))]
    first = count = 0
    for n, body in enumerate(scene.bodies):
        looks.append(body.look)
        own = len(looks) - 1
        if isinstance(body, Rigid):
            if body.ghost:
                continue
            turn = Rotation.from_quat(run.rotation[:, n], scalar_first=True)
            for placed in pieces(body.shape):
                if placed.look is not None:
                    looks.append(placed.look)
                dressed = len(looks) - 1 if placed.look is not None else own
                if isinstance(placed.solid, Hull):
                    found = hull(placed.solid)
                    local = Rotation.from_quat(placed.rotation, scalar_first=True).apply(found.points) + placed.position
                    mesh.append(np.stack([turn[t].apply(local) for t in range(frames)]) + run.position[:, n, None])
                    rest.append(local)
                    faces.append(((found.triangles + count).astype(np.int32), n, dressed, False))
                    count += len(local)
                else:
                    at = run.position[:, n] + turn.apply(placed.position)
                    pose = np.concatenate([at, (turn * Rotation.from_quat(placed.rotation, scalar_first=True)).as_quat()], 1)
                    prims.append((CODES[type(placed.solid)], _size(placed.solid), n, dressed, pose, float(np.linalg.norm(half(placed.solid)))))
            continue
        points = matter(body)
        moved = run.vertices[:, first : first + len(points.points)]
        first += len(points.points)
        if isinstance(body, Particles):
            balls.append(moved)
            radius.append(np.full(len(points.points), body.radius or body.spacing / 2))
            owner.append(np.full(len(points.points), n))
            dress.append(np.full(len(points.points), own))
            inside.append(points.points)
        else:
            mesh.append(moved)
            rest.append(points.points)
            faces.append(((points.triangles + count).astype(np.int32), n, own, points.smooth))
            count += len(points.points)
    spread = [(np.full(len(tri), n), np.full(len(tri), look), np.full(len(tri), smooth)) for tri, n, look, smooth in faces]
    face_body, face_look, face_smooth = (
        np.concatenate(column).astype(np.int32) if spread else np.zeros(0, np.int32) for column in (zip(*spread, strict=True) if spread else ((), (), ()))
    )
    return Geometry(
        kind=np.array([p[0] for p in prims], np.int32), size=np.array([p[1] for p in prims], np.float32).reshape(-1, 3),
        body=np.array([p[2] for p in prims], np.int32), look=np.array([p[3] for p in prims], np.int32),
        pose=(np.stack([p[4] for p in prims], 1) if prims else np.zeros((frames, 0, 7))).astype(np.float32),
        reach=np.array([p[5] for p in prims], np.float32),
        corners=np.concatenate([f[0] for f in faces]) if faces else np.zeros((0, 3), np.int32),
        mesh=np.concatenate(mesh, 1).astype(np.float32), rest=np.concatenate(rest).astype(np.float32),
        face_body=face_body, face_look=face_look, face_smooth=face_smooth,
        balls=np.concatenate(balls, 1).astype(np.float32), radius=np.concatenate(radius).astype(np.float32),
        ball_body=np.concatenate(owner).astype(np.int32), ball_look=np.concatenate(dress).astype(np.int32),
        ball_rest=np.concatenate(inside).astype(np.float32), looks=tuple(looks),
    )  # fmt: skip


def _size(solid: Solid) -> Floats:
    if isinstance(solid, Box):
        return np.array(solid.size, np.float32) / 2
    if isinstance(solid, Sphere):
        return np.array([solid.radius, 0, 0], np.float32)
    assert isinstance(solid, Capsule | Cylinder)
    return np.array([solid.radius, solid.length / 2, 0], np.float32)


def texture_code(look: Look) -> int:
    """The place of a look's texture in `TEXTURES`."""
    return TEXTURES.index(look.texture)
