"""A second stage for the codec: the decoder goes on alone, so that models trained on the latents stay valid."""

from __future__ import annotations

from dataclasses import replace

from ..training import Stage
from . import codec as first

SOURCES = first.SOURCES

# Blue balls appear in collisions alone, two bodies are harder than one: three clips in five show them.
WEIGHTS = (1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 1.0, 1.0)


def decoder(size: int = 64, num_frames: int = 33, width: str = "tiny", time_stride: int = 4, seed: int = 1) -> Stage:
    """The shipped codec with its encoder as it is; `codec` and `start` name another one."""
    stage = first.codec(size, num_frames, width, time_stride, seed)
    train = replace(stage.train, steps=4000, lr=7e-4, ema=0.998)
    data = first.worlds(size, num_frames, seed, WEIGHTS)
    return replace(stage, codec="planar-codec", start="planar-codec", only="decoder", data=data, train=train)


def tiny() -> Stage:
    """The same composition at toy size: seconds on a CPU."""
    return replace(first.tiny(), only="decoder")
