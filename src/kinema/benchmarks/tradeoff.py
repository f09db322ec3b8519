"""Quality against time: what dreams are worth at each number of steps, and how long models take for the same worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..metrics import LPIPS, frechet, psnr
from ..metrics.frechet import Moments
from ..metrics.similarity import frames_to_compare
from .kept import Kept, key_of
from .resample import Indices, jackknifed
from .table import Column, Figure, Sample, Table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A model's dreams at a number of steps: per clip LPIPS and PSNR [n] to the truth, features [n,width], and seconds a clip."""

    steps: int
    seconds: tuple[float, ...]
    lpips: Floats | None
    psnr: Floats
    features: Floats | None

    @property
    def time(self) -> float:
        """Median of the seconds a clip; NaN where none was timed."""
        return float(np.median(self.seconds)) if self.seconds else math.nan

    def value(self, metric: str, truth: Floats | None, chosen: Indices) -> float:
        """lpips or fvd of some of the clips."""
        if metric == "lpips":
            assert self.lpips is not None
            return float(self.lpips[chosen].mean())
        assert self.features is not None
        assert truth is not None
        return distance(self.features[chosen], truth[chosen])


def distance(a: Floats, b: Floats) -> float:
    """Fréchet distance of features [n,width], with I3D's logits FVD by the original convention."""
    sides = []
    for features in (a, b):
        side = Moments(features.shape[1])
        side.add(features)
        sides.append(side)
    return frechet(sides[0], sides[1])


def pictures(dreams: Sequence[Clip], truths: Sequence[Clip], lpips: bool, kept: Kept) -> tuple[Floats | None, Floats]:
    """(LPIPS [n] if asked for, PSNR [n]) of the dreamt frames."""
    near, sharp = [], []
    metric = LPIPS() if lpips else None
    for dream, truth in zip(dreams, truths, strict=True):

        def make(dream: Clip = dream, truth: Clip = truth) -> Mapping[str, Tensor]:
            made = {"psnr": psnr(*frames_to_compare(dream, truth)).mean(-1)}
            return made if metric is None else {**made, "lpips": metric(dream, truth.only("rgb"))}

        key = [key_of([dream, truth.only("rgb")]), dream.meta["condition_frames"], lpips]
        values = kept.tensors("pictures", key, make)
        sharp.append(float(values["psnr"][0]))
        near.append(float(values["lpips"][0]) if lpips else math.nan)
    return (np.array(near) if lpips else None), np.array(sharp)


def fvd_figure(features: Floats, truth: Floats) -> Figure:
    """FVD with its jackknife interval, which does not go below 0."""
    found = jackknifed(lambda chosen: distance(features[chosen], truth[chosen]), len(truth))
    return Figure(found.mean, max(found.low, 0.0), found.high, found.count)


def seconds_figure(seconds: Sequence[float]) -> Figure:
    """Median with the fastest and the slowest of the runs."""
    if not seconds:
        return Figure(math.nan, math.nan, math.nan, 0)
    return Figure(float(np.median(seconds)), min(seconds), max(seconds), len(seconds))


def time_at(curve: Sequence[tuple[float, float]], worth: float) -> float:
    """Seconds at which a curve of (seconds, figure; lower is better) first reaches `worth`, log-linear in time between its points;
    infinite where it never does.

    >>> round(time_at([(1.0, 3.0), (4.0, 1.0)], 2.0), 3)
    2.0
    """
    before: tuple[float, float] | None = None
    for seconds, figure in sorted(curve):
        if figure <= worth:
            if before is None:
                return seconds
            share = (before[1] - worth) / (before[1] - figure)
            return math.exp((1 - share) * math.log(before[0]) + share * math.log(seconds))
        before = (seconds, figure)
    return math.inf


def equal_quality(
    metric: str, fast: Sequence[Point], slow: Sequence[Point], truth: Floats | None, worth: float, count: int
) -> dict[str, Any]:
    """How long each of two models takes for the figure `worth`, and the ratio slow / fast with its 95 % interval (jackknife over
    tenths of the clips, of the logarithm; times are taken as they are); None stands for never."""

    def times(chosen: Indices) -> list[float]:
        return [time_at([(p.time, p.value(metric, truth, chosen)) for p in points], worth) for points in (fast, slow)]

    whole = times(np.arange(count))
    said: dict[str, Any] = {"worth": worth, "seconds": [t if math.isfinite(t) else None for t in whole]}
    if not all(math.isfinite(t) for t in whole):
        return {**said, "ratio": None, "interval": None}

    def log_ratio(chosen: Indices) -> float:
        a, b = times(chosen)
        return math.log(b / a) if math.isfinite(a) and math.isfinite(b) else math.nan

    found = jackknifed(log_ratio, count)
    interval = None if math.isnan(found.low) else [math.exp(found.low), math.exp(found.high)]
    return {**said, "ratio": math.exp(found.mean), "interval": interval}


def as_floats(features: torch.Tensor) -> Floats:
    """Features as an array of float64."""
    return np.asarray(features.double().numpy(), np.float64)


def table_of(points: Mapping[str, Point], truth: Floats | None, seed: int) -> Table:
    """A row per model and number of steps, and per yardstick."""
    first = next(iter(points.values()))
    known = {"fvd": truth is not None, "lpips": first.lpips is not None}
    columns = [*(Column(name, "1", False) for name in known if known[name]), Column("psnr", "dB", True), Column("seconds", "s/clip", False)]
    samples, sets = [], {}
    for name, p in points.items():
        for i, sharp in enumerate(p.psnr):
            near = {} if p.lpips is None else {"lpips": float(p.lpips[i])}
            samples.append(Sample("quality", "", i, name, {"psnr": float(sharp), **near}))
        sets["quality", "", name, "seconds"] = seconds_figure(p.seconds)
        if truth is not None and p.features is not None:
            sets["quality", "", name, "fvd"] = fvd_figure(p.features, truth)
    notes = (
        f"{len(first.psnr)} dreams from first frames, words and actions. fvd: jackknife over tenths of the clips, which does not cover "
        "the bias of few clips. seconds: median of one clip at a time, fastest and slowest beside it.",
    )
    return Table(tuple(columns), tuple(samples), seed=seed, notes=notes, sets=sets)


def pairs(curves: Mapping[str, Sequence[Point]], truth: Floats | None, count: int, lpips: bool, fvd: bool) -> list[dict[str, Any]]:
    """Of each pair of models, and each metric: the time each takes for what the other reaches at best, and for what both reach."""
    rows, names, every = [], list(curves), np.arange(count)
    for metric in [m for m, there in (("lpips", lpips), ("fvd", fvd)) if there]:
        for k, fast in enumerate(names):
            for slow in names[k + 1 :]:
                best = [min(p.value(metric, truth, every) for p in curves[name]) for name in (fast, slow)]
                for worth in sorted(set(best), reverse=True):
                    found = equal_quality(metric, curves[fast], curves[slow], truth, worth, count)
                    rows.append({"metric": metric, "fast": fast, "slow": slow, **found})
    return rows
