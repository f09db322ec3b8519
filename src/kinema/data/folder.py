"""Reading datasets from folders: our shards, and videos with their captions. `open_dataset` finds out which it is."""

from __future__ import annotations

import csv
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Reel, read_video
from ..simulators import World, rebuild
from .card import read_card
from .dataset import Dataset
from .hdf5 import PHYRE, SUFFIXES, index_of
from .nuscenes import NuScenes
from .phyre import PhyreFile
from .phyworld import PhyWorldFile
from .recorded import Recorded, tables_in
from .shards import BODIES, NOTE, STATES, TRUTH, VIDEO, clip_of, key_of

LISTS = ("metadata.jsonl", "metadata.csv", "videos.txt")  # that say which videos belong to a folder
FILE_COLUMNS = ("file_name", "video", "video_path", "video_file", "path", "file", "media_path")
TEXT_COLUMNS = ("text", "caption", "prompt", "description")


def open_dataset(
    path: str | os.PathLike[str], fields: Iterable[str] | None = None, *, dt: float | None = None, fps: float | None = None
) -> Dataset:
    """The dataset at `path`, recognised by what lies there: kinema's shards; metadata.jsonl or metadata.csv; prompts.txt
    with videos.txt; videos, each with a .txt of its name or none (also in folders below); recordings with poses (poses.csv) or in
    nuScenes' layout (v1.0-*/scene.json); one of PhyWorld's .hdf5 files; or one video file.

    `fields` names the fields wanted of shards: dense truth that is not stored is rendered, None gives all of it,
    ("rgb",) is fastest. `dt` is the physical time in s between the frames of plain videos, 1/fps unless a row or the file
    states it; `fps` overrides their rates. Raises UserError saying what was looked for where there is nothing to read.
    """
    place = Path(path)
    if not place.exists():
        raise UserError(f"{place}: there is no such folder or file")
    if (place / "card.json").exists():
        if dt is not None or fps is not None:
            raise UserError(f"{place}: this dataset states its own fps and dt")
        shards = Shards(str(place), fields=None if fields is None else tuple(fields))
        shards.check()
        return shards
    if any(place.glob("v1.0-*/scene.json")):
        return _timed(NuScenes(str(place)), dt, fps)
    if place.is_dir() and not any((place / name).exists() for name in LISTS) and tables_in(place):
        return _timed(Recorded(str(place)), dt, fps)
    if place.suffix.lower() in SUFFIXES:
        return _published(str(place), None if fields is None else tuple(fields), dt, fps)
    videos = Videos(str(place), dt=dt, fps=fps)
    _ = videos.rows  # a folder that cannot be read says so now
    return videos


def _timed(found: Dataset, dt: float | None, fps: float | None) -> Dataset:
    """Recordings whose motion is known state their own times; what cannot be read says so now."""
    if dt is not None or fps is not None:
        raise UserError(f"{found.path}: these recordings state their own times")  # type: ignore[attr-defined]
    _ = found.length
    return found


def _published(path: str, fields: tuple[str, ...] | None, dt: float | None, fps: float | None) -> Dataset:
    if dt is not None:
        raise UserError(f"{path}: the layout of this file states its own dt")
    kind = PhyreFile if index_of(path).streams == PHYRE else PhyWorldFile
    file = kind(path, fields=fields, fps=fps)
    file.check()
    return file


