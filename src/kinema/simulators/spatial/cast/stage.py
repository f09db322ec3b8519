"""A scene's geometry as the kernels' World, cameras as their views."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ....core.camera import Camera
from ....core.errors import UserError
from ..run import Run
from ..scene import Scene
from .device import warp
from .geometry import Geometry, geometry

GRID = 64.0  # m: coordinates are about the point of this grid that is nearest to the camera
TILE = 8  # px: side of the tiles that masks are for, as in kernels.rays
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """A run as kernels take it. `origin` [3] m is where its coordinates have their zero, so that their rounding stays small far
    from the world's; `hold` is what must live as long as the world."""

    world: Any
    geometry: Geometry
    origin: Floats
    hold: tuple[Any, ...]


_last: list[tuple[Scene, Run, Stage]] = []
LOCK = RLock()  # held while rays are cast: a stage is shared, and each camera writes its masks there


def stage(scene: Scene, run: Run, camera: Camera) -> Stage:
    """The stage of a run about a camera; the last one made is kept for the other things that are asked of the same run."""
    origin = GRID * np.round(_eyes(camera).mean(0) / GRID)
    for of_scene, of_run, known in _last:
        if of_run is run and of_scene is scene and (known.origin == origin).all():
            return known
    shape = geometry(scene, run, origin)
    world, hold = _world(shape, scene, run, float(-origin[2]))
    made = Stage(world, shape, origin, hold)
    _last[:] = [(scene, run, made)]
    return made


def views_of(camera: Camera, origin: Floats) -> NDArray[np.float32]:
    """Camera-to-world transforms [t,7]."""
    turn = Rotation.from_matrix(camera.pose[:, :3, :3].numpy()).inv()
    return np.concatenate([_eyes(camera) - origin, turn.as_quat()], 1).astype(np.float32)


def lens_of(camera: Camera) -> tuple[float, float, float]:
    """Focal length and principal point in px. Raises UserError for a camera that zooms, or whose pixels are not square."""
    k = camera.intrinsics[0].numpy()
    if not bool((camera.intrinsics == camera.intrinsics[0]).all()) or k[0, 0] != k[1, 1]:
        raise UserError("the ray-caster's cameras have square pixels and keep their focal length")
    return float(k[0, 0]), float(k[0, 2]), float(k[1, 2])


def _eyes(camera: Camera) -> Floats:
    pose = camera.pose.numpy()
    return np.asarray(-np.einsum("tji,tj->ti", pose[:, :3, :3], pose[:, :3, 3]), np.float64)


def _world(g: Geometry, scene: Scene, run: Run, ground: float) -> tuple[Any, tuple[Any, ...]]:
    wp = warp()
    from .kernels import FEW, World

    shown = (len(run.times), len(scene.bodies))
    visible = np.ones(shown, bool) if run.visible is None else run.visible
    cut = np.zeros(shown, bool) if run.cut is None else run.cut
    w = World()
    w.floor, w.floor_z = int(scene.floor is not None), ground
    w.prims, w.faces, w.balls = len(g.kind), len(g.corners), len(g.radius)
    w.few = int(w.prims <= FEW)
    w.visible, w.cut = (wp.array(array.astype(np.uint8), dtype=wp.uint8) for array in (visible, cut))
    w.kind, w.body, w.look = (wp.array(array, dtype=int) for array in (g.kind, g.body, g.look))
    w.size, w.pose, w.back = wp.array(g.size, dtype=wp.vec3), wp.array(g.pose, dtype=wp.transform), wp.array(g.back, dtype=wp.transform)
    reach = np.where(visible[:, g.body], np.linalg.norm(g.half, axis=1) * 1.001 + 1e-4, 0.0).astype(np.float32)
    w.around = wp.array(np.concatenate([g.pose[..., :3], reach[..., None]], -1), dtype=wp.vec4)
    hold: list[Any] = []
    if not w.few:
        w.tree, boxes = _trees(g.pose[..., :3], _extents(g))
        hold += boxes
    if w.faces:
        hold += _mesh(w, g, visible)
    if w.balls:
        shown_balls = np.where(visible[:, g.ball_body], g.radius, 0.0).astype(np.float32)
        w.place, w.radius = wp.array(g.balls, dtype=wp.vec3), wp.array(g.radius, dtype=float)
        w.ball_body, w.ball_look = (wp.array(array, dtype=int) for array in (g.ball_body, g.ball_look))
        w.ball_rest = wp.array(g.ball_rest, dtype=wp.vec3)
        w.ball_tree, boxes = _trees(g.balls, np.broadcast_to(shown_balls[..., None], g.balls.shape))
        w.around_balls = wp.array(_around(g.balls, float(g.radius.max())), dtype=wp.vec4)
        hold += boxes
    return w, tuple(hold)


