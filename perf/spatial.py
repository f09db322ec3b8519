"""Our engines and scenes beside the rates to hold or beat, beside the bare solvers, and clips per hour of every spatial scenario.

Run it on a quiet core: `python -m perf.spatial`. `--quick` is a look at few frames that records nothing; `--only clip rope`
takes rows of the first table or scenarios of the second by name (`--help` lists them).

The first table. Targets are rates that were measured on another machine (AMD EPYC, one core) with throw-away code: "to target"
above 1 is better than they. Peers were run here, in the same rounds: of the caster Newton's SensorCamera, told of poses frame by
frame, without flow and scene flow; of solids MuJoCo's own `mj_step` on the very model that we built (its own law of contact, and
in the balloon no gas); of water Newton's implicit MPM on the very model and settings, stepped alone. "To peer" below 1 is the
price of our loop: contact laws, gas, contacts, energies, states. Building the model is left out on both sides and has a column
of its own. Frames of physics are 1/30 s, in as many steps as our engine takes by itself (rigid ones: of 2 ms, spheres 4 ms).

The second table: scenarios as they come (32 frames of 1/16 s, 2 x 2 rays per pixel), 128 px, all truth, from the draw of the
scene to the Clip, without encoding. Clips differ much, so the rate is that of all clips together, and the slowest has a column.
Phys4D states about 5,000 clips/h for 1,024 environments of Isaac Sim on one RTX 4090, clips of 10 s; its data set is 1920 x 1080
at 60 frames/s. Ours are 2 s of 128 x 128 px on one core: "to Phys4D" compares clips, and no pixel or second is equal in them.

CPU time of this process, medians of interleaved rounds, the first of which warms up and is dropped.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

from kinema.simulators import SCENARIOS, make, scenario
from kinema.simulators.spatial import Balloon, Box, Cloth, Failed, Particles, Rigid, Rope, Scene, Soft, SpatialWorld, Sphere, styles
from kinema.simulators.spatial import world as worlds
from kinema.simulators.spatial.cast import stage as stages
from kinema.simulators.spatial.cast.device import ready as ready_to_cast
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.mpm import ready as ready_to_flow
from perf.record import record, show
from perf.spatial_cast import FRAMES, VIEW, Heap, newtons, ours, spent, whole

ROUNDS, CLIPS, FPS = 3, 6, 30
COLUMNS = ("what", "unit", "ours", "target", "to target", "peer", "to peer", "build, s")
SCENARIO_CLIPS = 5  # and one to warm up
PHYS4D = 5000.0  # clips/h
PROTOTYPE = ("rgb", "depth", "segmentation", "flow", "scene_flow", "normals")  # what the target's caster gave


@dataclass(frozen=True)
class Row:
    """A pass of `ours` or `peer` makes `count` of what `unit` counts. A peer that builds the model which ours builds as well gives
    the seconds that it took: they are left out."""

    what: str
    unit: str
    count: int
    ours: Callable[[], Any]
    target: float
    peer: Callable[[], Any] | None = None

    def figure(self, seconds: float) -> float:
        """What the table says for a pass of `seconds`: ms for a frame of physics, else how many a second."""
        return 1000 * seconds / self.count if self.unit.startswith("ms") else self.count / seconds

    def gain(self, seconds: float) -> float:
        """How many times better than the target."""
        return self.target / self.figure(seconds) if self.unit.startswith("ms") else self.figure(seconds) / self.target


def clips(size: int, supersampling: int, target: float, quick: bool) -> Row:
    """Random rigid clips with all truth."""
    world, count = Heap(size=size, supersampling=supersampling, dt=1 / FPS, fps=FPS), 2 if quick else CLIPS
    what = f"clip of 4-8 bodies, {size} px, {supersampling**2} ray{'s' * (supersampling > 1)} a pixel"
    return Row(what, "clips/s", count, partial(whole, world, range(count)), target)


def caster(size: int, target: float, quick: bool) -> Row:
    scene = row_of_dominoes()
    run = simulate(scene, np.arange(8 if quick else FRAMES) / FPS)
    own, peer = ours(scene, run, size, PROTOTYPE), newtons(scene, run, size)
    mine, other = own()["depth"][0, 0], peer()[0][1][0]
    apart = np.abs(mine - other)[np.isfinite(mine) & (other > 0)]
    assert np.median(apart) < 1e-4, "both must show one thing"
    return Row(f"ray-caster, dominoes, {size} px", "frames/s", len(run.times), own, target, peer)


def row_of_dominoes() -> Scene:
    """Ten dominoes and the ball that fells them."""
    bodies = [
        Rigid(name=f"domino{k}", shape=Box((0.06, 0.2, 0.4)), position=(round(0.2 * k - 0.8, 3), 0.0, 0.2), friction=0.4, restitution=0.1)
        for k in range(10)
    ]
    ball = Rigid(name="ball", shape=Sphere(0.1), position=(-1.2, 0.0, 0.3), velocity=(2.0, 0.0, 0.0), mass=1.0)
    return Scene((*bodies, ball), views=(VIEW,), step=0.002)


def solid(what: str, scene: Scene, target: float, frames: int, steps: bool = False) -> Row:
    """What MuJoCo simulates, by frames or by steps."""
    from kinema.simulators.spatial.mujoco.model import longest_step

    substeps = math.ceil(1 / FPS / longest_step(scene) - 1e-9)
    count, unit = (frames * substeps, "steps/s") if steps else (frames, "ms/frame")
    once = partial(simulate, scene, np.arange(frames + 1) / FPS)
    return Row(what, unit, count, once, target, partial(bare_mujoco, scene, frames))


def bare_mujoco(scene: Scene, frames: int) -> float:
    """Our model of a scene under MuJoCo's own step alone; the seconds that building took."""
    import mujoco

    from kinema.simulators.spatial.mujoco.kinds import kinds
    from kinema.simulators.spatial.mujoco.model import longest_step, model

    began = time.process_time()
    substeps = math.ceil(1 / FPS / longest_step(scene) - 1e-9)  # looks at every pair of bodies
    m = model(scene, 1 / FPS / substeps)
    d = mujoco.MjData(m)
    mujoco.mj_forward(m, d)
    for module, places in kinds(scene):
        module.start(m, d, [scene.bodies[k] for k in places], scene)
    built = time.process_time() - began
    for _ in range(frames * substeps):
        mujoco.mj_step(m, d)
    assert np.isfinite(d.qpos).all(), "the engine alone explodes"
    return built


