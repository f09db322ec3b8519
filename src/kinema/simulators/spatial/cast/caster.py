"""From a run to what a camera sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.camera import Camera
from ..looks import Look
from ..run import Run
from ..scene import Scene
from .device import device, warp
from .geometry import Geometry, geometry, texture_code
from .stage import stage, views_of

CHUNK = 2**21  # pixels of one launch
Arrays = dict[str, NDArray[Any]]


def cast(scene: Scene, run: Run, camera: Camera, size: int, fields: Sequence[str], samples: int = 1) -> Arrays:
    """Dense truth of a run as a camera sees it, in a Clip's shapes: `rgb`, `depth` m, `segmentation`, `flow` and
    `backward_flow` px/frame, `occlusion`, `scene_flow` m/frame (the step of the surface point, in the axes of the camera at
    its frame), `normals` (camera axes, towards the camera)."""
    wp = warp()
    from . import kernels

    with wp.ScopedDevice(device()):
        shape = geometry(scene, run)
        world, keep = stage(shape, scene, run)
        views = wp.array(views_of(camera), dtype=wp.transform)
        k = camera.intrinsics[0].numpy()
        lens = (float(k[0, 0]), float(k[0, 2]), float(k[1, 2]))
        frames, found = len(run.times), {}
        chunk = max(1, CHUNK // size**2)
        parts = []
        for first in range(0, frames, chunk):
            count = min(chunk, frames - first)
            part: Arrays = {}
            if set(fields) - {"rgb"}:
                part |= _truth(kernels, world, views, lens, first, count, frames, size)
            if "rgb" in fields:
                rgb = wp.empty((count, size, size), dtype=wp.vec3ub)
                wp.launch(kernels.picture, (count, size, size), [world, _shading(shape, scene), views, *lens, first, samples, rgb])
                part["rgb"] = rgb.numpy().copy()
            parts.append(part)
        del keep
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: _shaped(name, found[name]) for name in fields}


def _truth(kernels: Any, world: Any, views: Any, lens: tuple[float, float, float], first: int, count: int, frames: int, size: int) -> Arrays:
    wp = warp()
    shape = (count, size, size)
    kinds = {
        "depth": float, "segmentation": int, "normals": wp.vec3, "flow": wp.vec2, "backward_flow": wp.vec2, "scene_flow": wp.vec3,
        "occlusion": wp.uint8,
    }  # fmt: skip
    out = {name: wp.zeros(shape, dtype=kind) for name, kind in kinds.items()}
    wp.launch(kernels.truth, shape, [world, views, *lens, first, frames - 1, *out.values(), float(size), float(size)])
    found = {name: array.numpy().copy() for name, array in out.items()}
    for name in ("flow", "scene_flow", "occlusion"):
        found[name] = found[name][: max(0, min(count, frames - 1 - first))]
    found["backward_flow"] = found["backward_flow"][1 if first == 0 else 0 :]
    return found


def _shaped(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if name == "depth":
        return array[:, None]
    if name == "segmentation":
        return array.astype(np.uint8 if array.max(initial=0) < 256 else np.int32)
    if name == "occlusion":
        return array.astype(bool)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _shading(g: Geometry, scene: Scene) -> Any:
    wp = warp()
    from .kernels import Shading

    floor = scene.floor.look if scene.floor is not None else Look()
    # The floor's look comes first: a hit on the floor has look 0.
    looks = (floor, *g.looks)
    s = Shading()
    s.color, s.second = (wp.array([_linear(getattr(look, key)) for look in looks], dtype=wp.vec3) for key in ("color", "second"))
    s.texture = wp.array([texture_code(look) for look in looks], dtype=int)
    s.scale, s.gloss = (wp.array([getattr(look, key) for look in looks], dtype=float) for key in ("scale", "gloss"))
    s.shift = wp.array([[(look.seed * p) % 97 for p in (0.37, 0.73, 0.11)] for look in looks], dtype=wp.vec3)
    sun = -np.array(scene.light.direction) / np.linalg.norm(scene.light.direction)
    s.sun = wp.vec3(*sun)
    s.sun_color = wp.vec3(*(scene.light.strength * _linear(scene.light.color)))
    s.ambient = scene.light.ambient
    s.zenith, s.horizon = wp.vec3(*_linear(scene.sky.zenith)), wp.vec3(*_linear(scene.sky.horizon))
    return s


def _linear(color: tuple[int, int, int]) -> NDArray[np.float64]:
    return np.asarray((np.array(color) / 255.0) ** 2.2)
