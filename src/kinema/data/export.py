"""Our clips as a file in PhyWorld's HDF5 layout, so that others' readers and evaluators run on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..core.errors import UserError
from ..core.files import whole
from ..core.video import video_bytes
from ..simulators import rebuild
from .dataset import Dataset
from .hdf5 import INIT, NOTE, POSITION, SUFFIXES, VIDEO, Array
from .phyworld import BLUE, CENTERS, DT, FPS, LAYOUTS, RED, law_of

CHUNK = 1000  # items of a dataset
FRAMES = 32
SIZE = 256  # px
CRF = 25  # the quality that the published files' writer has by default
_DROP = 0.03  # m/s; what the first hundredth of a second adds to a fall

Report = Callable[[int, int], None]  # clips written, clips in all


def to_phyworld(
    dataset: Dataset,
    out: str | PathLike[str],
    *,
    size: int | None = SIZE,
    frames: int = FRAMES,
    lossless: bool = True,
    num: int | None = None,
    chunk: int = CHUNK,
    overwrite: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Write the first `num` clips (None: all) as one .hdf5 file, whole or not at all; gives its counts.

    Every clip has one ball, or a red one that comes from the left and a blue one from the right, discs or squares of
    constant size, and dt = 0.1 s. Its first `frames` frames are written (the published layout has 32). Clips of another
    `size` are drawn again from their bodies; None takes the frames as they are. The layout has no place for when the first
    frame is and what a pixel is: both go into an attribute, which other readers pass over and `PhyWorldFile` reads.

    Raises UserError naming the clip where the layout cannot hold it, and where the file exists or cannot be written.
    """
    total = _count(dataset, num)
    _check_options(Path(out), size, frames, chunk, overwrite)
    known: dict[str, Any] = {}
    rows: list[Array] = []
    with _new(Path(out)) as (file, disk):
        for first in range(0, total, chunk):
            key, items = f"{first // chunk:05d}", range(first, min(total, first + chunk))
            videos = _videos(file, key, len(items))
            positions = []
            for i in items:
                clip, where = dataset[i], f"clip {i}"
                cut = _cut(clip, frames, where)
                row, said = _row(cut, where)
                _agree(known, {**said, "size": size or cut.size}, where)
                rows.append(row)
                positions.append(cut.bodies["position"].numpy())
                videos[i - first] = np.frombuffer(_video(cut, size, lossless, where), np.uint8)
                disk.check()
                if report is not None:
                    report(i + 1, total)
            stacked = np.stack(positions).astype(np.float64)
            file.create_dataset(f"{POSITION}/{key}", data=stacked[:, :, 0] if known["balls"] == 1 else stacked)
        layout = _write_rows(file, rows, known, chunk)
        _write_note(file, layout=layout, pixel_convention=known["pixel_convention"], first_frame_time=known["first_frame_time"])
    return {"clips": total, "frames": frames, "layout": layout, "bytes": Path(out).stat().st_size}


def _write_rows(file: Any, rows: list[Array], known: dict[str, Any], chunk: int) -> str:
    """The rows, with as few columns as say everything; the name of their layout."""
    init = np.stack(rows)
    layout: str = known["law"]
    if known["balls"] == 1 and init[:, 2:].any():
        layout = "shape" if init[:, 3].any() else "color"
        if known["law"] != "uniform":
            raise UserError(f"the layout knows a colour and a shape in uniform motion alone, and these clips are of {known['law']}")
    for first in range(0, len(init), chunk):
        file.create_dataset(f"{INIT}/{first // chunk:05d}", data=init[first : first + chunk, : len(LAYOUTS[layout].columns)])
    return layout


def _row(clip: Clip, where: str) -> tuple[Array, dict[str, Any]]:
    """What `init_streams` says of a clip, [r, v, color, shape] or [r1, r2, v1, v2], and what all clips of a file share."""
    if not clip.has("bodies") or not {"position", "velocity", "radius", "color"} <= set(clip.bodies):
        raise UserError(f"{where}: states no position, velocity, radius and color of bodies, which the layout holds")
    position, velocity, radius = (clip.bodies[name].numpy().astype(np.float64) for name in ("position", "velocity", "radius"))
    balls = radius.shape[1]
    color, shape = (_constant(clip, name, where) for name in ("color", "shape"))
    if balls not in (1, 2) or position.shape[2:] != (2,):
        raise UserError(f"{where}: has {balls} bodies in {position.shape[-1]} dimensions; the layout holds one or two balls in a plane")
    if not (np.isfinite(position).all() and np.isfinite(velocity[0]).all() and (radius == radius[:1]).all()):
        raise UserError(f"{where}: has a body that vanishes or changes its size, which the layout cannot say")
    if abs(clip.dt - DT) > 1e-9:
        raise UserError(f"{where}: its frames are {clip.dt:g} s apart; the layout's are {DT} s apart")
    said = {
        "balls": balls,
        "law": law_of(position[None, :, 0]) or "bounce" if balls == 1 else "collision",
        "pixel_convention": clip.meta.get("pixel_convention", CENTERS),
        "first_frame_time": clip.meta.get("first_frame_time", 0.0),
    }
    signs = [1.0] if balls == 1 else [1.0, -1.0]
    speed = velocity[0, :, 0] * signs
    if (speed < 0).any() or (np.abs(velocity[0, :, 1]) > _DROP).any() or (balls == 2 and position[0, 0, 0] >= position[0, 1, 0]):
        way = "to the right" if balls == 1 else "from the left to the right and from the right to the left"
        raise UserError(f"{where}: the layout holds the speeds of balls that set out {way}; simulate it without flip")
    if balls == 2:
        if shape.any() or color.tolist() != [list(RED), list(BLUE)]:
            raise UserError(f"{where}: the layout's two bodies are a red and a blue ball, in this order")
        return np.concatenate([radius[0], speed]), said
    known = [list(RED), list(BLUE)]
    if color[0].tolist() not in known or int(shape[0]) not in (0, 1):
        raise UserError(f"{where}: the layout's bodies are red or blue, discs or squares; this one has colour {color[0].tolist()}")
    return np.array([radius[0, 0], speed[0], known.index(color[0].tolist()), shape[0]], np.float64), said


