"""Windows of space over all frames, inside which STPT attends: G_s and its inverse (WorldDreamer eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Windows:
    """stride^2 windows of a grid (t, h, w), each with all frames: contiguous ones, or every stride-th row and column (`strided`).

    Where h or w is no multiple of `stride`, the grid is padded below and to the right.
    """

    stride: int
    strided: bool = False

    def split(self, x: Tensor) -> Tensor:
        """G_s: x [b,t,h,w,k,heads,c] -> [k, b, heads stride^2, tokens of a window, c], the tokens in (t, h, w) order."""
        b, t, h, w, k, heads, c = x.shape
        (high, wide), s = self.side(h, w), self.stride
        if (high * s, wide * s) != (h, w):
            x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, wide * s - w, 0, high * s - h))
        if self.strided:
            x = x.reshape(b, t, high, s, wide, s, k, heads, c).permute(6, 0, 7, 3, 5, 1, 2, 4, 8)
        else:
            x = x.reshape(b, t, s, high, s, wide, k, heads, c).permute(6, 0, 7, 2, 4, 1, 3, 5, 8)
        return x.reshape(k, b, heads * s * s, t * high * wide, c)

    def join(self, x: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """The inverse of `split`: [b, heads stride^2, tokens, c] -> [b,t,h,w,heads c], without the padding."""
        (t, h, w), s = grid, self.stride
        high, wide = self.side(h, w)
        x = x.reshape(len(x), -1, s, s, t, high, wide, x.shape[-1])
        x = x.permute(0, 4, 5, 2, 6, 3, 1, 7) if self.strided else x.permute(0, 4, 2, 5, 3, 6, 1, 7)
        return x.reshape(len(x), t, high * s, wide * s, -1)[:, :, :h, :w]

    def side(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of one window."""
        return -(-h // self.stride), -(-w // self.stride)

    def mask(self, grid: tuple[int, int, int], heads: int, images: Tensor | None, diagonal: bool, device: torch.device) -> Tensor | None:
        """Which tokens see which, broadcastable to [b, heads stride^2, tokens, tokens] of `split`; None where all see all.

        Of clips that are `images` [b] a token sees its own frame alone, or, `diagonal`, only itself. None sees the padding.
        """
        t, h, w = grid
        high, wide = self.side(h, w)
        mask = self._real(grid, heads, device) if (high * self.stride, wide * self.stride) != (h, w) else None
        if images is None:
            return mask
        token = torch.arange(t * high * wide, device=device)
        group = token if diagonal else token // (high * wide)
        alike = (group[:, None] == group) | ~images[:, None, None, None]
        # A token of the padding sees itself: softmax over nothing is not a number.
        return alike if mask is None else (alike & mask) | (token[:, None] == token)

    def _real(self, grid: tuple[int, int, int], heads: int, device: torch.device) -> Tensor:
        """Which tokens are no padding [1, heads stride^2, 1, tokens]; all of those windows that hold nothing else."""
        real = self.split(torch.ones((1, *grid, 1, heads, 1), device=device))[0, ..., 0].bool()[:, :, None]
        return real | ~real.any(-1, keepdim=True)
