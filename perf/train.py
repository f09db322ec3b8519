"""Step time of kinema's loop over a bare PyTorch loop of the same network, frozen codec, clips and optimiser.

Both simulate and stack their batch, encode it, and take a clipped AdamW step in bfloat16. Ours adds accelerate, averaged
weights, the guard, the log, and random streams keyed by step; the first step and checkpoints are left out on both sides.
Blocks of steps are interleaved. Target: at most 8 % more, at steps of at least 200 ms.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from kinema.codecs import VAE
from kinema.core import Clip, Context, Space, torch_stream
from kinema.recipes import planar
from kinema.recipes.planar import worlds
from kinema.training import Run, Train, train
from perf.record import record

SIZE, FRAMES, BATCH, STEPS, ROUNDS = 64, 33, 16, 6, 5
CONFIG = Train(steps=STEPS, batch=BATCH, warmup=1, precision="bf16", log_every=1, save_every=10**9, probe_every=10**9)


class Stopwatch:
    """Notes when each step hands its batch to the codec: the time from one to the next is a whole step."""

    def __init__(self, prepare: Callable[[Clip], Any]) -> None:
        self.prepare, self.times = prepare, list[float]()

    def __call__(self, batch: Clip) -> Any:
        self.times.append(time.perf_counter())
        return self.prepare(batch)

    def steps(self) -> list[float]:
        return [b - a for a, b in zip(self.times[1:-1], self.times[2:], strict=True)]


def main() -> None:
    blueprint = planar.planar(size=SIZE, num_frames=FRAMES).blueprint
    codec = VAE.size("tiny").build().eval().requires_grad_(False)
    clips = worlds(SIZE, FRAMES, seed=0)
    ours, bare, waits = [], [], []
    for _ in range(ROUNDS):
        steps, wait = loop(blueprint, codec, clips)
        ours += steps
        waits += wait
        bare += plain(blueprint, codec, clips)
    row = {
        "threads": torch.get_num_threads(), "bare, ms": 1000 * median(bare), "ours, ms": 1000 * median(ours),
        "overhead, %": 100 * (median(ours) / median(bare) - 1), "waiting for clips, %": 100 * median(waits),
    }  # fmt: skip
    record("train", [row], f"{ROUNDS} interleaved blocks of {STEPS} steps, batch {BATCH}; target 8 %, steps of at least 200 ms")


def space(blueprint: Any, codec: Any) -> Space:
    """Where the latents of the blueprint's clips live."""
    return Space(codec.latent_shape(blueprint.num_frames, blueprint.size, blueprint.size), codec.codes)


def loop(blueprint: Any, codec: Any, clips: Any) -> tuple[list[float], list[float]]:
    """(seconds of each step, share of each spent waiting for its batch) in kinema's loop."""
    torch.manual_seed(0)
    network = blueprint.model.build(space(blueprint, codec), blueprint.conditions)
    watch = Stopwatch(lambda batch: blueprint.encode(codec, batch))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        train(Run(model=network, objective=blueprint.objective.build(), clips=clips, config=CONFIG, out=out, prepare=watch, quiet=True))
        rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return watch.steps(), [row["wait_share"] for row in rows[1:]]


def plain(blueprint: Any, codec: Any, clips: Any) -> list[float]:
    """Seconds of each step in a bare loop."""
    torch.manual_seed(0)
    network = blueprint.model.build(space(blueprint, codec), blueprint.conditions).train()
    objective = blueprint.objective.build()
    optimizer = torch.optim.AdamW(network.parameters(), lr=CONFIG.lr, betas=CONFIG.betas, weight_decay=CONFIG.weight_decay, fused=True)
    watch = Stopwatch(lambda batch: blueprint.encode(codec, batch))
    rng = torch_stream("bare")
    for step in range(STEPS):
        batch = Clip.stack([clips[i] for i in range(step * BATCH, (step + 1) * BATCH)])
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                encoded = watch(batch)
            loss = next(objective.losses(network, encoded, Context(rng, step, STEPS)))
        loss.value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CONFIG.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return watch.steps()


if __name__ == "__main__":
    main()
