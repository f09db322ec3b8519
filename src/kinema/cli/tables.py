"""How commands show progress (on stderr) and tables (on stdout)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ..benchmarks.table import Table


class Progress:
    """`progress(what, done, total)` as a bar on stderr; a line for each new thing where stderr is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console, transient=True
        )
        self._task = self._bars.add_task("", total=None)
        self._said = ""

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> Any:
        if self._live:
            self._bars.update(self._task, description=what, completed=done, total=total)
        elif what != self._said:
            print(f"[{done}/{total}] {what}", file=sys.stderr, flush=True)
        self._said = what


def wide_console() -> Console:
    """The terminal; 140 columns where the output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else 140)


def print_table(table: Table, title: str, columns: Sequence[str] | None = None, intervals: bool | None = None) -> None:
    """A benchmark's table as wide as the terminal; intervals only where they fit, all figures are in the files."""
    console = wide_console()
    shown = [c for c in table.columns if columns is None or c.name in columns]
    fits = console.width >= 34 + 25 * len(shown)
    several = any(table.figure(case, split, "dream", c.name).count > 1 for case, split in table.groups() for c in shown[:1])
    console.print(table.show(title, [c.name for c in shown], intervals=several and fits if intervals is None else intervals))
