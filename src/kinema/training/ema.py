"""Averaged weights: what dreams are made with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a model's floating-point parameters, warmed up as (1 + k) / (10 + k) at step k."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after optimiser step `step` (from 0)."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        weights = [p.detach() for p in model.parameters()]
        torch._foreach_lerp_(list(self.shadow.values()), weights, share)

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over saved averages."""
        for name, value in self.shadow.items():
            value.copy_(state[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[nn.Module]:
        """The model with averaged weights, as it was again afterwards."""
        own = {name: p.detach().clone() for name, p in model.named_parameters()}
        _write(model, self.shadow)
        try:
            yield model
        finally:
            _write(model, own)

    def copy_of(self, model: nn.Module) -> nn.Module:
        """A copy of the model that carries the averaged weights."""
        twin = copy.deepcopy(model)
        _write(twin, self.shadow)
        return twin


@torch.no_grad()
def _write(model: nn.Module, weights: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])
