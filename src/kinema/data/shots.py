"""Shots of a raw video, and how much moves in them: cuts by content, motion by optical flow, on small frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from ..core.video import Reel
from ..core.warp import backward_warp

SHORT_SIDE = 64  # px of the frames that motion is measured on
COARSE = 4  # px of those that make one of the frames that are compared for cuts: what merely moves changes these less
AROUND = 2  # frames on either side that a cut must stand out from
BLACK = 10  # of 255: the mean brightness below which nothing is seen
PAIRS = 8  # of neighbouring frames whose flow stands for a clip's

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Scan:
    """What a pass over a video leaves: `gray` [t,h,w] uint8, its shorter side 64 px; how far each frame differs from the one
    before in brightness and colour, `change` [t] of 255; `black` [t], where nothing is seen."""

    gray: Tensor
    change: Tensor
    black: Tensor


def scan(reel: Reel) -> Scan:
    """One pass over a video; 7 kB a frame stay in memory. Raises UserError where the video is damaged or changes size."""
    gray, change, before = [], [], None
    for frame in reel.frames(SHORT_SIDE):
        luma, coarse = _seen(frame)
        change.append(0.0 if before is None else float((coarse - before).abs().mean()))
        gray.append(luma)
        before = coarse
    stacked = torch.stack(gray)
    return Scan(stacked, torch.tensor(change), stacked.flatten(1).float().mean(1) < BLACK)


def _seen(frame: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness [h,w] uint8, and brightness with two differences of colour [3,h/4,w/4], of one frame [3,h,w]."""
    rgb = frame.float()
    luma = sum(weight * channel for weight, channel in zip(_LUMA, rgb, strict=True))
    assert isinstance(luma, Tensor)
    both = torch.stack([luma, rgb[2] - luma, rgb[0] - luma])
    return luma.round().to(torch.uint8), functional.avg_pool2d(both[None], COARSE, ceil_mode=True)[0]


def shots(found: Scan, cut: float = 10.0, apart: float = 2.0) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of every shot.

    A shot begins where a frame differs from the one before by at least `cut` (of 255) and `apart` times as much as any
    neighbouring frame does from the one before it: shaking and fast motion change every frame, a flash two. It ends at black
    frames too, which belong to none. Slow dissolves are not seen. (The idea is PySceneDetect's adaptive content detector.)
    """
    change = found.change
    padded = functional.pad(change, (AROUND, AROUND))
    around = torch.stack([padded[AROUND + k :][: len(change)] for k in range(-AROUND, AROUND + 1) if k]).max(0).values
    begins = (change >= cut) & (change >= apart * around)
    edges = [0, *[k for k in begins.nonzero()[:, 0].tolist() if k], len(change)]
    parts = []
    for start, stop in pairwise(edges):
        parts += _seen_runs(found.black[start:stop].tolist(), start)
    return parts


def _seen_runs(black: list[bool], start: int) -> list[tuple[int, int]]:
    """Runs of frames that are not black."""
    runs: list[tuple[int, int]] = []
    for k, dark in enumerate(black, start):
        if not dark and runs and runs[-1][1] == k:
            runs[-1] = (runs[-1][0], k + 1)
        elif not dark:
            runs.append((k, k + 1))
    return runs


def motion(gray: Tensor) -> float:
    """Mean length of the optical flow from frame to frame of a clip [t,h,w], px/frame at its size; over up to 8 pairs of frames.

    0 for a single frame."""
    count = min(PAIRS, len(gray) - 1)
    if count < 1:
        return 0.0
    at = torch.linspace(0, len(gray) - 2, count).round().long()
    return float(flow(gray[at], gray[at + 1]).norm(dim=1).mean())


def flow(first: Tensor, second: Tensor, steps: int = 3) -> Tensor:
    """Optical flow [b,2,h,w] px from frames [b,h,w] to the next ones, of 255: Lucas and Kanade (1981) in a pyramid.

    Coarse to fine, each level `steps` times. A flow that does not bring the frames clearly nearer to each other is none, so that
    neither noise moves, nor what lies around a thing that does.
    """
    pyramid = [torch.stack([first, second], 1).float()]
    while min(pyramid[-1].shape[-2:]) > 15:
        pyramid.append(functional.avg_pool2d(pyramid[-1], 2, ceil_mode=True, count_include_pad=False))
    found = torch.zeros(len(first), 2, *pyramid[-1].shape[-2:])
    for level in reversed(pyramid):
        size = level.shape[-2:]
        scale = torch.tensor([size[1] / found.shape[-1], size[0] / found.shape[-2]]).view(2, 1, 1)
        found = functional.interpolate(found, size=size, mode="bilinear", align_corners=False) * scale
        for _ in range(steps):
            found = found + _step(level[:, :1], level[:, 1:], found)
    finest = pyramid[0]
    return found * _explains(finest[:, :1], finest[:, 1:], found)


def _explains(first: Tensor, second: Tensor, found: Tensor) -> Tensor:
    """Where the flow leaves much less of a difference in the 5 x 5 px around than no motion does, [b,1,h,w]."""
    moved, still = (
        functional.avg_pool2d((first - late).abs(), 5, 1, 2, count_include_pad=False) for late in (backward_warp(second, found)[0], second)
    )
    return moved < EXPLAINED * still


EXPLAINED = 0.7  # blurring alone, by looking between pixels, takes a tenth of noise away
NOISE = 4.0  # of 255, squared: gradients below it tell nothing


def _step(first: Tensor, second: Tensor, found: Tensor) -> Tensor:
    """How the flow changes [b,2,h,w] so that windows of 7 x 7 px look alike; at most 1 px."""
    warped, _ = backward_warp(second, found)
    slope = [functional.pad(first, pad, mode="replicate") for pad in ((1, 1, 0, 0), (0, 0, 1, 1))]
    x, y = (slope[0][..., 2:] - slope[0][..., :-2]) / 2, (slope[1][..., 2:, :] - slope[1][..., :-2, :]) / 2
    late = first - warped
    sums = functional.avg_pool2d(torch.cat([x * x, x * y, y * y, x * late, y * late], 1), 7, 1, 3)
    xx, xy, yy, xt, yt = torch.split(sums, 1, dim=1)
    xx, yy = xx + NOISE, yy + NOISE
    inverse = 1 / (xx * yy - xy * xy)
    return torch.cat([(yy * xt - xy * yt) * inverse, (xx * yt - xy * xt) * inverse], 1).clamp(-1, 1)
