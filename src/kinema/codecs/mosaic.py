"""Tokens without a network: the mean colour of every patch, rounded to a few levels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.contracts import Latents
from ..core.errors import UserError
from .tokens import FrameTokens, refuse_no_codes


@part
class Mosaic:
    """A token is the mean colour of `patch` x `patch` px, each channel rounded to one of `levels`: levels^3 codes.

    Nothing is learnt: what Pixels is to continuous latents, for toys and tests of models on tokens.
    """

    patch: int = 4
    levels: int = 4

    def __post_init__(self) -> None:
        if self.patch < 1 or self.levels < 2:
            raise UserError(f"Mosaic: patch must be at least 1 and levels at least 2, got {self.patch} and {self.levels}")

    def build(self) -> MosaicCodec:
        """The codec (it holds no weights)."""
        return MosaicCodec(self)


class MosaicCodec(FrameTokens):
    """The codec of `Mosaic`."""


    def __init__(self, config: Mosaic) -> None:
        super().__init__()
        self.config, self.codes, self.stride = config, config.levels**3, config.patch

    def encode(self, clip: Clip) -> Latents:
        """Tokens [b,t,h/patch,w/patch] of a batch's rgb."""
        return Latents(self._tokens(as_float(clip.rgb)))

    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip:
        """A batch with rgb [b,t,3,h,w] in [0,1]. Raises UserError for tokens that are no codes, such as masked ones."""
        refuse_no_codes(latents.data, self.codes)
        return Clip(rgb=self._pixels(latents.data), fps=fps, dt=dt, batched=True)

    def reconstruct(self, rgb: Tensor) -> Tensor:
        """rgb [b,t,3,h,w] in [0,1] through tokens and back."""
        return self._pixels(self._tokens(rgb))

    def _tokens(self, rgb: Tensor) -> Tensor:
        b, t, _, h, w = rgb.shape
        self.latent_shape(t, h, w)
        top = self.config.levels - 1
        r, g, blue = (F.avg_pool2d(rgb.flatten(0, 1).float(), self.config.patch) * top).round().long().unbind(1)
        return ((r * (top + 1) + g) * (top + 1) + blue).reshape(b, t, *r.shape[1:])

    def _pixels(self, tokens: Tensor) -> Tensor:
        levels = self.config.levels
        colors = torch.stack([tokens // levels**2, tokens // levels % levels, tokens % levels], 2).float() / (levels - 1)
        return colors.repeat_interleave(self.config.patch, -1).repeat_interleave(self.config.patch, -2)
