"""Parallel decoding: all tokens at once, the surest first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from typing import Literal, get_args

import torch
from torch import Tensor

from ..core import MASK, Masked, UserError, given, part
from .denoise import Denoise

Policy = Literal["shared", "token"]
_TINY = 1e-30


@part
class Parallel:
    """Decodes masked tokens in `steps` steps (MaskGIT sec. 3.2; WorldDreamer sec. 3.3).

    Each step draws a code for every masked token and keeps those the model is surest of: by log p of the drawn code plus Gumbel
    noise times `temperature`, which falls linearly to 0 at the last step. `policy`: "token" ranks every token by itself;
    "shared" fixes a cell in all its frames together, by the mean over them, as models trained on shared masks are used to. A mean
    over n frames scatters 1 / sqrt(n) as much as one token's log p (its standard error), so its noise is divided by sqrt(n) too:
    `temperature` means the same for either policy and for clips of any length.
    The codes are drawn from softmax(logits / `sampling_temperature`), from the `top_k` likeliest (0: from all) and of these from
    the fewest that hold `top_p`.
    """

    steps: int = field(default=12, kw_only=False)
    policy: Policy = "shared"
    temperature: float = 4.5
    sampling_temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UserError(f"Parallel: steps must be at least 1, got {self.steps}")
        if self.policy not in get_args(Policy):
            raise UserError(f"Parallel: policy must be one of {', '.join(get_args(Policy))}, got {self.policy!r}")
        if not 0 <= self.temperature < math.inf:
            raise UserError(f"Parallel: temperature must be 0 or more, got {self.temperature}")
        if not 0 < self.sampling_temperature < math.inf:
            raise UserError(f"Parallel: sampling_temperature must be above 0, got {self.sampling_temperature}")
        if self.top_k < 0:
            raise UserError(f"Parallel: top_k must be 0 (all codes) or more, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise UserError(f"Parallel: top_p must lie in (0, 1], got {self.top_p}")

    @torch.no_grad()
    def __call__(
        self,
        denoise: Denoise,
        shape: tuple[int, ...],
        rng: torch.Generator,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.int64,
        watch: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Tokens int64 of `shape` [b,t,h,w] on `device` (the generator's, if None), none of them masked; random numbers are drawn
        where `rng` lives, `dtype` is for samplers of numbers.

        Tokens that the conditions know never change. A clip with fewer masked cells than steps is done early. `watch(k, tokens)`
        sees the tokens after step k. Raises UserError where the path is none of tokens, and for logits that are no numbers.
        """
        path = denoise.path
        if not isinstance(path, Masked):
            raise UserError(f"Parallel decodes tokens, which lie on a Masked path: this model's is {type(path).__name__}")
        x = torch.full(shape, MASK, device=device or rng.device)
        x, known = given(x, denoise.conditions)
        cells = (~known).flatten(2).any(2).sum(1).clamp_min(1) * (shape[2] * shape[3])  # of the frames that are not known whole
        start = self._units(x == MASK).sum(1)
        for k in range(self.steps):
            masked = x == MASK
            if not masked.any():
                break
            # The network is told the time at which training masks this share of a frame.
            logits, _ = denoise(x, path.time(masked.flatten(1).sum(1) / cells))
            code, log_p = self._draw(logits, rng)
            left = self._left(path, k, start, self._units(masked).sum(1))
            stays = self._stays(torch.where(masked, log_p, 0.0), masked, left, k, rng)
            x = torch.where(masked & ~stays, code, x)
            if watch is not None:
                watch(k, x)
        return x

    def _draw(self, logits: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """(a code for every token [b,t,h,w], the log of the probability that the model gives it)."""
        logits = logits.float()
        said = logits.softmax(-1)
        p = said if self.sampling_temperature == 1 else (logits / self.sampling_temperature).softmax(-1)
        if p[..., 0].isnan().any():  # a logit that is no number leaves none of its token
            raise UserError("Parallel: the model's logits are not finite: its weights are damaged, or its training diverged")
        total = self._cut(p).cumsum(-1)
        # One number per token picks the code off the distribution function: codes are too many to draw noise for each.
        drawn = torch.rand(p.shape[:-1], generator=rng, device=rng.device).to(p.device)[..., None]
        whole = total[..., -1:]
        below = torch.minimum(drawn * whole, torch.nextafter(whole, torch.zeros_like(whole)))
        code = torch.searchsorted(total, below, right=True)
        return code[..., 0], said.gather(-1, code)[..., 0].clamp_min(_TINY).log()

    def _cut(self, p: Tensor) -> Tensor:
        """The probabilities that codes are drawn with, up to a factor per token: 0 for all but the likeliest."""
        if 0 < self.top_k < p.shape[-1]:
            likeliest = p.topk(self.top_k)
            p = torch.zeros_like(p).scatter_(-1, likeliest.indices, likeliest.values)
        if self.top_p < 1:
            falling = p.sort(dim=-1, descending=True, stable=True)
            before = falling.values.cumsum(-1) - falling.values
            kept = falling.values.where(before < self.top_p * falling.values.sum(-1, keepdim=True), 0.0)
            p = torch.zeros_like(p).scatter_(-1, falling.indices, kept)
        return p

    def _units(self, masked: Tensor) -> Tensor:
        """What is fixed together, [b,n]: whether it is masked. Cells, in which a frame may be, or tokens."""
        return (masked.any(1) if self.policy == "shared" else masked).flatten(1)

    def _left(self, path: Masked, k: int, start: Tensor, now: Tensor) -> Tensor:
        """How many units [b] stay masked after step k: a share of those at the `start`, fewer than `now`, one for each step to come."""
        to_come = self.steps - 1 - k
        share = path.ratio(torch.tensor(to_come / self.steps, dtype=torch.float64, device=start.device))
        return torch.floor(share * start + 1e-9).long().clamp_min(to_come).minimum(now - 1).clamp_min(0)

    def _stays(self, log_p: Tensor, masked: Tensor, left: Tensor, k: int, rng: torch.Generator) -> Tensor:
        """Which tokens [b,t,h,w] stay masked: the `left` units of the least confidence; what is known is sure."""
        units = self._units(masked)
        sure, frames = log_p, torch.ones_like(log_p)
        if self.policy == "shared":
            frames = masked.sum(1, keepdim=True).clamp_min(1)
            sure = log_p.sum(1, keepdim=True) / frames
        sure, temperature = sure.flatten(1), self.temperature * (1 - (k + 1) / self.steps) / frames.flatten(1).sqrt()
        drawn = torch.rand(sure.shape, generator=rng, device=rng.device).clamp(1e-9, 1 - 1e-7).to(sure)
        sure = torch.where(units, sure - temperature * (-drawn.log()).log(), torch.inf)
        rank = sure.argsort(dim=-1, stable=True).argsort(dim=-1, stable=True)
        stays = (rank < left[:, None]).reshape(len(masked), -1, *masked.shape[2:])
        return stays.expand_as(masked)
