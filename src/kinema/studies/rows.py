"""Rows of figures, one per clip and source: kept as CSV, chosen by labels, and turned into means with intervals."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.table import Figure, bootstrap
from ..core.clip import Clip
from ..core.errors import UserError

Value = float | str
WHOLE = -1  # the index of a row about all clips of a test
_PARAM = "param."


@dataclass(frozen=True)
class Row:
    """What was read off one clip: `source` is "dream" or a yardstick (floor, codec, repeat), `index` the clip's number in its test
    (-1: all clips), `params` the clip's parameters, `values` its figures, `labels` what point and test say of it."""

    source: str
    index: int
    params: Mapping[str, Value]
    values: Mapping[str, Value]
    labels: Mapping[str, Value] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value:
        """A label, parameter or figure, "source" or "index"."""
        if name in ("source", "index"):
            return self.source if name == "source" else float(self.index)
        for where in (self.labels, self.params, self.values):
            if name in where:
                return where[name]
        raise KeyError(name)

    def get(self, name: str, default: Value = math.nan) -> Value:
        """What `row[name]` gives, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def number(self, name: str) -> float:
        """A number of the row; NaN where it has none of that name."""
        value = self.get(name)
        return value if isinstance(value, float | int) else math.nan


@dataclass(frozen=True)
class Rows:
    """Rows that can be narrowed down: `rows.where(point="full", region=lambda r: r != "inside").figure("velocity")`."""

    rows: tuple[Row, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, condition: Callable[[Row], Any] | None = None, **facts: Any) -> Rows:
        """The rows that have these facts: a value, or a test of the value; and for which `condition` holds."""
        return Rows(tuple(r for r in self.rows if _fits(r, facts) and (condition is None or condition(r))))

    def dreams(self) -> Rows:
        """The rows of dreams, clip by clip."""
        return Rows(tuple(r for r in self.rows if r.source == "dream" and r.index != WHOLE))

    def array(self, name: str) -> NDArray[np.float64]:
        """[n] a number of every row, NaN where it has none."""
        return np.array([r.number(name) for r in self.rows], float)

    def figure(self, name: str) -> Figure:
        """Mean and 95 % bootstrap interval over these rows."""
        return bootstrap(self.array(name), key=("study", name))

    def share(self, condition: Callable[[Row], Any]) -> Figure:
        """The share of rows for which `condition` holds, with its interval; a condition of None leaves a row out."""
        said = [condition(r) for r in self.rows]
        known = [bool(s) for s in said if s is not None]
        return wilson(sum(known), len(known), len(said) - len(known))

    def hits(self, name: str) -> Figure:
        """The share of rows whose figure `name`, 0 or 1, is 1, of those that have it."""
        return self.share(lambda r: None if math.isnan(r.number(name)) else r.number(name) > 0.5)

    def groups(self, name: str) -> dict[Value, Rows]:
        """The rows by a fact, in order of appearance."""
        found: dict[Value, list[Row]] = {}
        for r in self.rows:
            found.setdefault(r.get(name), []).append(r)
        return {value: Rows(tuple(rows)) for value, rows in found.items()}

    def to_csv(self) -> str:
        """All labels, parameters and figures, a line per row."""
        names = {kind: list(dict.fromkeys(k for r in self.rows for k in getattr(r, kind))) for kind in ("labels", "params", "values")}
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*names["labels"], "source", "index", *names["params"], *names["values"]])
        for r in self.rows:
            cells = [getattr(r, kind).get(key, "") for kind in ("labels", "params", "values") for key in names[kind]]
            at = len(names["labels"])
            writer.writerow([_cell(c) for c in (*cells[:at], r.source, "all" if r.index == WHOLE else r.index, *cells[at:])])
        return out.getvalue()


def wilson(hits: int, count: int, undefined: int = 0) -> Figure:
    """A share with Wilson's 95 % interval, which has a width even where none or all were hits (Wilson 1927).

    >>> print(wilson(0, 10))
    0 [0, 0.278]
    """
    if not count:
        return Figure(math.nan, math.nan, math.nan, 0, undefined)
    share, z = hits / count, 1.959964
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    low = 0.0 if hits == 0 else middle - half
    return Figure(share, low, 1.0 if hits == count else middle + half, count, undefined)


def difference(a: Rows, b: Rows, name: str, pair: tuple[str, ...] = ("test", "index")) -> Figure:
    """Mean of a - b over the clips that both were asked, with its paired interval."""
    other = {tuple(r.get(k) for k in pair): r.number(name) for r in b}
    keys = [(tuple(r.get(k) for k in pair), r.number(name)) for r in a]
    return bootstrap([value - other[key] for key, value in keys if key in other], key=("study", "difference", name))


def params_of(truth: Clip) -> dict[str, Value]:
    """A clip's parameters, flat: `speed`, or `speed1` and `speed2`; truth values become 0 and 1. Lists of objects are left out."""
    flat: dict[str, Value] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{name}.{key}" if name else str(key), item)
        elif isinstance(value, list | tuple):
            if any(isinstance(item, Mapping) for item in value):
                return
            if all(isinstance(item, str) for item in value):
                flat[name] = "+".join(value)
            else:
                for i, item in enumerate(value):
                    walk(f"{name}{i + 1}", item)
        elif isinstance(value, str):
            flat[name] = value
        else:
            flat[name] = math.nan if value is None else float(value)

    walk("", truth.meta.get("params", {}))
    return flat


# --- files -----------------------------------------------------------------------------------------------------------


def dump(rows: Iterable[Row]) -> str:
    """Rows as CSV that `load` reads: strings in quotation marks, numbers without; labels are not kept."""
    kept = list(rows)
    params = list(dict.fromkeys(k for r in kept for k in r.params))
    values = list(dict.fromkeys(k for r in kept for k in r.values))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["source", "index", *(_PARAM + p for p in params), *values])
    for r in kept:
        writer.writerow([r.source, r.index, *(r.params.get(p, math.nan) for p in params), *(r.values.get(v, math.nan) for v in values)])
    return out.getvalue()


def load(path: Path, labels: Mapping[str, Value]) -> list[Row]:
    """The rows of a file. Raises UserError where it is none that `dump` wrote."""
    try:
        with path.open(newline="") as file:
            lines = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC)
            header = [str(name) for name in next(lines)]
            return [_row(dict(zip(header, line, strict=True)), labels) for line in lines]
    except (OSError, ValueError, StopIteration, KeyError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as rows of a study ({error}); remove it, and it is made anew") from None


def _row(cells: dict[str, Any], labels: Mapping[str, Value]) -> Row:
    source, index = str(cells.pop("source")), int(cells.pop("index"))
    params = {k.removeprefix(_PARAM): v for k, v in cells.items() if k.startswith(_PARAM)}
    return Row(source, index, params, {k: v for k, v in cells.items() if not k.startswith(_PARAM)}, labels)


def _cell(value: Value) -> Value:
    return "" if isinstance(value, float) and math.isnan(value) else value


def _fits(row: Row, facts: Mapping[str, Any]) -> bool:
    return all(bool(wanted(row.get(name))) if callable(wanted) else row.get(name) == wanted for name, wanted in facts.items())
