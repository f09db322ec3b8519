"""Samplers that walk a path from noise to data along its ordinary differential equation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import field
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ..core import Affine, UserError, part
from .denoise import Denoise

Spacing = Literal["trailing", "leading", "linspace"]
_FIRST = 1e-3  # where DDPM's table of a thousand steps begins: the smallest tau that "leading" and "linspace" visit


def times(steps: int, spacing: Spacing = "trailing", shift: float = 1.0) -> list[float]:
    """The `steps` times a sampler visits, falling, and a 0 after them: [steps + 1].

    "trailing" starts at pure noise, as zero terminal SNR needs; "leading" and "linspace" are DDIM's older habits (Lin et
    al. 2024, table 2). `shift` s moves every tau to s tau / (1 + (s - 1) tau): above 1 dwells in the noise.

    >>> times(4)
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if spacing == "trailing":
        visited = [1 - i / steps for i in range(steps)]
    elif spacing == "leading":
        visited = [_FIRST + (1 - (i + 1) / steps) for i in range(steps)]
    else:
        visited = [1 - (1 - _FIRST) * i / max(steps - 1, 1) for i in range(steps)]
    return [tau / (tau + (1 - tau) / shift) for tau in (*visited, 0.0)]


class Stop(NamedTuple):
    """One stop of a walk: x at `tau`, what the model reads there, and the time `to` of the next stop, above 0."""

    x: Tensor
    x0: Tensor
    eps: Tensor
    tau: float
    to: float


@part
class Walk(ABC):
    """A sampler: `steps` stops from tau = 1 to 0, one `step` between two of them.

    The last step lands on the model's x0 (Karras et al. 2022 do the same): on a path whose sigma is 0 at tau = 0 every
    step of first order does, and a model is never asked at tau = 0, where x0 predictions say nothing about eps.
    """

    steps: int = field(default=50, kw_only=False)
    spacing: Spacing = "trailing"
    shift: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UserError(f"a sampler needs at least 1 step, got {self.steps}")
        if self.spacing not in get_args(Spacing):
            raise UserError(f"a sampler's spacing must be one of {', '.join(get_args(Spacing))}, got {self.spacing!r}")
        if not 0 < self.shift < math.inf:
            raise UserError(f"a sampler's shift must be above 0, got {self.shift}")

    @torch.no_grad()
    def __call__(
        self,
        denoise: Denoise,
        shape: tuple[int, ...],
        rng: torch.Generator,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Data x0 of `shape` [b,t,c,h,w] on `device` (the generator's, if None); noise is drawn where `rng` lives."""
        x = draw(shape, rng, device, dtype)
        stops = times(self.steps, self.spacing, self.shift)
        x = x * _start_std(denoise.path, stops[0])
        for tau, to in pairwise(stops):
            x0, eps = denoise(x, x.new_full((shape[0],), tau))
            if to == 0:
                break
            x = self.step(denoise, Stop(x, x0, eps, tau, to), rng)
        return x0

    @abstractmethod
    def step(self, denoise: Denoise, stop: Stop, rng: torch.Generator) -> Tensor:
        """x at time `stop.to`; a stochastic step draws from `rng`."""


def draw(shape: tuple[int, ...], rng: torch.Generator, device: torch.device | str | None, dtype: torch.dtype) -> Tensor:
    """Standard normal noise, the same on every device when `rng` lives on the CPU."""
    return torch.randn(shape, generator=rng, device=rng.device, dtype=dtype).to(device or rng.device)


def _at(path: Affine, tau: float) -> tuple[float, float, float, float]:
    """alpha, sigma and their derivatives at one time, as numbers in double precision."""
    alpha, sigma, d_alpha, d_sigma = (float(c) for c in path.coefficients(torch.tensor(tau, dtype=torch.float64)))
    return alpha, sigma, d_alpha, d_sigma


def _start_std(path: Affine, tau: float) -> float:
    # Before tau = 1 x would hold some data, of which nothing is known but its unit variance.
    alpha, sigma, _, _ = _at(path, tau)
    return path.start_std if tau == 1 else math.hypot(alpha, sigma)


@part
class Euler(Walk):
    """Euler's method on the velocity d_alpha x0 + d_sigma eps: order 1, one model call per step."""

    def step(self, denoise: Denoise, stop: Stop, rng: torch.Generator) -> Tensor:
        _, _, d_alpha, d_sigma = _at(denoise.path, stop.tau)
        return stop.x + (stop.to - stop.tau) * (d_alpha * stop.x0 + d_sigma * stop.eps)


@part
class Heun(Walk):
    """The trapezoidal rule on dx = x0 d(alpha) + eps d(sigma): order 2, two model calls per step but for the last.

    On EDM this is Karras et al. (2022), algorithm 1; on Linear it is Heun's method on the velocity.
    """

    def step(self, denoise: Denoise, stop: Stop, rng: torch.Generator) -> Tensor:
        guess = _move(denoise.path, stop, stop.x0, stop.eps)
        x0, eps = denoise(guess, guess.new_full((len(guess),), stop.to))
        return _move(denoise.path, stop, (stop.x0 + x0) / 2, (stop.eps + eps) / 2)


def _move(path: Affine, stop: Stop, x0: Tensor, eps: Tensor) -> Tensor:
    (alpha, sigma, _, _), (to_alpha, to_sigma, _, _) = _at(path, stop.tau), _at(path, stop.to)
    return stop.x + (to_alpha - alpha) * x0 + (to_sigma - sigma) * eps


@part
class DDIM(Walk):
    """Noise the predicted x0 again, to the next level (Song et al. 2021, eq. 12): order 1, the same as Euler on Linear.

    `eta` is the share of fresh noise: 0 is deterministic, 1 is ancestral sampling.
    """

    eta: float = 0.0

    def step(self, denoise: Denoise, stop: Stop, rng: torch.Generator) -> Tensor:
        if not 0 <= self.eta <= 1:
            raise UserError(f"a sampler's eta must lie in 0..1, got {self.eta}")
        (alpha, sigma, _, _), (to_alpha, to_sigma, _, _) = _at(denoise.path, stop.tau), _at(denoise.path, stop.to)
        if self.eta == 0:
            return to_alpha * stop.x0 + to_sigma * stop.eps
        # Spread of x_to given x_tau and x0; in this form it holds off the variance-preserving circle too.
        added = max(sigma**2 - (alpha / to_alpha * to_sigma) ** 2, 0.0)
        fresh = self.eta * to_sigma / sigma * math.sqrt(added)
        kept = math.sqrt(max(to_sigma**2 - fresh**2, 0.0))
        noise = draw(tuple(stop.x.shape), rng, stop.x.device, stop.x.dtype)
        return to_alpha * stop.x0 + kept * stop.eps + fresh * noise
