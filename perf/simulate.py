"""Videos per second and core of the planar worlds with all truth; of the closed-form ones beside PhyWorld's way.

Ours: sampling, motion, rgb, segmentation, flow, occlusion, bodies, contacts, energy, camera and caption of a clip of
32 x 128 x 128, without encoding; and the same with rgb alone, which is all that the other side gives. PhyWorld's way,
re-implemented: steps of 0.01 s (a plain loop over at most two balls in place of Box2D), then soft discs blended over
whole frames of the whole clip on a linspace grid, turned upside down, at the same size (its own default is 256 px). One
thread. Targets: 300 videos/s/core, 10 times the baseline.

PHYRE's scenes have no baseline here: theirs needs its own simulator compiled. Ours: the same truth of 33 x 128 x 128, from
640 steps of pymunk; every clip draws a scene of its own. Target: 60 videos/s/core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core import Clip
from kinema.simulators import make, scenario
from perf.record import record

SIZE, FRAMES, ROUNDS, OURS, THEIRS = 128, 32, 9, 40, 3
Array = NDArray[np.float64]


def phyworld(clip: Clip, gravity: tuple[float, float], walls: bool) -> NDArray[np.uint8]:
    """The video [t,h,w,3] of a clip's first state, simulated and rendered as PhyWorld's released generator does."""
    x, v, r, m, color = (clip.bodies[key][0].numpy().astype(float) for key in ("position", "velocity", "radius", "mass", "color"))
    positions = []
    for k in range(10 * FRAMES):
        step(x, v, r, m, gravity, walls)
        if k % 10 == 0:
            positions.append(x.copy())
    return draw(np.stack(positions) / 10, r / 10, color)


def step(x: Array, v: Array, r: Array, m: Array, gravity: tuple[float, float], walls: bool, dt: float = 0.01) -> None:
    v += np.multiply(gravity, dt)
    x += v * dt
    if len(x) == 2:
        apart = x[1] - x[0]
        distance = (apart @ apart) ** 0.5
        normal = apart / distance
        closing = (v[0] - v[1]) @ normal
        if distance < r[0] + r[1] and closing > 0:
            push = 2 * closing / (1 / m[0] + 1 / m[1]) * normal
            v[0] -= push / m[0]
            v[1] += push / m[1]
    if walls and ((x[0, 0] + r[0] > 10 and v[0, 0] > 0) or (x[0, 0] < r[0] and v[0, 0] < 0)):
        v[0, 0] = -v[0, 0]


def draw(x: Array, r: Array, color: Array) -> NDArray[np.uint8]:
    """Discs at x [t,n,2] in units of the world's width."""
    axis = np.linspace(0, 1, SIZE)
    u, w = np.meshgrid(axis, axis)
    frames: NDArray[np.generic] = np.full((len(x), SIZE, SIZE, 3), 255, np.uint8)
    for n in range(len(r)):
        distance2 = (u - x[:, n, 0, None, None]) ** 2 + (w - x[:, n, 1, None, None]) ** 2
        alpha = np.clip((r[n] ** 2 - distance2) / (0.03 * r[n] ** 2), 0, 1)[..., None]
        frames = (1 - alpha) * frames + alpha * color[n]
    return frames.astype(np.uint8)[:, ::-1]


def rate(make_one: Callable[[int], object], start: int, count: int) -> float:
    """Clips per second."""
    began = time.perf_counter()
    for i in range(start, start + count):
        make_one(i)
    return count / (time.perf_counter() - began)


def closed_form() -> None:
    rows = []
    for name in ("uniform", "parabola", "collision", "bounce"):
        world = scenario(name, size=SIZE, num_frames=FRAMES)
        starts = [make(world, 0, i) for i in range(OURS)]

        def theirs(i: int, starts: list[Clip] = starts, world=world) -> NDArray[np.uint8]:  # type: ignore[no-untyped-def]
            return phyworld(starts[i % OURS], world.gravity, world.walls is not None)

        assert np.abs(theirs(0)[-1].transpose(2, 0, 1).astype(float) - starts[0].rgb[-1].numpy()).mean() < 5, "both must show one thing"
        ways = {
            "all": (lambda i, w=world: make(w, 0, i), OURS),
            "rgb": (lambda i, w=world: make(w, 0, i, ("rgb",)), OURS),
            "theirs": (theirs, THEIRS),
        }
        rates = {way: [] for way in ways}
        for k in range(ROUNDS):
            for way, (one, count) in ways.items():
                rates[way].append(rate(one, k * count, count))
        all_truth, rgb, baseline = (median(rates[way]) for way in ways)
        rows.append({
            "scenario": name, "all truth, videos/s": all_truth, "rgb alone, videos/s": rgb, "PhyWorld's way, videos/s": baseline,
            "ratio, all truth": median(a / b for a, b in zip(rates["all"], rates["theirs"], strict=True)),
            "ratio, rgb": median(a / b for a, b in zip(rates["rgb"], rates["theirs"], strict=True)),
        })  # fmt: skip
    note = f"{FRAMES} x {SIZE} x {SIZE} px, one core, medians of {ROUNDS} interleaved rounds; targets 300 videos/s, ratio 10"
    record("simulate", rows, note)


def scenes() -> None:
    world = scenario("phyre", size=SIZE)
    ways = {"all truth, videos/s": None, "rgb alone, videos/s": ("rgb",), "bodies alone, videos/s": ()}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for k in range(ROUNDS + 1):  # the first round warms up
        for way, fields in ways.items():
            rates[way].append(rate(partial(make, world, 0, fields=fields), k * OURS, OURS))
    rows = [{"scenario": "phyre", **{way: median(found[1:]) for way, found in rates.items()}}]
    record("simulate-phyre", rows, f"{world.num_frames} x {SIZE} x {SIZE} px, one core, medians of {ROUNDS} rounds; target 60 videos/s")


def main() -> None:
    torch.set_num_threads(1)
    closed_form()
    scenes()


if __name__ == "__main__":
    main()
