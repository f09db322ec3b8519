"""What a benchmark gives: a row per clip and system, and tables of means with bootstrap confidence intervals."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from rich import box
from rich.table import Table as Grid

from ..core.clip import Clip
from ..core.contracts import Metric, SetMetric
from ..core.rng import stream

SOURCES = {
    "dream": "the model's dream",
    "textbook": "the law fitted to the same first frames",
    "repeat": "the last given frame repeated",
    "codec": "the true video through the model's codec and the parser",
    "floor": "the true video through the parser",
}
_RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """A mean over clips with its confidence interval; `undefined` clips had no value (NaN) and are left out."""

    mean: float
    low: float
    high: float
    count: int
    undefined: int = 0

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "–"
        interval = f" [{number(self.low)}, {number(self.high)}]" if self.count > 1 and not math.isnan(self.low) else ""
        return number(self.mean) + interval


@dataclass(frozen=True)
class Sample:
    """The figures of one clip: `source` is "dream" or a yardstick of SOURCES, `case` a law, `split` its distribution."""

    case: str
    split: str
    index: int
    source: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Column:
    """A metric as a column of a table."""

    name: str
    unit: str
    higher_is_better: bool


@dataclass(frozen=True)
class Table:
    """Samples and how to read them. `seed` keys the bootstrap. `sets` holds what metrics of whole sets of clips found, by
    (case, split, source, column): no sample has a value of these, and their intervals are their own."""

    columns: tuple[Column, ...]
    samples: tuple[Sample, ...]
    level: float = 0.95
    seed: int = 0
    notes: tuple[str, ...] = field(default=())
    sets: Mapping[tuple[str, str, str, str], Figure] = field(default_factory=dict)

    def groups(self) -> list[tuple[str, str]]:
        """(case, split) in order of appearance."""
        return list(dict.fromkeys((s.case, s.split) for s in self.samples))

    def sources(self) -> list[str]:
        """Sources in the order of SOURCES, others after them."""
        seen = dict.fromkeys(s.source for s in self.samples)
        return [s for s in SOURCES if s in seen] + [s for s in seen if s not in SOURCES]

    def figure(self, case: str, split: str, source: str, column: str) -> Figure:
        """Mean and confidence interval of one cell; NaN where nothing is known."""
        if (case, split, source, column) in self.sets:
            return self.sets[case, split, source, column]
        values = [s.values[column] for s in self.samples if (s.case, s.split, s.source) == (case, split, source) and column in s.values]
        return bootstrap(values, level=self.level, key=(self.seed, case, split, source, column))

    def to_json(self) -> dict[str, Any]:
        """Every cell as plain JSON: NaN becomes null."""
        rows = [
            {
                "case": case, "split": split, "source": source,
                "figures": {c.name: _figure_json(self.figure(case, split, source, c.name)) for c in self.columns},
            }
            for case, split in self.groups() for source in self.sources()
        ]  # fmt: skip
        columns = [{"name": c.name, "unit": c.unit, "higher_is_better": c.higher_is_better} for c in self.columns]
        interval = {"level": self.level, "method": "percentile bootstrap over clips", "resamples": _RESAMPLES, "seed": self.seed}
        return {"columns": columns, "rows": rows, "interval": interval, "notes": list(self.notes)}

    def to_csv(self) -> str:
        """One line per clip and source; an undefined value is empty. Metrics of whole sets have no column here."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        of_sets = {column for *_, column in self.sets}
        columns = [c for c in self.columns if c.name not in of_sets]
        writer.writerow(["case", "split", "index", "source", *(f"{c.name} [{c.unit}]" for c in columns)])
        for s in self.samples:
            values = [s.values.get(c.name, math.nan) for c in columns]
            writer.writerow([s.case, s.split, s.index, s.source, *("" if math.isnan(v) else repr(v) for v in values)])
        return out.getvalue()

    def show(self, title: str, columns: Sequence[str] | None = None, intervals: bool = True) -> Grid:
        """A table for the terminal, of some columns, with or without confidence intervals."""
        shown = [c for c in self.columns if columns is None or c.name in columns]
        grid = Grid(title=title, title_justify="left", caption="\n".join(self.notes) or None, caption_justify="left", box=box.SIMPLE_HEAD)
        grid.add_column("", no_wrap=True)
        for c in shown:
            grid.add_column(f"{c.name.replace('_', ' ')} {'↑' if c.higher_is_better else '↓'}\n[dim]{c.unit}[/dim]", justify="right")
        for case, split in self.groups():
            grid.add_row(f"[bold]{case}[/bold] {label(split)}".rstrip())
            for source in self.sources():
                figures = [self.figure(case, split, source, c.name) for c in shown]
                cells = [str(f) if intervals else number(f.mean) for f in figures]
                grid.add_row(f"  {source}", *cells, style="bold cyan" if source == "dream" else "")
        return grid


class Benchmark(Protocol):
    """A world model or a folder of videos -> a Table."""

    def run(self, system: Any) -> Any: ...


def bootstrap(values: Iterable[float], *, level: float = 0.95, key: tuple[str | int, ...] = (0,)) -> Figure:
    """Mean with the percentile interval of its seeded bootstrap over clips; NaN are counted and left out.

    >>> print(bootstrap([1.0, 1.0, 1.0]))
    1.00 [1.00, 1.00]
    """
    all_values = np.array(list(values), float)
    known = all_values[~np.isnan(all_values)]
    undefined = len(all_values) - len(known)
    if not len(known):
        return Figure(math.nan, math.nan, math.nan, 0, undefined)
    draws = stream("bootstrap", *key).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.quantile(known[draws].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return Figure(float(known.mean()), float(low), float(high), len(known), undefined)


def judge(
    case: str, split: str, sources: Mapping[str, Sequence[Clip]], truths: Sequence[Clip | None], metrics: Sequence[Metric],
    read: Callable[[Clip, Clip | None], Clip] | None = None, first_index: int = 0,
) -> list[Sample]:  # fmt: skip
    """Every metric on every clip of every source. `read` parses a dream once for all metrics that want its bodies."""
    samples = []
    for source, dreams in sources.items():
        for i, (dream, truth) in enumerate(zip(dreams, truths, strict=True)):
            seen = read(dream, truth) if read else dream
            values = {m.name: float(m(seen, truth)) for m in metrics}  # type: ignore[arg-type]
            samples.append(Sample(case, split, first_index + i, source, values))
    return samples


def columns_of(metrics: Iterable[Metric | SetMetric]) -> tuple[Column, ...]:
    """The metrics, of clips or of sets, as columns."""
    return tuple(Column(m.name, m.unit, m.higher_is_better) for m in metrics)


def label(split: str) -> str:
    """A split as people say it."""
    known = {"": "", "id": "in distribution", "ood": "out of distribution", "in": "in template", "out": "out of template"}
    return known.get(split, f"out of distribution ({split})")


def number(value: float) -> str:
    """Three significant digits, at most four decimals; an exponent where these would show nothing.

    >>> [number(v) for v in (0.00421, 0.0, 1.234, 123.4, 0.00001, float("nan"))]
    ['0.0042', '0', '1.23', '123', '1.0e-05', '–']
    """
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 5e-5:
        return f"{value:.1e}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(digits, 0), 4)}f}"


def _figure_json(figure: Figure) -> dict[str, float | int | None]:
    plain = {name: None if math.isnan(v) else v for name, v in (("mean", figure.mean), ("low", figure.low), ("high", figure.high))}
    return {**plain, "count": figure.count, "undefined": figure.undefined}
