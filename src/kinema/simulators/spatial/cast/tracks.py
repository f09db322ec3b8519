"""Points on surfaces, followed through a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.camera import Camera
from ....core.rng import stream
from ..run import Run
from ..scene import Scene
from .device import device, warp
from .stage import LOCK, Stage, lens_of, stage, views_of

GRID = 32  # rays to each side of a frame that look for points
Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


def follow(scene: Scene, run: Run, camera: Camera, size: int, count: int) -> Arrays:
    """`tracks` [t,n,3] m of `count` surface points that the camera sees at some time, spread evenly over the bodies it sees;
    `track_visible` [t,n] whether it sees them; `track_ids` [t,n] of their bodies, as in the segmentation.

    Where no body is ever seen they are points of the floor; where that is not seen either, points of the bodies. Nothing where
    there is nothing to see.
    """
    wp = warp()
    from .kernels import Hit, World, pick, pursue

    rng, frames = stream("tracks", count), len(run.times)
    with LOCK, wp.ScopedDevice(device()):
        at = stage(scene, run, camera)
        world = wp.array([at.world], dtype=World)
        for look in (_through, _onto):
            rays = look(camera, at, size, rng)
            frame, origin, direction = (wp.array(array, dtype=kind) for array, kind in zip(rays, (int, wp.vec3, wp.vec3), strict=True))
            total = len(rays[0])
            hits, points, ids = wp.empty(total, dtype=Hit), wp.empty(total, dtype=wp.vec3), wp.empty(total, dtype=int)
            wp.launch(pick, total, [world, frame, origin, direction, hits, points, ids])
            chosen = _spread(ids.numpy(), count, rng)
            if len(chosen):
                break
        else:
            return {}
        start = wp.array(rays[0][chosen], dtype=int)
        hit, point = wp.array(hits.numpy()[chosen], dtype=Hit), wp.array(points.numpy()[chosen], dtype=wp.vec3)
        track, seen = wp.empty((frames, count), dtype=wp.vec3), wp.zeros((frames, count), dtype=wp.uint8)
        views = wp.array(views_of(camera, at.origin), dtype=wp.transform)
        wp.launch(pursue, (frames, count), [world, views, *lens_of(camera), float(size), float(size), start, hit, point, track, seen])
        owners = np.tile(ids.numpy()[chosen].astype(np.int64), (frames, 1))
        placed = (track.numpy() + at.origin).astype(np.float32)
        return {"tracks": placed, "track_visible": seen.numpy().astype(bool), "track_ids": owners}


def _through(camera: Camera, at: Stage, size: int, rng: np.random.Generator) -> tuple[NDArray[Any], Floats, Floats]:
    """Rays through the image, one anywhere in each cell of a grid, at every frame: frame, origin, direction."""
    frames = len(camera.pose)
    cell = np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), -1).reshape(1, -1, 2)
    pixel = (cell + rng.random((frames, GRID * GRID, 2))) * (size / GRID)
    k, pose = camera.intrinsics.numpy(), camera.pose.numpy()
    local = np.concatenate([(pixel - k[:, None, :2, 2]) / k[:, None, [0, 1], [0, 1]], np.ones((*pixel.shape[:2], 1))], -1)
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    direction = local @ pose[:, :3, :3]
    origin = views_of(camera, at.origin)[:, :3].astype(float)
    frame = np.repeat(np.arange(frames), GRID * GRID)
    return frame, origin[frame], direction.reshape(-1, 3)


def _onto(camera: Camera, at: Stage, size: int, rng: np.random.Generator) -> tuple[NDArray[Any], Floats, Floats]:
    """Rays from above onto the bodies at the first frame."""
    del camera, size
    g = at.geometry
    targets = np.concatenate([g.pose[0, :, :3], g.mesh[0], g.balls[0]]).astype(float)
    target = targets[rng.integers(len(targets), size=GRID * GRID)] if len(targets) else np.zeros((1, 3))
    up = rng.normal(size=target.shape)
    up[:, 2] = np.abs(up[:, 2]) + 0.1
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    return np.zeros(len(target), int), target + 10.0 * up, -up


def _spread(ids: NDArray[np.int32], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which `count` rays to keep: of every body that was hit as many as of any other, while it has them; none if all missed."""
    order = np.flatnonzero(ids > 0)
    order = rng.permutation(order if len(order) else np.flatnonzero(ids == 0))
    if not len(order):
        return np.zeros(0, np.int64)
    rank = np.zeros(len(order), np.int64)
    for body in np.unique(ids[order]):
        own = ids[order] == body
        rank[own] = np.arange(own.sum())
    order = order[np.argsort(rank, kind="stable")]
    return np.asarray(np.resize(order, count))
