"""Actions as a condition: how the camera, or the car that carries it, is driven from frame to frame."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Codec, Latents, Value
from ..core.errors import UserError
from .manoeuvres import HELD, PRESETS, preset
from .state import depth

Kind = Literal["drive", "camera"]
COLUMNS: Mapping[Kind, tuple[str, str]] = {"drive": ("speed", "yaw_rate"), "camera": ("forward", "yaw")}
UNITS: Mapping[Kind, str] = {"drive": "speed m/s, yaw rate rad/s", "camera": "forward step m/frame, yaw step rad/frame"}
STILL = 1e-9  # a number whose spread is not above this never changes
FIRST: Mapping[Kind, int] = {"drive": 0, "camera": 2}  # of the two columns among the four of a clip's actions


@part
class Actions:
    """Two numbers for every frame (WorldDreamer sec. 3.2): speed m/s and yaw rate rad/s, left positive, of the car ("drive"), or
    the steps m/frame and rad/frame of its camera ("camera"), standardised by the `mean` and `std` of the training set.

    Row k of actions [t,2] holds for the motion from frame k to frame k + 1, and the last row moves nothing any more. Enters as one
    vector per latent frame: the mean of the motions into the frames it covers; the first frame of a window, into which there is
    no motion, is told the one out of it. `dt` s is the time step of the clips, in which presets are written out. Training drops the
    actions for a share `drop` of the clips.
    """

    kind: Kind = "drive"
    mean: tuple[float, float] = (0.0, 0.0)
    std: tuple[float, float] = (1.0, 1.0)
    dt: float = 0.125
    drop: float = 0.1
    name: ClassVar[str] = "actions"
    enters: ClassVar[Literal["frames"]] = "frames"
    width: ClassVar[int] = 2
    initial: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UserError(f"Actions: kind must be one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        for name in ("mean", "std"):
            numbers = getattr(self, name)
            if len(numbers) != 2 or not all(math.isfinite(x) for x in numbers) or (name == "std" and min(numbers) <= 0):
                raise UserError(f"Actions: {name} must be two numbers{', both above 0' * (name == 'std')}, got {numbers}")
        if not 0 < self.dt < math.inf:
            raise UserError(f"Actions: dt must be above 0 s, got {self.dt}")
        if not 0 <= self.drop < 1:
            raise UserError(f"Actions: drop must lie in [0, 1), got {self.drop}")

    @classmethod
    def fitted(cls, dataset: Any, *, kind: Kind = "drive", count: int = 256, drop: float = 0.1) -> Self:
        """Actions standardised by `count` clips, spread evenly over a dataset, those among them that have actions.

        Raises UserError where none has, where a number never changes, or where the clips' time steps differ.
        """
        plain = cls(kind=kind, drop=drop)
        clips = plain._driven(dataset, count)
        if not clips:
            raise UserError("actions: none of the clips has actions from which their mean and spread could be taken")
        if len(steps := {clip.dt for clip in clips}) > 1:
            raise UserError(f"actions: the clips differ in their time step: {', '.join(f'{dt:g} s' for dt in sorted(steps))}")
        mean, std = plain._statistics(clips)
        for name, spread in zip(COLUMNS[kind], std, strict=True):
            if spread <= STILL:
                raise UserError(f"actions: {name} never changes in these clips, so that it cannot be standardised")
        return cls(kind=kind, mean=mean, std=std, dt=clips[0].dt, drop=drop)

    def refitted(self, dataset: Any, count: int = 256) -> Self:
        """The same condition, standardised by a dataset as by `fitted`, to six digits; as it is where none of the clips has
        actions, or a number never changes in them."""
        clips = self._driven(dataset, count)
        if not clips:
            return self
        mean, std = self._statistics(clips)
        return self if min(std) <= STILL else replace(self, mean=_rounded(mean), std=_rounded(std))

    def _driven(self, dataset: Any, count: int) -> list[Clip]:
        """Of `count` clips spread evenly over a dataset, those that have actions."""
        length = dataset.length if hasattr(dataset, "length") else len(dataset)
        many = count if length is None else min(count, length)
        clips = (dataset[i if length is None else i * length // many] for i in range(many))
        return [c.only("actions") for c in clips if c.has("actions") and bool(torch.isfinite(self._columns(c)).all())]

    def _statistics(self, clips: Sequence[Clip]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Mean and spread of the two columns."""
        rows = torch.cat([self._columns(clip).double().cpu() for clip in clips])
        mean, std = rows.mean(0).tolist(), rows.std(0, correction=0).tolist()
        return (mean[0], mean[1]), (std[0], std[1])

    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value:
        """The actions of every clip of a batch [b,t',2], absent where a number of them is missing (NaN). Raises UserError where
        clips have no actions, or another time step."""
        device = latents.data.device if latents is not None else clip.rgb.device
        return self.window(self._of_clip(clip, device), 0, codec, shape)

    def take(self, given: Any, count: int, device: torch.device | str) -> Value:
        """What a user gives, frame by frame [b,T,2], the last row of which holds on: rows [T,2] in the units of `kind`, or [T,4] as
        clips have them; the name of a preset (keep, left, right, accelerate, brake); a list of such, one per clip; or a Clip (or
        batch), which is read. Raises UserError for anything else."""
        if isinstance(given, Clip):
            value = self._of_clip(given if given.batched else Clip.stack([given]), device)
        else:
            tables = [self._table(one) for one in _items(given)]
            longest = max(len(table) for table in tables)
            data = torch.stack([table[torch.arange(longest).clamp_max(len(table) - 1)] for table in tables])
            value = Value(self._standardised(data).to(device), torch.ones(len(data), dtype=torch.bool, device=device))
        if len(value.data) not in (1, count):
            raise UserError(f"actions: {len(value.data)} tables were given for {count} clips: one for all, or one for each")
        return Value(value.data.expand(count, -1, -1), value.present.expand(count))

    def extent(self, given: Any) -> tuple[int, int]:
        """(how many tables were given, 0 for one that holds for all; of how many frames they speak, 0 for presets, which go on).

        Raises UserError for tables of different lengths."""
        if isinstance(given, Clip):
            return len(given) if given.batched else 0, given.num_frames
        lengths = {len(self._table(one)) for one in _items(given) if not isinstance(one, str)}
        if len(lengths) > 1:
            raise UserError(f"actions: the tables given differ in length: {', '.join(map(str, sorted(lengths)))} rows")
        return 0 if isinstance(given, str) or not _many(given) else len(given), max(lengths, default=0)

    def window(self, value: Value, start: int, codec: Codec, shape: tuple[int, ...]) -> Value:
        """What the latents that begin with frame `start` are told [b,t',2]; past its end, the last row again."""
        known = value.data.shape[1]
        into = [min(start + max(frame - 1, 0), known - 1) for frame in range(codec.frames_of(shape[0]))]
        ends = [0, *(codec.frames_of(k + 1) for k in range(shape[0]))]
        rows = value.data[:, into]
        return Value(torch.stack([rows[:, first:stop].mean(1) for first, stop in pairwise(ends)], 1), value.present)

    def _of_clip(self, clip: Clip, device: torch.device | str) -> Value:
        """Of a batch [b,T,2]: zeros where a clip's actions are missing."""
        if not clip.has("actions"):
            fields = ", ".join(clip.fields)
            raise UserError(f"actions: the condition is read from a clip's actions, and this clip has none; it has {fields}")
        if abs(clip.dt - self.dt) > 1e-6:
            raise UserError(f"actions: the condition is made for a time step of {self.dt:g} s, the clip has {clip.dt:g} s")
        rows = self._columns(clip)
        here = torch.isfinite(rows).all(-1).all(-1)
        data = torch.where(here[:, None, None], self._standardised(rows), 0.0)
        return Value(data.to(device), here.to(device))

    def _columns(self, clip: Clip) -> Tensor:
        """The two columns of this kind among those of a clip, [...,t,2]."""
        first, columns = FIRST[self.kind], clip.actions.shape[-1]
        if columns < first + 2:
            raise UserError(f"actions: {self.kind} actions are columns {first} and {first + 1} of a clip's, and this clip has {columns}")
        return clip.actions[..., first : first + 2]

    def _standardised(self, rows: Tensor) -> Tensor:
        return ((rows.double() - rows.new_tensor(self.mean, dtype=torch.float64)) / rows.new_tensor(self.std, dtype=torch.float64)).float()

    def _table(self, given: Any) -> Tensor:
        """One table [T,2] in the units of this kind."""
        if isinstance(given, str):
            rows = preset(given, math.ceil(HELD / self.dt) + 1, self.dt)
            return rows * self.dt if self.kind == "camera" else rows
        try:
            rows = torch.as_tensor(given, dtype=torch.float64, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            rows = torch.empty(0)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] not in (2, 4):
            said = f"a table {list(rows.shape)}" if rows.ndim and rows.numel() else f"{given!r}"[:80]
            expected = f"rows of 2 numbers ({UNITS[self.kind]}), or of 4 as clips have them, one per frame"
            raise UserError(f"actions: {expected}, or a preset ({', '.join(PRESETS)}) were expected, got {said}")
        rows = rows if rows.shape[1] == 2 else rows[:, FIRST[self.kind] : FIRST[self.kind] + 2]
        if not bool(torch.isfinite(rows).all()):
            raise UserError(f"actions: row {int((~torch.isfinite(rows)).any(1).int().argmax())} holds a number that is not finite")
        return rows


