"""PHYRE's 14 features of an object, as its published files hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .objects import COLORS
from .shapes import SHAPES, SIDE, shape

FEATURES = (
    "x", "y", "angle", "diameter", *(f"is {name}" for name in SHAPES),
    *(f"is {name}" for name in ("red", "green", "blue", "purple", "gray", "black")),
)  # fmt: skip


def features(bodies: Mapping[str, Tensor]) -> Tensor:
    """[t,n,14] of the bodies of a PHYRE scene, in their order (the red ball last, as in PHYRE): centre of mass over the side
    of the scene, angle in turns in [0, 1), diameter over the side (of bars, jars and sticks PHYRE's diagonal), one-hot shape
    (ball, bar, jar, standing sticks) and colour (red, green, blue, purple, grey, black).

    >>> from kinema.simulators import make, scenario
    >>> features(make(scenario("phyre"), 0, 0, ()).bodies)[0, -1, 4:].tolist()  # a ball, red
    [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    codes, lengths = bodies["shape"].long(), bodies["length"]
    across = [shape(SHAPES[c], float(length) / SIDE).diameter for c, length in zip(codes[0].tolist(), lengths[0].tolist(), strict=True)]
    diameter = torch.tensor(across, dtype=torch.float64).expand(lengths.shape)
    turns = (bodies["angle"] / (2 * math.pi)) % 1.0
    painted = (bodies["color"][..., None, :] == torch.tensor(COLORS, dtype=torch.uint8)).all(-1)
    shaped = torch.nn.functional.one_hot(codes, len(SHAPES))
    return torch.cat([bodies["position"] / SIDE, turns[..., None], diameter[..., None], shaped.double(), painted.double()], -1)