def water(counts: tuple[int, int, int], target: float, frames: int) -> Row:
    """A block of water that breaks in a tank twice as wide."""
    spacing, wall = 0.03, 0.1
    x, y, z = (n * spacing for n in counts)
    places = {"left": (-wall / 2, y / 2), "right": (2 * x + wall / 2, y / 2), "front": (x, -wall / 2), "back": (x, y + wall / 2)}
    sides = {"left": (wall, y + 2 * wall), "right": (wall, y + 2 * wall), "front": (2 * x, wall), "back": (2 * x, wall)}
    walls = [Rigid(name=n, shape=Box((*sides[n], 1.5 * z)), position=(*at, 0.75 * z), fixed=True) for n, at in places.items()]
    block = Particles(name="water", position=(x / 2, y / 2, z / 2), size=(x, y, z), spacing=spacing)
    scene, number = Scene((block, *walls)), math.prod(counts)
    once = partial(simulate, scene, np.arange(frames + 1) / FPS)
    return Row(f"water, {number:,} particles", "ms/frame", frames, once, target, partial(bare_mpm, scene, frames))


def bare_mpm(scene: Scene, frames: int) -> float:
    """Our model of a scene under Newton's implicit MPM alone, in our steps; the seconds that building took."""
    from kinema.simulators.spatial.mpm.build import loose
    from kinema.simulators.spatial.mpm.flow import Flow
    from kinema.simulators.spatial.mpm.loop import STEP
    from kinema.simulators.spatial.mpm.solids import Solids

    substeps = math.ceil(1 / FPS / STEP - 1e-9)
    dt = 1 / FPS / substeps
    began = time.process_time()
    flow = Flow(scene, Solids(scene, dt))
    built = time.process_time() - began
    solver, one, other = flow._solver, flow._now, flow._next
    with loose():
        for _ in range(frames * substeps):
            solver.step(one, other, None, None, dt)
            solver.project_outside(other, other, dt)
            one, other = other, one
    assert np.isfinite(one.particle_q.numpy()).all(), "the engine alone explodes"
    return built


def spheres() -> Scene:
    """A thousand spheres that fall in four loose layers."""
    rng = np.random.default_rng(0)
    place = np.stack(np.unravel_index(np.arange(1000), (4, 16, 16)), 1)[:, [1, 2, 0]] * 0.16 + [-1.2, -1.2, 0.1]
    place[:, :2] += rng.uniform(-0.02, 0.02, (1000, 2))
    balls = [Rigid(name=f"ball{k}", shape=Sphere(0.05), position=styles.vector(p)) for k, p in enumerate(place)]
    return Scene(tuple(balls), step=0.004)


