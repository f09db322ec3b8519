"""What becomes of the red ball of an ambiguity task, as a video shows it, and how far its picture is from the next task's."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip, as_uint8
from ..core.config import part
from ..core.errors import UserError
from ..metrics.parse import world_width_of
from ..simulators import make, rebuild
from ..simulators.planar.phyre import FATES, PhyreAmbiguity
from .judges import Judge, Value

Array = NDArray[np.float64]

LOST = "lost"  # the fate of a ball that a video does not show
SIZES = (64, 128, 256)  # px at which neighbouring steps are compared
_SPECK = 0.25  # of the ball's area in the first frame; less is no ball
_END = 3  # last frames, in most of which a held ball must be seen


@part
class Fates(Judge):
    """`fate` of the true ball and `dreamt` of the dream's, each in `FATES`, or "lost" where the dream shows no ball in most frames,
    or none at its end though it never fell; `correct`, 1 where they agree, else 0. `next` is the true fate one step on, and
    `change64` (128, 256) by how many grey levels the first frames of the two steps differ where they differ most, at so many px; no
    `next` at the end of a walk. Over the pixels in which they differ at the clip's own size, `shift` is the root mean square of the
    difference, and `off` that of what the video's first frame gets wrong: what a codec loses, for a true video through it.
    """

    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        world = rebuild(truth.meta["scenario"], "meta.scenario")
        if not isinstance(world, PhyreAmbiguity):
            raise UserError(f"fates are those of the world phyre-ambiguity, not of {world.name}")
        fate = FATES[int(truth.outcome["fate"])]
        dreamt = fate_of(dream, truth)
        said: dict[str, Value] = {"fate": fate, "dreamt": dreamt, "correct": float(dreamt == fate)}
        template, step = int(truth.meta["params"]["template"]), int(truth.meta["params"]["step"])
        walk = replace(world, templates=(template,), flip=False)
        if step + 1 == walk.steps:
            return said | {"next": "", "shift": math.nan, "off": math.nan, **{f"change{px}": math.nan for px in SIZES}}
        moved = _first(walk, step + 1, walk.size) - _first(walk, step, walk.size)
        wrong = as_uint8(dream.rgb[:1])[0].int() - as_uint8(truth.rgb[:1])[0].int()
        changes = {f"change{px}": float((_first(walk, step + 1, px) - _first(walk, step, px)).abs().max()) for px in SIZES}
        return said | {"next": _fate(walk, step + 1), "shift": _rms(moved, moved), "off": _rms(wrong, moved), **changes}


def fate_of(video: Clip, truth: Clip) -> str:
    """Where the red ball is when its centre comes below the black balls, which stand where they do in truth. One that never comes
    below them is held only where the last frames still show it: one that vanishes has no fate."""
    path = ball(video, truth)
    gone = np.isnan(path[:, 0])
    if gone.mean() > 0.5:
        return LOST
    posts = truth.bodies["position"][0, 2:-1].numpy()
    bottom = posts[0, 1] - float(truth.bodies["radius"][0, 2])  # a wedged ball comes to rest a hair above the middle
    below = np.flatnonzero(path[:, 1] < bottom)
    if not len(below):
        return LOST if gone[-_END:].mean() > 0.5 else "held"
    x = path[below[0], 0]
    if posts[:, 0].min() < x < posts[:, 0].max():
        return "through"
    return "left" if x < posts[:, 0].mean() else "right"


def ball(video: Clip, truth: Clip) -> Array:
    """[t,2] m: the middle of those pixels that are nearer in colour to the red ball than to white or any other body; NaN where
    they are fewer than a quarter of those in the true first frame."""
    colors = np.concatenate([truth.bodies["color"][0].numpy().astype(float), [[255.0, 255.0, 255.0]]])
    red = len(colors) - 2
    step = world_width_of(truth) / video.size[1]
    least = _SPECK * max(float(_nearest(as_uint8(truth.rgb[:1]).numpy()[0], colors, red).sum()), 1.0)
    path = np.full((video.num_frames, 2), np.nan)
    for t, frame in enumerate(as_uint8(video.rgb).numpy()):
        its = _nearest(frame, colors, red)
        if its.sum() >= least:
            rows, columns = np.nonzero(its)
            path[t] = (columns.mean() + 0.5) * step, (len(its) - rows.mean() - 0.5) * step
    return path


def _nearest(frame: NDArray[np.uint8], colors: Array, which: int) -> NDArray[np.bool_]:
    """[h,w] whether a pixel is nearest to one of the colours."""
    distance = np.square(frame.astype(float)[None] - colors[:, :, None, None]).sum(1)
    return np.asarray(distance.argmin(0) == which)


@functools.lru_cache(maxsize=1024)
def _fate(walk: PhyreAmbiguity, step: int) -> str:
    return FATES[int(make(walk, 0, step, ()).outcome["fate"])]


@functools.lru_cache(maxsize=512)
def _first(walk: PhyreAmbiguity, step: int, px: int) -> Tensor:
    """[3,h,w] the first frame of a step in whole numbers."""
    return make(replace(walk, size=px, num_frames=2), 0, step, ("rgb",)).rgb[0].int()


def _rms(values: Tensor, where: Tensor) -> float:
    """Root mean square over the pixels in which `where` is not 0; NaN where it is 0 everywhere."""
    at = (where != 0).any(0)
    return float(values[:, at].double().square().mean().sqrt())
