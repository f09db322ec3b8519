"""Adversaries: networks that tell pictures from reconstructions, patch by patch."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..core.config import part
from ..core.errors import UserError


@part
class PatchGAN:
    """A discriminator that judges patches (Isola et al. 2017): `layers` convolutions of stride 2 from `width` channels on.

    Its weights have spectral norm 1 (Miyato et al. 2018), so that it does not outrun what it judges.
    """

    width: int = 32
    layers: int = 3

    def __post_init__(self) -> None:
        if self.width < 1 or self.layers < 1:
            raise UserError(f"PatchGAN: width and layers must be at least 1, got {self.width} and {self.layers}")

    def build(self) -> Patches:
        """The network, initialised at random from torch's current seed."""
        return Patches(self)


class Patches(nn.Module):
    """The network of a `PatchGAN`: pictures [n,3,h,w] in [0,1] to one judgement per patch [n,1,h',w'], high for real ones."""

    def __init__(self, config: PatchGAN) -> None:
        super().__init__()
        widths = [3, *(config.width * min(2**i, 8) for i in range(config.layers))]
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(inner, outer, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))

    def forward(self, images: Tensor) -> Tensor:
        judged: Tensor = self.body(images * 2 - 1)
        return judged.float()
