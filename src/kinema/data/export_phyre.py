"""Scenes of PHYRE in the layout of PhyWorld's files: a dataset for every task, a trial for every clip of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.clip import Clip
from ..core.errors import UserError
from ..simulators.planar.phyre import features
from .hdf5 import ACTION, OBJECT, VIDEO, add_note, add_videos
from .phyre import DT

_BODIES = {"position", "angle", "length", "color", "shape"}


def is_scene(clip: Clip) -> bool:
    """Whether a clip is one of PHYRE's scenes."""
    return clip.has("actions", "bodies") and set(clip.bodies) >= _BODIES


class ScenesWriter:
    """Trials of tasks, in datasets that grow, because clips come in any order of their tasks."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.first: float | None = None

    def add(self, clip: Clip, video: bytes, where: str) -> None:
        """Append a clip to its task. Raises UserError where it names none, or does not fit the trials before it."""
        if not is_scene(clip):
            raise UserError(f"{where}: is no scene of PHYRE, as the clips before it are")
        if abs(clip.dt - DT) > 1e-9:
            raise UserError(f"{where}: its frames are {clip.dt:g} s apart; the layout's are 1/3 s apart")
        action = clip.actions.numpy()
        if (action != action[:1]).any():
            raise UserError(f"{where}: its action changes; the layout holds one for a clip")
        start = clip.meta.get("first_frame_time", 0.0)
        if self.first not in (None, start):
            raise UserError(f"{where}: its first frame is at {start} s, that of the clips before it at {self.first} s")
        self.first = start
        key, objects = _task(clip, where), features(clip.bodies).numpy().astype(np.float32)
        streams = {OBJECT: objects, ACTION: action[0].astype(np.float64)}
        if f"{VIDEO}/{key}" not in self.file:
            add_videos(self.file, key, None)
            for name, data in streams.items():
                one = data.shape
                self.file.create_dataset(f"{name}/{key}", (0, *one), data.dtype, maxshape=(None, *one), chunks=(1, *one))
        there = self.file[f"{OBJECT}/{key}"].shape[1:]
        if there != objects.shape:
            raise UserError(f"{where}: has frames x objects x features {objects.shape}, other trials of task {key} {there}")
        for name, data in {**streams, VIDEO: np.frombuffer(video, np.uint8)}.items():
            stream = self.file[f"{name}/{key}"]
            stream.resize(len(stream) + 1, axis=0)
            stream[-1] = data

    def finish(self) -> str:
        """Write what the layout has no place for; the layout's name."""
        add_note(self.file, layout="phyre", first_frame_time=self.first)
        return "phyre"


def _task(clip: Clip, where: str) -> str:
    try:
        params = clip.meta["params"]
        return f"{int(params['template']):05d}:{int(params['task'] if 'task' in params else params['step']):03d}"
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{where}: its meta names no template and task, under which the layout files it") from None
