"""Seconds the shipped model takes to dream one video on two threads, against the time the video lasts."""

from __future__ import annotations

import sys
import time
from statistics import median

import torch

from kinema import WorldModel
from kinema.simulators import make, scenario
from kinema.world_model import shipped
from perf.record import record

MODEL, THREADS, ROUNDS = "planar", 2, 9


def main() -> int:
    if MODEL not in shipped():
        print(f"the model {MODEL!r} is not here: nothing to measure")
        return 0
    torch.set_num_threads(THREADS)
    model = WorldModel.from_pretrained(MODEL)
    world = scenario("collision", size=model.size, num_frames=model.num_frames)
    clip = make(world, 900_000_002, 0, ("rgb",))
    model.dream(frames=clip)
    seconds = []
    for seed in range(ROUNDS):
        began = time.perf_counter()
        model.dream(frames=clip, seed=seed)
        seconds.append(time.perf_counter() - began)
    lasts = model.num_frames * clip.dt
    row = {
        "model": MODEL, "frames": model.num_frames, "steps": model.blueprint.sampler.steps, "dream, s": median(seconds),
        "video, s": lasts, "ratio": lasts / median(seconds),
    }  # fmt: skip
    record("dream", [row], f"{THREADS} threads, median of {ROUNDS}; target: a ratio above 1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
