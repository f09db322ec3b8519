"""PhyWorld's published files of PHYRE's scenes: 14 features of every object in every frame, a video, an action."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch

from ..core.camera import Camera
from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..simulators.planar.phyre import SHAPES, SIDE
from ..simulators.planar.phyre.objects import BLACK, COLORS, PURPLE
from ..simulators.planar.phyre.shapes import shape
from .file import PublishedFile
from .hdf5 import ACTION, OBJECT, PHYRE, VIDEO, Array, as_numbers, item, name_of, opened
from .phyworld import FPS, velocities, video_of

DT = 20 / 60  # s: every 20th step of 1/60 s
FIRST = 1 / 60  # s; the published simulator records after its first step
FEATURES = 14
BUCKETS = ("train", "in_template", "out_of_template")
FIELDS = ("rgb", "bodies", "actions", "camera", "text")
_KEY = re.compile(r"(\d+):(\d+)")
_HELD_OUT = 10060  # the first template that is not trained on
_KEPT = 990  # the first trial of a task that is not trained on


@part
class PhyreFile(PublishedFile):
    """The clips of one .hdf5 file of PhyWorld's PHYRE scenes (phyworld/phyworld `combinatorial_data`), or of one that
    `to_phyworld` wrote.

    A clip has rgb as its mp4 shows it; bodies, the red ball last: position [t,n,2] m of the centres of mass in a scene of
    85.3 m, velocity and angular_velocity (central differences), angle [t,n] rad (without jumps), length and radius [t,n] m
    as `simulators.Phyre` has them, color, shape (code in SHAPES), static; actions [t,a], PHYRE's (x, y, r) of the red ball
    in every frame; the camera; dt = 1/3 s. Its meta holds "template", "task" and "trial" in "params", "item", "bucket".

    `bucket` keeps the clips of one of PhyWorld's sets: train, in_template (trials 990 and on of a trained template) and
    out_of_template (templates 10060 and on). `fields` without rgb decodes no video. `fps` overrides the videos' rate.
    """

    streams = PHYRE
    known = FIELDS
    step = DT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bucket is not None and self.bucket not in BUCKETS:
            raise UserError(f"{self.path}: there is no bucket {self.bucket!r}; there are {', '.join(BUCKETS)}")

    def check(self) -> None:
        """Raise UserError where the file is none of PHYRE's scenes, or a wanted bucket is not in it."""
        _ = self.index, self._first, self.length

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The bucket of every clip of the file."""
        found = (bucket_of(key, n) for key, size in zip(self.index.keys, self.index.sizes, strict=True) for n in range(size))
        return tuple(found)

    @cached_property
    def _first(self) -> float:
        start = self.index.note.get("first_frame_time", FIRST)
        if isinstance(start, bool) or not isinstance(start, int | float) or not 0 <= start < float("inf"):
            raise UserError(f"{self.path}: says of itself that its first frame is at {start!r}; a time in s was expected")
        return float(start)

    def read(self, index: int) -> Clip:
        whole = self.whole(index)
        key, number = place = self.index.place(whole)
        where = f"{self.path}: {name_of(*place)}"
        with opened(self.path) as file:
            objects = as_numbers(item(file, OBJECT, *place, self.path), f"{where}: {OBJECT}", (3,))
            action = as_numbers(item(file, ACTION, *place, self.path), f"{where}: {ACTION}", (1,))
            data = item(file, VIDEO, *place, self.path) if self.fields is None or "rgb" in self.fields else None
        frames = len(objects)
        fields: dict[str, Any] = {"bodies": bodies_of(objects, where), "actions": torch.from_numpy(np.tile(action, (frames, 1)))}
        params = {**dict(zip(("template", "task"), _parsed(key), strict=False)), "trial": number, "action": action.tolist()}
        meta = {
            "file": self.path, "item": name_of(*place), "index": whole, "scenario": "phyre", "params": params,
            "bucket": bucket_of(*place), "world_width": SIDE, "first_frame_time": self._first,
        }  # fmt: skip
        if data is None:
            return Clip(fps=self.fps or FPS, dt=DT, meta=meta, **fields)
        video = video_of(data, where, frames, self.fps)
        camera = Camera.planar(video.size[1], video.size[0], SIDE, frames)
        return Clip(fps=video.fps, dt=DT, meta=meta, rgb=video.rgb, text=video.fields.get("text"), camera=camera, **fields)


def bucket_of(key: str, number: int) -> str:
    """PhyWorld's set of a trial of the task "template:task"."""
    found = _parsed(key)
    if found and found[0] >= _HELD_OUT:
        return "out_of_template"
    return "in_template" if number >= _KEPT else "train"


def bodies_of(objects: Array, where: str) -> dict[str, torch.Tensor]:
    """The bodies that PHYRE's features [t,n,14] describe. Raises UserError where they describe none."""
    if objects.shape[2] != FEATURES or not len(objects):
        raise UserError(f"{where}: has objects of shape {objects.shape}; frames x objects x {FEATURES} features were expected")
    hot, painted = objects[..., 4:8], objects[..., 8:]
    for name, codes in (("shape", hot), ("colour", painted)):
        if not (np.isin(codes, (0, 1)).all() and (codes.sum(-1) == 1).all() and (codes == codes[:1]).all()):
            raise UserError(f"{where}: has an object without exactly one {name}, the same in every frame")
    if not (objects[0, :, 3] > 0).all():
        raise UserError(f"{where}: has an object whose diameter is not above 0")
    shapes, colors = hot.argmax(-1), np.array(COLORS, np.uint8)[painted.argmax(-1)]
    sizes = [_length(SHAPES[code], float(diameter)) for code, diameter in zip(shapes[0], objects[0, :, 3], strict=True)]
    length = np.array(sizes).reshape(-1)
    radius = np.array([shape(SHAPES[code], one).radius for code, one in zip(shapes[0], sizes, strict=True)]).reshape(-1)
    static = (colors == np.array(BLACK)).all(-1) | (colors == np.array(PURPLE)).all(-1)
    position, angle = objects[..., :2] * SIDE, np.unwrap(objects[..., 2] * 2 * np.pi, axis=0)
    arrays: Mapping[str, Any] = {
        "position": position,
        "velocity": velocities(position, DT),
        "angle": angle,
        "angular_velocity": velocities(angle, DT),
        "length": np.tile(length * SIDE, (len(objects), 1)),
        "radius": np.tile(radius * SIDE, (len(objects), 1)),
        "color": colors,
        "shape": shapes.astype(np.uint8),
        "static": static,
    }
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}


@lru_cache(maxsize=65536)
def _length(name: str, diameter: float) -> float:
    """The length of a shape whose stated diameter is this: the inverse of a rising function, by halving."""
    if name == "ball":
        return diameter
    low, high = 0.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if shape(name, middle).diameter < diameter else (low, middle)
    return high


def _parsed(key: str) -> tuple[int, ...]:
    """(template, task) of a key, or nothing."""
    match = _KEY.fullmatch(key)
    return (int(match[1]), int(match[2])) if match else ()