@part
class Shards(Dataset):
    """A dataset folder that `kinema simulate` wrote. What is read is checked against the index's CRC-32."""

    path: str = field(kw_only=False)
    fields: tuple[str, ...] | None = None

    @cached_property
    def card(self) -> dict[str, Any]:
        """The dataset's card."""
        return read_card(Path(self.path))

    @cached_property
    def scenario(self) -> World:
        """The scenario that the clips were drawn from, ranges of the split included."""
        return rebuild(self.card["job"]["scenario"], f"{self.path}/card.json")

    @cached_property
    def _index(self) -> dict[str, Tensor]:
        counts, path = self.card["counts"], Path(self.path) / "index.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                index = {name: file.get_tensor(name) for name in ("offset", "size", "crc32")}
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path}: this index is missing or damaged ({error})") from None
        wanted = (counts["clips"], len(self.card["members"]))
        if any(tuple(table.shape) != wanted for table in index.values()):
            raise UserError(f"{path}: this index does not fit the dataset's card")
        return index

    @property
    def length(self) -> int:
        return int(self.card["counts"]["clips"])

    @cached_property
    def indices(self) -> Sequence[int]:
        """The places in their stream of the clips that are there: all of them, unless some could not be simulated."""
        wanted, failed = range(int(self.card["job"]["num"])), self.failed
        return tuple(i for i in wanted if i not in failed) if failed else wanted

    @property
    def failed(self) -> dict[int, str]:
        """Why clips of the stream could not be simulated, by their place in it."""
        return {int(entry["index"]): str(entry["reason"]) for entry in self.card.get("failed", ())}

    def check(self) -> None:
        """Raise UserError where the card, the index or a wanted field is no good."""
        known = (*self.scenario.dense, *_STATES)
        for name in self.fields or ():
            if name not in known:
                raise UserError(f"{self.path}: has no field {name!r}; it has {', '.join(known)}")
        _ = self._index

    def agrees(self, shard: int, place: Sequence[Sequence[Sequence[int]]]) -> bool:
        """Whether the index says of a shard's members what was found there (offset, size, CRC-32)."""
        first = sum(int(entry["clips"]) for entry in self.card["shards"][:shard])
        index = torch.stack([self._index[table] for table in ("offset", "size", "crc32")], -1)[first : first + len(place)]
        return index.tolist() == [[list(member) for member in clip] for clip in place]

    def members(self, index: int, names: Iterable[str] | None = None) -> dict[str, bytes]:
        """The stored bytes of a clip. Raises UserError naming the shard where they are missing or damaged."""
        clip = self.indices[index]
        shard, key = self.card["shards"][clip // self.card["job"]["shard_size"]], key_of(clip)
        path = Path(self.path) / shard["file"]
        found = {}
        try:
            with path.open("rb") as file:
                for i, name in enumerate(self.card["members"]):
                    if names is not None and name not in names:
                        continue
                    offset, size, crc32 = (int(self._index[table][index, i]) for table in ("offset", "size", "crc32"))
                    file.seek(offset)
                    found[name] = file.read(size)
                    if len(found[name]) != size or zlib.crc32(found[name]) != crc32:
                        raise UserError(f"{path}: this shard is damaged at {key}.{name}; running its command again repairs it")
        except FileNotFoundError:
            raise UserError(f"{path}: this shard is missing; running its command again brings it back") from None
        except OSError as error:
            raise UserError(f"{path}: this shard cannot be read ({error.strerror})") from None
        return found

    def read(self, index: int) -> Clip:
        wanted = (*self.scenario.default_dense, *_STATES) if self.fields is None else self.fields
        truth = any(name in self.scenario.dense and name != "rgb" for name in wanted)
        names = {NOTE, BODIES} | ({VIDEO} if "rgb" in wanted else set()) | ({TRUTH} if truth else set())
        clip = clip_of(self.members(index, names), self.card["shared"], f"{self.path}/{key_of(self.indices[index])}")
        missing = tuple(name for name in wanted if name in self.scenario.dense and not clip.has(name))
        if missing:
            clip = clip.replace(**self.scenario.again(clip, missing))
        return clip.only(*wanted, *_STATES)


_STATES = (*STATES, "text")


@dataclass(frozen=True)
class Row:
    """A video of a folder, its caption, its time step if stated, and whatever else its row says."""

    file: Path
    text: str | None = None
    dt: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@part
class Videos(Dataset):
    """Videos in a folder with captions beside them, or one video file.

    `dt` is the physical time in s between frames where a row states none, 1/fps if None; `fps` overrides the files' rates.
    """

    path: str = field(kw_only=False)
    dt: float | None = None
    fps: float | None = None

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Files and captions, in the order of the table or of the names."""
        place = Path(self.path)
        try:
            rows = tuple(_rows(place))
        except OSError as error:
            raise UserError(f"{error.filename or place}: cannot be read ({error.strerror})") from None
        if not rows:
            raise UserError(
                f"{place}: holds nothing to read; looked for card.json (a kinema dataset), metadata.jsonl, metadata.csv,"
                f" prompts.txt with videos.txt, and files ending in {', '.join(VIDEO_SUFFIXES)}"
            )
        return rows

    @property
    def length(self) -> int:
        return len(self.rows)

    def num_frames(self, index: int) -> int:
        """Frames of a clip, none of which is decoded."""
        file = self.rows[index].file
        return read_video(file).num_frames if file.suffix.lower() == ".safetensors" else Reel(file).num_frames

    def read(self, index: int) -> Clip:
        return self.excerpt(index)

    def excerpt(self, index: int, start: int = 0, stop: int | None = None) -> Clip:
        """Frames start..stop-1 of a clip; those after them are not decoded."""
        row = self.rows[index]
        clip = read_video(row.file, start, stop, fps=self.fps, dt=row.dt or self.dt)
        meta = {**clip.meta, **row.more, "file": str(row.file), "index": index}
        return clip.replace(text=row.text if row.text is not None else clip.fields.get("text"), meta=meta)


def _rows(place: Path) -> Iterator[Row]:
    if place.is_file():
        yield Row(place)
    elif (place / "metadata.jsonl").exists():
        yield from _table(place / "metadata.jsonl", table_rows(place / "metadata.jsonl"))
    elif (place / "metadata.csv").exists():
        yield from _table(place / "metadata.csv", table_rows(place / "metadata.csv"))
    elif (place / "videos.txt").exists() and (place / "prompts.txt").exists():
        yield from _paired(place)
    else:
        yield from _beside(place)


def table_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a .jsonl or .csv. Raises UserError naming the file, and the line that is none."""
    try:
        if path.suffix.lower() == ".jsonl":
            yield from _jsonl(path)
        elif path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                yield from _decoded(path, csv.DictReader(file))
        else:
            raise UserError(f"{path}: a table is a .csv or a .jsonl")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _beside(place: Path) -> Iterator[Row]:
    """Videos with a text of the same name; saved clips and pictures where there is no video."""
    for suffixes in (VIDEO_SUFFIXES, (".safetensors",), IMAGE_SUFFIXES):
        files = sorted(p for p in place.rglob("*") if p.suffix.lower() in suffixes and not p.name.startswith(".") and p.is_file())
        if files:
            for path in files:
                caption = path.with_suffix(".txt")
                yield Row(path, caption.read_text(encoding="utf-8", errors="replace").strip() if caption.exists() else None)
            return


def _paired(place: Path) -> Iterator[Row]:
    videos, prompts = (_text(place / name).splitlines() for name in ("videos.txt", "prompts.txt"))
    if len(videos) != len(prompts):
        raise UserError(f"{place}: videos.txt has {len(videos)} lines and prompts.txt {len(prompts)}; they go together line by line")
    yield from _table(place / "videos.txt", ({"video": video, "text": text} for video, text in zip(videos, prompts, strict=True)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no UTF-8 text ({error})") from None


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(f"{path}: line {number} is no JSON object")
        yield row


def _decoded(path: Path, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a table ({error})") from None


def _table(path: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        if None in row:  # where the csv module puts cells without a column
            raise UserError(f"{path}: row {number} has more cells than there are columns; a text with commas goes in quotes")
        name = next((row[c] for c in FILE_COLUMNS if row.get(c)), None)
        if not isinstance(name, str):
            raise UserError(f"{path}: row {number} names no video; a column of {', '.join(FILE_COLUMNS)} was expected")
        file = path.parent / name
        if not file.is_file():
            raise UserError(f"{path}: row {number} names {name}, which is not there")
        text = next((row[c] for c in TEXT_COLUMNS if row.get(c) is not None), None)
        more = {key: value for key, value in row.items() if key not in (*FILE_COLUMNS, *TEXT_COLUMNS, "dt")}
        yield Row(file, None if text is None else str(text), _step(path, number, row.get("dt")), more)


def _step(path: Path, number: int, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        dt = float(value)
    except (TypeError, ValueError):
        dt = 0.0
    if not 0 < dt < float("inf"):
        raise UserError(f"{path}: row {number} has dt {value!r}; a time above 0 in s was expected")
    return dt
