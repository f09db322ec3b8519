"""PhyWorld as published: a ladder of diffusion transformers, each of which learns one law from videos alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..codecs import VAE
from ..conditions import Frames
from ..core.path import ScaledLinear
from ..data import Dataset
from ..metrics import VelocityError, VelocityErrorOfMeans
from ..models import DiT
from ..models.dit import SMALL
from ..objectives import Denoise
from ..sampling import DDIM
from ..training import Stage, Train
from ..world_model import Blueprint
from . import planar as small
from .codec import HELD_OUT
from .planar import worlds

SOURCES = (
    "Kang et al., How Far is Video Generation from World Model: A Physical Law Perspective, ICML 2025, arXiv 2411.02385: sec. 3, "
    "appendices A and B (sizes, optimiser, schedule; strides, patch, noise schedule and sampler are not stated there)",
    "Peebles & Xie, Scalable Diffusion Models with Transformers, ICCV 2023, arXiv 2212.09748",
    "Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed, WACV 2024, arXiv 2305.08891",
)

GPU_BATCH = 32  # clips of a micro-batch; the published 256 are made of eight
KEPT = 100_000  # clips whose latents a learner keeps: 13 GB at the published size


def phyworld(
    network: str = "S", laws: tuple[str, ...] = ("uniform",), videos: int = 30_000, size: int = 128, num_frames: int = 31, seed: int = 0
) -> Stage:
    """A model of the ladder (S, B, L, XL) on one law with the published optimiser and schedule.

    It needs a codec of its own: `kinema train codec --size 128 --num-frames 31 --width base --time-stride 2`.
    """
    return Stage(
        blueprint=Blueprint(
            codec=VAE.size("base", time_stride=2),
            conditions=(Frames(3),),
            model=DiT.size(network),
            objective=Denoise(path=ScaledLinear(), predict="v"),
            sampler=DDIM(50),
            num_frames=num_frames,
            size=size,
        ),
        data=worlds(size, num_frames, seed, laws, length=videos),
        held_out=worlds(size, num_frames, HELD_OUT, laws),
        metrics=(VelocityErrorOfMeans(), VelocityError()),
        train=Train(
            steps=100_000, batch=GPU_BATCH, accumulate=256 // GPU_BATCH, lr=1e-4, warmup=1000, betas=(0.9, 0.999), weight_decay=0.01,
            ema=0.9999, precision="bf16", seed=seed, workers=4, save_every=1000, probe_every=10_000, log_every=50,
        ),
    )  # fmt: skip


def learner(
    data: Dataset, held_out: Dataset, network: str, steps: int, *, codec: str, size: int, num_frames: int, seed: int = 0,
    conditions: tuple[Any, ...] = (), given: int | None = None,
) -> Stage:  # fmt: skip
    """One model of a study, fed with `data`: the published settings from S on, below it those a CPU finishes.

    Latents of up to 100,000 clips are kept in memory; more are simulated and encoded anew every time, by worker processes.
    `conditions` come on top of the first frames, of which there are `given` (None: as many as the settings say). The clock is
    that of the data.
    """
    stage = _small(network, size, num_frames, seed) if network in SMALL else phyworld(network, size=size, num_frames=num_frames, seed=seed)
    b = stage.blueprint
    first, shown = data[0], b.conditions if given is None else (Frames(given),)
    blueprint = replace(b, conditions=(*shown, *conditions), fps=first.fps, dt=first.dt)
    cache = data.length is not None and data.length <= KEPT
    workers = 0 if cache else stage.train.workers
    train = replace(stage.train, steps=steps, warmup=min(stage.train.warmup, steps // 10), workers=workers, probe_every=max(steps, 1))
    return replace(stage, blueprint=blueprint, data=data, held_out=held_out, train=train, codec=codec, cache=cache, metrics=())


def _small(network: str, size: int, num_frames: int, seed: int) -> Stage:
    """A quarter of the tokens of the small recipe and four times its batch: the most clips for a minute of CPU."""
    stage = small.planar(size, num_frames, seed=seed)
    model = DiT.size(network, patch=4, positions="rotary+absolute", qk_norm=True)
    train = replace(stage.train, batch=32, lr=1.5e-3, save_every=250)
    return replace(stage, blueprint=replace(stage.blueprint, model=model), train=train)


def tiny() -> Stage:
    """The same composition at toy size, in pixels: seconds on a CPU."""
    stage = small.tiny()
    objective, sampler = Denoise(path=ScaledLinear(), predict="v"), DDIM(4)
    blueprint = replace(stage.blueprint, objective=objective, sampler=sampler, model=DiT(layers=2, hidden=32, heads=2, patch=1))
    return replace(stage, blueprint=blueprint)
