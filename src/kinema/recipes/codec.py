"""A causal video VAE for planar worlds, trained from scratch."""

from __future__ import annotations

from dataclasses import replace

from ..codecs import VAE
from ..data import Mixture, Simulated
from ..metrics import LPIPS, PSNR, VelocityError, VelocityErrorOfMeans
from ..objectives import Reconstruct
from ..simulators import scenario
from ..training import Stage, Train
from ..world_model import Blueprint

SOURCES = (
    "Kang et al., How Far is Video Generation from World Model: A Physical Law Perspective, ICML 2025, arXiv 2411.02385: sec. 3.1, "
    "appendix A (a (2+1)D causal video VAE; theirs grows from Stable Diffusion 1.5's, this one starts at random)",
    "Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014, arXiv 1312.6114",
)

BALLS = ("uniform", "parabola", "collision", "bounce")
WINDOW = 13  # frames of a training cut: the first latent and three more hold all that a causal codec has to learn
HELD_OUT = 1_000_003  # the seed of clips no training stream uses


def worlds(size: int, num_frames: int, seed: int, weights: tuple[float, ...] | None = None) -> Mixture:
    """Balls in and out of their training ranges: a codec must draw what a model may dream."""
    drawn = [scenario(name, size=size, num_frames=num_frames, flip=True).split(split) for name in BALLS for split in ("id", "ood")]
    return Mixture(tuple(Simulated(world, seed=seed) for world in drawn), weights=weights, seed=seed)


def codec(
    size: int = 64, num_frames: int = 33, width: str = "tiny", time_stride: int = 4, seed: int = 0, perceptual: float = 0.0
) -> Stage:
    """A VAE of the named width (tiny, small, base): 8 x in space, `time_stride` in time; `perceptual` is the weight of LPIPS."""
    objective = Reconstruct(kl=1e-4, window=WINDOW)
    if perceptual:
        objective = replace(objective, perceptual=LPIPS(), perceptual_weight=perceptual)
    return Stage(
        blueprint=Blueprint(
            codec=VAE.size(width, time_stride=time_stride), objective=objective,
            num_frames=num_frames, size=size,
        ),
        data=worlds(size, num_frames, seed),
        held_out=worlds(size, num_frames, HELD_OUT),
        metrics=(VelocityErrorOfMeans(), VelocityError(), PSNR()),
        train=Train(
            steps=3600, batch=8, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, ema=0.995, precision="bf16", seed=seed, save_every=250,
            probe_every=250,
        ),
    )  # fmt: skip


def tiny() -> Stage:
    """The same composition at toy size: seconds on a CPU."""
    return Stage(
        blueprint=Blueprint(codec=VAE(widths=(16, 24), channels=4), objective=Reconstruct(window=5), num_frames=9, size=16),
        data=worlds(16, 9, 0),
        held_out=worlds(16, 9, HELD_OUT),
        metrics=(PSNR(),),
        probes=2,
        train=Train(steps=4, batch=2, lr=1e-3, warmup=1, save_every=2, probe_every=4, log_every=1),
    )
