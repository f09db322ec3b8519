"""A tokeniser of frames: single pictures to codes of a discrete set, trained from scratch on driving and falling things."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..codecs import VQ
from ..data import Mixture, Only, Simulated
from ..metrics import LPIPS, PSNR
from ..objectives import PatchGAN, Tokenise
from ..simulators import scenario
from ..training import Stage, Train
from ..world_model import Blueprint
from .codec import HELD_OUT

SOURCES = (
    "Esser et al., Taming Transformers for High-Resolution Image Synthesis, CVPR 2021, arXiv 2012.09841 (VQGAN: the losses; without "
    "attention)",
    "van den Oord et al., Neural Discrete Representation Learning, NeurIPS 2017, arXiv 1711.00937: appendix A.1 (codes as running means)",
    "Wang et al., WorldDreamer: Towards General World Models for Video Generation via Predicting Masked Tokens, arXiv 2401.09985: "
    "sec. 3.2 (frames alone, 16 x 16 px a token, 8,192 codes)",
)

WORLDS = ("driving", "dominoes", "collide", "drop", "roll")
SHARES = (0.4, 0.15, 0.15, 0.15, 0.15)


def worlds(names: tuple[str, ...], seed: int, weights: tuple[float, ...] | None = None, **fields: Any) -> Only:
    """Endless clips of the named worlds, pictures alone."""
    drawn = tuple(Simulated(scenario(name, **fields), seed=seed, fields=("rgb",)) for name in names)
    return Only(Mixture(drawn, weights=weights, seed=seed))


def tokeniser(
    size: int = 64,
    num_frames: int = 17,
    width: str = "tiny",
    stride: int = 8,
    codes: int = 1024,
    perceptual: float = 0.0,
    adversary: float = 0.0,
    seed: int = 0,
) -> Stage:
    """A VQ of the named width (tiny, small, base) with `codes` codes of `stride` px; `perceptual` is the weight of LPIPS,
    `adversary` that of a discriminator of patches, which joins after a third of the steps."""
    steps = 4000
    objective = Tokenise(frames=8)
    if perceptual:
        objective = replace(objective, perceptual=LPIPS(), perceptual_weight=perceptual)
    if adversary:
        objective = replace(objective, adversary=PatchGAN(), adversary_weight=adversary, warmup=steps // 3)
    frames: dict[str, Any] = {"size": size, "num_frames": num_frames, "dt": 0.125, "fps": 8.0}
    return Stage(
        blueprint=Blueprint(
            codec=VQ.size(width, stride=stride, codes=codes), objective=objective,
            num_frames=num_frames, size=size, fps=8.0, dt=0.125,
        ),
        data=worlds(WORLDS, seed, SHARES, **frames),
        held_out=worlds(WORLDS, HELD_OUT, SHARES, **frames),
        metrics=(PSNR(),),
        train=Train(
            steps=steps, batch=8, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, ema=0.995, precision="bf16", seed=seed,
            save_every=250, probe_every=250,
        ),
    )  # fmt: skip


def tiny() -> Stage:
    """The same composition at toy size: seconds on a CPU, with planar worlds, which need no renderer."""
    frames: dict[str, Any] = {"size": 16, "num_frames": 5}
    return Stage(
        blueprint=Blueprint(codec=VQ(stride=4, codes=32, dim=8, widths=(16, 24)), objective=Tokenise(frames=3), num_frames=5, size=16),
        data=worlds(("uniform", "collision"), 0, **frames),
        held_out=worlds(("uniform", "collision"), HELD_OUT, **frames),
        metrics=(PSNR(),),
        probes=2,
        train=Train(steps=4, batch=2, lr=1e-3, warmup=1, save_every=2, probe_every=4, log_every=1),
    )