def _constant(clip: Clip, name: str, where: str) -> NDArray[Any]:
    """A property [n,...] of the bodies that stays the same; 0 where it is not stated."""
    if name not in clip.bodies:
        return np.zeros(clip.bodies["radius"].shape[1], np.int64)
    values: NDArray[Any] = clip.bodies[name].numpy()
    if (values != values[:1]).any():
        raise UserError(f"{where}: has a body whose {name} changes, which the layout cannot say")
    return values[0]


def _cut(clip: Clip, frames: int, where: str) -> Clip:
    if clip.num_frames < frames:
        raise UserError(f"{where}: has {clip.num_frames} frames, {frames} are to be written; --frames says how many")
    return clip.frames(0, frames) if clip.num_frames > frames else clip


def _agree(known: dict[str, Any], said: dict[str, Any], where: str) -> None:
    if {known.get("law"), said["law"]} == {"uniform", "bounce"}:  # one that did not get as far as the wall
        known["law"] = said["law"] = "bounce"
    for key, value in said.items():
        if known.setdefault(key, value) != value:
            what = key.replace("_", " ")
            raise UserError(f"{where}: {what} is {value}, in the clips before it {known[key]}; a file holds one kind of clips")


def _video(clip: Clip, size: int | None, lossless: bool, where: str) -> bytes:
    return video_bytes(_frames(clip, size, where), FPS, lossless, crf=CRF, dt=clip.dt, text=clip.fields.get("text"))


def _frames(clip: Clip, size: int | None, where: str) -> Tensor:
    """rgb at `size`, drawn again if it has another."""
    if clip.has("rgb") and (size is None or clip.size == (size, size)):
        return clip.rgb
    said = clip.meta.get("scenario")
    if size is None or not isinstance(said, dict):
        what = f"is {clip.size[1]} x {clip.size[0]} px" if clip.has("rgb") else "has no rgb"
        raise UserError(f"{where}: {what} and says no scenario to draw it again at {size} px; --size 0 writes frames as they are")
    drawn: Tensor = replace(rebuild(said, f"{where}: meta.scenario"), size=size).render(clip.bodies, ("rgb",))["rgb"]
    return drawn


def _count(dataset: Dataset, num: int | None) -> int:
    length = dataset.length
    if num is None:
        if length is None:
            raise UserError("this dataset has no end: say how many clips are to be written")
        num = length
    if num < 1 or (length is not None and num > length):
        raise UserError(f"{num} clips cannot be written of a dataset of {'endless' if length is None else length}")
    return num


def _check_options(out: Path, size: int | None, frames: int, chunk: int, overwrite: bool) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: such a file is written as {' or '.join(SUFFIXES)}")
    if out.exists() and not overwrite:
        raise UserError(f"{out}: exists; --overwrite replaces it")
    if frames < 1 or chunk < 1 or (size is not None and size < 8):
        raise UserError(f"size must be at least 8 px, frames and chunk at least 1, got {size}, {frames} and {chunk}")


@contextmanager
def _new(out: Path) -> Iterator[tuple[Any, _Steady]]:
    """A new HDF5 file that takes its place if the block succeeds, and the disk's say in it."""
    import h5py

    with whole(out) as temporary, temporary.open("r+b", buffering=0) as raw:
        disk = _Steady(raw)
        with h5py.File(disk, "w") as file:
            yield file, disk
        disk.check()


class _Steady:
    """A file that HDF5 writes to and that never fails, because HDF5 crashes, and Python with it, where the disk is full. What
    failed is kept, and `check` raises it."""

    def __init__(self, raw: FileIO) -> None:
        self.raw, self.read, self.readinto, self.seek, self.tell = raw, raw.read, raw.readinto, raw.seek, raw.tell
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the first error there was."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write all of `data`, or nothing more once an error has been."""
        left = memoryview(data).cast("B")
        size = len(left)
        while len(left) and self.error is None:
            try:
                left = left[self.raw.write(left) or 0 :]
            except OSError as error:
                self.error = error
        return size

    def truncate(self, size: int) -> int:
        """Set the file's length."""
        try:
            return self.raw.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size

    def flush(self) -> None:
        """Nothing is buffered."""


def _videos(file: Any, key: str, items: int) -> Any:
    import h5py

    return file.create_dataset(f"{VIDEO}/{key}", shape=(items,), dtype=h5py.vlen_dtype(np.dtype("uint8")))


def _write_note(file: Any, **said: Any) -> None:
    file.attrs[NOTE] = json.dumps(said, sort_keys=True)
