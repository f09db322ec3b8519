"""Our clips as a file in PhyWorld's HDF5 layout, so that others' readers and evaluators run on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..core.errors import UserError
from ..core.video import video_bytes
from ..simulators import rebuild
from .dataset import Dataset
from .export_phyre import ScenesWriter, is_scene
from .hdf5 import INIT, POSITION, SUFFIXES, Array, add_note, add_videos, created
from .phyworld import BLUE, CENTERS, DT, FPS, LAYOUTS, RED, law_of

CHUNK = 1000  # items of a dataset
FRAMES = 32
SIZE = 256  # px
ONE_BALL = {"uniform": "uniform", "parabola": "parabola", "bounce": "bounce", "attributes": "uniform", "temporal": "bounce"}  # laws
CRF = 25  # the quality that the writer of the published files has by default
_DROP = 0.05  # m/s; a fall has gained this much at most where the first frame is a step after the start

Report = Callable[[int, int], None]  # clips written, clips in all


class Writer(Protocol):
    """Takes the clips of a file one by one, in order."""

    def add(self, clip: Clip, video: bytes, where: str) -> None: ...
    def finish(self) -> str: ...


def to_phyworld(
    dataset: Dataset,
    out: str | PathLike[str],
    *,
    size: int | None = SIZE,
    frames: int | None = None,
    lossless: bool = True,
    num: int | None = None,
    chunk: int = CHUNK,
    overwrite: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Write the first `num` clips (None: all) as one .hdf5 file, whole or not at all; gives its counts.

    Kinematic clips have one ball, or a red one that comes from the left and a blue one from the right, discs or squares of
    constant size, and dt = 0.1 s; scenes of PHYRE are told by their actions. The first `frames` frames are written (None:
    32 as published; of scenes all). Clips of another `size` are drawn again from their bodies; None takes the frames as
    they are. The layout has no place for when the first frame is and what a pixel is: both go into an attribute, which
    other readers pass over and `PhyWorldFile` reads.

    Raises UserError naming the clip where the layout cannot hold it, and where the file exists or cannot be written.
    """
    path, total = Path(out), _count(dataset, num)
    _check_options(path, size, frames, chunk, overwrite)
    scenes = is_scene(dataset[0])
    wanted = frames if frames is not None or scenes else FRAMES
    with created(path) as (file, disk):
        writer: Writer = ScenesWriter(file) if scenes else KinematicWriter(file, total, chunk)
        for i in range(total):
            _write(writer, dataset[i], size, wanted, lossless, f"clip {i}")
            disk.check()
            if report is not None:
                report(i + 1, total)
        layout = writer.finish()
    return {"clips": total, "layout": layout, "bytes": path.stat().st_size}


class KinematicWriter:
    """Clips of one or two balls. Rows are kept until the end, which knows how many of their columns say something."""

    def __init__(self, file: Any, total: int, chunk: int) -> None:
        self.file, self.total, self.chunk = file, total, chunk
        self.rows: list[Array] = []
        self.positions: list[Array] = []
        self.known: dict[str, Any] = {}
        self.videos: Any = None

    def add(self, clip: Clip, video: bytes, where: str) -> None:
        """Append a clip with its video. Raises UserError where the layout cannot hold it, or not with those before it."""
        row, said = _row(clip, where)
        _agree(self.known, said | {"frames": clip.num_frames}, where)
        number = len(self.rows)
        key = f"{number // self.chunk:05d}"
        if number % self.chunk == 0:
            self.videos = add_videos(self.file, key, min(self.chunk, self.total - number))
        self.videos[number % self.chunk] = np.frombuffer(video, np.uint8)
        self.rows.append(row)
        self.positions.append(clip.bodies["position"].numpy().astype(np.float64))
        if len(self.positions) == len(self.videos):
            stacked = np.stack(self.positions)
            self.file.create_dataset(f"{POSITION}/{key}", data=stacked[:, :, 0] if self.known["balls"] == 1 else stacked)
            self.positions.clear()

    def finish(self) -> str:
        """Write the rows, with as few columns as say everything; the name of their layout."""
        init, layout = np.stack(self.rows), str(self.known["law"])
        if self.known["balls"] == 1 and init[:, 2:].any():
            if layout != "uniform":
                raise UserError(f"the layout knows a colour and a shape in uniform motion alone, and these clips are of {layout}")
            layout = "shape" if init[:, 3].any() else "color"
        columns = len(LAYOUTS[layout].columns)
        for first in range(0, len(init), self.chunk):
            self.file.create_dataset(f"{INIT}/{first // self.chunk:05d}", data=init[first : first + self.chunk, :columns])
        add_note(self.file, layout=layout, **{key: self.known[key] for key in ("pixel_convention", "first_frame_time")})
        return layout


def _write(writer: Writer, clip: Clip, size: int | None, frames: int | None, lossless: bool, where: str) -> None:
    if frames is not None and clip.num_frames < frames:
        raise UserError(f"{where}: has {clip.num_frames} frames, {frames} are to be written; --frames says how many")
    cut = clip if frames in (None, clip.num_frames) else clip.frames(0, frames)
    video = video_bytes(_pixels(cut, size, where), FPS, lossless, crf=CRF, dt=cut.dt, text=cut.fields.get("text"))
    writer.add(cut, video, where)


def _pixels(clip: Clip, size: int | None, where: str) -> Tensor:
    """rgb at `size`, drawn again if it has another."""
    if clip.has("rgb") and (size is None or clip.size == (size, size)):
        rgb: Tensor = clip.rgb
        return rgb
    said = clip.meta.get("scenario")
    if size is None or not isinstance(said, dict):
        what = f"is {clip.size[1]} x {clip.size[0]} px" if clip.has("rgb") else "has no rgb"
        raise UserError(f"{where}: {what} and says no scenario to draw it again at {size} px; --size 0 writes frames as they are")
    return replace(rebuild(said, f"{where}: meta.scenario"), size=size).again(clip, ("rgb",))["rgb"]


