"""Clips as a model takes them: cut in time, cropped and resized, with what moves and films them kept true."""

from __future__ import annotations

from dataclasses import field

import torch
from torch import Tensor

from ..core.camera import Camera
from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.rng import stream
from ..core.video import fit, nearest_frames
from .dataset import Dataset

DRIVEN = 4  # columns of actions that `simulators.spatial.actions` writes: two rates, then two steps per frame


@part
class Fitted(Dataset):
    """The clips of a dataset as a model takes them: the central square at `size` px and `num_frames` frames at `fps`.

    The frames are a window whose place depends on (seed, index) alone, the first ones if `anywhere` is off. A clip that
    already fits is handed on with all its fields. Another keeps rgb, text, the camera (cropped and scaled intrinsics) and its
    actions: of fewer frames per second, speeds and yaw rates [t,4] are averaged and the steps per frame summed; actions of other
    kinds and those of a clip that gets more frames than it has are left out. Raises UserError where a clip is too short.
    """

    dataset: Dataset = field(kw_only=False)
    size: int
    num_frames: int
    fps: float
    seed: int = 0
    anywhere: bool = True

    @property
    def length(self) -> int | None:
        return self.dataset.length

    def read(self, index: int) -> Clip:
        clip = self.dataset[index]
        if clip.size != (self.size, self.size) or clip.fps != self.fps:
            clip = fitted(clip, self.size, self.fps)
        spare = clip.num_frames - self.num_frames
        if spare < 0:
            where = clip.meta.get("file", f"clip {index}")
            raise UserError(f"{where}: has {clip.num_frames} frames at {self.fps:g} fps, {self.num_frames} were expected")
        start = int(stream("window", self.seed, index).integers(spare + 1)) if self.anywhere else 0
        return clip.frames(start, start + self.num_frames) if spare else clip


def fitted(clip: Clip, size: int, fps: float) -> Clip:
    """`core.video.fit`, with camera and actions as `Fitted` says."""
    at = torch.arange(clip.num_frames) if fps == clip.fps else nearest_frames(clip.num_frames, clip.fps, fps)
    camera = _seen(clip.camera, clip.size, size, at) if clip.has("camera") else None
    actions = clip.actions if clip.has("actions") else None
    if actions is not None and fps != clip.fps:
        actions = resampled(actions, at) if fps < clip.fps and actions.shape[1] == DRIVEN else None
    return fit(clip, size, fps).replace(camera=camera, actions=actions)


def resampled(actions: Tensor, at: Tensor) -> Tensor:
    """Actions [t,4] of the frames `at` [k], which rise: what was done from each to the next. The last repeats the one before.

    >>> rows = torch.tensor([[1.0, 0.1, 0.5, 0.05], [3.0, 0.3, 1.5, 0.15], [5.0, 0.5, 2.5, 0.25], [5.0, 0.5, 2.5, 0.25]])
    >>> resampled(rows.double(), torch.tensor([0, 2]))[0].round(decimals=4).tolist()
    [2.0, 0.2, 2.0, 0.2]
    """
    if len(at) < 2:
        return actions[at]
    total = torch.cat([torch.zeros_like(actions[:1]), actions.double().cumsum(0).to(actions)])
    sums = total[at[1:]] - total[at[:-1]]
    mean = sums[:, :2] / (at[1:] - at[:-1])[:, None]
    rows = torch.cat([mean, sums[:, 2:]], 1)
    return torch.cat([rows, rows[-1:]])


def _seen(camera: Camera, old: tuple[int, int], size: int, at: Tensor) -> Camera:
    """The camera of the central square, resized: the centre of its first pixel stays half a pixel from the edge."""
    height, width = old
    side = min(height, width)
    shift = torch.tensor([[1.0, 0.0, -((width - side) // 2)], [0.0, 1.0, -((height - side) // 2)], [0.0, 0.0, 1.0]])
    scale = torch.diag(torch.tensor([size / side, size / side, 1.0], dtype=torch.float64))
    change = (scale @ shift.double()).to(camera.intrinsics)
    return Camera(change @ camera.intrinsics[at], camera.pose[at], camera.orthographic)
