"""What a study has found so far: its plan, the rows that are there, and the points that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .budget import Budget
from .rows import Rows

if TYPE_CHECKING:
    from .study import Point


@dataclass(frozen=True, kw_only=True)
class Found:
    """Every row says its `point` and `test` by name, beside their labels. `shown`: files of strips by (point, test)."""

    budget: Budget
    points: tuple[Point, ...]
    rows: Rows = field(default_factory=Rows)
    shown: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[Point, ...]:
        """Points without all their rows."""
        there = {(r.labels["point"], r.labels["test"]) for r in self.rows if r.source == "dream"}
        return tuple(p for p in self.points if any((p.name, t.name) not in there for t in p.tests))

    @property
    def present(self) -> tuple[Point, ...]:
        """Points with all their rows."""
        names = {p.name for p in self.missing}
        return tuple(p for p in self.points if p.name not in names)

    def dreams(self, point: str | None = None, **facts: Any) -> Rows:
        """Rows of dreams (of one point)."""
        return self.rows.dreams().where(lambda r: point is None or r["point"] == point, **facts)

    def source(self, source: str, **facts: Any) -> Rows:
        """Rows of a source: floor, codec, repeat. They belong to tests; the first point that has one shows it."""
        rows = self.rows.where(source=source, index=lambda i: i >= 0, **facts)
        first: dict[object, object] = {}
        for r in rows:
            first.setdefault(r["test"], r["point"])
        return rows.where(lambda r: first[r["test"]] == r["point"])
