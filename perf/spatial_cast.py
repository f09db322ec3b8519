"""Frames per second of the ray-caster beside Newton's SensorCamera; `perf.spatial` times whole clips.

One scene of seven primitives that move and turn, a floor and a sun with shadows, the same poses and the same camera on both
sides, one CPU thread (or the GPU that KINEMA_DEVICE names, where both run). Newton's gives colour, depth, shape indices and
normals, which is one side of the ratio; ours gives flow both ways, scene flow and occlusion as well, timed on their own. Theirs
is told of new poses frame by frame and refits its tree, as in its examples; ours takes the clip as a whole.

CPU time of this process, not the wall's, so that neighbours on the machine count less.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from kinema.core.config import part
from kinema.simulators import make
from kinema.simulators.spatial import Box, Capsule, Cylinder, Rigid, Run, Scene, Sphere, Still, styles
from kinema.simulators.spatial.cast import cast
from kinema.simulators.spatial.cast import stage as stages
from kinema.simulators.spatial.cast.device import device, ready, warp
from kinema.simulators.spatial.views import camera
from kinema.simulators.spatial.world import DENSE, SpatialWorld
from perf.record import record

FRAMES, ROUNDS = 32, 5
BASIC = ("rgb", "depth", "segmentation", "normals")
SHAPES = (
    Box((0.4, 0.3, 0.25)), Sphere(0.2), Capsule(0.1, 0.3), Cylinder(0.15, 0.3), Box((0.2, 0.2, 0.5)), Sphere(0.12), Cylinder(0.1, 0.5),
)  # fmt: skip
VIEW = Still(eye=(0.2, -3.0, 1.4), target=(0.0, 0.0, 0.3), fov=45.0)


@part
class Heap(SpatialWorld):
    """Four to eight rigid bodies that fall in a heap."""

    name = "perf-heap"
    splits: ClassVar[Mapping[str, Any]] = {"id": None}

    def split(self, name: str) -> Self:
        return self

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        bodies = []
        for k in range(int(rng.integers(4, 9))):
            shape = (Box((0.2, 0.3, 0.25)), Sphere(0.12), Capsule(0.08, 0.3), Cylinder(0.1, 0.25))[k % 4]
            spot = styles.vector(np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6), 0.3 + 0.25 * k]))
            bodies.append(Rigid(name=f"body{k}", shape=shape, position=spot, rotation=styles.rotation(rng), look=styles.look(rng)))
        floor, light, sky = styles.surroundings(rng)
        views = styles.views(rng, target=(0.0, 0.0, 0.3), extent=0.8)
        return Scene(tuple(bodies), floor=floor, light=light, sky=sky, views=views, step=0.004)


def scene_and_run() -> tuple[Scene, Run]:
    """Bodies that move and turn at even rates."""
    rng, n = np.random.default_rng(0), len(SHAPES)
    bodies = tuple(Rigid(name=f"b{k}", shape=shape, look=styles.look(rng)) for k, shape in enumerate(SHAPES))
    share = np.linspace(0, 1, FRAMES)[:, None, None]
    position = rng.uniform(-0.8, 0.8, (n, 3)) * [1, 1, 0] + [0, 0, 0.35] + share * rng.uniform(-0.4, 0.4, (n, 3)) * [1, 1, 0]
    rotation = np.stack([Rotation.from_rotvec(share[:, 0] * rng.normal(size=3)).as_quat(scalar_first=True) for _ in range(n)], 1)
    none = np.zeros((FRAMES, n))
    run = Run(
        times=np.arange(FRAMES) / 16, position=position, rotation=rotation, center=position, velocity=none, angular_velocity=none,
        mass=np.ones(n), kinetic=none, potential=none, elastic=none, vertices=np.zeros((FRAMES, 0, 3), np.float32),
    )  # fmt: skip
    return Scene(bodies, views=(VIEW,)), run


def ours(scene: Scene, run: Run, size: int, fields: tuple[str, ...]) -> Callable[[], Any]:
    seen = camera(VIEW, run.times, lambda name: (run.center[:, 0], run.rotation[:, 0]), size)

    def once() -> Any:
        stages._last.clear()  # a new clip has no stage yet
        return cast(scene, run, seen, size, fields)

    return once


def newtons(scene: Scene, run: Run, size: int) -> Callable[[], Any]:
    """The same frames by Newton's SensorCamera, copied out as ours are."""
    wp = warp()
    import newton
    from newton.sensors import SensorCamera

    builder = newton.ModelBuilder()
    builder.add_ground_plane()
    for shape in (body.shape for body in scene.bodies if isinstance(body, Rigid)):
        body = builder.add_body(mass=1.0)
        if isinstance(shape, Box):
            builder.add_shape_box(body, hx=shape.size[0] / 2, hy=shape.size[1] / 2, hz=shape.size[2] / 2)
        elif isinstance(shape, Sphere):
            builder.add_shape_sphere(body, radius=shape.radius)
        elif isinstance(shape, Capsule):
            builder.add_shape_capsule(body, radius=shape.radius, half_height=shape.length / 2)
        else:
            assert isinstance(shape, Cylinder)
            builder.add_shape_cylinder(body, radius=shape.radius, half_height=shape.length / 2)
    model = builder.finalize(device=device())
    state = model.state()
    sensor = SensorCamera(model)
    sensor.create_default_light(enable_shadows=True)
    sensor.default_render_config.enable_shadows = True
    rays = SensorCamera.compute_camera_rays_pinhole(size, size, camera_fov=math.radians(VIEW.fov), device=model.device)
    pose = camera(VIEW, run.times, lambda name: (run.center[:, 0], run.rotation[:, 0]), size).pose[0].numpy()
    turn = Rotation.from_matrix(pose[:3, :3].T @ np.diag([1.0, -1.0, -1.0]))
    placed = wp.transform(*(-pose[:3, :3].T @ pose[:3, 3]), *turn.as_quat())
    transforms = wp.array([placed], dtype=wp.transformf, device=model.device)
    poses = np.concatenate([run.position, run.rotation[..., [1, 2, 3, 0]]], -1).astype(np.float32)
    names = ("color", "depth_forward", "shape_index", "normal")
    images = {name: getattr(sensor, f"allocate_image_{name}")(1, size, size) for name in names}

    def once() -> Any:
        frames = []
        for pose in poses:
            state.body_q.assign(pose)
            model.bvh_refit_shapes(state)
            sensor.update(
                state, transforms, rays, color_image=images["color"], forward_depth_image=images["depth_forward"],
                shape_index_image=images["shape_index"], normal_image=images["normal"],
            )  # fmt: skip
            frames.append([image.numpy().copy() for image in images.values()])
        return frames

    return once


