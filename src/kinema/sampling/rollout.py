"""Dreams longer than the training window: the end of one window is the beginning of the next."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import UserError


def windows(num_frames: int, window: int, given: int) -> int:
    """How many windows of `window` frames, the first `given` of each known, cover `num_frames` frames.

    Raises UserError where no number of windows does.

    >>> windows(33, window=33, given=3), windows(34, window=33, given=3), windows(63, window=33, given=3)
    (1, 2, 2)
    """
    if given < 1 or window <= given:
        raise UserError(f"a window of {window} frames cannot go on from {given} given frames: at least 1, and fewer than the window")
    if num_frames < given:
        raise UserError(f"a dream of {num_frames} frames cannot begin with {given} given frames: ask for at least {given}")
    return -(-(num_frames - given) // (window - given))


def rollout(dream: Callable[[Tensor, int], Tensor], first: Tensor, num_frames: int, window: int) -> Tensor:
    """Exactly `num_frames` frames [b,num_frames,...] that begin with `first` [b,given,...].

    `dream(given [b,given,...], index)` gives one window [b,window,...] that begins with the given frames; `index` counts
    windows, so that each draws its own noise. Frames are pixels or latents. Raises UserError as `windows` does.
    """
    given, known = first.shape[1], first
    pieces = [first]
    for index in range(windows(num_frames, window, given)):
        dreamt = dream(known, index)
        if dreamt.shape[1] != window:
            raise ValueError(f"dream gave {dreamt.shape[1]} frames where a window has {window}")
        pieces.append(dreamt[:, given:])
        known = torch.cat([known, pieces[-1]], 1)[:, -given:]
    return torch.cat(pieces, 1)[:, :num_frames]
