"""PhyWorld's protocol for PHYRE's scenes: pictures and abnormal clips, in templates that training saw and in held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..core.clip import Clip
from ..core.config import part, to_json
from ..core.contracts import Metric
from ..core.errors import UserError
from ..core.files import make_folder
from ..core.registry import MissingWeights, find
from ..core.video import write_video
from ..experts import I3D
from ..metrics import LPIPS, METRICS, SET_METRICS, select
from .baselines import given, repeat_last
from .result import Result, Scene, figures_of, worst_first
from .sets import Sets, apart
from .systems import System, reconstructions
from .table import SOURCES, Sample, Table, columns_of, judge

SPLITS = ("in", "out")
METRIC_NAMES = ("abnormal", "ssim", "psnr", "lpips", "fvd")
PAPER_PX, PAPER_GIVEN = 256, 1

PAPER_NOTE = (
    "The paper's rows (Table 2): 256 px, 1 given frame, 100K videos per template; FVD's clip length and convention are not "
    "stated. Its abnormal share is what 10 people said of 120 and 100 videos; ours is a stated rule, a lower bound."
)
# PhyWorld, Table 2: (in template, out of template). LPIPS of XL, 60 templates is .030 in the paper and .035 on its web page.
MODELS = ("DiT-XL, 6 templates", "DiT-XL, 30", "DiT-XL, 60", "DiT-B, 60")
PAPER: dict[str, dict[str, tuple[float, float]]] = {
    name: dict(zip(MODELS, values, strict=True))
    for name, values in {
        "fvd": ((18.2, 22.1), (19.5, 19.7), (17.6, 18.7), (18.4, 21.4)),
        "ssim": ((0.973, 0.943), (0.973, 0.950), (0.972, 0.951), (0.967, 0.949)),
        "psnr": ((32.8, 25.5), (32.7, 27.1), (32.4, 27.3), (30.9, 27.0)),
        "lpips": ((0.028, 0.082), (0.028, 0.065), (0.030, 0.062), (0.035, 0.066)),
        "abnormal": ((0.03, 0.67), (0.03, 0.18), (0.02, 0.10), (0.03, 0.24)),
    }.items()
}


class Clips(Protocol):
    """A dataset, or a list of clips."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Clip: ...


