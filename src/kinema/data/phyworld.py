"""PhyWorld's published files of the kinematic scenarios, with their own time step and pixel convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.camera import Camera
from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.video import read_video_bytes
from ..metrics.law import buckets
from .file import PublishedFile
from .hdf5 import INIT, KINEMATIC, POSITION, VIDEO, Array, as_numbers, item, name_of, numbers, opened

WORLD = 10.0  # m, width and height
DT = 0.1  # s between frames, whatever the videos' rate
FPS = 5.0  # at which they play
FIRST = 0.01  # s; the published simulator records after its first step
LINSPACE, CENTERS = "linspace", "centers"  # pixel conventions: the published files', and kinema's own
RED, BLUE = (255, 0, 0), (0, 0, 255)
FIELDS = ("rgb", "bodies", "camera", "text")
_GRAVITY = -2.5  # m/s^2, of the parabola


@dataclass(frozen=True)
class Layout:
    """What a row of `init_streams` states, the number of balls, and the law that they follow."""

    columns: tuple[str, ...]
    law: str
    balls: int = 1

    def fits(self, init: Array, position: Array) -> bool:
        """Whether rows [k,columns] and positions [k,t,2] or [k,t,n,2] have this layout's shapes."""
        many = (self.balls,) if self.balls > 1 else ()
        return init.shape[-1] == len(self.columns) and position.shape[2:] == (*many, 2)


LAYOUTS = {
    "uniform": Layout(("r", "v"), "uniform"),
    "parabola": Layout(("r", "v"), "parabola"),
    "bounce": Layout(("r", "v"), "bounce"),
    "collision": Layout(("r1", "r2", "v1", "v2"), "collision", balls=2),
    "color": Layout(("r", "v", "color"), "uniform"),
    "shape": Layout(("r", "v", "color", "shape"), "uniform"),
}


