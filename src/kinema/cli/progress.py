"""A bar with rate and time left on the terminal's error stream; nothing where that is no terminal."""

from __future__ import annotations

from typing import Self


class Bar:
    """How many of `total` clips are done; `label` says with what."""

    def __init__(self, label: str, total: int, unit: str = "clips") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console, rate = Console(stderr=True), TextColumn("{task.fields[rate]}")
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._unit = unit
        self._task = self._bar.add_task(label, total=total, rate="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, clips: int = 1, total: int | None = None) -> None:
        """So many clips more are done, of `total` where that was not known before."""
        if total is not None:
            self._bar.update(self._task, total=total)
        self._bar.advance(self._task, clips)
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, rate=f"{speed:.1f} {self._unit}/s" if speed else "")