def spent(make_one: Callable[[], Any]) -> float:
    """Seconds: of the CPU where that does the work, else of the clock."""
    clock = time.process_time if device() == "cpu" else time.perf_counter
    began = clock()
    make_one()
    return clock() - began


def frames() -> None:
    scene, run = scene_and_run()
    rows = []
    for size in (128, 256):
        own = {"same fields": ours(scene, run, size, BASIC), "all truth": ours(scene, run, size, DENSE)}
        ways = {**own, "theirs": newtons(scene, run, size)}
        first = {way: one() for way, one in ways.items()}  # compiles, and both must show one thing
        mine, other = first["all truth"]["depth"][0, 0], first["theirs"][0][1][0]
        apart = np.abs(mine - other)[np.isfinite(mine) & (other > 0)]
        assert np.median(apart) < 1e-4, "both must show one thing"
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, one in ways.items():
                times[way].append(spent(one))
        rows.append({
            "size, px": size, **{f"{way}, frames/s": FRAMES / median(found) for way, found in times.items()},
            "ratio, same fields": median(b / a for a, b in zip(times["same fields"], times["theirs"], strict=True)),
            "ratio, all truth": median(b / a for a, b in zip(times["all truth"], times["theirs"], strict=True)),
        })  # fmt: skip
    record("spatial-cast", rows, f"{device()}; theirs: Newton's SensorCamera; medians of {ROUNDS} interleaved rounds; {opengl()}")


def whole(world: Heap, numbers: range) -> None:
    for i in numbers:
        make(world, 0, i)


def opengl() -> str:
    """Whether MuJoCo's own renderer runs here."""
    import mujoco

    model = mujoco.MjModel.from_xml_string("<mujoco/>")
    try:
        with warnings.catch_warnings(action="ignore"):
            mujoco.Renderer(model, 64, 64)
    except Exception:
        return "MuJoCo's renderer: no OpenGL here"
    return "MuJoCo's renderer: OpenGL is here"


def main() -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    ready(print)
    frames()


if __name__ == "__main__":
    main()
