"""Confidence intervals of what is no mean over clips: ranks by bootstrap, Fréchet distances and ratios by jackknife."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..core.rng import stream
from .table import Figure

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
_RESAMPLES = 1000
_PARTS, _95 = 10, 2.262  # tenths left out in turn, and Student's t of nine degrees of freedom


def bootstrapped(statistic: Callable[[Indices], float], count: int, *key: str | int, level: float = 0.95) -> Figure:
    """A statistic of clips by their indices, with the percentile interval of its seeded bootstrap; draws without a value are left out."""
    value = statistic(np.arange(count))
    if count < 2 or math.isnan(value):
        return Figure(value, math.nan, math.nan, count)
    draws = stream("bootstrap", *key).integers(count, size=(_RESAMPLES, count))
    found = np.array([statistic(draw) for draw in draws])
    low, high = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Figure(value, float(low), float(high), count)


def jackknifed(statistic: Callable[[Indices], float], count: int) -> Figure:
    """A statistic of clips by their indices, with the 95 % interval of a jackknife over tenths; NaN where there are fewer than 10."""
    value = statistic(np.arange(count))
    if count < _PARTS or not math.isfinite(value):
        return Figure(value, math.nan, math.nan, count)
    left = np.array([statistic(np.flatnonzero(np.arange(count) % _PARTS != part)) for part in range(_PARTS)])
    spread = _95 * math.sqrt((_PARTS - 1) * float(np.mean((left - left.mean()) ** 2)))
    return Figure(value, value - spread, value + spread, count)


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, ties sharing their mean rank; NaN where either does not vary.

    >>> round(rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])), 6)
    1.0
    """
    ranks = rankdata([a, b], axis=1) - (len(a) + 1) / 2
    size = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size > 0 else math.nan
