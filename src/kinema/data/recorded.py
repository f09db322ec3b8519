"""One's own recordings from a moving camera: videos or folders of frames, each with a table of poses."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Reel, read_video
from ..simulators.spatial.actions import driven
from .dataset import Dataset

Floats = NDArray[np.float64]
POSES = "poses.csv"
COLUMNS = ("t", "x", "y", "yaw")
LATE = 0.5  # frames by which poses may begin after the first frame or end before the last


@dataclass(frozen=True)
class Recording:
    """A video, or pictures in order, with the table of poses and the file of its caption."""

    frames: tuple[Path, ...]
    poses: Path
    caption: Path


@part
class Recorded(Dataset):
    """Videos with the poses of what carries the camera: rgb, actions [t,4] in the columns of `simulators.spatial.actions`, text.

    In the folder and those below it, each poses.csv belongs to the one video beside it, or to the pictures beside it in the order
    of their names; `name.poses.csv` belongs to the video `name`. Columns t [s], x, y [m], yaw [rad, from x towards y; left is
    positive], others are left alone. Pictures need a row each, whose t says when they were taken; of a video, t counts from its
    first frame, and poses are interpolated at its frames. A caption is a .txt of the video's name, or caption.txt beside pictures.
    Raises UserError naming the file and what is wrong with it.
    """

    path: str = field(kw_only=False)

    @cached_property
    def recordings(self) -> tuple[Recording, ...]:
        """Videos and their tables, in the order of the tables' names."""
        found = tuple(_recording(path) for path in tables_in(Path(self.path)))
        if not found:
            raise UserError(f"{self.path}: holds no {POSES} and no NAME.{POSES}")
        return found

    @property
    def length(self) -> int:
        return len(self.recordings)

    def read(self, index: int) -> Clip:
        recording = self.recordings[index]
        poses = _read_poses(recording.poses)
        text = recording.caption.read_text(encoding="utf-8", errors="replace").strip() if recording.caption.exists() else None
        clip = read_video(recording.frames[0]) if len(recording.frames) == 1 else _pictures(recording, poses)
        times = np.arange(clip.num_frames) / clip.fps if len(recording.frames) == 1 else poses[:, 0]
        at = _at(poses, times, recording)
        actions = torch.from_numpy(driven(times, at[:, :2], at[:, 2], at[:, :2]))
        return clip.replace(actions=actions, text=text if text is not None else clip.fields.get("text"), meta={**clip.meta, "index": index})


def tables_in(folder: Path) -> list[Path]:
    """The tables of poses in a folder and below."""
    return sorted(p for p in folder.rglob(f"*{POSES}") if p.name == POSES or p.name.endswith(f".{POSES}"))


def _recording(table: Path) -> Recording:
    beside = sorted(p for p in table.parent.iterdir() if not p.name.startswith(".") and p.is_file())
    videos = [p for p in beside if p.suffix.lower() in VIDEO_SUFFIXES]
    if table.name != POSES:
        name = table.name.removesuffix(f".{POSES}")
        videos = [p for p in videos if p.stem == name]
        if len(videos) != 1:
            raise UserError(f"{table}: {len(videos) or 'no'} videos of the name {name} lie beside it; one was expected")
        return Recording((videos[0],), table, videos[0].with_suffix(".txt"))
    if len(videos) > 1:
        raise UserError(f"{table}: {len(videos)} videos lie beside it; name the tables after the videos, as NAME.{POSES}")
    if videos:
        return Recording((videos[0],), table, videos[0].with_suffix(".txt"))
    pictures = tuple(p for p in beside if p.suffix.lower() in IMAGE_SUFFIXES)
    if len(pictures) < 2:
        raise UserError(f"{table}: neither a video nor pictures lie beside it")
    return Recording(pictures, table, table.with_name("caption.txt"))


def _read_poses(path: Path) -> Floats:
    """Rows t, x, y, yaw [k,4], whose t rises."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            for name in COLUMNS:
                if name not in (reader.fieldnames or ()):
                    raise UserError(f"{path}: has no column {name!r}; {', '.join(COLUMNS)} were expected")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table ({error})") from None
    poses = np.array([[_number(path, i, name, row[name]) for name in COLUMNS] for i, row in enumerate(rows, 1)])
    if len(poses) < 2:
        raise UserError(f"{path}: has {len(poses)} rows; at least 2 were expected")
    late = np.flatnonzero(np.diff(poses[:, 0]) <= 0)
    if len(late):
        raise UserError(f"{path}: t does not rise from row {late[0] + 1} to row {late[0] + 2}")
    return poses


def _number(path: Path, row: int, name: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise UserError(f"{path}: row {row} has {name} {text!r}; a number was expected")
    return value


def _pictures(recording: Recording, poses: Floats) -> Clip:
    if len(recording.frames) != len(poses):
        raise UserError(f"{recording.poses}: has {len(poses)} rows for {len(recording.frames)} pictures; a row for each was expected")
    frames = [next(Reel(path).frames()) for path in recording.frames]
    for path, frame in zip(recording.frames, frames, strict=True):
        if frame.shape != frames[0].shape:
            raise UserError(f"{path}: is {frame.shape[2]} x {frame.shape[1]} px, the first picture beside it is not")
    mean = float(poses[-1, 0] - poses[0, 0]) / (len(poses) - 1)
    return Clip(rgb=torch.stack(frames), fps=1 / mean, meta={"file": str(recording.frames[0].parent)})


def _at(poses: Floats, times: Floats, recording: Recording) -> Floats:
    """x, y, yaw [t,3] at these times, between the rows along straight lines."""
    t = poses[:, 0]
    slack = LATE * float(times[1] - times[0]) if len(times) > 1 else 0.0
    if len(times) < 2:
        raise UserError(f"{recording.frames[0]}: has one frame, and no motion")
    if times[0] < t[0] - slack or times[-1] > t[-1] + slack:
        raise UserError(f"{recording.poses}: holds poses from {t[0]:g} to {t[-1]:g} s, the frames are from {times[0]:g} to {times[-1]:g} s")
    columns = (poses[:, 1], poses[:, 2], np.unwrap(poses[:, 3]))
    return np.stack([np.interp(times, t, column) for column in columns], 1)
