"""A scene's geometry as the kernels' World, cameras as their views."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ....core.camera import Camera
from ..run import Run
from ..scene import Scene
from .device import warp
from .geometry import Geometry


def views_of(camera: Camera) -> NDArray[np.float32]:
    """Camera-to-world transforms [t,7]."""
    pose = camera.pose.numpy()
    turn = Rotation.from_matrix(pose[:, :3, :3]).inv()
    return np.concatenate([-turn.apply(pose[:, :3, 3]), turn.as_quat()], 1).astype(np.float32)


def stage(g: Geometry, scene: Scene, run: Run) -> tuple[Any, list[Any]]:
    """The kernels' World, and what must live as long as it does."""
    wp = warp()
    from .kernels import World

    frames, keep = len(g.pose), []
    w = World()
    w.floor = int(scene.floor is not None)
    w.prims, w.faces, w.balls = len(g.kind), len(g.corners), len(g.radius)
    w.kind, w.body, w.look = (wp.array(array, dtype=int) for array in (g.kind, g.body, g.look))
    w.size, w.pose = wp.array(g.size, dtype=wp.vec3), wp.array(g.pose, dtype=wp.transform)
    w.corners, w.face_body, w.face_look, w.face_smooth = (
        wp.array(array, dtype=int) for array in (g.corners.ravel(), g.face_body, g.face_look, g.face_smooth)
    )
    w.mesh, w.rest = wp.array(g.mesh, dtype=wp.vec3), wp.array(g.rest, dtype=wp.vec3)
    w.normal = wp.array(_normals(g), dtype=wp.vec3)
    w.place, w.radius = wp.array(g.balls, dtype=wp.vec3), wp.array(g.radius, dtype=float)
    w.ball_body, w.ball_look = (wp.array(array, dtype=int) for array in (g.ball_body, g.ball_look))
    w.ball_rest = wp.array(g.ball_rest, dtype=wp.vec3)
    trees = {"tree": (g.pose[..., :3], g.reach), "ball_tree": (g.balls, g.radius)}
    for name, (center, reach) in trees.items():
        boxes = [wp.Bvh(*(wp.array(c + s * reach[:, None], dtype=wp.vec3) for s in (-1.0, 1.0))) for c in center] if len(reach) else []
        keep += boxes
        setattr(w, name, wp.array([box.id for box in boxes] or [0] * frames, dtype=wp.uint64))
    shown = (len(run.times), len(scene.bodies))
    visible = np.ones(shown, bool) if run.visible is None else run.visible
    cut = np.zeros(shown, bool) if run.cut is None else run.cut
    w.visible, w.cut = (wp.array(array.astype(np.uint8), dtype=wp.uint8) for array in (visible, cut))
    meshes = [wp.Mesh(wp.array(points, dtype=wp.vec3), w.corners) for points in _shown(g, visible)] if w.faces else []
    keep += meshes
    w.meshes = wp.array([mesh.id for mesh in meshes] or [0] * frames, dtype=wp.uint64)
    return w, keep


def _normals(g: Geometry) -> NDArray[np.float32]:
    """Normals at the mesh's vertices: the mean of their triangles', by area."""
    normals = np.zeros(g.mesh.shape, np.float32)
    if not g.face_smooth.any():
        return normals
    a, b, c = (g.mesh[:, g.corners[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    for t in range(len(normals)):
        for k in range(3):
            np.add.at(normals[t], g.corners[:, k], area[t])
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
