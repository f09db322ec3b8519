"""Editing a video: masks of pixels and of tokens, window after window, and what is pasted back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from ..core import UserError


def cells(masked: Tensor, ends: Sequence[int], height: int, width: int) -> Tensor:
    """Which tokens [b,t',height,width] hold a masked pixel of `masked` [b,t,h,w] bool; latent frame k ends before frame ends[k].

    >>> pixels = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    >>> pixels[0, 1, 3, 0] = True
    >>> cells(pixels, [1, 2], 2, 2)[0, 1].tolist()
    [[False, False], [True, False]]
    """
    over_time = torch.stack([masked[:, start:end].any(1) for start, end in pairwise([0, *ends])], 1)
    return functional.adaptive_max_pool2d(over_time.float(), (height, width)) > 0


def scattered(share: float, noise: Tensor) -> Tensor:
    """The `share` of the cells of each frame, rounded up, whose `noise` [b,t,h,w] is lowest: bool, shaped as the noise.

    Raises UserError unless the share lies in (0, 1].
    """
    if not 0 < share <= 1:
        raise UserError(f"strength must lie in (0, 1], got {share:g}")
    scores = noise.flatten(2)
    rank = scores.argsort(dim=-1, stable=True).argsort(dim=-1, stable=True)
    return (rank < math.ceil(share * scores.shape[-1] - 1e-9)).reshape(noise.shape)


def feathered(masked: Tensor, feather: int) -> Tensor:
    """Weights [b,t,h,w] of what is dreamt: 0 outside the mask [b,t,h,w], in it rising to 1 over `feather` px from its edge.

    The edge of the image is none of the mask. Raises UserError where feather is below 0.

    >>> feathered(torch.tensor([[[[False, True, True, True]]]]), 1).tolist()
    [[[[0.0, 0.5, 1.0, 1.0]]]]
    """
    if feather < 0:
        raise UserError(f"feather must be 0 px or more, got {feather}")
    inner, weight = masked.float(), masked.float()
    for _ in range(feather):
        inner = 1 - functional.max_pool2d(1 - inner, 3, stride=1, padding=1)
        weight = weight + inner
    return weight / (feather + 1)


def paste(dreamt: Tensor, video: Tensor, weight: Tensor) -> Tensor:
    """`dreamt` over `video` [b,t,3,h,w], as much as `weight` [b,t,h,w] says; where it is 0 or 1 the one or the other, bit for bit."""
    weight = weight[:, :, None]
    mixed = torch.where(weight < 1, video + weight * (dreamt - video), dreamt)
    return torch.where(weight > 0, mixed, video)


def starts(num_frames: int, window: int, overlap: int) -> list[int]:
    """Where windows begin that cover a video; each shares `overlap` frames with the one before, the last one more, to end with it.

    >>> starts(5, window=8, overlap=1), starts(9, window=8, overlap=1), starts(22, window=8, overlap=1)
    ([0], [0, 1], [0, 7, 14])
    """
    more = -(-max(num_frames - window, 0) // (window - overlap))
    return [min(i * (window - overlap), num_frames - window) for i in range(more + 1)] if more else [0]


def windowed(edit: Callable[[Tensor, int, int, int], Tensor], video: Tensor, window: int, overlap: int) -> Tensor:
    """The video [b,t,...] edited window after window, each going on from the frames that are done.

    `edit(frames [b,window,...], known, index, start)` gives one window anew, frame `start` of the whole first; its first
    `known` frames are done and are not taken again. A video shorter than the window is filled up with its last frame.
    """
    done = video[:, :0]
    for index, start in enumerate(starts(video.shape[1], window, overlap)):
        known = done.shape[1] - start
        frames = filled(torch.cat([done[:, start:], video[:, done.shape[1] : start + window]], 1), window)
        done = torch.cat([done, edit(frames, known, index, start)[:, known:]], 1)
    return done[:, : video.shape[1]]


def filled(frames: Tensor, window: int) -> Tensor:
    """So many frames [b,window,...]: the last one repeated where there are fewer."""
    return torch.cat([frames, frames[:, -1:].expand(-1, window - frames.shape[1], *frames.shape[2:])], 1)


def fit_mask(masked: Tensor, size: int) -> Tensor:
    """A mask [t,h,w] bool as `fit` takes its video: the central square, size x size px, masked where any part of a pixel was."""
    side = min(masked.shape[-2:])
    top, left = ((length - side) // 2 for length in masked.shape[-2:])
    square = masked[:, top : top + side, left : left + side]
    return functional.adaptive_max_pool2d(square[None].float(), (size, size))[0] > 0
