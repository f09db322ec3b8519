"""PHYRE's scenes in which something happens that cannot: simulated again from the start, and meddled with on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....core.clip import Clip
from ..shapes import Outline
from .engine import Box
from .objects import BLUE, GREEN, KINDS, PURPLE, RED, Object
from .shapes import SHAPES, SIDE, shape
from .world import Scenes, outline

PAINTS = (RED, GREEN, BLUE, PURPLE)  # that a body may turn to
_OF_SHAPE = {kind.shape: name for name, kind in reversed(KINDS.items())}  # a kind of object of each shape


def marked(bodies: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bodies with the keys that both clips of a pair have: `visible` and `cut` [t,n]."""
    there = torch.ones(bodies["radius"].shape, dtype=torch.bool)
    return {"visible": there, "cut": ~there, **bodies}


def outlines(bodies: Mapping[str, Tensor], t: int) -> list[Outline]:
    """The bodies' outlines in frame t."""
    return [outline(int(code), float(length)) for code, length in zip(bodies["shape"][t], bodies["length"][t], strict=True)]


def altered(world: Scenes, clip: Clip, violation: Mapping[str, Any]) -> dict[str, Any]:
    """`bodies`, `contacts`, `energy` and `outcome` of a clip in which `violation` comes about between its frame and the one
    before. Frames before are those of the clip."""
    kind, frame, body = violation["kind"], violation["frame"], violation["body"]
    if kind == "colour":
        bodies = {**marked(clip.bodies), "color": clip.bodies["color"].clone()}
        bodies["color"][frame:, body] = torch.tensor(violation["color"], dtype=torch.uint8)
        return {"bodies": bodies}
    length = _length(violation["shape"], float(clip.bodies["radius"][0, body])) if kind == "shape" else 0.0
    run = world.simulate(clip.meta["params"], np.random.default_rng(0), (), meddle=(frame - 1, _meddle(violation, length)))
    bodies = marked(run.bodies)
    if kind == "shape":
        bodies["shape"][frame:, body] = SHAPES.index(violation["shape"])
        bodies["length"][frame:, body] = length
    if kind == "vanish":
        for key in ("velocity", "angle", "angular_velocity"):
            bodies[key][frame:, body] = torch.nan
    bodies["cut"][frame, body] = kind in ("vanish", "teleport")
    bodies["visible"][frame:, body] = kind != "vanish"
    return {"bodies": bodies, "contacts": run.contacts, "energy": run.energy, "outcome": run.outcome}


def _meddle(violation: Mapping[str, Any], length: float) -> Callable[[Box], None]:
    kind, body = violation["kind"], violation["body"]
    if kind == "vanish":
        return lambda box: box.remove(body)
    if kind == "teleport":
        return lambda box: box.move(body, *violation["to"])
    if kind == "speed":
        return lambda box: box.push(body, violation["factor"])
    if kind == "shape":
        return lambda box: box.reshape(body, Object(_OF_SHAPE[violation["shape"]], length / SIDE, 0.0, 0.0))
    return lambda box: box.let_through(body, violation["other"])


def _length(name: str, radius: float) -> float:
    """The length in m at which a shape has this radius, m."""
    low, high = 0.0, 4 * radius / SIDE
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if shape(name, middle).radius * SIDE < radius else (low, middle)
    return high * SIDE
