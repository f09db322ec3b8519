"""Reconstruction: what a video VAE learns from clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Context, Loss
from ..core.errors import UserError


class Autoencoder(Protocol):
    """What the objective asks of a codec in training: `moments` and `pixels` of a VAE."""

    def moments(self, rgb: Tensor) -> tuple[Tensor, Tensor]: ...
    def pixels(self, z: Tensor) -> Tensor: ...


@part
class Reconstruct:
    """Mean absolute plus squared error of the pixels, plus `kl` times the mean KL divergence per latent number, plus
    `perceptual_weight` times a perceptual distance (a part whose `.build()` gives (image, image) [b,3,h,w] -> [b]).

    `window` frames are cut from every clip at a place drawn per batch (0: the whole clip).
    """

    kl: float = 1e-4
    window: int = 0
    perceptual: Any = None
    perceptual_weight: float = 0.0

    def __post_init__(self) -> None:
        if not (self.window >= 0 and self.kl >= 0 and self.perceptual_weight >= 0):
            got = f"{self.window}, {self.kl} and {self.perceptual_weight}"
            raise UserError(f"Reconstruct: window, kl and perceptual_weight must be 0 or more, got {got}")
        if self.perceptual_weight and self.perceptual is None:
            raise UserError("Reconstruct: perceptual_weight is set but no perceptual distance is named")

    def build(self) -> Reconstruction:
        """The objective, with its perceptual network if there is one."""
        return Reconstruction(self, self.perceptual.build() if self.perceptual is not None else None)


class Reconstruction:
    """The objective of a `Reconstruct`; the batch is a Clip with rgb [b,t,3,h,w] in [0,1]."""

    def __init__(self, config: Reconstruct, perceptual: Callable[[Tensor, Tensor], Tensor] | None) -> None:
        self.config, self.perceptual = config, perceptual

    def losses(self, model: Autoencoder, batch: Clip, context: Context) -> Iterator[Loss]:
        """One loss; logs the parts of it."""
        rgb = self._window(batch.rgb, context)
        mean, log_variance = model.moments(rgb)
        noise = torch.randn(mean.shape, generator=context.rng, device=context.rng.device).to(mean)
        guess = model.pixels(mean + noise * torch.exp(0.5 * log_variance))
        error = guess - rgb
        absolute, squared = error.abs().mean(), error.square().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        total = absolute + squared + self.config.kl * kl
        log: dict[str, float | Tensor] = {"l1": absolute.detach(), "mse": squared.detach(), "kl": kl.detach()}
        if self.perceptual is not None:
            if isinstance(self.perceptual, nn.Module):
                self.perceptual.to(rgb.device)
            distance = self.perceptual(guess.flatten(0, 1), rgb.flatten(0, 1)).mean()
            total = total + self.config.perceptual_weight * distance
            log["perceptual"] = distance.detach()
        yield Loss(total, log=log)

    def _window(self, rgb: Tensor, context: Context) -> Tensor:
        length, frames = self.config.window, rgb.shape[1]
        if not 0 < length < frames:
            return rgb
        start = int(torch.randint(frames - length + 1, (), generator=context.rng, device=context.rng.device))
        return rgb[:, start : start + length]
