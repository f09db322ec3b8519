"""The path of tokens: data becomes noise as codes are masked, all of them at tau = 1."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from .config import part
from .contracts import Conditions
from .errors import UserError
from .path import Path, Predict

MASK = -1  # in place of a code; a network has an embedding of its own for it, and no logit
Schedule = Literal["cosine", "linear", "square", "cubic", "root"]


@part
class Masked(Path):
    """A share `ratio(tau)` of the cells of a frame is masked: sin(pi tau / 2) for "cosine" (MaskGIT; WorldDreamer sec. 3.3).

    With tau uniform that share is distributed as WorldDreamer's density (2 / pi) (1 - r^2)^(-1/2), whose mean is 2 / pi. The
    other schedules are tau, 1 - (1 - tau)^2, 1 - (1 - tau)^3 and 1 - sqrt(1 - tau). `shared`: the same cells in all frames of a
    clip, so that none is read off its neighbour (WorldDreamer); otherwise every frame draws its own.
    """

    schedule: Schedule = "cosine"
    shared: bool = True

    def __post_init__(self) -> None:
        if self.schedule not in get_args(Schedule):
            raise UserError(f"Masked: schedule must be one of {', '.join(get_args(Schedule))}, got {self.schedule!r}")

    def ratio(self, tau: Tensor) -> Tensor:
        """The share that is masked at tau, from 0 at 0 to 1 at 1."""
        if self.schedule == "cosine":
            return torch.where(tau >= 1, torch.ones_like(tau), torch.sin(math.pi / 2 * tau))
        if self.schedule == "linear":
            return tau
        rest = 1 - tau
        return 1 - {"square": rest**2, "cubic": rest**3, "root": rest.clamp_min(0).sqrt()}[self.schedule]

    def time(self, ratio: Tensor) -> Tensor:
        """The tau at which such a share is masked: the inverse of `ratio`."""
        rest = (1 - ratio).clamp_min(0)
        if self.schedule == "cosine":
            return torch.asin(ratio.clamp(0, 1)) * (2 / math.pi)
        if self.schedule == "linear":
            return ratio
        return 1 - {"square": rest.sqrt(), "cubic": rest ** (1 / 3), "root": rest**2}[self.schedule]

    def count(self, tau: Tensor, cells: int) -> Tensor:
        """How many of so many cells are masked at tau: at least one, rounded up (long, shaped as tau)."""
        share = self.ratio(tau.double()) - 1e-6  # half of the cells at float32's tau = 1/3, not one more
        return torch.ceil(share * cells).long().clamp(1, cells)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
        """Scores that decide which cells of tokens `shape` [b,t,h,w] are masked first: [b,1,h,w] where frames share a mask."""
        b, t, h, w = shape
        return torch.rand((b, 1 if self.shared else t, h, w), generator=rng, device=rng.device)

    def corrupt(self, x0: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
        """Tokens [b,t,h,w] with the cells of the lowest `noise` masked, frame by frame; tau [b]."""
        scores = noise.to(x0.device).flatten(2)
        rank = scores.argsort(dim=-1, stable=True).argsort(dim=-1, stable=True).reshape(noise.shape)
        masked = rank < self.count(tau, scores.shape[-1]).to(x0.device)[:, None, None, None]
        return torch.where(masked, MASK, x0)

    def read(self, predict: Predict, output: Tensor, x_tau: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """(logits [b,t,h,w,codes], which tokens are masked [b,t,h,w]): what is said of the data, and where the noise is."""
        if predict != "codes":
            raise ValueError(f"of tokens a network predicts codes, not {predict!r}")
        return output.float(), x_tau == MASK

    def network_input(self, x_tau: Tensor, tau: Tensor) -> Tensor:
        return x_tau

    def network_time(self, tau: Tensor) -> Tensor:
        return tau


def given(x: Tensor, conditions: Conditions) -> tuple[Tensor, Tensor]:
    """(tokens x [b,t,h,w] with those that conditions know in their places, which ones these are [b,t,h,w] bool).

    Known tokens are the conditions that enter as channels: integers shaped as x, where `mask` and `present` say so.
    """
    known = torch.zeros_like(x, dtype=torch.bool)
    for value in conditions.values():
        if value.data.shape == x.shape and not value.data.is_floating_point():
            here = value.present.to(x.device)[:, None, None, None].expand_as(x)
            here = here if value.mask is None else here & value.mask.to(x.device).bool().expand_as(x)
            x, known = torch.where(here, value.data.to(x), x), known | here
    return x, known
