"""Visual tokens: a convolutional network that turns every frame alone into codes, and back."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.contracts import Latents
from ..core.errors import UserError
from .blocks import Chain, ResidualBlock, Shuffle, SpatialConv, Unshuffle
from .quantise import EMACodebook, Quantised
from .tokens import FrameTokens, refuse_no_codes

STRIDES = (4, 8, 16, 32)
FRAMES = 64  # encoded or decoded at once
MEMORY = 0.99  # decay of the record of which codes are used


@part
class VQ:
    """A VQGAN-style tokeniser of frames (Esser et al. 2021): `stride` x `stride` px become one of `codes` codes.

    `widths` from the finest grid inwards, each step halving the image after a first space-to-depth that makes the total
    `stride`; `blocks` residual blocks per width; `dim` numbers of a code's vector (an FSQ has one for each of its levels).
    """

    stride: int = 16
    codes: int = 8192
    dim: int = 32
    widths: tuple[int, ...] = (64, 128, 256)
    blocks: int = 1
    quantiser: Any = EMACodebook()

    def __post_init__(self) -> None:
        most = _levels(self.stride)
        if not 1 <= len(self.widths) <= most:
            raise UserError(f"VQ: widths must name 1 to {most} levels for stride {self.stride}, got {self.widths}")
        if min(self.dim, self.blocks, *self.widths) < 1 or self.codes < 2:
            got = f"{self.dim}, {self.blocks}, {self.widths} and {self.codes}"
            raise UserError(f"VQ: dim, blocks and widths must be at least 1 and codes at least 2, got {got}")

    @classmethod
    def size(cls, name: str, **fields: Any) -> Self:
        """One of the named sizes: tiny, small, base (about the network of VQGAN f16, without attention)."""
        most = _levels(fields.get("stride", 16))
        sizes = {
            "tiny": cls(widths=(64, 128), blocks=1),
            "small": cls(widths=(64, 128, 256), blocks=1),
            "base": cls(widths=(128, 128, 256, 256, 512)[-most:], blocks=2),
        }
        if name not in sizes:
            raise UserError(f"VQ: there is no size {name!r}; there are {', '.join(sizes)}")
        return replace(sizes[name], **fields)

    def build(self) -> FrameVQ:
        """The network, initialised at random from torch's current seed."""
        return FrameVQ(self)


class FrameVQ(FrameTokens):
    """The network of a `VQ`; a codec of tokens. No frame knows of another one.

    `usage` [codes] is the running share of each code in the pictures of training, for the record alone.
    """

    usage: Tensor

    def __init__(self, config: VQ) -> None:
        super().__init__()
        self.config, self.codes, self.stride = config, config.codes, config.stride
        widths, blocks, dim = config.widths, config.blocks, config.quantiser.channels(config.dim)
        patch = config.stride // 2 ** (len(widths) - 1)
        pixels = 3 * patch**2
        down: list[nn.Module] = [Unshuffle(patch), SpatialConv(pixels, widths[0])]
        for inner, outer in pairwise(widths):
            down += [*_blocks(inner, blocks), nn.SiLU(), SpatialConv(inner, outer, stride=2)]
        deep = widths[-1]
        self.encoder = Chain(*down, *_blocks(deep, blocks), nn.SiLU(), SpatialConv(deep, dim))
        self.quantiser = config.quantiser.build(config.codes, dim)
        up: list[nn.Module] = [SpatialConv(dim, deep), *_blocks(deep, blocks)]
        for inner, outer in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True):
            up += [*_blocks(inner, 1), SpatialConv(inner, 4 * outer), Shuffle(2)]
            up += _blocks(outer, blocks)
        self.decoder = Chain(*up, nn.SiLU(), SpatialConv(widths[0], pixels), Shuffle(patch))
        self.register_buffer("usage", torch.zeros(config.codes))

    @property
    def last(self) -> nn.Module:
        """The decoder's last convolution, by whose gradient an adversary is weighted."""
        return self.decoder[-2]

    def embed(self, rgb: Tensor) -> Tensor:
        """Vectors [b,t,h',w',dim] before they are quantised; `rgb` [b,t,3,h,w] in [0,1]."""
        b, t, _, h, w = rgb.shape
        self.latent_shape(t, h, w)
        z: Tensor = self.encoder(rgb.reshape(b * t, 3, 1, h, w) * 2 - 1).float()
        return z[:, :, 0].movedim(1, -1).reshape(b, t, *z.shape[-2:], z.shape[1])

    def quantise(self, z: Tensor, update: torch.Generator | None = None) -> Quantised:
        """Vectors z [b,t,h',w',dim] to codes, tokens [b,t,h',w']; with `update` the codes learn from them, drawing from it."""
        made: Quantised = self.quantiser(z.flatten(0, -2), update)
        if update is not None:
            with torch.no_grad():
                counts = torch.zeros_like(self.usage).index_add_(0, made.tokens, torch.ones_like(z[..., 0].flatten(), dtype=torch.float32))
                self.usage.lerp_(counts / counts.sum(), 1 - MEMORY)
        return replace(made, vectors=made.vectors.reshape(z.shape), tokens=made.tokens.reshape(z.shape[:-1]))

    def pixels(self, vectors: Tensor) -> Tensor:
        """rgb [b,t,3,h,w], unclipped, from vectors [b,t,h',w',dim]."""
        b, t = vectors.shape[:2]
        image: Tensor = self.decoder(vectors.flatten(0, 1).movedim(-1, 1)[:, :, None]).float()
        return (image.reshape(b, t, 3, *image.shape[-2:]) + 1) / 2

    def encode(self, clip: Clip) -> Latents:
        """Tokens [b,t,h',w'] of a batch's rgb."""
        b, t, _, h, w = clip.rgb.shape
        frames = torch.split(as_float(clip.rgb).float().flatten(0, 1)[:, None], FRAMES)
        with torch.autocast(clip.rgb.device.type, enabled=False):  # half precision confuses neighbouring codes
            tokens = torch.cat([self.quantise(self.embed(some)).tokens for some in frames])
        return Latents(tokens.reshape(b, *self.latent_shape(t, h, w)))

    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip:
        """A batch with rgb [b,t,3,h,w] in [0,1]. Raises UserError for tokens that are no codes, such as masked ones."""
        refuse_no_codes(latents.data, self.codes)
        b, t, h, w = latents.data.shape
        frames = torch.split(latents.data.flatten(0, 1)[:, None], FRAMES)
        rgb = torch.cat([self.pixels(self.quantiser.lookup(some)) for some in frames])
        stride = self.config.stride
        return Clip(rgb=rgb.reshape(b, t, 3, h * stride, w * stride).clamp(0, 1), fps=fps, dt=dt, batched=True)

    def reconstruct(self, rgb: Tensor) -> Tensor:
        """rgb [b,t,3,h,w] in [0,1] through tokens and back."""
        return self.pixels(self.quantise(self.embed(rgb)).vectors).clamp(0, 1)


def _levels(stride: int) -> int:
    """How many grids there are from pixels to tokens at most. Raises UserError for a stride that there is not."""
    if stride not in STRIDES:
        raise UserError(f"VQ: stride must be one of {', '.join(map(str, STRIDES))}, got {stride}")
    return int(math.log2(stride)) + 1


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(channels, temporal=False) for _ in range(count)]
