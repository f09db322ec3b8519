"""Denoising: learn to read data off a noised version, on any path, for any prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..core.config import part
from ..core.contracts import Conditions, Context, Latents, Loss, Model, Value
from ..core.path import Affine, Linear, Predict
from .times import UniformTimes


@dataclass(frozen=True)
class Encoded:
    """A batch as a denoiser takes it: latents of the clips and their conditions, each dropped with probability `drop[name]`."""

    latents: Latents
    conditions: Conditions
    drop: Mapping[str, float] = field(default_factory=dict)

    def dropped(self, rng: torch.Generator) -> Conditions:
        """The conditions, each taken away from its share of the clips, one independently of the other."""
        return {name: _thinned(value, self.drop.get(name, 0.0), rng) for name, value in self.conditions.items()}


def _thinned(value: Value, drop: float, rng: torch.Generator) -> Value:
    if not drop:
        return value
    drawn = torch.rand(len(value.present), generator=rng, device=rng.device)
    return value.keep((drawn >= drop).to(value.present.device))


@part
class Denoise:
    """Mean squared error of a prediction on a path (PhyWorld eq. 1-3 with the standard v; Phys4D eq. 3 on `Linear`).

    `times` draws tau. `weighting`: "prediction" leaves the error as it is; any of x0, eps, v, velocity weighs it as if
    that had been predicted, at most `max_weight` times.
    """

    path: Affine = Linear()
    predict: Predict = "velocity"
    times: Any = UniformTimes()
    weighting: Literal["prediction", "x0", "eps", "v", "velocity"] = "prediction"
    max_weight: float = 100.0

    def build(self) -> Denoise:
        """The objective itself: it holds no weights."""
        return self

    def losses(self, model: Model, batch: Encoded, context: Context) -> Iterator[Loss]:
        """One loss over all frames, condition frames too (project default where PhyWorld is silent)."""
        x0 = batch.latents.data.float()
        tau = self.times.draw(len(x0), context.rng)
        noise = torch.randn(x0.shape, generator=context.rng, device=context.rng.device).to(x0)
        x_tau = self.path.corrupt(x0, noise, tau)
        conditions = batch.dropped(context.rng)
        output = model(self.path.network_input(x_tau, tau), self.path.network_time(tau), conditions).output.float()
        error = (output - self.path.target(self.predict, x0, noise, tau)).square().flatten(1).mean(1)
        yield Loss((self.weight(tau) * error).mean(), log=_by_time(error.detach(), tau))

    def weight(self, tau: Tensor) -> Tensor:
        """Factor [b] on the squared error of the prediction."""
        if self.weighting == "prediction" or self.weighting == self.predict:
            return torch.ones_like(tau)
        ratio = self.path.weight(self.weighting, tau) / self.path.weight(self.predict, tau).clamp_min(1e-12)
        return ratio.clamp(max=self.max_weight)


def _by_time(error: Tensor, tau: Tensor) -> dict[str, float | Tensor]:
    """The error over the noisier half of time, in which a law is decided, and over the other; NaN for a half that no clip fell into."""
    high = tau >= 0.5
    return {"mse_high": (error * high).sum() / high.sum(), "mse_low": (error * ~high).sum() / (~high).sum()}
