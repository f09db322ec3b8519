"""A small model of three laws of motion that a CPU trains: PhyWorld's question at the size of a laptop."""

from __future__ import annotations

from ..codecs import VAE, Pixels
from ..conditions import Frames
from ..core.path import Linear
from ..data import Mixture, Simulated
from ..metrics import VelocityError, VelocityErrorOfMeans
from ..models import DiT
from ..objectives import Denoise, HighNoise
from ..sampling import Euler
from ..simulators import scenario
from ..training import Stage, Train
from ..world_model import Blueprint
from .codec import HELD_OUT

SOURCES = (
    "Kang et al., How Far is Video Generation from World Model: A Physical Law Perspective, ICML 2025, arXiv 2411.02385",
    "Peebles & Xie, Scalable Diffusion Models with Transformers, ICCV 2023, arXiv 2212.09748",
    "Liu et al., Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow, ICLR 2023, arXiv 2209.03003",
)

LAWS = ("uniform", "parabola", "collision")


def worlds(size: int, num_frames: int, seed: int, laws: tuple[str, ...] = LAWS, *, length: int | None = None) -> Mixture:
    """The kinematic laws inside their training ranges, half of the clips mirrored, by chance (PhyWorld's one augmentation)."""
    drawn = [scenario(law, size=size, num_frames=num_frames, flip=True) for law in laws]
    return Mixture(tuple(Simulated(world, seed=seed) for world in drawn), seed=seed, length=length)


def planar(
    size: int = 64, num_frames: int = 33, videos: int = 48_000, network: str = "nano", seed: int = 0, laws: tuple[str, ...] = LAWS
) -> Stage:
    """One model of the laws; the future is decided in the noise, so training dwells there.

    As it stands, at a size that two CPU cores train in an hour and a half. `network` names a DiT (pico, nano, S, B, L, XL).
    """
    return Stage(
        blueprint=Blueprint(
            codec=VAE.size("tiny"),
            conditions=(Frames(5),),
            model=DiT.size(network, positions="rotary+absolute", qk_norm=True),
            objective=Denoise(path=Linear(), predict="x0", times=HighNoise(shift=3.0, terminal=0.5)),
            sampler=Euler(2, shift=3.0),
            num_frames=num_frames,
            size=size,
        ),
        codec="planar-codec",
        data=worlds(size, num_frames, seed, laws, length=videos),
        cache=True,
        held_out=worlds(size, num_frames, HELD_OUT, laws),
        metrics=(VelocityError(), VelocityErrorOfMeans()),
        probes=24,
        train=Train(
            steps=24_000, batch=8, lr=1e-3, warmup=500, betas=(0.9, 0.99), weight_decay=0.01, ema=0.999, precision="bf16", seed=seed,
            save_every=250, probe_every=1000, log_every=50,
        ),
    )  # fmt: skip


def tiny() -> Stage:
    """The same composition at toy size, in pixels: seconds on a CPU."""
    return Stage(
        blueprint=Blueprint(
            codec=Pixels(patch=4), conditions=(Frames(3),), model=DiT(layers=2, hidden=32, heads=2, patch=1),
            objective=Denoise(path=Linear(), predict="x0", times=HighNoise(terminal=0.5)), sampler=Euler(2), num_frames=8, size=16,
        ),
        data=worlds(16, 8, 0),
        held_out=worlds(16, 8, HELD_OUT),
        metrics=(VelocityErrorOfMeans(),),
        probes=3,
        train=Train(steps=4, batch=2, lr=1e-3, warmup=1, save_every=2, probe_every=4, log_every=1),
    )  # fmt: skip