@part
class PhyWorldFile(PublishedFile):
    """The clips of one .hdf5 file of PhyWorld (phyworld/phyworld `id_ood_data`), or of one that `to_phyworld` wrote.

    A clip has rgb as its mp4 shows it; bodies: position [t,n,2] m and radius [t,n] m as stated, velocity [t,n,2] m/s
    (as stated in the first frame, then central differences, which blend the two sides of an impact), mass [t,n] kg
    (pi r^2), color [t,n,3], and shape [t,n] (0 disc, 1 square) where it is stated; the camera; dt = 0.1 s. Its meta says
    what pixels mean ("pixel_convention" and "render_width", which the parser reads), when the first frame is
    ("first_frame_time", published 0.01 s), and "scenario", "params", "bucket", and "item", the evaluator's name for it.

    `layout` is told by the shapes and, for rows of [r, v], by the positions: uniform or parabola; anything else has to be
    named. `bucket` keeps the clips of one of PhyWorld's buckets (id, r, v, both, still), which evaluation files mix.
    `fields` without rgb decodes no video. `fps` overrides the rate at which the videos play. The file is opened for every
    clip and never held open.
    """

    streams = KINEMATIC
    known = FIELDS
    step = DT

    layout: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout is not None and self.layout not in LAYOUTS:
            raise UserError(f"{self.path}: there is no layout {self.layout!r}; there are {', '.join(LAYOUTS)}")

    def check(self) -> None:
        """Raise UserError where the file is none of PhyWorld's, or a wanted layout or bucket is not in it."""
        _ = self.kind, self.length

    @cached_property
    def kind(self) -> str:
        """The file's layout, told or given."""
        key = next(key for key, size in zip(self.index.keys, self.index.sizes, strict=True) if size)
        with opened(self.path) as file:
            init, position = (numbers(file, name, key, self.path, axes)[:64] for name, axes in ((INIT, (2,)), (POSITION, (3, 4))))
        return _recognise(init, position, self.layout or self._note.layout, f"{self.path}: {key}")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The bucket of every clip of the file."""
        with opened(self.path) as file:
            rows = [numbers(file, INIT, key, self.path, (2,)) for key in self.index.keys]
        if len({row.shape[1] for row in rows}) > 1:
            raise UserError(f"{self.path}: the rows of {INIT} differ in length")
        return tuple(_buckets(np.concatenate(rows), LAYOUTS[self.kind].balls))

    @cached_property
    def _note(self) -> Note:
        return Note.of(self.index.note, self.path)

    def read(self, index: int) -> Clip:
        whole = self.whole(index)
        place = self.index.place(whole)
        where = f"{self.path}: {name_of(*place)}"
        row, position, data = self._stored(place, where)
        params = dict(zip(LAYOUTS[self.kind].columns, row.tolist(), strict=True))
        for name in (name for name in params if name.startswith("r") and params[name] <= 0):
            raise UserError(f"{where}: {INIT} states {name} = {params[name]:g} m; a radius above 0 was expected")
        video = None if data is None else video_of(data, where, len(position), self.fps)
        fields: dict[str, Any] = {"bodies": self._bodies(params, position)}
        meta = {
            "file": self.path, "item": name_of(*place), "index": whole, "scenario": LAYOUTS[self.kind].law, "params": params,
            "bucket": _buckets(row[None], LAYOUTS[self.kind].balls)[0], "world_width": WORLD,
            "first_frame_time": self._note.first_frame_time,
        }  # fmt: skip
        if video is None:
            return Clip(fps=self.fps or FPS, dt=DT, meta=meta, **fields)
        convention, (height, width) = self._note.pixel_convention, video.size
        meta |= {"pixel_convention": convention, "render_width": width}
        camera = Camera.planar(width, height, WORLD, len(position), linspace=convention == LINSPACE)
        return Clip(fps=video.fps, dt=DT, meta=meta, rgb=video.rgb, text=video.fields.get("text"), camera=camera, **fields)

    def _stored(self, place: tuple[str, int], where: str) -> tuple[Array, Array, NDArray[Any] | None]:
        """An item's row, positions [t,n,2] and, if wanted, the bytes of its video."""
        layout = LAYOUTS[self.kind]
        with opened(self.path) as file:
            row, position = (as_numbers(item(file, name, *place, self.path), f"{where}: {name}", (1, 2, 3)) for name in (INIT, POSITION))
            data = item(file, VIDEO, *place, self.path) if self.fields is None or "rgb" in self.fields else None
        if not layout.fits(row[None], position[None]) or not len(position):
            raise UserError(f"{where}: has a row of {row.size} numbers and positions {position.shape}, unlike the file's first clips")
        return row, position.reshape(len(position), layout.balls, 2), data

    def _bodies(self, params: Mapping[str, float], position: Array) -> dict[str, torch.Tensor]:
        two = LAYOUTS[self.kind].balls == 2
        radius = np.array([params["r1"], params["r2"]] if two else [params["r"]])
        color = np.array([RED, BLUE] if two else [BLUE if params.get("color") else RED], np.uint8)
        arrays = {"radius": radius, "mass": np.pi * radius**2, "color": color}
        if "shape" in params:
            arrays["shape"] = np.array([int(params["shape"])], np.int64)
        held = {key: torch.from_numpy(np.broadcast_to(value, (len(position), *value.shape)).copy()) for key, value in arrays.items()}
        velocity = velocities(position, DT)
        _start(velocity[0], params, position, LAYOUTS[self.kind].law, self._note.first_frame_time)
        return {"position": torch.from_numpy(position), "velocity": torch.from_numpy(velocity), **held}


