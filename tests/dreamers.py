"""A tiny world model of tokens, untrained but stirred, so that everything it is told makes a difference."""

from __future__ import annotations

from typing import Any

import torch

from kinema import Clip, WorldModel
from kinema.codecs import VQ
from kinema.conditions import Actions, Frames, Text
from kinema.experts import Words
from kinema.models import STPT
from kinema.objectives import MaskedTokens
from kinema.sampling import Parallel, Without
from kinema.world_model import Blueprint

SIDE, WINDOW, STRIDE = 32, 5, 8
TOLD = (Frames(1, drop=0.5), Text(Words(16), describe="caption", drop=0.5), Actions(drop=0.5))


def dreamer(conditions: tuple[Any, ...] = TOLD, seed: int = 0, **fields: Any) -> WorldModel:
    """32 px, 5 frames of 1/8 s, tokens of 8 px out of 32, three steps."""
    parts: dict[str, Any] = {
        "codec": VQ(stride=STRIDE, codes=32, dim=4, widths=(16, 32)),
        "model": STPT(layers=2, hidden=32, heads=2),
        "objective": MaskedTokens(),
        "sampler": Parallel(3),
        "sources": (Without("text"),) if any(c.name == "text" for c in conditions) else (),
    }
    blueprint = Blueprint(**{**parts, **fields}, conditions=conditions, num_frames=WINDOW, size=SIDE, fps=8, dt=1 / 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec, network = blueprint.build()
        assert network is not None
        for parameter in network.parameters():
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return WorldModel(blueprint, codec, network, "dreamer")


def noise(frames: int, seed: int = 0, height: int = SIDE, width: int = SIDE) -> Clip:
    """A video of so many random frames."""
    rng = torch.Generator().manual_seed(seed)
    return Clip(rgb=torch.randint(0, 256, (frames, 3, height, width), generator=rng, dtype=torch.uint8), fps=8, dt=1 / 8)