def _row(clip: Clip, where: str) -> tuple[Array, dict[str, Any]]:
    """What `init_streams` says of a clip, [r, v, color, shape] or [r1, r2, v1, v2], and what all clips of a file share."""
    if not clip.has("bodies") or not {"position", "velocity", "radius", "color"} <= set(clip.bodies):
        raise UserError(f"{where}: states no position, velocity, radius and color of bodies, which the layout holds")
    position, velocity, radius = (clip.bodies[name].numpy().astype(np.float64) for name in ("position", "velocity", "radius"))
    balls = radius.shape[1]
    if balls not in (1, 2) or position.shape[2:] != (2,):
        raise UserError(f"{where}: has {balls} bodies in {position.shape[-1]} dimensions; the layout holds one or two balls in a plane")
    if not (np.isfinite(position).all() and np.isfinite(velocity[0]).all() and (radius == radius[:1]).all()):
        raise UserError(f"{where}: has a body that vanishes or changes its size, which the layout cannot say")
    if abs(clip.dt - DT) > 1e-9:
        raise UserError(f"{where}: its frames are {clip.dt:g} s apart; the layout's are {DT} s apart")
    said = {
        "balls": balls,
        "law": _law(clip, position, where) if balls == 1 else "collision",
        "pixel_convention": clip.meta.get("pixel_convention", CENTERS),
        "first_frame_time": clip.meta.get("first_frame_time", 0.0),
    }
    return np.concatenate([radius[0], _speeds(clip, position[0], velocity[0], where), _looks(clip, balls, where)]), said


def _law(clip: Clip, position: Array, where: str) -> str:
    """The law of a single ball: of positions [t,1,2], or of the scenario that is stated, where these are too few to tell."""
    if len(position) > 2:
        return law_of(position[None, :, 0]) or "bounce"
    said = clip.meta.get("scenario")
    name = rebuild(said, f"{where}: meta.scenario").name if isinstance(said, dict) else said
    if name not in ONE_BALL:
        raise UserError(f"{where}: {len(position)} frames do not tell its law, and it states none of the scenarios {', '.join(ONE_BALL)}")
    return ONE_BALL[name]


def _speeds(clip: Clip, position: Array, velocity: Array, where: str) -> Array:
    """The speeds [n] of balls that set out as the layout supposes."""
    speed = velocity[:, 0] * [1.0, -1.0][: len(velocity)]
    crossed = len(position) == 2 and position[0, 0] >= position[1, 0]
    if (speed < 0).any() or (np.abs(velocity[:, 1]) > _DROP).any() or crossed:
        way = "a ball that sets out to the right"
        way = way if len(position) == 1 else "two balls that set out towards each other, the first from the left"
        cure = "; simulate it without flip" if clip.meta.get("params", {}).get("mirrored") else ""
        raise UserError(f"{where}: the layout holds speeds without a sign, of {way}{cure}")
    return np.abs(speed)


def _looks(clip: Clip, balls: int, where: str) -> Array:
    """Columns for the colour and shape of a single body; none for two, which have to be a red and a blue ball."""
    color, shape = (_constant(clip, name, where) for name in ("color", "shape"))
    known = [list(RED), list(BLUE)]
    if balls == 2:
        if shape.any() or color.tolist() != known:
            raise UserError(f"{where}: the layout's two bodies are a red and a blue ball, in this order")
        return np.zeros(0)
    if color[0].tolist() not in known or int(shape[0]) not in (0, 1):
        raise UserError(f"{where}: the layout's bodies are red or blue, discs or squares; this one has colour {color[0].tolist()}")
    return np.array([known.index(color[0].tolist()), shape[0]], np.float64)


def _constant(clip: Clip, name: str, where: str) -> NDArray[Any]:
    """A property [n,...] of the bodies that stays the same; 0 where it is not stated."""
    if name not in clip.bodies:
        return np.zeros(clip.bodies["radius"].shape[1], np.int64)
    values: NDArray[Any] = clip.bodies[name].numpy()
    if (values != values[:1]).any():
        raise UserError(f"{where}: has a body whose {name} changes, which the layout cannot say")
    return values[0]


def _agree(known: dict[str, Any], said: dict[str, Any], where: str) -> None:
    if {known.get("law"), said["law"]} == {"uniform", "bounce"}:  # one that did not get as far as the wall
        known["law"] = said["law"] = "bounce"
    for key, value in said.items():
        if known.setdefault(key, value) != value:
            what = key.replace("_", " ")
            raise UserError(f"{where}: {what} is {value}, in the clips before it {known[key]}; a file holds one kind of clips")


def _count(dataset: Dataset, num: int | None) -> int:
    length = dataset.length
    if num is None:
        if length is None:
            raise UserError("this dataset has no end: say how many clips are to be written")
        num = length
    if num < 1 or (length is not None and num > length):
        raise UserError(f"{num} clips cannot be written of a dataset of {'endless' if length is None else length}")
    return num


def _check_options(out: Path, size: int | None, frames: int | None, chunk: int, overwrite: bool) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f"{out}: such a file is written as {' or '.join(SUFFIXES)}")
    if out.exists() and not overwrite:
        raise UserError(f"{out}: exists; --overwrite replaces it")
    if (frames is not None and frames < 1) or chunk < 1 or (size is not None and size < 8):
        raise UserError(f"size must be at least 8 px, frames and chunk at least 1, got {size}, {frames} and {chunk}")