@part
class Phyre:
    """Judges a system on true clips of templates that training saw ("in") and of held-out ones ("out"), `batch` at a time.

    The clips come from the caller, as datasets or lists, so any world with flat-coloured rigid bodies will do. Metrics whose
    weights are not on this machine are left out, and the table's notes name them. `keep` scenes per split are kept, worst first.
    """

    metrics: tuple[str, ...] = METRIC_NAMES
    batch: int = 16
    seed: int = 0
    keep: int = 4

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"at least 1 clip must be judged at a time, got batch {self.batch}")
        unknown = [name for name in self.metrics if name not in METRICS and name not in SET_METRICS]
        if unknown or not self.metrics:
            raise UserError(f"there is no metric named {', '.join(unknown) or 'so'}; there are {', '.join((*METRICS, *SET_METRICS))}")

    def names(self, split: str, count: int) -> list[str]:
        """The clips' names, by which videos of other systems are found: phyre-in-0000, ..."""
        return [f"phyre-{split}-{i:04d}" for i in range(count)]

    def run(
        self, system: System, truths: Mapping[str, Clips],
        progress: Callable[[str, int, int], Any] = lambda what, done, total: None,
    ) -> Result:  # fmt: skip
        """Judge `system` by `truths`: clips for "in", for "out", or both, of the system's size and number of frames.

        Memory does not grow with the number of clips. Raises UserError where the clips do not fit the system.
        """
        counts = self._check(truths)
        names, left_out = usable(self.metrics)
        per_clip, set_names = apart(names)
        metrics, sets = select(per_clip, first_frame=system.condition_frames), Sets(set_names)
        samples: list[Sample] = []
        scenes: list[Scene] = []
        total, done = sum(counts.values()), 0
        for split in counts:
            kept: list[Scene] = []
            for first, batch in _batches(truths[split], counts[split], self.batch):
                _fits(batch, first, split, system)
                sources = self._sources(system, split, counts[split], first, batch)
                rows = judge("phyre", split, sources, list(batch), metrics, first_index=first)
                sets.update("phyre", split, sources, batch)
                samples += rows
                kept = self._worst([*kept, *self._scenes(split, first, batch, sources["dream"], rows, metrics, system)], metrics)
                done += len(batch)
                progress(f"phyre {split}", done, total)
            sets.close("phyre", split)
            scenes += kept
        notes = (self._note(system, counts), *sets.notes(), *left_out)
        samples.sort(key=lambda s: (SPLITS.index(s.split), list(SOURCES).index(s.source)))  # whatever the portions were
        table = Table(columns_of([*metrics, *sets.metrics]), tuple(samples), seed=self.seed, notes=notes, sets=sets.figures())
        some = truths[next(iter(counts))][0]
        protocol = {
            "benchmark": to_json(self), "size_px": system.size, "num_frames": system.num_frames, "fps": some.fps, "dt_s": some.dt,
            "condition_frames": system.condition_frames, "parser": "none: pictures, and colours as pieces",
            "clips": counts,
            "paper": {
                "note": PAPER_NOTE, "rows": {name: PAPER[name] for name in names if name in PAPER},
                "what": "Table 2", "unit": "", "splits": ("in", "out"),
            },
        }  # fmt: skip
        return Result("PHYRE's scenes", table, tuple(scenes), protocol)

    def write_inputs(self, folder: Path, truths: Mapping[str, Clips], condition_frames: int = PAPER_GIVEN) -> None:
        """The given frames of every clip as lossless videos, so that any other system can be judged on the same clips.

        Raises UserError where a file of that name is there: the dreams made from these inputs bear the same names.
        """
        counts = self._check(truths)
        make_folder(folder)
        names = {split: self.names(split, count) for split, count in counts.items()}
        for path in (folder / f"{name}.mp4" for group in names.values() for name in group):
            if path.exists():
                raise UserError(f"{path} is already there, and inputs are named as the dreams made from them; name an empty folder")
        for split, group in names.items():
            for i, name in enumerate(group):
                shown = given(truths[split][i], condition_frames)
                write_video(folder / f"{name}.mp4", shown.rgb, shown.fps, dt=shown.dt)

    def _check(self, truths: Mapping[str, Clips]) -> dict[str, int]:
        unknown = [split for split in truths if split not in SPLITS]
        if unknown or not truths:
            raise UserError(f"true clips were expected for 'in' or 'out' or both, got {', '.join(map(repr, unknown)) or 'none'}")
        counts = {split: _length(truths[split], split) for split in SPLITS if split in truths}
        for split, count in counts.items():
            if not count:
                raise UserError(f"{split!r}: at least 1 true clip was expected")
        return counts

    def _sources(self, system: System, split: str, count: int, first: int, batch: list[Clip]) -> dict[str, list[Clip]]:
        names = self.names(split, count)[first : first + len(batch)]
        more = {} if system.codec is None else {"codec": reconstructions(system.codec, batch)}
        return {
            "dream": system.at(first).dreams(batch, names, lambda n: None),
            "repeat": [repeat_last(t, system.condition_frames) for t in batch], **more,
        }  # fmt: skip

    def _scenes(
        self, split: str, first: int, batch: list[Clip], dreams: list[Clip], rows: list[Sample], metrics: Sequence[Metric], system: System
    ) -> Iterator[Scene]:
        for row in rows:
            if row.source == "dream":
                i, name = row.index - first, self.names(split, row.index + 1)[-1]
                yield Scene(name, "phyre", split, batch[i], dreams[i], None, figures_of(row, metrics), system.condition_frames)

    def _worst(self, scenes: list[Scene], metrics: Sequence[Metric]) -> list[Scene]:
        rows = [Sample(s.case, s.split, i, "dream", {name: value for name, (_, value) in s.figures.items()}) for i, s in enumerate(scenes)]
        return [scenes[row.index] for row in worst_first(rows, metrics)[: self.keep]]

    def _note(self, system: System, counts: Mapping[str, int]) -> str:
        sizes = ", ".join(f"{count} clips {'in' if split == 'in' else 'out of'} template" for split, count in counts.items())
        as_paper = (system.size, system.condition_frames) == (PAPER_PX, PAPER_GIVEN)
        return (
            f"{sizes}; {system.size} px, {system.num_frames} frames, {system.condition_frames} given"
            + ("" if as_paper else f" (the paper: {PAPER_PX} px, {PAPER_GIVEN} given)")
            + "; 95 % bootstrap intervals over clips."
        )


def usable(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The metrics that can be had here, and a sentence for each that cannot, for want of its network's weights."""
    kept, said = [], []
    for name in dict.fromkeys(names):
        weights = I3D().weights if name in SET_METRICS else LPIPS().weights if name == "lpips" else None
        try:
            if weights is not None:
                find(weights)
            kept.append(name)
        except MissingWeights as error:
            said.append(f"{name} is left out: {error}.")
    if not kept:
        raise MissingWeights("; ".join(s.removesuffix(".") for s in said))
    return kept, said


def _length(clips: Clips, split: str) -> int:
    try:
        return len(clips)
    except TypeError:
        raise UserError(f"{split!r}: a dataset of a stated length was expected, this one has no end") from None


def _batches(clips: Clips, count: int, size: int) -> Iterator[tuple[int, list[Clip]]]:
    for first in range(0, count, size):
        yield first, [clips[i] for i in range(first, min(first + size, count))]


def _fits(batch: Sequence[Clip], first: int, split: str, system: System) -> None:
    for i, clip in enumerate(batch, first):
        if (clip.num_frames, *clip.size) != (system.num_frames, system.size, system.size):
            height, width = clip.size
            raise UserError(
                f"clip {i} of {split!r} has {clip.num_frames} frames of {width} x {height} px, and the system makes "
                f"{system.num_frames} of {system.size} x {system.size}"
            )
