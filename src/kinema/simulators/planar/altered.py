"""Closed-form worlds in which something happens that cannot: the clip up to a frame, and what would follow from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.clip import Clip
from .motion import Motion
from .scenario import Planar, energy
from .shapes import BALL, SHAPES, Outline, outline

PAINTS = ((255, 0, 0), (0, 0, 255), (0, 255, 0))  # that a body may turn to


def marked(bodies: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bodies with the keys that both clips of a pair have: `shape`, `visible` and `cut` [t,n]."""
    there = torch.ones(bodies["radius"].shape, dtype=torch.bool)
    return {"shape": torch.full(there.shape, BALL), "visible": there, "cut": ~there, **bodies}


def outlines(bodies: Mapping[str, Tensor], t: int) -> list[Outline]:
    """The bodies' outlines in frame t."""
    return [outline(int(code), float(r)) for code, r in zip(bodies["shape"][t], bodies["radius"][t], strict=True)]


def altered(world: Planar, clip: Clip, violation: Mapping[str, Any]) -> dict[str, Any]:
    """`bodies`, `contacts` and `energy` of a clip in which `violation` comes about between its frame and the one before.

    Frames before are those of the clip. What is changed is the state of the frame before, from which everything goes on
    by the world's law: a body that vanished is no longer met, one that was moved keeps its velocity.
    """
    kind, frame, body = violation["kind"], violation["frame"], violation["body"]
    bodies = {key: value.clone() for key, value in marked(clip.bodies).items()}
    contacts = clip.contacts
    if kind == "colour":
        bodies["color"][frame:, body] = torch.tensor(violation["color"], dtype=torch.uint8)
    elif kind == "shape":
        bodies["shape"][frame:, body] = SHAPES[violation["shape"]]
    else:
        there = [n for n in range(bodies["radius"].shape[1]) if kind != "vanish" or n != body]
        run = _go_on(world, bodies, violation, there)
        for key, value in (("position", run.position), ("velocity", run.velocity)):
            bodies[key][frame:] = torch.nan
            bodies[key][frame:, there] = torch.from_numpy(value[1:])
        bodies["cut"][frame, body] = kind in ("vanish", "teleport")
        bodies["visible"][frame:, body] = kind != "vanish"
        contacts = _joined(clip, run, (frame - 1) * clip.dt, there)
    return {"bodies": bodies, "contacts": contacts, "energy": energy(bodies, world.gravity)}


def _go_on(world: Planar, bodies: Mapping[str, Tensor], violation: Mapping[str, Any], there: list[int]) -> Motion:
    """The motion of those that are there from the frame before the violation on."""
    before, body = violation["frame"] - 1, violation["body"]
    x, v, r, m = (bodies[key][before].numpy().copy() for key in ("position", "velocity", "radius", "mass"))
    if "to" in violation:
        x[body] = violation["to"]
    if "factor" in violation:
        v[body] *= violation["factor"]
    ignore = []
    if "other" in violation:
        first, second = sorted((body, violation["other"]))
        ignore = [(first, second) if first >= 0 else (second, first)]
    times = np.arange(len(bodies["radius"]) - before) * world.dt
    return world.move(x[there], v[there], r[there], m[there], times, ignore)


def _joined(clip: Clip, run: Motion, start: float, there: list[int]) -> dict[str, Tensor]:
    """The clip's contacts up to `start`, then those of the run, whose bodies are `there`."""
    old = {key: value[clip.contacts["time"] <= start] for key, value in clip.contacts.items()}
    bodies = [[there[n] if n >= 0 else n for n in pair] for pair in run.contacts.bodies]
    new = {
        "time": torch.tensor(run.contacts.time, dtype=torch.float64) + start,
        "bodies": torch.tensor(bodies, dtype=torch.int64).reshape(-1, 2),
        "point": torch.from_numpy(np.array(run.contacts.point, float).reshape(-1, 2)),
        "impulse": torch.tensor(run.contacts.impulse, dtype=torch.float64),
    }
    return {key: torch.cat([old[key], new[key]]) for key in old}
