"""Pictures as clips, for joint training on images and videos."""

from __future__ import annotations

from dataclasses import field

import torch

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.rng import stream
from ..core.video import fit
from .dataset import Dataset
from .folder import Videos


@part
class Stills(Dataset):
    """`num_frames` independent pictures as one clip: rgb [t,3,size,size], text "", meta {"images": True, "captions": (t texts)}.

    The pictures are single frames, drawn by (seed, index) from different clips of a dataset: of a folder of pictures, or of videos.
    Only a dataset with fewer clips than `num_frames` gives one clip twice. Endless unless `length` is given. A batch shares fps
    and dt: give those of the videos it is mixed with, or put `Prompted` around the mixture. WorldDreamer (16 pictures a sample).
    Raises UserError where the dataset is empty.
    """

    dataset: Dataset = field(kw_only=False)
    num_frames: int = 16
    size: int = 64
    fps: float = 10.0
    dt: float | None = None
    seed: int = 0
    length: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_frames", "size"):
            if getattr(self, name) < 1:
                raise UserError(f"Stills: {name} must be at least 1, got {getattr(self, name)}")
        if self.length is not None and self.length < 0:
            raise UserError(f"Stills: length must be 0 or more, got {self.length}")

    def read(self, index: int) -> Clip:
        rng = stream("stills", self.seed, index)
        pictures, captions = [], []
        for place in self._places(index):
            if isinstance(self.dataset, Videos):  # of which one frame can be read without the others
                frame = int(rng.integers(self.dataset.num_frames(place)))
                clip = self.dataset.excerpt(place, frame, frame + 1)
            else:
                clip = self.dataset[place]
                frame = int(rng.integers(clip.num_frames))
                clip = clip.only("rgb", "text").frames(frame, frame + 1)
            pictures.append(fit(clip, self.size).rgb)
            captions.append(clip.text if clip.has("text") else "")
        meta = {"images": True, "captions": tuple(captions)}
        return Clip(rgb=torch.cat(pictures), fps=self.fps, dt=self.dt, text="", meta=meta)

    def _places(self, index: int) -> list[int]:
        total = self.dataset.length
        if total == 0:
            raise UserError("Stills: the dataset that pictures are drawn from is empty")
        if total is None:
            return list(range(index * self.num_frames, (index + 1) * self.num_frames))
        drawn = stream("pictures", self.seed, index).choice(total, self.num_frames, replace=total < self.num_frames)
        return [int(place) for place in drawn]
