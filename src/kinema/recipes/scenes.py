"""A codec for what PhyWorld shows beside balls: squares, rings, events side by side, and PHYRE's scenes of many bodies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..data import Mixture, Only, Simulated
from ..metrics import PSNR
from ..simulators import World, scenario
from ..simulators.planar.sets import ATTRIBUTES
from ..training import Stage
from . import codec as first
from .codec import HELD_OUT

SOURCES = (
    *first.SOURCES,
    "Bakhtin et al., PHYRE: A New Benchmark for Physical Reasoning, NeurIPS 2019, arXiv 1908.05656 (the scenes that are drawn)",
)

PHYRE_SHARE = 0.6  # thin bars that turn are the hardest to draw


def worlds(size: int, num_frames: int, seed: int) -> Only:
    """PHYRE's training templates and ambiguity tasks; every set of attributes, trained and swapped; compositions; collisions."""
    frames: dict[str, Any] = {"size": size, "num_frames": num_frames}
    shapes: list[World] = [replace(world, **frames, flip=True).split(split) for world in ATTRIBUTES.values() for split in ("id", "ood")]
    shapes += [scenario(name, **frames, flip=True).split("combined") for name in ("spatial", "temporal")] * 4
    shapes += [scenario("collision", **frames, flip=True).split(split) for split in ("id", "ood")] * 4
    scenes: list[World] = [scenario("phyre", **frames).split("60")] * 5 + [scenario("phyre-ambiguity", **frames)]
    shares = [(1 - PHYRE_SHARE) / len(shapes)] * len(shapes) + [PHYRE_SHARE / len(scenes)] * len(scenes)
    drawn = Mixture(tuple(Simulated(world, seed=seed) for world in (*shapes, *scenes)), weights=tuple(shares), seed=seed)
    return Only(drawn, fps=10.0, dt=0.1)  # PHYRE's clock is another, and a codec does not ask


def scenes(size: int = 64, num_frames: int = 33, width: str = "tiny", time_stride: int = 4, seed: int = 0) -> Stage:
    """A VAE like that of recipe codec, which at its default size goes on from the planar codec that ships."""
    stage = first.codec(size, num_frames, width, time_stride, seed)
    train = replace(stage.train, steps=3600, lr=7e-4, save_every=200, probe_every=600)
    start = "planar-codec" if (size, width, time_stride) == (64, "tiny", 4) else ""
    data, held_out = worlds(size, num_frames, seed), worlds(size, num_frames, HELD_OUT)
    return replace(stage, data=data, held_out=held_out, metrics=(PSNR(),), start=start, train=train)


def tiny() -> Stage:
    """The same composition at toy size: seconds on a CPU."""
    return replace(first.tiny(), data=worlds(16, 9, 0), held_out=worlds(16, 9, HELD_OUT))
