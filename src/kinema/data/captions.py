"""Captions of clips cut out of long videos: from a file, per video or time span, or from a program that is shown key frames."""

from __future__ import annotations

import csv
import math
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.errors import UserError
from ..core.video import write_png
from .folder import FILE_COLUMNS, TEXT_COLUMNS, table_rows

KEYS = (0.1, 0.5, 0.9)  # of a clip: where its key frames lie (WorldDreamer sec. 4.1)


@dataclass(frozen=True)
class Span:
    """What a caption says of a video from `start` to `end` s."""

    start: float
    end: float
    text: str

    @property
    def whole(self) -> bool:
        """Whether it speaks of the whole video."""
        return (self.start, self.end) == (-math.inf, math.inf)


def read_captions(path: Path, videos: Sequence[str]) -> dict[str, list[Span]]:
    """Captions by video, of a .csv or .jsonl with a column for the file, one for the text and, if wanted, `start` and `end` in s;
    or of a .txt with the same in columns parted by tabs: file, caption, or file, start, end, caption.

    A video is named as it lies below the folder, by its file's name, or by that without its suffix. Raises UserError naming the
    row where a video is not there or could be several, and where a time is none.
    """
    found: dict[str, list[Span]] = {}
    for number, row in enumerate(_text_rows(path) if path.suffix.lower() == ".txt" else table_rows(path), 1):
        where = f"{path}: row {number}"
        name = next((row[c] for c in FILE_COLUMNS if row.get(c)), None)
        text = next((row[c] for c in TEXT_COLUMNS if row.get(c) is not None), None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise UserError(f"{where} needs a video ({', '.join(FILE_COLUMNS)}) and its text ({', '.join(TEXT_COLUMNS)})")
        start, end = (_seconds(where, key, row.get(key), default) for key, default in (("start", -math.inf), ("end", math.inf)))
        if start >= end:
            raise UserError(f"{where} ends at {end:g} s, before it starts at {start:g} s")
        found.setdefault(_meant(where, name, videos), []).append(Span(start, end, text.strip()))
    return found


def caption(spans: Iterable[Span], times: Sequence[float]) -> str:
    """What is said of a clip with key frames at `times` s: the captions of the spans that hold them, each once, in their order;
    that of the whole video where no span holds any.

    >>> said = [Span(-math.inf, math.inf, "A day."), Span(0, 2, "A dog runs."), Span(2, 9, "It sleeps.")]
    >>> caption(said, (1.0, 1.5, 2.5)), caption(said, (10.0, 11.0, 12.0))
    ('A dog runs. It sleeps.', 'A day.')
    """
    spans = list(spans)
    held = [span.text for time in times for span in spans if not span.whole and span.start <= time < span.end]
    said = held or [span.text for span in spans if span.whole]
    return " ".join(dict.fromkeys(text for text in said if text))


def ask(command: str, pictures: Sequence[Tensor], timeout: float, clip: str) -> str:
    """The caption that a program prints when it is given key frames [3,h,w] as paths of PNG files.

    Raises UserError naming the clip where the program cannot be started, fails, says nothing, or takes longer than `timeout` s.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"captioner: {command!r} is no command ({error})") from None
    if not words:
        raise UserError("captioner: a command was expected, got an empty one")
    with tempfile.TemporaryDirectory(prefix="kinema-") as folder:
        paths = [str(Path(folder) / f"key-{k}.png") for k in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            write_png(path, picture)
        try:
            done = subprocess.run([*words, *paths], capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)
        except subprocess.TimeoutExpired:
            raise UserError(f"{clip}: the captioner {command!r} took longer than {timeout:g} s") from None
        except OSError as error:
            raise UserError(f"{clip}: the captioner {command!r} cannot be started ({error.strerror})") from None
    said, complaint = (" ".join(stream.decode("utf-8", "replace").split()) for stream in (done.stdout, done.stderr))
    if done.returncode:
        raise UserError(f"{clip}: the captioner {command!r} ended with status {done.returncode}: {complaint[-200:] or 'it said nothing'}")
    if not said:
        raise UserError(f"{clip}: the captioner {command!r} printed no caption")
    return said


def _text_rows(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error})") from None
    for number, row in enumerate(rows, 1):
        if len(row) not in (2, 4):
            raise UserError(f"{path}: row {number} has {len(row)} columns; file and text, or file, start, end and text, parted by tabs")
        yield dict(zip(("file", "text") if len(row) == 2 else ("file", "start", "end", "text"), row, strict=True))


def _meant(where: str, name: str, videos: Sequence[str]) -> str:
    for same in (str, lambda video: Path(video).name, lambda video: Path(video).stem):
        fits = [video for video in videos if same(video) == name]
        if len(fits) > 1:
            raise UserError(f"{where} names {name}, which may be {' or '.join(fits[:3])}")
        if fits:
            return fits[0]
    raise UserError(f"{where} names {name}, which is not among the videos")


def _seconds(where: str, key: str, value: Any, default: float) -> float:
    if value in (None, ""):
        return default
    try:
        time = float(value)
    except (TypeError, ValueError):
        time = math.nan
    if not math.isfinite(time):
        raise UserError(f"{where} has {key} {value!r}; a time in s was expected")
    return time
