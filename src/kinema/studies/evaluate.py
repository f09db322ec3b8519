"""Asking a trained point: dreams of a test's clips, judged in parts, so that a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..benchmarks.baselines import given, repeat_last
from ..benchmarks.systems import reconstructions
from ..core.clip import Clip
from ..core.errors import UserError
from ..core.files import make_folder, write_whole
from ..world_model import WorldModel
from .judges import SetJudge
from .rows import WHOLE, Row, dump, load, params_of
from .store import parts_of, sweep
from .strips import keep
from .study import Test

PART = 64  # clips that are dreamt, judged and written at a time
Progress = Callable[[int, int], Any]
Source = Callable[[list[Clip], int], list[Clip]]  # (truths, number of the first) -> videos


def ask(model: WorldModel, test: Test, path: Path, progress: Progress) -> None:
    """Write the rows of the model's dreams, and the first few as strips; the noise of a clip's dream depends on its number alone,
    whatever part it is dreamt in."""

    def dream(truths: list[Clip], first: int) -> list[Clip]:
        made = dreams(model, truths, first)
        if first == 0:
            keep(path.parent, truths, made, model.condition_frames)
        return made

    _write(path, {"dream": dream}, test, model.condition_frames, progress)


def yardsticks(model: WorldModel, test: Test, path: Path, progress: Progress) -> None:
    """Write the rows of the true videos (floor), of these through the codec (codec), and of the last frame repeated (repeat)."""
    frames = model.condition_frames
    sources: dict[str, Source] = {
        "floor": lambda truths, first: [t.only("rgb") for t in truths],
        "codec": lambda truths, first: reconstructions(model.codec, truths),
        "repeat": lambda truths, first: [repeat_last(t, frames) for t in truths],
    }
    _write(path, sources, test, frames, progress)


def dreams(model: WorldModel, truths: Sequence[Clip], seed: int) -> list[Clip]:
    """What the model makes of the first frames of each truth, and of what else it is told of it."""
    shown = Clip.stack([given(t, model.condition_frames).only("rgb") for t in truths])
    told: dict[str, Any] = {c.name: Clip.stack(list(truths)) for c in model.blueprint.conditions if c.name != "frames"}
    dream = model.dream(frames=shown, num_frames=model.num_frames, seed=seed, **told)
    if not torch.isfinite(dream.rgb).all():
        raise UserError("the model dreams NaN or infinite pixels: its weights, or the precision it runs in, are no good")
    return [d.replace(meta={**t.meta, "condition_frames": model.condition_frames}) for d, t in zip(dream, truths, strict=True)]


def _write(path: Path, sources: dict[str, Source], test: Test, frames: int, progress: Progress) -> None:
    folder = make_folder(path.parent)
    sweep(folder)
    if not path.exists():
        write_whole(path, dump(_all_rows(sources, test, frames, progress, folder)))
    for part in parts_of(path):
        part.unlink()


def _all_rows(sources: dict[str, Source], test: Test, frames: int, progress: Progress, folder: Path) -> list[Row]:
    """Rows of all sources, the first one's first."""
    total = len(test.data)
    rows: list[Row] = []
    if isinstance(test.judge, SetJudge):
        rows = _with_sets(sources, test, test.judge, frames, progress)
    else:
        for first in range(0, total, PART):
            part = folder / f"part-{first:09d}.csv"
            if not part.exists():
                truths = [test.data[i] for i in range(first, min(first + PART, total))]
                write_whole(part, dump(_judged(sources, test, truths, first, frames)))
            rows += load(part, {})
            progress(min(first + PART, total), total)
    return sorted(rows, key=lambda r: list(sources).index(r.source))


def _judged(sources: dict[str, Source], test: Test, truths: list[Clip], first: int, frames: int) -> Iterator[Row]:
    for source, make in sources.items():
        yield from _rows(source, make(truths, first), test, truths, first, frames)


def _rows(source: str, videos: list[Clip], test: Test, truths: list[Clip], first: int, frames: int) -> Iterator[Row]:
    for i, (video, truth) in enumerate(zip(videos, truths, strict=True)):
        yield Row(source, first + i, params_of(truth), test.judge(video, truth, frames))


def _with_sets(sources: dict[str, Source], test: Test, judge: SetJudge, frames: int, progress: Progress) -> list[Row]:
    """Rows of a judge that looks at whole sets too: these must see every clip in one go."""
    rows: list[Row] = []
    total = len(test.data)
    sets = {source: judge.sets() for source in sources}
    for first in range(0, total, PART):
        truths = [test.data[i] for i in range(first, min(first + PART, total))]
        for source, make in sources.items():
            videos = make(truths, first)
            rows += _rows(source, videos, test, truths, first, frames)
            for metric in sets[source].values():
                metric.update(videos, truths)
        progress(min(first + PART, total), total)
    return rows + [Row(s, WHOLE, {}, {name: metric.compute() for name, metric in sets[s].items()}) for s in sources]
