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


def rollout(
    dream: Callable[[Tensor, int, int], Tensor], first: Tensor, num_frames: int, window: int, overlap: int | None = None
) -> Tensor:
    """Exactly `num_frames` frames [b,num_frames,...] that begin with `first` [b,given,...].

    `dream(given [b,given,...], index, start)` gives one window [b,window,...] that begins with the given frames, at frame `start`
    of the whole; `index` counts windows, so that each draws its own noise. Windows after the first go on from the last `overlap`
    frames: as many as were given, unless said otherwise. Frames are pixels or latents. Raises UserError as `windows` does.
    """
    overlap = first.shape[1] if overlap is None else overlap
    known = whole = first
    alone = not first.shape[1] and 0 < num_frames <= window  # one window, given nothing
    for index in range(1 if alone else windows(num_frames, window, overlap)):
        start = whole.shape[1] - known.shape[1]
        dreamt = dream(known, index, start)
        if dreamt.shape[1] != window:
            raise ValueError(f"dream gave {dreamt.shape[1]} frames where a window has {window}")
        whole = torch.cat([whole, dreamt[:, known.shape[1] :]], 1)
        known = whole[:, whole.shape[1] - overlap :]
    return whole[:, :num_frames]
