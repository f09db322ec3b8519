"""A world model under questions: its dreams of many clips, and the seconds one takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.clip import Clip, as_uint8
from ..core.config import to_json
from ..core.errors import UserError
from .kept import Kept, key_of, key_of_weights

Progress = Callable[[str, int, int], Any]


@dataclass(frozen=True)
class Subject:
    """A world model by the name it has in tables. Dreams depend on its weights, the clips, `seed` and `batch`, and are kept."""

    name: str
    model: Any
    kept: Kept
    seed: int = 0
    batch: int = 8
    guidance: Mapping[str, float] = field(default_factory=dict)
    progress: Progress = field(default=lambda what, done, total: None)

    @cached_property
    def key(self) -> str:
        """What tells it from every other model, whose weights must not change from here on."""
        return f"{key_of_weights(self.model.codec, self.model.network)} {to_json(self.model.blueprint)}"

    def takes(self, *names: str) -> bool:
        """Whether it can be told all of these by name."""
        return set(names) <= set(self.model.takes)

    def hears(self, clips: Sequence[Clip], told: Iterable[str]) -> list[str]:
        """What it is really told of a batch: those of the names that it takes and that all clips have."""
        return sorted(name for name in set(told) if self.takes(name) and all(clip.has(name) for clip in clips))

    def guided(self, told: Iterable[str]) -> dict[str, float]:
        """The guidance that concerns what it is told."""
        return {name: weight for name, weight in sorted(self.guidance.items()) if name in told}

    def dreams(
        self, clips: Sequence[Clip], told: Iterable[str], *, frames: bool = True, steps: int | None = None, what: str = "dream"
    ) -> list[Clip]:
        """Its dreams in the order of `clips`: from their first frames if `frames`, told those of their fields that are in `told`,
        that the model takes and that all clips of a batch have."""
        made: list[Clip] = []
        for start in range(0, len(clips), self.batch):
            some = clips[start : start + self.batch]
            names = self.hears(some, told)
            asked = [self.key, key_of(some), names, self.guided(names), frames, steps, self.seed + start]

            def make(some: Sequence[Clip] = some, names: Sequence[str] = names, at: int = start) -> Mapping[str, Tensor]:
                return {"rgb": self._dream(some, names, frames, steps, self.seed + at)}

            kept = self.kept.tensors("dream", asked, make)
            given = self.model.condition_frames if frames else 0
            meta = {"condition_frames": given}
            made += [Clip(rgb=rgb, fps=clip.fps, dt=clip.dt, meta=meta) for rgb, clip in zip(kept["rgb"], some, strict=True)]
            self.progress(f"{self.name}: {what}", len(made), len(clips))
        return made

    def _dream(self, clips: Sequence[Clip], names: Sequence[str], frames: bool, steps: int | None, seed: int) -> Tensor:
        told = said(clips, names)
        first = self.model.condition_frames
        shown = Clip.stack([c.only("rgb").frames(0, first) for c in clips]) if frames and first else None
        guidance = self.guided(names)
        dream = self.model.dream(frames=shown, num_frames=self.model.num_frames, steps=steps, guidance=guidance, seed=seed, **told)
        if not torch.isfinite(dream.rgb).all():
            raise UserError(f"{self.name}: the model dreams NaN or infinite pixels")
        return as_uint8(dream.rgb)

    def seconds(self, clips: Sequence[Clip], told: Iterable[str], steps: int | None) -> list[float]:
        """Wall time in s of the dream of each clip, one at a time, after one that warms up."""
        heard = [self.hears([clip], told) for clip in clips]
        asked = [self.key, key_of(clips), heard, self.guided(told), steps, torch.get_num_threads(), str(self.model.device)]

        def measure() -> Mapping[str, Tensor]:
            taken = []
            for clip, names in ((clips[0], heard[0]), *zip(clips, heard, strict=True)):
                start = time.perf_counter()
                self._dream([clip], names, True, steps, self.seed)
                taken.append(time.perf_counter() - start)
            return {"seconds": torch.tensor(taken[1:], dtype=torch.float64)}

        return [float(s) for s in self.kept.tensors("seconds", asked, measure)["seconds"]]


def said(clips: Sequence[Clip], names: Iterable[str]) -> dict[str, Any]:
    """The named fields, which all clips have, as a dream is told them."""
    return {n: [c.text for c in clips] if n == "text" else Clip.stack([c.only(n) for c in clips]) for n in names}


def subjects(
    models: Mapping[str, Any], folder: Path | None, seed: int, batch: int, guidance: Mapping[str, float], progress: Progress
) -> list[Subject]:
    """The models, which must agree in size, frames and time step. Raises UserError where they do not."""
    seen = {(m.size, m.num_frames, m.blueprint.dt, m.condition_frames) for m in models.values()}
    if len(seen) != 1:
        raise UserError(
            "models that are compared must agree in size, frames, time step and first frames; got "
            + "; ".join(f"{size} px, {frames}, {dt:g} s, {first}" for size, frames, dt, first in sorted(seen))
        )
    kept = Kept(None if folder is None else folder / "kept")
    return [Subject(name, model, kept, seed, batch, guidance, progress) for name, model in models.items()]
