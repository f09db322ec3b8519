"""Building blocks of causal video networks: arrays are [b, c, t, h, w] inside a codec, no frame looks ahead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Chain(nn.Sequential):
    """Layers one after the other. torch.compile takes it as a whole, where of a plain Sequential it compiles each layer alone."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


class SpatialConv(nn.Module):
    """A 2-D convolution applied to every frame alone."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, h, w = x.shape
        frames = x.transpose(1, 2).reshape(b * t, c, h, w).contiguous(memory_format=torch.channels_last)
        y = self.conv(frames)
        return y.reshape(b, t, *y.shape[1:]).transpose(1, 2)


class TemporalConv(nn.Module):
    """A causal 1-D convolution along time; the past of the first frame is the first frame itself."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.past, self.stride = kernel - 1, stride
        self.linear = nn.Linear(kernel * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        first = x[:, :, :1].expand(-1, -1, self.past, -1, -1)
        padded = torch.cat([first, x], 2).movedim(1, -1)  # [b, t + past, h, w, c]
        steps = range(self.past + 1)
        taps = [padded[:, k : padded.shape[1] - self.past + k : self.stride] for k in steps]
        return self.linear(torch.cat(taps, -1)).movedim(-1, 1)


class Norm(nn.Module):
    """Root-mean-square norm over channels, pixel by pixel, so that no frame feels another one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.movedim(1, -1), self.scale.shape, self.scale.to(x.dtype), 1e-6).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """Norm, SiLU, spatial convolution, then the same with a causal temporal one; added to the input."""

    def __init__(self, channels: int, *, temporal: bool = True) -> None:
        super().__init__()
        second = TemporalConv(channels, channels) if temporal else SpatialConv(channels, channels)
        self.body = nn.Sequential(Norm(channels), nn.SiLU(), SpatialConv(channels, channels), Norm(channels), nn.SiLU(), second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class HalveTime(nn.Module):
    """1 + 2k frames to 1 + k: output i sees frames 2i-2, 2i-1 and 2i."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = TemporalConv(channels, channels, kernel=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class DoubleTime(nn.Module):
    """1 + k frames to 1 + 2k: every frame becomes two, and the first one's extra is dropped."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = TemporalConv(channels, 2 * channels, kernel=2)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, h, w = x.shape
        y = self.conv(x).reshape(b, 2, c, t, h, w).permute(0, 2, 3, 1, 4, 5).reshape(b, c, 2 * t, h, w)
        return y[:, :, 1:]


class Unshuffle(nn.Module):
    """Space to depth: [b,c,t,h,w] to [b, c f^2, t, h/f, w/f]."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(x.transpose(1, 2), self.factor).transpose(1, 2)


class Shuffle(nn.Module):
    """Depth to space: the inverse of Unshuffle."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x.transpose(1, 2), self.factor).transpose(1, 2)
