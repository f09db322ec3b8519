"""Manoeuvres of a car by name, in physical units: what a user says in place of a table of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..core.errors import UserError

HELD = 5.0  # s, after which no manoeuvre changes any more

# Medians of the captioned drives of the Driving scenario (1,500 clips of 2 s, 8 frames/s; in brackets 5 % and 95 % of the clips):
# straight on at 7.9 m/s (5.7-10); turns begin at 8 m/s (6.2-8), brake at 2.3 m/s^2 and reach half their yaw rate after 1.0 s
# (0.75-1.25; here 0.8), on the left 0.53 rad/s (0.49-0.57) at 5.4 m/s, on the right 0.63 (0.59-0.66) at 4.6; cars gain 2.0 m/s^2 (1.4-3.3)
# from 1.8 m/s (0.1-3.9) on, at most to 9; they brake at 2.1 m/s^2 (1.4-2.6) from 8.1 m/s (6.3-10.3) on.
LEFT, RIGHT = (5.4, 0.53), (4.6, -0.63)  # m/s, rad/s
BEGINS, RISES = 0.25, 1.1  # s: when the wheel begins to be turned, and how long it takes; half is reached after 0.8 s


def keep(time: Tensor) -> tuple[Tensor, Tensor]:
    """Straight on."""
    return torch.full_like(time, 7.9), torch.zeros_like(time)


def left(time: Tensor) -> tuple[Tensor, Tensor]:
    """Braking into a turn to the left, which goes on."""
    return _turn(time, *LEFT)


def right(time: Tensor) -> tuple[Tensor, Tensor]:
    """Braking into a turn to the right, which goes on."""
    return _turn(time, *RIGHT)


def accelerate(time: Tensor) -> tuple[Tensor, Tensor]:
    """Straight on, faster and faster up to 9 m/s."""
    return (1.8 + 2.0 * time).clamp_max(9.0), torch.zeros_like(time)


def brake(time: Tensor) -> tuple[Tensor, Tensor]:
    """Straight on, slower and slower to a stop."""
    return (8.1 - 2.1 * time).clamp_min(0.0), torch.zeros_like(time)


def _turn(time: Tensor, speed: float, rate: float) -> tuple[Tensor, Tensor]:
    return (8.0 - 2.3 * time).clamp_min(speed), rate * ((time - BEGINS) / RISES).clamp(0, 1)


PRESETS: Mapping[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "keep": keep, "left": left, "right": right, "accelerate": accelerate, "brake": brake,
}  # fmt: skip


def preset(name: str, frames: int, dt: float = 0.125) -> Tensor:
    """Actions [frames,2] of a manoeuvre at a time step of `dt` s: speed m/s, yaw rate rad/s (left positive), float64.

    Raises UserError for a name there is not.

    >>> preset("keep", 2).tolist()
    [[7.9, 0.0], [7.9, 0.0]]
    """
    if name not in PRESETS:
        raise UserError(f"actions: there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return torch.stack(PRESETS[name](dt * torch.arange(frames, dtype=torch.float64)), -1)
