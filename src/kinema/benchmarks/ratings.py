"""Asking people: a blind sheet of videos to call lawful or not, and the ratio of abnormal ones from the sheets they fill in."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

from ..core.clip import Clip
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json, write_whole
from ..core.rng import stream
from ..core.video import read_video
from ..data import Dataset
from .report import strips_of
from .score import Case, find_videos, group_of, match
from .table import Column, Sample, Table

SHEET, TEMPLATE, KEY = "sheet.html", "template.csv", "key.json"
COLUMNS = ("sheet", "rater", "video", "answer")
QUESTION = "Does what happens in this video break a physical law?"
PAGE_BYTES = 120_000_000  # of pictures; browsers get slow beyond
_FORMAT = 1


@dataclass(frozen=True)
class Item:
    """One video to be rated, read when it is its turn: `source` is "dream", "floor" (a true video) or another name of a table's."""

    name: str
    source: str
    read: Callable[[], Clip]
    case: str = "videos"
    split: str = ""


@dataclass(frozen=True)
class Ratings:
    """Everybody's answers. `answers` maps (rater, video) to whether the rater said that it breaks a law."""

    raters: tuple[str, ...]
    answers: dict[tuple[str, str], bool]
    key: dict[str, Any]

    def table(self) -> Table:
        """The share of raters that call each video abnormal, meant over videos, with a bootstrap over these."""
        samples = []
        for video, known in self.key["videos"].items():
            share = sum(self.answers[rater, video] for rater in self.raters) / len(self.raters)
            samples.append(Sample(known["case"], known["split"], known["index"], known["source"], {"abnormal": share}))
        samples.sort(key=lambda s: (s.case, s.split, s.source, s.index))
        notes = (self._note(), "A rate is meant over raters, then over videos; 95 % bootstrap intervals over videos.")
        return Table((Column("abnormal", "share", False),), tuple(samples), seed=self.key["seed"], notes=notes)

    def kappa(self) -> float:
        """Fleiss' kappa of the raters: 1 where they always agree, 0 where they agree as chance would have it; NaN for one rater,
        and where all answers are the same."""
        count = len(self.raters)
        yes = [sum(self.answers[rater, video] for rater in self.raters) for video in self.key["videos"]]
        if count < 2:
            return float("nan")
        agreed = sum((n * (n - 1) + (count - n) * (count - n - 1)) / (count * (count - 1)) for n in yes) / len(yes)
        share = sum(yes) / (count * len(yes))
        chance = share**2 + (1 - share) ** 2
        return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")

    def agreement(self) -> float:
        """Mean over pairs of raters of the share of videos on which the two agree; NaN for one rater."""
        videos, pairs = self.key["videos"], list(combinations(self.raters, 2))
        same = [sum(self.answers[a, v] == self.answers[b, v] for v in videos) / len(videos) for a, b in pairs]
        return sum(same) / len(same) if same else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The table, who rated, and how far they agree, as plain JSON."""
        plain = {name: None if value != value else value for name, value in (("kappa", self.kappa()), ("agreement", self.agreement()))}
        return {**self.table().to_json(), "raters": list(self.raters), "question": self.key["question"], **plain}

    def _note(self) -> str:
        said = f"{len(self.raters)} rater{'s' * (len(self.raters) > 1)}, {len(self.key['videos'])} videos"
        if len(self.raters) < 2:
            return f"{said}; one rater cannot agree or disagree."
        kappa = self.kappa()
        return f"{said}; pairs agree on {self.agreement():.0%} of them, " + (
            "and Fleiss' kappa is undefined, since all answers are the same." if kappa != kappa else f"Fleiss' kappa {kappa:.2f}."
        )


def items_of(videos: Sequence[str | Path], truth: Dataset | None = None, *, num: int | None = None, seed: int = 0) -> list[Item]:
    """Videos to be rated (`num` of them, drawn by `seed`), and the true clip of each where there is a truth to pair them with."""
    files = find_videos(videos)
    cases = [Case(file, None) for file in files] if truth is None else match(files, truth)
    if num is not None:
        if not 0 < num <= len(cases):
            raise UserError(f"between 1 and all {len(cases)} videos can be rated, got {num}")
        cases = [cases[int(i)] for i in sorted(stream("rated videos", seed, len(cases)).permutation(len(cases))[:num])]
    items = []
    for case in cases:
        true = None if truth is None or case.index is None else truth[case.index]
        law, split = group_of(true)
        items.append(Item(case.file.stem, "dream", partial(read_video, case.file), law, split))
        if truth is not None and case.index is not None:
            items.append(Item(case.file.stem, "floor", partial(truth.__getitem__, case.index), law, split))
    return items


def write_sheet(folder: Path, items: Sequence[Item], *, seed: int = 0, question: str = QUESTION) -> Path:
    """Write a sheet for raters into `folder`, and give its path.

    sheet.html holds the videos in an order shuffled by `seed`, without names, and works from a file without a network;
    template.csv is for those who would rather type; key.json says which video is which, and stays with whoever asks.
    Raises UserError where there is nothing to rate, or names repeat.
    """
    twice = [name for name, count in Counter((i.case, i.split, i.source, i.name) for i in items).items() if count > 1]
    if not items or twice:
        raise UserError(f"videos of different names were expected for a sheet, got {' '.join(twice[0]) + ' twice' if twice else 'none'}")
    order = [int(i) for i in stream("rating sheet", seed, len(items)).permutation(len(items))]
    codes = [f"v{place + 1:0{max(3, len(str(len(items))))}d}" for place in range(len(items))]
    videos: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    for code, i in zip(codes, order, strict=True):
        item = items[i]
        clip = item.read()
        height, width, rows, strips = strips_of(None, clip.rgb, PAGE_BYTES // len(items))
        facts = {"width": width, "height": height, "rows": rows, "frames": clip.num_frames, "fps": clip.fps}
        videos.append({"id": code, **facts, "strip": strips["dream"]})
        known[code] = {"name": item.name, "source": item.source, "case": item.case, "split": item.split, "index": i}
    sheet = hashlib.blake2b("".join(v["strip"] for v in videos).encode(), digest_size=6).hexdigest()
    make_folder(folder)
    page = resources.files(__package__).joinpath("ratings.html").read_text("utf-8")
    data = {"sheet": sheet, "question": question, "videos": videos}
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    write_whole(folder / SHEET, page.replace("{{question}}", html.escape(question)).replace("{{data}}", embedded))
    write_whole(folder / TEMPLATE, _csv([COLUMNS, *((sheet, "", code, "") for code in codes)]))
    write_json(folder / KEY, {"format": _FORMAT, "sheet": sheet, "question": question, "seed": seed, "videos": known})
    return folder / SHEET


def read_ratings(folder: Path, filled: Iterable[Path]) -> Ratings:
    """The answers in filled sheets (CSV files with the columns sheet, rater, video, answer) to the sheet in `folder`.

    A file may hold several raters, and a rater several files. Raises UserError naming file and row where an answer is missing,
    contradicts another, is neither yes nor no, or belongs to another sheet or to no video.
    """
    key = _key(folder / KEY)
    answers: dict[tuple[str, str], bool] = {}
    for path in filled:
        for row, (rater, video, answer) in _rows(path, key):
            if answers.setdefault((rater, video), answer) != answer:
                raise UserError(f"{path}: row {row}: {rater} says both yes and no of {video}")
    raters = tuple(sorted({rater for rater, _ in answers}))
    if not raters:
        raise UserError(f"{folder}: no filled sheet was given; sheets are filled in {folder / SHEET} or {folder / TEMPLATE}")
    missing = defaultdict(list)
    for rater in raters:
        for video in key["videos"]:
            if (rater, video) not in answers:
                missing[rater].append(video)
    for rater, videos in missing.items():
        more = f" and {len(videos) - 3} more" if len(videos) > 3 else ""
        raise UserError(f"{rater} has no answer to {', '.join(videos[:3])}{more}; every rater must answer for every video")
    return Ratings(raters, answers, key)


def _rows(path: Path, key: dict[str, Any]) -> list[tuple[int, tuple[str, str, bool]]]:
    """(row number, (rater, video, whether it breaks a law)) of a filled sheet."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a filled sheet ({error})") from None
    if not rows or set(COLUMNS) - set(rows[0]):
        raise UserError(f"{path}: rows with the columns {', '.join(COLUMNS)} were expected")
    found = []
    for number, row in enumerate(rows, 2):  # the first line holds the names of the columns
        sheet, rater, video, answer = ((row[name] or "").strip() for name in COLUMNS)
        if sheet != key["sheet"]:
            raise UserError(f"{path}: row {number} belongs to sheet {sheet or 'of no name'}, not to {key['sheet']}")
        if not rater:
            raise UserError(f"{path}: row {number} names no rater")
        if video not in key["videos"]:
            raise UserError(f"{path}: row {number}: the sheet has no video {video!r}")
        if not answer:
            raise UserError(f"{path}: row {number}: {rater} has no answer to {video}")
        if answer.lower() not in ("yes", "no"):
            raise UserError(f"{path}: row {number}: yes or no was expected, got {answer!r}")
        found.append((number, (rater, video, answer.lower() == "yes")))
    return found


def _key(path: Path) -> dict[str, Any]:
    """The key of a sheet. Raises UserError where the file holds anything else."""
    key = read_json(path)
    kinds: dict[str, type] = {"sheet": str, "seed": int, "question": str, "videos": dict}
    if not (isinstance(key, dict) and key.get("format") == _FORMAT and _holds(key, kinds) and key["videos"]):
        raise UserError(f"{path}: is no key of a rating sheet")
    for video, known in key["videos"].items():
        if not _holds(known, {"name": str, "source": str, "case": str, "split": str, "index": int}):
            raise UserError(f"{path}: is no key of a rating sheet: name, source, case, split and index of video {video} were expected")
    return dict(key)


def _holds(said: Any, kinds: Mapping[str, type]) -> bool:
    """Whether JSON is an object with at least these fields, of these kinds."""
    return isinstance(said, dict) and all(type(said.get(name)) is kind for name, kind in kinds.items())


def _csv(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
