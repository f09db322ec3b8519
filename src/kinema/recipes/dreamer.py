"""WorldDreamer at the size of a laptop: one model of driving and falling things, told by words, actions and first frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..codecs import VAE, VQ, Mosaic
from ..conditions import Actions, Frames, Images, Text
from ..core.errors import UserError
from ..core.path import Linear
from ..data import Joined, Prompted, Simulated
from ..experts import Words
from ..metrics import PSNR
from ..models import STPT, DiT
from ..objectives import Denoise, HighNoise, MaskedTokens
from ..sampling import Euler, Parallel, Without
from ..simulators import scenario
from ..training import Stage, Train
from ..world_model import Blueprint
from .codec import HELD_OUT

SOURCES = (
    "Wang et al., WorldDreamer: Towards General World Models for Video Generation via Predicting Masked Tokens, arXiv 2401.09985: "
    "sec. 3 (masks, STPT, prompts; there 1B parameters and videos of the web, here a few million and simulated worlds)",
    "Chang et al., MaskGIT: Masked Generative Image Transformer, CVPR 2022, arXiv 2202.04200",
)

FPS = 8.0
POOL = (("driving", 0, 1500), ("driving", 1, 1300), *((name, 0, 800) for name in ("dominoes", "collide", "drop", "roll")))
# Of the ego car in these drives: what "standardise on the training set" gives, kept here so that every run has the same numbers.
SPEED, YAW_RATE = (6.61, 1.81), (-0.02, 0.243)  # mean and spread, m/s and rad/s


def worlds(size: int, num_frames: int, seed: int, pool: tuple[tuple[str, int, int], ...] = POOL) -> Prompted:
    """Clips of driving, dominoes, collide, drop and roll with what is said and done in them: (world, added to the seed, count)."""
    drawn = ((scenario(name, size=size, num_frames=num_frames, fps=FPS, dt=1 / FPS), seed + more, count) for name, more, count in pool)
    return Prompted(Joined(tuple(Simulated(world, seed=stream, length=count) for world, stream, count in drawn)))


def prompts(fps: float) -> tuple[Any, ...]:
    """First frame, words, actions; the frame is absent from half of the clips, for a dream may begin without it."""
    mean, std = zip(SPEED, YAW_RATE, strict=True)
    return Frames(1, drop=0.5), Text(Words(), describe="caption", drop=0.1), Actions(mean=mean, std=std, dt=1 / fps, drop=0.1)


def dreamer(size: int = 64, num_frames: int = 17, network: str = "pico", latents: str = "tokens", seed: int = 0) -> Stage:
    """A model of masked tokens on the tokeniser that ships (`codec` names another one); `network` names an STPT.

    `latents` "continuous" is its peer, a diffusion transformer of the same size with the same prompts and data; it needs a VAE of
    the same worlds: `kinema train codec --num-frames 17 --time-stride 1 --blueprint.fps 8 --blueprint.dt 0.125 --data FOLDERS`.
    """
    if latents not in ("tokens", "continuous"):
        raise UserError(f"latents must be tokens or continuous, got {latents!r}")
    tokens = latents == "tokens"
    blueprint = _tokens(STPT.size(network, partition="alternating")) if tokens else _continuous(STPT.size(network))
    train = Train(
        steps=3400 if tokens else 6800, batch=8 if tokens else 16, lr=2e-3, warmup=200, betas=(0.9, 0.96 if tokens else 0.99),
        weight_decay=0.01, ema=0.998, precision="bf16", seed=seed, save_every=250, probe_every=1200, log_every=25,
    )  # fmt: skip
    return Stage(
        blueprint=replace(blueprint, num_frames=num_frames, size=size),
        codec="worlds-tokeniser" if tokens else "",
        data=worlds(size, num_frames, seed),
        cache=True,
        held_out=worlds(size, num_frames, HELD_OUT, tuple((name, 0, 20) for name, _, _ in POOL[1:])),
        metrics=(PSNR(),),
        train=train,
    )


def _tokens(model: STPT, fps: float = FPS) -> Blueprint:
    return Blueprint(
        fps=fps,
        dt=1 / fps,
        codec=VQ.size("tiny", stride=8, codes=1024),
        conditions=(*prompts(fps), Images()),
        model=model,
        objective=MaskedTokens(),
        sampler=Parallel(12, policy="token", temperature=1.0, sampling_temperature=0.7),  # measured: sharper and steadier than shared
        sources=(Without("text"), Without("actions")),
    )


def _continuous(like: STPT) -> Blueprint:
    return Blueprint(
        fps=FPS,
        dt=1 / FPS,
        codec=VAE.size("tiny", time_stride=1),
        conditions=prompts(FPS),
        model=DiT(layers=like.layers, hidden=like.hidden, heads=like.heads, positions="rotary+absolute", qk_norm=True),
        objective=Denoise(path=Linear(), predict="velocity", times=HighNoise(shift=3.0)),
        sampler=Euler(30, shift=3.0),
        sources=(Without("text"), Without("actions")),
    )


def tiny() -> Stage:
    """The same composition at toy size, in planar worlds, which need no renderer."""
    drawn = tuple(scenario(name, size=16, num_frames=5) for name in ("uniform", "collision"))
    learnt, judged = (Prompted(Joined(tuple(Simulated(world, seed=seed, length=20) for world in drawn))) for seed in (0, HELD_OUT))
    blueprint = replace(
        _tokens(STPT(layers=2, hidden=32, heads=2), fps=10.0), codec=Mosaic(patch=4, levels=3), sampler=Parallel(4), num_frames=5, size=16,
    )  # fmt: skip
    train = Train(steps=4, batch=2, lr=1e-3, warmup=1, save_every=2, probe_every=4, log_every=1)
    return Stage(blueprint=blueprint, data=learnt, held_out=judged, metrics=(PSNR(),), probes=2, cache=True, train=train)
