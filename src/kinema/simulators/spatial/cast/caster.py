"""From a run to what a camera sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.camera import Camera
from ..run import Run
from ..scene import Scene
from .device import device, strip_of, warp
from .shading import shading, sun_of
from .stage import LOCK, TILE, Stage, lens_of, stage, views_of

CHUNK = 2**21  # pixels of one launch
MOVING = ("flow", "backward_flow", "scene_flow", "occlusion")
Arrays = dict[str, NDArray[Any]]


def cast(scene: Scene, run: Run, camera: Camera, size: int, fields: Sequence[str], samples: int = 1) -> Arrays:
    """Dense truth of a run as a camera sees it, in a Clip's shapes, each for the centre of a pixel but `rgb`, the mean of
    `samples` x `samples` rays: `depth` m, `segmentation` (0: floor and sky), `flow` and `backward_flow` px/frame, `occlusion`,
    `scene_flow` m/frame (the step of the surface point, in the axes of the camera at its frame), `normals` of the geometry
    (camera axes, towards the camera; 0 where there is nothing).

    A body that is cut, or not there in the other frame, counts as occluded and stays where it was: its flow is the camera's.
    """
    wp = warp()
    from . import kernels

    frames, out = len(run.times), _outputs(len(run.times), size, fields, len(scene.bodies))
    with LOCK, wp.ScopedDevice(device()):
        at = stage(scene, run, camera)
        views, lens = views_of(camera, at.origin), lens_of(camera)
        same = np.array([k > 0 and bool((views[k] == views[k - 1]).all()) for k in range(frames)], np.int32)
        seen = wp.array(views, dtype=wp.transform)
        stands = wp.array(same, dtype=int)
        tiles = (frames, *2 * (-(-size // TILE),))
        for name in ("masks", "shadows", "mirrors"):
            setattr(at.world, name, wp.empty(tiles, dtype=wp.uint32))
        world = wp.array([at.world], dtype=kernels.World)
        sun, across = sun_of(scene.light)
        wp.launch(kernels.tiles, tiles, [world, seen, *lens, wp.vec3(*sun), across])
        device_out = {name: wp.array(array, copy=False) for name, array in out.items()}
        primary = samples == 1 or bool(set(fields) - {"rgb"})
        light = None
        if "rgb" in fields:
            light = _light(at, world, scene, seen, lens, size, samples, still=bool(same[1:].all()))
        chunk = max(1, CHUNK // size**2)
        for first in range(0, frames, chunk):
            last = min(first + chunk, frames) - 1
            hits = wp.empty((0, 0, 0), dtype=kernels.Hit)
            if primary:
                hits = _truth(kernels, world, seen, stands, lens, (first, last, frames - 1), size, device_out)
            if light is not None:
                known = hits if samples == 1 else wp.empty((0, 0, 0), dtype=kernels.Hit)
                strip = strip_of(size)
                shape = (last - first + 1, size, size // strip)
                asked = [world, light[0], seen, *lens, first, samples, strip, known, light[1], device_out["rgb"]]
                wp.launch(kernels.picture, shape, asked)
        for name, array in device_out.items():
            if not array.device.is_cpu:
                out[name][...] = array.numpy()
    return {name: _shaped(name, out[name]) for name in fields}


def _outputs(t: int, size: int, fields: Sequence[str], bodies: int) -> Arrays:
    """Empty fields, as kernels write them."""
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "rgb": ((t, 3, size, size), np.uint8), "depth": ((t, size, size), np.float32), "normals": ((t, 3, size, size), np.float32),
        "segmentation": ((t, size, size), np.uint8 if bodies < 256 else np.int32), "flow": ((t - 1, 2, size, size), np.float32),
        "backward_flow": ((t - 1, 2, size, size), np.float32), "scene_flow": ((t - 1, 3, size, size), np.float32),
        "occlusion": ((t - 1, size, size), np.uint8),
    }  # fmt: skip
    return {name: np.zeros(*shapes[name]) for name in fields}


def _truth(
    kernels: Any, world: Any, views: Any, same: Any, lens: tuple[float, ...], span: tuple[int, int, int], size: int, out: dict[str, Any]
) -> Any:
    """Fill all fields but rgb for frames span[0] to span[1] of a run whose last is span[2]; gives the primary hits there."""
    wp = warp()
    first, last, end = span

    def ask(name: str, dims: int, kind: Any) -> Any:
        found = out.get(name)
        return found if found is not None and found.dtype == kind else wp.empty((0,) * dims, dtype=kind)

    moving = any(name in out for name in MOVING)
    # The frame after the last tells what hides what stands still.
    rows = min(last + int(moving), end) - first + 1
    hits = wp.empty((rows, size, size), dtype=kernels.Hit)
    asked = [ask("depth", 3, wp.float32), ask("segmentation", 3, wp.uint8), ask("segmentation", 3, wp.int32), ask("normals", 4, wp.float32)]
    strip = strip_of(size)
    wp.launch(kernels.primary, (rows, size, size // strip), [world, views, *lens, first, last, strip, hits, *asked])
    if moving:
        asked = [ask(name, 4, wp.float32) for name in MOVING[:3]] + [ask("occlusion", 3, wp.uint8)]
        shape = (last - first + 1, size, size // strip)
        wp.launch(kernels.motion, shape, [world, views, same, *lens, first, end, strip, hits, *asked, float(size), float(size)])
    return hits


def _light(
    at: Stage, world: Any, scene: Scene, views: Any, lens: tuple[float, ...], size: int, samples: int, still: bool
) -> tuple[Any, Any, Any]:
    """The kernels' Shading, what is behind the bodies as a camera that stands still sees it (of another: nothing), and
    what must live as long as both."""
    wp = warp()
    from . import kernels

    hold = shading(at.geometry, scene, at.origin)  # an array of structs does not keep their arrays alive
    light = wp.array([hold], dtype=kernels.Shading)
    shape = (size * samples, size * samples) if still else (0, 0)
    back = wp.empty(shape, dtype=kernels.Surface)
    if still:
        wp.launch(kernels.scenery, shape, [world, light, views, *lens, samples, back])
    return light, back, hold


def _shaped(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if name == "depth":
        return array[:, None]
    return array.view(np.bool_) if name == "occlusion" else array
