"""A judged system: its table, and scenes to look at, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.clip import Clip
from ..core.contracts import Metric
from .table import Sample, Table


@dataclass(frozen=True)
class Scene:
    """One judged clip, to be looked at: truth, dream, textbook, and the dream's figures. Without a truth, `truth` is the dream."""

    name: str
    case: str
    split: str
    truth: Clip
    dream: Clip
    textbook: Clip | None
    figures: dict[str, tuple[str, float]]  # metric: (unit, value)
    condition_frames: int


@dataclass(frozen=True)
class Result:
    """What a benchmark found, and by which protocol."""

    title: str
    table: Table
    scenes: tuple[Scene, ...]
    protocol: dict[str, Any]


def worst_first(samples: Iterable[Sample], metrics: Sequence[Metric]) -> list[Sample]:
    """The dream's rows, worst by the first metric first; those where it is undefined come last. In order where there is no metric."""
    if not metrics:
        return [row for row in samples if row.source == "dream"]
    first = metrics[0]
    sign = 1 if first.higher_is_better else -1

    def rank(row: Sample) -> float:
        value = row.values[first.name]
        return math.inf if math.isnan(value) else sign * value

    return sorted((row for row in samples if row.source == "dream"), key=rank)


def figures_of(row: Sample, metrics: Sequence[Metric]) -> dict[str, tuple[str, float]]:
    """A row's values with their units."""
    return {m.name: (m.unit, row.values[m.name]) for m in metrics}
