"""Which times tau training looks at."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ..core.config import part
from ..core.errors import UserError


class Times(Protocol):
    """Draws `n` times in [0, 1]."""

    def draw(self, n: int, rng: torch.Generator) -> Tensor: ...


@part
class UniformTimes:
    """Every time alike."""

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """[n] times."""
        return torch.rand(n, generator=rng, device=rng.device)


@part
class LogitNormal:
    """tau = sigmoid(N(mean, std)), for rectified flow (Esser et al. 2024)."""

    mean: float = 0.0
    std: float = 1.0

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """[n] times."""
        return torch.sigmoid(self.mean + self.std * torch.randn(n, generator=rng, device=rng.device))


@part
class HighNoise:
    """Times weighted towards noise: a share `terminal` exactly at tau = 1, the others from u -> s u / (1 + (s - 1) u).

    Where a law is deterministic, the outcome is decided at high noise and low noise only polishes pixels.
    """

    shift: float = 3.0
    terminal: float = 0.0

    def __post_init__(self) -> None:
        if not (self.shift > 0 and 0 <= self.terminal <= 1):
            raise UserError(f"HighNoise: shift must be above 0 and terminal in [0, 1], got {self.shift} and {self.terminal}")

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """[n] times."""
        u = torch.rand(n, generator=rng, device=rng.device)
        tau = self.shift * u / (1 + (self.shift - 1) * u)
        end = torch.rand(n, generator=rng, device=rng.device) < self.terminal
        return torch.where(end, torch.ones_like(tau), tau)
