"""What can be judged: a world model that dreams, or a folder of videos that some other system made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from ..core.clip import Clip, as_uint8
from ..core.errors import UserError
from ..core.video import VIDEO_SUFFIXES, read_video
from .baselines import given

_BATCH = 8


class Sizes(Protocol):
    """Frames given, frames in all, and the side of the image in px."""

    @property
    def condition_frames(self) -> int: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def size(self) -> int: ...


class Dreamer(Sizes, Protocol):
    """What a world model must offer here; `WorldModel` does. `dream` is told by name what its `takes`, if it has any, lists."""

    def dream(self, *, frames: Clip, num_frames: int | None = None, seed: int = 0, **told: Any) -> Clip: ...


class System(Sizes, Protocol):
    """Gives a dream for every truth, whose names say which clip of the benchmark it is; `codec` is None where it has none.

    `at(first)` is the system as it goes on with clip `first`, so that many clips can be asked for in portions.
    """

    @property
    def codec(self) -> Any: ...

    def at(self, first: int) -> System: ...
    def dreams(self, truths: Sequence[Clip], names: Sequence[str], progress: Callable[[int], Any]) -> list[Clip]: ...


@dataclass(frozen=True)
class Model:
    """A world model as a system: it is given the first frames of every truth, in batches, and their state and text if it takes them."""

    model: Dreamer
    seed: int = 0
    batch: int = _BATCH

    @property
    def codec(self) -> Any:
        """The model's codec, to tell its blur from the dream's errors."""
        return getattr(self.model, "codec", None)

    def at(self, first: int) -> Model:
        """The seeds it goes on with after `first` clips."""
        return replace(self, seed=self.seed + first)

    @property
    def condition_frames(self) -> int:
        return self.model.condition_frames

    @property
    def num_frames(self) -> int:
        return self.model.num_frames

    @property
    def size(self) -> int:
        return self.model.size

    def dreams(self, truths: Sequence[Clip], names: Sequence[str], progress: Callable[[int], Any] = lambda done: None) -> list[Clip]:
        """Dreams in the order of `truths`; `progress` is called with the number of clips done."""
        done: list[Clip] = []
        for start in range(0, len(truths), self.batch):
            batch = truths[start : start + self.batch]
            shown = Clip.stack([given(t, self.condition_frames).only("rgb") for t in batch])
            dream = self.model.dream(frames=shown, num_frames=self.num_frames, seed=self.seed + start, **self._told(batch))
            if not torch.isfinite(dream.rgb).all():
                raise UserError("the model dreams NaN or infinite pixels: its weights, or the precision it runs in, are no good")
            done += [d.replace(meta={**t.meta, "condition_frames": self.condition_frames}) for d, t in zip(dream, batch, strict=True)]
            progress(len(done))
        return done

    def _told(self, batch: Sequence[Clip]) -> dict[str, Clip]:
        """What the model takes by name; no actions where a clip has none."""
        names = [name for name in getattr(self.model, "takes", ()) if name != "actions" or all(t.has("actions") for t in batch)]
        return {name: Clip.stack([t.only("bodies", "text", "actions") for t in batch]) for name in names}


@dataclass(frozen=True)
class Folder:
    """Videos named after the clips of a benchmark: `uniform-id-0000.mp4` and so on."""

    path: Path
    condition_frames: int
    num_frames: int
    size: int
    codec: None = None

    @classmethod
    def open(cls, path: Path, condition_frames: int) -> Folder:
        """The folder, its size and number of frames read off its first video. Raises UserError where there is none."""
        files = videos_in(path)
        first = read_video(files[0])
        height, width = first.size
        if height != width:
            raise UserError(f"{files[0]}: the videos of this benchmark are square, this one has {width} x {height} px")
        return cls(path, condition_frames, first.num_frames, width)

    def at(self, first: int) -> Folder:
        """The same: videos have names."""
        return self

    def dreams(self, truths: Sequence[Clip], names: Sequence[str], progress: Callable[[int], Any] = lambda done: None) -> list[Clip]:
        """The videos of these names. Raises UserError naming the first that is missing or does not fit its truth."""
        by_name: dict[str, Path] = {}
        for file in videos_in(self.path):
            if by_name.setdefault(file.stem, file) != file:
                raise UserError(f"{self.path}: both {by_name[file.stem].name} and {file.name} are there; one video per name was expected")
        done = []
        for truth, name in zip(truths, names, strict=True):
            if name not in by_name:
                raise UserError(f"{self.path}: there is no video named {name}, which this benchmark needs")
            video = read_video(by_name[name], dt=truth.dt)
            check_fit(video, truth, str(by_name[name]))
            done.append(video.replace(fps=truth.fps, dt=truth.dt, meta={**truth.meta, "condition_frames": self.condition_frames}))
            progress(len(done))
        return done


@torch.no_grad()
def reconstructions(codec: Any, truths: Sequence[Clip], batch: int = _BATCH) -> list[Clip]:
    """The true videos through a codec and back: what a perfect dream in its latents would look like."""
    device = next((p.device for p in codec.parameters()), torch.device("cpu"))
    done: list[Clip] = []
    for start in range(0, len(truths), batch):
        some = truths[start : start + batch]
        clip = Clip.stack([t.only("rgb") for t in some]).map(lambda x: x.to(device))
        back = codec.decode(codec.encode(clip), fps=clip.fps, dt=clip.dt).map(lambda x: x.cpu())
        done += [Clip(rgb=as_uint8(rgb), fps=t.fps, dt=t.dt, meta=t.meta) for rgb, t in zip(back.rgb, some, strict=True)]
    return done


def videos_in(path: Path) -> list[Path]:
    """The videos and saved clips directly in a folder, by name. Raises UserError where there are none."""
    if not path.is_dir():
        raise UserError(f"{path}: there is no such folder")
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in (*VIDEO_SUFFIXES, ".safetensors") and not f.name.startswith("."))
    if not files:
        raise UserError(f"{path}: this folder holds no video ({', '.join(VIDEO_SUFFIXES)} or a saved clip)")
    return files


def check_fit(video: Clip, truth: Clip, where: str) -> None:
    """Raise UserError where a video has not as many frames and pixels as its truth: nothing is cut or resized silently."""
    if video.num_frames != truth.num_frames:
        raise UserError(f"{where}: has {video.num_frames} frames, its truth {truth.num_frames}")
    if truth.has("rgb") and video.size != truth.size:
        (h, w), (height, width) = video.size, truth.size
        raise UserError(f"{where}: has {w} x {h} px, its truth {width} x {height}")
