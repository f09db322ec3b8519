"""WorldDreamer as published: 1B parameters, videos of the web and pictures in one batch, then driving with its actions."""

from __future__ import annotations

from typing import Any

from ..codecs import VQ
from ..conditions import Actions, Frames, Images, Text
from ..core.errors import UserError
from ..data import Dataset, Joined, Prompted, Simulated
from ..experts import T5
from ..metrics import PSNR
from ..models import STPT
from ..objectives import MaskedTokens
from ..sampling import Parallel, Without
from ..simulators import scenario
from ..training import Stage, Train
from ..world_model import Blueprint
from . import dreamer as small
from .codec import HELD_OUT

SOURCES = (
    *small.SOURCES,
    "Patil et al., aMUSEd: An Open MUSE Reproduction, arXiv 2401.01808 (label smoothing and betas, which WorldDreamer does not state)",
)

LONGEST = 24  # frames of part 2; part 1's model has positions for them, so that part 2 can start from it
CLOCK = 12.0  # frames per second of nuScenes' key and sweep frames


def world_dreamer(network: str = "1B", part: int = 1, size: int = 256, text: str = "google/t5-v1_1-large", seed: int = 0) -> Stage:
    """Part 1: 16 frames, 2M steps of 64 samples at 5e-5; part 2: 24 frames, 20K steps of 32 at 1e-5, from part 1's model (`start`).

    Both learn from simulated drives unless --data names a folder (and --images one of captioned pictures, for part 1). It needs a
    tokeniser (`kinema train tokeniser --size 256 --stride 16 --codes 8192 --width base`, or PretrainedVQ) and T5's weights.
    Kinema's frames are square, so the second part's 192 x 320 px are `size` x `size` here.
    """
    if part not in (1, 2):
        raise UserError(f"part must be 1 (videos and pictures of the web) or 2 (driving), got {part}")
    frames, steps, batch, lr = (16, 2_000_000, 64, 5e-5) if part == 1 else (LONGEST, 20_000, 32, 1e-5)
    return Stage(
        blueprint=Blueprint(
            codec=VQ.size("base"),
            conditions=(*prompts(text), Images()),
            model=STPT.size(network, frames=LONGEST, checkpoint=True),
            objective=MaskedTokens(),
            sampler=Parallel(12),
            sources=(Without("text"), Without("actions")),
            num_frames=frames, size=size, fps=CLOCK, dt=1 / CLOCK,
        ),
        data=drives(size, frames, seed, 28_000),
        held_out=drives(size, frames, HELD_OUT, 150),
        metrics=(PSNR(),),
        train=Train(
            steps=steps, batch=4, accumulate=batch // 4, lr=lr, warmup=min(10_000, steps // 10), betas=(0.9, 0.96), weight_decay=0.01,
            ema=0.9999, precision="bf16", seed=seed, workers=4, save_every=1000, probe_every=10_000, log_every=50,
        ),
    )  # fmt: skip


def prompts(text: str) -> tuple[Any, ...]:
    """First frame in a fifth of the clips (the paper's masks never show one), words, and actions as the small recipe has them."""
    mean, std = zip(small.SPEED, small.YAW_RATE, strict=True)
    return Frames(1, drop=0.8), Text(T5(text), describe="caption", drop=0.1), Actions(mean=mean, std=std, dt=1 / CLOCK, drop=0.1)


def drives(size: int, num_frames: int, seed: int, count: int) -> Dataset:
    """As many simulated drives as nuScenes gives clips."""
    world = scenario("driving", size=size, num_frames=num_frames, fps=CLOCK, dt=1 / CLOCK)
    return Prompted(Joined((Simulated(world, seed=seed, length=count),)))


def tiny() -> Stage:
    """The same composition at toy size, in planar worlds, with words that need no weights."""
    return small.tiny()