def _rounded(numbers: tuple[float, float]) -> tuple[float, float]:
    """To six digits, so that a sum in another order gives the same."""
    return float(f"{numbers[0]:.6g}"), float(f"{numbers[1]:.6g}")


def _many(given: Any) -> bool:
    """Whether this is one table or preset for each clip."""
    return depth(given) == 3 or (isinstance(given, Sequence) and any(isinstance(one, str) for one in given))


def _items(given: Any) -> Sequence[Any]:
    return [given] if isinstance(given, str) or not _many(given) else list(given)


def read_actions(path: str | os.PathLike[str], kind: Kind = "drive") -> Tensor:
    """The actions [t,2] of a CSV file, float64: columns speed and yaw_rate ("drive"), forward and yaw ("camera"), in any order among
    others, or two columns without a header. Raises UserError naming the file and line."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table of actions ({error})") from None
    names, places = COLUMNS[kind], (0, 1)
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        line, header = lines.pop(0)
        if missing := [name for name in names if name not in header]:
            raise UserError(f"{path}, line {line}: a column {missing[0]} was expected ({UNITS[kind]}), got {', '.join(header)}")
        places = (header.index(names[0]), header.index(names[1]))
        width = len(header)
    else:
        width = 2
    if not lines:
        raise UserError(f"{path}: it holds no actions; rows of {' and '.join(names)} were expected, one per frame")
    wanted = list(zip(places, names, strict=True))
    rows = [[_number(path, line, row, place, name, width) for place, name in wanted] for line, row in lines]
    return torch.tensor(rows, dtype=torch.float64)


def _number(path: str | os.PathLike[str], line: int, row: Sequence[str], place: int, name: str, width: int) -> float:
    if len(row) != width:
        raise UserError(f"{path}, line {line}: {width} columns were expected, got {len(row)}")
    if not _is_number(row[place]) or not math.isfinite(float(row[place])):
        raise UserError(f"{path}, line {line}: {name} must be a number, got {row[place]!r}")
    return float(row[place])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