@dataclass(frozen=True)
class Note:
    """What a file says beyond the published layout; the published conventions where it says nothing."""

    layout: str | None = None
    pixel_convention: str = LINSPACE
    first_frame_time: float = FIRST

    @classmethod
    def of(cls, said: Mapping[str, Any], path: str) -> Note:
        """Raises UserError where the file says something that is not understood."""
        note = cls(**{key: said[key] for key in ("layout", "pixel_convention", "first_frame_time") if key in said})
        start = note.first_frame_time
        known = note.pixel_convention in (LINSPACE, CENTERS) and note.layout in (None, *LAYOUTS)
        if not known or isinstance(start, bool) or not isinstance(start, int | float) or not 0 <= start < float("inf"):
            raise UserError(f"{path}: says of itself what this kinema does not understand: {note}")
        return note


def video_of(data: NDArray[Any], where: str, frames: int, fps: float | None) -> Clip:
    """The video that an item holds as bytes. Raises UserError where it is none, or not of that many frames."""
    if data.dtype != np.uint8 or data.ndim != 1:
        raise UserError(f"{where}: {VIDEO} holds {data.dtype} of shape {data.shape}; the bytes of an mp4 were expected")
    video = read_video_bytes(data.tobytes(), name=f"{where}: {VIDEO}", fps=fps)
    if video.num_frames != frames:
        raise UserError(f"{where}: its video has {video.num_frames} frames, its states are those of {frames}")
    return video


def velocities(position: Array, dt: float) -> Array:
    """Central differences [t,...] of positions, one-sided of second order at the ends: exact under a constant force."""
    if len(position) < 2:
        return np.zeros_like(position)
    found: Array = np.gradient(position, dt, axis=0, edge_order=2 if len(position) > 2 else 1)
    return found


def _start(velocity: Array, params: Mapping[str, float], position: Array, law: str, first_frame_time: float) -> None:
    """Put the stated speeds into the velocity [n,2] in m/s of the first frame, along the axis on which a ball sets out."""
    if law == "collision":
        velocity[:] = [[params["v1"], 0.0], [-params["v2"], 0.0]]
        return
    pull = np.array([0.0, _GRAVITY if law == "parabola" else 0.0])
    step = (position[1] - position[0])[0] - pull * DT * (first_frame_time + DT / 2) if len(position) > 1 else np.array([1.0, 0.0])
    axis = int(abs(step[1]) > abs(step[0]))
    velocity[0, axis] = (-params["v"] if step[axis] < 0 else params["v"]) + pull[axis] * first_frame_time


def _buckets(init: Array, balls: int) -> list[str]:
    return buckets(init[:, :balls], np.abs(init[:, balls : 2 * balls]))


def _recognise(init: Array, position: Array, given: str | None, where: str) -> str:
    """The layout of first rows and positions. Raises UserError where they fit none, or not the given one."""
    names = list(LAYOUTS) if given is None else [given]
    fitting = [name for name in names if LAYOUTS[name].fits(init, position)]
    if not fitting:
        rows = " or ".join(dict.fromkeys(f"[{', '.join(LAYOUTS[name].columns)}]" for name in names))
        raise UserError(f"{where}: has rows of {init.shape[1]} numbers and positions {position.shape}; rows of {rows} were expected")
    extra = LAYOUTS[fitting[0]].columns[2:] if LAYOUTS[fitting[0]].balls == 1 else ()
    if extra and not np.isin(init[:, 2:], (0, 1)).all():
        raise UserError(f"{where}: has rows of {init.shape[1]} numbers, but the last say no {' and '.join(extra)}: these are 0 or 1")
    if len(fitting) == 1:
        return fitting[0]
    law = law_of(position)
    if law is None:
        raise UserError(f"{where}: holds a ball that moves neither evenly nor on a parabola: name the layout ({', '.join(fitting)})")
    return law


def law_of(position: Array) -> str | None:
    """Uniform motion or parabola, told by the accelerations of positions [k,t,2]; None where it is neither."""
    if position.shape[1] < 3:
        return None
    pull = np.diff(position, 2, axis=1) / DT**2
    fits = (name for name, gravity in (("uniform", 0.0), ("parabola", _GRAVITY)) if np.nanmax(np.abs(pull - [0.0, gravity])) < 0.05)
    return next(fits, None)