def _mesh(w: Any, g: Geometry, visible: NDArray[np.bool_]) -> list[Any]:
    wp = warp()
    w.corners, w.face_body, w.face_look, w.face_smooth = (
        wp.array(array, dtype=int) for array in (g.corners.ravel(), g.face_body, g.face_look, g.face_smooth)
    )
    w.mesh, w.rest = wp.array(g.mesh, dtype=wp.vec3), wp.array(g.rest, dtype=wp.vec3)
    w.normal = wp.array(_normals(g), dtype=wp.vec3)
    w.around_mesh = wp.array(_around(g.mesh, 1e-4), dtype=wp.vec4)
    meshes = [wp.Mesh(wp.array(points, dtype=wp.vec3), w.corners) for points in _shown(g, visible)]
    w.meshes = wp.array([mesh.id for mesh in meshes], dtype=wp.uint64)
    return meshes


def _extents(g: Geometry) -> NDArray[np.float32]:
    """Half the size [t,p,3] of the boxes along the world's axes about primitives."""
    turn = Rotation.from_quat(g.pose[..., 3:].reshape(-1, 4)).as_matrix().reshape(*g.pose.shape[:2], 3, 3)
    return np.asarray(np.einsum("tpij,pj->tpi", np.abs(turn), g.half) * 1.001 + 1e-4, np.float32)


def _trees(center: NDArray[np.float32], half: NDArray[np.float32]) -> tuple[Any, list[Any]]:
    """One tree of boxes for every frame, and what holds them."""
    wp = warp()
    trees = [wp.Bvh(wp.array(c - r, dtype=wp.vec3), wp.array(c + r, dtype=wp.vec3)) for c, r in zip(center, half, strict=True)]
    return wp.array([tree.id for tree in trees], dtype=wp.uint64), trees


def _around(points: NDArray[np.float32], more: float) -> NDArray[np.float32]:
    """Spheres [t,4] about all points of a frame."""
    low, high = points.min(1).astype(float), points.max(1).astype(float)
    middle = (low + high) / 2
    far = np.linalg.norm(points - middle[:, None], axis=-1).max(1) + more
    return np.concatenate([middle, far[:, None] * 1.001], 1).astype(np.float32)


def _normals(g: Geometry) -> NDArray[np.float32]:
    """Normals at the mesh's vertices: the mean of their triangles', by area."""
    normals = np.zeros(g.mesh.shape)
    smooth = g.corners[g.face_smooth == 1]
    if not len(smooth):
        return normals.astype(np.float32)
    a, b, c = (g.mesh[:, smooth[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    where = smooth.T.ravel()
    for t in range(len(normals)):
        for axis in range(3):
            normals[t, :, axis] = np.bincount(where, np.tile(area[t, :, axis], 3), len(normals[t]))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-20), np.float32)


def _shown(g: Geometry, visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mesh [t,v,3] with the bodies that are not there out of reach of every ray."""
    if visible.all():
        return g.mesh
    mesh = g.mesh.copy()
    body = np.zeros(mesh.shape[1], int)
    body[g.corners.ravel()] = np.repeat(g.face_body, 3)
    mesh[~visible[:, body]] = (0.0, 0.0, -1e6)
    return mesh
