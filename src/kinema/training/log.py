"""What a run says: one JSON line per log step, and progress with rate and time left in the terminal."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..core.errors import UserError
from ..core.files import write_whole

QUIET_INTERVAL = 30.0  # s between lines where the output is no terminal


class Log:
    """`log.jsonl` of a run. On resume and after a roll-back, lines of steps that will be done again are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.rewind(step)

    def rewind(self, step: int) -> None:
        """Drop the lines of steps after `step`."""
        kept = [line for line in _lines(self.path) if json.loads(line)["step"] <= step]
        write_whole(self.path, "".join(f"{line}\n" for line in kept))

    def write(self, row: dict[str, Any]) -> None:
        """Append one row; a figure that is not finite becomes null, since JSON has no word for it."""
        plain = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(plain, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror or error})") from error


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [line.rstrip("\n") for line in lines if line.endswith("}\n")]  # a killed run may leave half a line


class Bar:
    """Progress of steps: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self, total: int, start: int, *, show: bool) -> None:
        self.total, self.show = total, show
        self.first, self.began, self.spoke = start, time.monotonic(), time.monotonic()
        self.progress: Progress | None = None
        if show and sys.stderr.isatty():
            columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"), TimeRemainingColumn())
            self.progress = Progress(*columns, console=Console(stderr=True))
            self.task = self.progress.add_task("", total=total, completed=start, figures="")
            self.progress.start()

    def update(self, step: int, figures: str) -> None:
        """`step` steps are done."""
        rate = (step - self.first) / max(time.monotonic() - self.began, 1e-9)
        if self.progress is not None:
            self.progress.update(self.task, completed=step, figures=f"{figures}, {rate:.2f} steps/s")
        elif self.show and (time.monotonic() - self.spoke > QUIET_INTERVAL or step == self.total):
            self.spoke = time.monotonic()
            left = (self.total - step) / max(rate, 1e-9)
            print(f"step {step}/{self.total}  {figures}  {rate:.2f} steps/s  {left / 60:.1f} min left", file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """A sentence that stays on the screen."""
        if self.progress is not None:
            self.progress.console.print(sentence, highlight=False, markup=False)
        elif self.show:
            print(sentence, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the display."""
        if self.progress is not None:
            self.progress.stop()
