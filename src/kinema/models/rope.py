"""Positions in space-time: rotary embeddings for attention, fixed sinusoids for tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def split_head(dim: int) -> tuple[int, int, int]:
    """Channels of a head given to t, h and w: even, h and w alike, t takes the rest (44/42/42 at 128, as in Wan)."""
    side = 2 * (dim // 6)
    return dim - 2 * side, side, side


def rotary_3d(t: int, h: int, w: int, dim: int, theta: float = 10_000.0) -> Tensor:
    """cos and sin [2, t h w, dim / 2] for a grid of tokens in (t, h, w) order."""
    grid = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (t, h, w)), indexing="ij")
    angles = []
    for axis, channels in zip(grid, split_head(dim), strict=True):
        frequency = theta ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        angles.append(axis.reshape(-1, 1) * frequency)
    angle = torch.cat(angles, -1)
    return torch.stack([angle.cos(), angle.sin()]).float()


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """Queries or keys [b, heads, s, dim] turned by `rotary` [2, s, dim / 2]; channel i is paired with i + dim / 2."""
    cos, sin = rotary.to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def sinusoids(position: Tensor, dim: int, theta: float = 10_000.0) -> Tensor:
    """Positions [...] as [..., dim] cosines and sines of geometrically spaced frequencies."""
    half = dim // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float32, device=position.device) / half)
    angle = position.float()[..., None] * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


def sinusoids_3d(t: int, h: int, w: int, dim: int) -> Tensor:
    """Fixed absolute positions [t h w, dim]: a third of the channels for each axis, on scales fit for small grids."""
    side = 2 * (dim // 6)
    grid = torch.meshgrid(*(torch.arange(n) for n in (t, h, w)), indexing="ij")
    parts = [sinusoids(axis.reshape(-1), size, theta=100.0) for axis, size in zip(grid, (dim - 2 * side, side, side), strict=True)]
    return torch.cat(parts, -1)
