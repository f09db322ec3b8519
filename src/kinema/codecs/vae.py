"""A causal video VAE: 8 x in space, 1, 2 or 4 x in time; F = 1 + k stride frames become 1 + k latent frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.contracts import Latents
from ..core.errors import UserError
from .blocks import Chain, DoubleTime, HalveTime, ResidualBlock, Shuffle, SpatialConv, Unshuffle

SPACE = 8


@part
class VAE:
    """A causal (2+1)D video VAE after PhyWorld sec. 3.1, trained from scratch.

    `time_stride` 1, 2 or 4; `channels` of the latent; `widths` from the finest grid inwards, each step halving the image
    after a first space-to-depth that makes the total 8; `blocks` residual blocks per width and temporal step.
    """

    time_stride: int = 4
    channels: int = 16
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 1

    def __post_init__(self) -> None:
        if self.time_stride not in (1, 2, 4):
            raise UserError(f"VAE: time_stride must be 1, 2 or 4, got {self.time_stride}")
        if not 1 <= len(self.widths) <= 4:
            raise UserError(f"VAE: widths must name 1 to 4 levels, got {self.widths}")
        if min(self.channels, self.blocks, *self.widths) < 1:
            raise UserError(f"VAE: channels, blocks and widths must be at least 1, got {self.channels}, {self.blocks} and {self.widths}")

    @classmethod
    def size(cls, name: str, **fields: Any) -> Self:
        """One of the named sizes: tiny, small, base."""
        sizes = {
            "tiny": cls(widths=(64, 128), blocks=1),
            "small": cls(widths=(48, 96, 192), blocks=1),
            "base": cls(widths=(64, 128, 256, 384), blocks=2),
        }
        if name not in sizes:
            raise UserError(f"VAE: there is no size {name!r}; there are {', '.join(sizes)}")
        return replace(sizes[name], **fields)

    def build(self) -> VideoVAE:
        """The network, initialised at random from torch's current seed."""
        return VideoVAE(self)


class VideoVAE(nn.Module):
    """The network of a `VAE`; a codec. Latents are standardised by `mean` and `std` [c], which live with the weights."""

    causal = True
    codes = 0
    mean: Tensor
    std: Tensor

    def __init__(self, config: VAE) -> None:
        super().__init__()
        self.config = config
        widths, steps = config.widths, int(math.log2(config.time_stride))
        patch = SPACE // 2 ** (len(widths) - 1)
        pixels = 3 * patch**2
        down: list[nn.Module] = [Unshuffle(patch), SpatialConv(pixels, widths[0])]
        for inner, outer in pairwise(widths):
            down += [ResidualBlock(inner, temporal=False) for _ in range(config.blocks - 1)]
            down += [nn.SiLU(), SpatialConv(inner, outer, stride=2)]
        up: list[nn.Module] = []
        deep = widths[-1]
        for _ in range(steps):
            down += [nn.SiLU(), HalveTime(deep), *(ResidualBlock(deep) for _ in range(config.blocks))]
            up += [*(ResidualBlock(deep) for _ in range(config.blocks)), DoubleTime(deep)]
        self.encoder = Chain(*down, ResidualBlock(deep), nn.SiLU(), SpatialConv(deep, 2 * config.channels))
        up = [SpatialConv(config.channels, deep), ResidualBlock(deep), *up]
        for inner, outer in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True):
            up += [ResidualBlock(inner), SpatialConv(inner, 4 * outer), Shuffle(2)]
        up += [*(ResidualBlock(widths[0], temporal=False) for _ in range(config.blocks)), nn.SiLU()]
        self.decoder = Chain(*up, SpatialConv(widths[0], pixels), Shuffle(patch))
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("std", torch.ones(config.channels))

    def moments(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [b,c,t',h',w'] of the posterior; `rgb` [b,t,3,h,w] in [0,1]."""
        _, t, _, h, w = rgb.shape
        self.latent_shape(t, h, w)
        mean, log_variance = self.encoder(rgb.transpose(1, 2) * 2 - 1).float().chunk(2, 1)
        return mean, log_variance.clamp(-30.0, 20.0)

    def pixels(self, z: Tensor) -> Tensor:
        """rgb [b,t,3,h,w], unclipped, from raw latents [b,c,t',h',w']."""
        image: Tensor = self.decoder(z).float()
        return (image.transpose(1, 2) + 1) / 2

    def encode(self, clip: Clip) -> Latents:
        """Standardised posterior means [b,t',c,h',w'] of a batch's rgb."""
        mean, _ = self.moments(as_float(clip.rgb))
        data = (mean.transpose(1, 2) - self._wide(self.mean)) / self._wide(self.std)
        return Latents(data, groups={"rgb": (0, self.config.channels)})

    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip:
        """A batch with rgb [b,t,3,h,w] in [0,1]."""
        z = latents.data * self._wide(self.std) + self._wide(self.mean)
        return Clip(rgb=self.pixels(z.transpose(1, 2)).clamp(0, 1), fps=fps, dt=dt, batched=True)

    def reconstruct(self, rgb: Tensor) -> Tensor:
        """rgb [b,t,3,h,w] in [0,1] through the latents and back."""
        return self.pixels(self.moments(rgb)[0]).clamp(0, 1)

    @torch.no_grad()
    def settle(self, clips: Sequence[Clip]) -> None:
        """Set mean and std [c] from the latents of these clips: every channel is centred, all share one scale, and their mean
        variance is 1.

        One scale, because the KL term has already given a channel the spread that its share in the picture deserves.
        """
        self.eval()
        self.mean.zero_()
        self.std.fill_(1)
        batches = (Clip.stack(clips[i : i + 16]) for i in range(0, len(clips), 16))
        data = torch.cat([self.encode(batch.map(lambda x: x.to(self.mean.device))).data.double() for batch in batches])
        self.mean.copy_(data.mean((0, 1, 3, 4)))
        self.std.fill_(data.var((0, 1, 3, 4)).mean().sqrt().clamp_min(1e-6))

    def latent_frames(self, frames: int) -> int:
        """Latent frames of so many frames. Raises UserError unless frames = 1 + k stride."""
        stride = self.config.time_stride
        if frames < 1 or (frames - 1) % stride:
            raise UserError(f"the codec takes 1 + k x {stride} frames (1, {1 + stride}, {1 + 2 * stride}, ...), got {frames}")
        return 1 + (frames - 1) // stride

    def frames_of(self, latent_frames: int) -> int:
        """Frames that so many latent frames cover."""
        return 1 + (latent_frames - 1) * self.config.time_stride

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """(t', c, h', w'). Raises UserError for an image that is no multiple of 8 px."""
        if height % SPACE or width % SPACE:
            raise UserError(f"the codec takes images whose sides are multiples of {SPACE} px, got {width} x {height}")
        return self.latent_frames(frames), self.config.channels, height // SPACE, width // SPACE

    def _wide(self, per_channel: Tensor) -> Tensor:
        return per_channel[:, None, None]