def rows(quick: bool) -> dict[str, list[Callable[[], Row]]]:
    """Every measurement by name, not yet prepared."""
    n = 4 if quick else 60
    cloth = Scene((
        Cloth(name="cloth", size=(1.2, 1.2), count=(33, 33), position=(0.0, 0.0, 0.9)),
        Rigid(name="ball", shape=Sphere(0.3), position=(0.0, 0.0, 0.35), fixed=True),
    ))  # fmt: skip
    soft = Scene((Soft(name="cube", count=(7, 7, 7), position=(0.0, 0.0, 0.4)),))
    rope = Scene((Rope(name="rope", segments=40, position=(0.0, 0.0, 1.5), start="world"),))
    balloon = Scene((Balloon(name="balloon", position=(0.0, 0.0, 0.6)),))
    return {
        # The targets' caster took 3.4 times as long for 4 rays a pixel: its clips took that much longer at most.
        "clip": [partial(clips, *of, quick) for of in ((128, 1, 9.8), (256, 1, 2.5), (128, 2, 9.8 / 3.4), (256, 2, 2.5 / 3.4))],
        "caster": [partial(caster, *of, quick) for of in ((128, 320.0), (256, 83.0))],
        "dominoes-physics": [partial(solid, "10 dominoes and a ball", row_of_dominoes(), 25e3, n, True)],
        "cloth-physics": [partial(solid, "cloth over a sphere, 1,089 vertices", cloth, 53.0, n)],
        "soft-physics": [partial(solid, "soft cube, 343 vertices", soft, 19.0, n)],
        "rope-physics": [partial(solid, "rope, 40 segments", rope, 11.0, n)],
        "balloon-physics": [partial(solid, "balloon, 642 vertices", balloon, 31.0, n)],
        "spheres-physics": [lambda: solid("1,000 spheres", spheres(), 15.0, 2 if quick else 8)],
        "water-physics": [partial(water, *of, n // 2) for of in (((10, 14, 14), 36.0), ((16, 16, 17), 49.0), ((24, 24, 25), 123.0))],
    }


def passed(row: Row) -> tuple[float, float, float]:
    """Seconds of our pass, of the peer's, and of the building in both."""
    afresh()
    own, built = spent(row.ours), 0.0
    if row.peer is None:
        return own, math.nan, built
    began = time.process_time()
    if isinstance(found := row.peer(), float):
        built = found
    return own - built, time.process_time() - began - built, built


def measured(row: Row, passes: list[tuple[float, float, float]]) -> dict[str, Any]:
    """A row of the table."""
    own, peer, built = (median(column) for column in zip(*passes, strict=True))
    figures = {"what": row.what, "unit": row.unit, "ours": row.figure(own), "target": row.target, "to target": row.gain(own)}
    if row.peer:
        figures |= {"peer": row.figure(peer), "to peer": peer / own}
    return figures | ({"build, s": built} if built else {})


def table(names: Iterable[str], quick: bool, keep: Callable[[str, list[dict[str, Any]], str], None]) -> None:
    """The first table."""
    found = [prepare() for name, wanted in rows(quick).items() if name in names for prepare in wanted]
    rounds = 1 if quick else ROUNDS
    passes = [[passed(row) for row in found] for _ in range(1 + rounds)][1:]
    done = [measured(row, [each[k] for each in passes]) for k, row in enumerate(found)]
    keep("spatial", [dict.fromkeys(COLUMNS, "") | row for row in done], f"one core, CPU time, medians of {rounds} interleaved rounds")


def afresh() -> None:
    """Forget the last clips' runs and stages."""
    stages._last.clear()
    worlds._run.cache_clear()


def scenarios(names: Iterable[str], quick: bool, keep: Callable[[str, list[dict[str, Any]], str], None]) -> None:
    """The second table."""
    found = {name: scenario(name, size=128) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in found}
    failed = dict.fromkeys(found, 0)
    count = 1 if quick else SCENARIO_CLIPS
    for k in range(1 + count):
        for name, world in found.items():
            began = time.process_time()
            try:
                make(world, 0, k)
            except Failed:
                failed[name] += k > 0
            seconds[name].append(time.process_time() - began)
    done = []
    for name, (_, *spans) in seconds.items():
        rate = 3600 * (count - failed[name]) / sum(spans)
        done.append({
            "scenario": name, "clips/h/core": rate, "to Phys4D": rate / PHYS4D, "mean, s": sum(spans) / count, "slowest, s": max(spans),
            "failed": failed[name],
        })  # fmt: skip
    ours_ = "32 frames (2 s) of 128 x 128 px, all truth, one CPU core"
    keep("spatial-scenarios", done, f"{count} clips each, {ours_}; Phys4D: {PHYS4D:,.0f} clips/h of 10 s, 1,024 environments, RTX 4090")


def main() -> None:
    if os.environ.get("OMP_NUM_THREADS") != "1":  # libraries read it as they load
        os.execve(sys.executable, [sys.executable, "-m", "perf.spatial", *sys.argv[1:]], {**os.environ, "OMP_NUM_THREADS": "1"})
    ways, spatial = rows(True), [name for name, cls in SCENARIOS.items() if issubclass(cls, SpatialWorld)]
    parser = argparse.ArgumentParser(prog="perf.spatial")
    parser.add_argument("--quick", action="store_true", help="few frames and clips; nothing is recorded")
    names = [*ways, "scenarios", *spatial]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help=", ".join(names))
    args = parser.parse_args()
    torch.set_num_threads(1)
    ready_to_cast(print)
    ready_to_flow(print)
    keep = show if args.quick else record
    wanted = args.only or [*ways, "scenarios"]
    if chosen := [name for name in ways if name in wanted]:
        table(chosen, args.quick, keep)
    if chosen := [name for name in spatial if name in wanted or "scenarios" in wanted]:
        scenarios(chosen, args.quick, keep)


if __name__ == "__main__":
    main()
