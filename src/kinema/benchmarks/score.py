"""Judging anybody's videos: against a dataset of truths, or by what they show themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.clip import Clip
from ..core.contracts import Metric
from ..core.errors import UserError
from ..core.video import read_video
from ..data import Dataset, Shards, Videos
from ..data.shards import key_of
from ..metrics import LAW, OWN, parse, read_dream, select
from .baselines import has_law, repeat_last, textbook
from .result import Result, Scene, figures_of, worst_first
from .sets import Sets, apart
from .systems import check_fit, videos_in
from .table import Sample, Table, columns_of, judge

WITH_TRUTH = ("velocity", "velocity_of_means", "position", "momentum", "energy", "radius", "vanished", "new", "psnr", "ssim")
WITHOUT = tuple(cls.name for cls in OWN)
GIVEN = 3


@dataclass(frozen=True)
class Case:
    """One video and where its truth lies in the dataset."""

    file: Path
    index: int | None


def find_videos(paths: Sequence[str | Path]) -> list[Path]:
    """Video files, folders replaced by the videos directly in them. Raises UserError for what is not there, or there twice."""
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: there is no such file or folder")
        found += videos_in(path) if path.is_dir() else [path]
    if not found:
        raise UserError("there are no videos to judge: name files or a folder")
    for file in found:
        if found.count(file) > 1:
            raise UserError(f"{file}: is named twice")
    return found


def match(videos: Sequence[Path], truth: Dataset) -> list[Case]:
    """Pair videos with clips of the truth: by name where all names are known there, else in order, if there are as many.

    A clip of a kinema dataset is named by its number, 00000042 as in its shard, or 000042. Raises UserError where neither works.
    """
    known = _names(truth)
    if all(v.stem in known for v in videos):
        return [Case(v, known[v.stem]) for v in videos]
    if len(videos) == len(truth):
        return [Case(v, i) for i, v in enumerate(videos)]
    stranger = next(v.stem for v in videos if v.stem not in known)
    raise UserError(
        f"videos and truth do not pair up: {len(videos)} videos, {len(truth)} true clips, and no true clip is named {stranger!r}"
    )


def score(
    videos: Sequence[str | Path],
    truth: Dataset | None = None,
    *,
    metrics: Sequence[str] | None = None,
    given: int | None = None,
    paper_compatible: bool = False,
    dt: float | None = None,
    keep: int = 12,
    progress: Callable[[str, int, int], Any] = lambda what, done, total: None,
) -> Result:
    """Judge videos, with yardsticks beside them where there is a truth; the worst `keep` scenes are kept for looking at.

    `given` frames of each video were given to the model and are not judged; by default what the videos' tags say, or 3.
    Videos stream through, one at a time, also where metrics of whole sets (fvd) are asked for. Raises UserError naming the
    file where a video cannot be read or parsed, or does not fit its truth in frames, size or time step, and where tags differ.
    """
    files = find_videos(videos)
    given = _tagged(files) if given is None else given
    names, set_names = apart(metrics or (WITHOUT if truth is None else WITH_TRUTH))
    chosen = select(names, first_frame=given, paper_compatible=paper_compatible)
    if truth is None:
        needing = [*(m.name for m in chosen if getattr(m, "needs_truth", True)), *set_names]
        if needing:
            raise UserError(f"{', '.join(needing)} need a truth to judge by: give --truth, or choose among {', '.join(WITHOUT)}")
    cases = [Case(v, None) for v in files] if truth is None else match(files, truth)
    bodies = any(m.name in {cls.name for cls in (*LAW, *OWN)} for m in chosen)
    sets = Sets(set_names)
    samples: list[Sample] = []
    size: set[tuple[int, int, int]] = set()
    rates: set[tuple[float, float]] = set()
    for i, case in enumerate(cases):
        progress(case.file.name, i, len(cases))
        dream, true = _load(case, truth, given, dt)
        size.add((dream.size[1], dream.size[0], dream.num_frames))
        rates.add((dream.fps, dream.dt))
        samples += _judge(case, i, dream, true, chosen, given, paper_compatible, bodies, sets)
    figures = sets.figures()
    progress("report", len(cases), len(cases))
    scenes = [_scene(cases[row.index], row, truth, given, dt, chosen, bodies) for row in worst_first(samples, chosen)[:keep]]
    widths = ", ".join(f"{w} × {h}" for w, h, _ in sorted(size))
    protocol = {
        "size_px": widths, "num_frames": ", ".join(str(n) for n in sorted({n for _, _, n in size})), "condition_frames": given,
        "fps": sorted({fps for fps, _ in rates}), "dt_s": sorted({step for _, step in rates}),
        "parser": "released evaluator" if paper_compatible else "kinema, sub-pixel", "videos": [str(c.file) for c in cases],
    }  # fmt: skip
    note = f"{len(cases)} videos" + ("" if truth is None else f", judged by {len(cases)} of {len(truth)} true clips")
    notes = (f"{note}; the first {given} frames count as given.", *sets.notes())
    table = Table(columns_of([*chosen, *sets.metrics]), tuple(samples), notes=notes, sets=figures)
    return Result("Videos judged", table, tuple(scenes), protocol)


def _tagged(files: Sequence[Path]) -> int:
    """How many frames the videos say were given."""
    said = {int(read_video(file, stop=1).meta.get("condition_frames", GIVEN)) for file in files}
    if len(said) > 1:
        raise UserError(f"the videos were given different numbers of frames ({', '.join(map(str, sorted(said)))}): state one with --given")
    return said.pop()


def _names(truth: Dataset) -> dict[str, int]:
    """Names of the true clips; a name that occurs twice names none."""
    if isinstance(truth, Videos):
        stems = [row.file.stem for row in truth.rows]
        return {stem: i for i, stem in enumerate(stems) if stems.count(stem) == 1}
    return {name: i for i in range(len(truth)) for name in (f"{i:06d}", key_of(i))} if isinstance(truth, Shards) else {}


def _load(case: Case, truth: Dataset | None, given: int, dt: float | None) -> tuple[Clip, Clip | None]:
    true = None if truth is None or case.index is None else truth[case.index]
    video = read_video(case.file, dt=dt)
    if not 0 <= given < video.num_frames:
        raise UserError(f"{case.file}: has {video.num_frames} frames, but --given says that {given} of them were given")
    if true is None:
        return video.replace(meta={**video.meta, "condition_frames": given}), None
    check_fit(video, true, str(case.file))
    if abs(video.dt - true.dt) > 1e-6:
        raise UserError(f"{case.file}: its time step is {video.dt:g} s, its truth's {true.dt:g} s; --dt states the videos'")
    meta = {key: true.meta[key] for key in ("world_width", "pixel_convention", "render_width") if key in true.meta}
    return video.replace(meta={**video.meta, **meta, "condition_frames": given}), true


def _judge(
    case: Case, index: int, dream: Clip, true: Clip | None, metrics: Sequence[Metric], given: int, paper_compatible: bool, bodies: bool,
    sets: Sets,
) -> list[Sample]:  # fmt: skip
    sources = {"dream": [dream]}
    if bodies and true is not None and not true.has("bodies"):
        true = _parsed(true)
    if true is not None:
        sources |= {"repeat": [repeat_last(true, given)]} if given else {}
        sources |= {"textbook": [textbook(true, given)]} if given and has_law(true) else {}
        sources |= {"floor": [true.only("rgb")]}

    def read(one: Clip, truth: Clip | None) -> Clip:
        if not bodies or paper_compatible:
            return one
        return parse(one, subpixel=True) if truth is None else read_dream(one, truth)

    if true is not None:
        sets.update(*group_of(true), sources, [true])  # which names the file itself
    try:
        return judge(*group_of(true), sources, [true], metrics, read, first_index=index)
    except UserError as error:
        raise UserError(f"{case.file}: {error}") from None


def _parsed(true: Clip) -> Clip:
    """A true video with its balls, so that dreams are searched for these: one that a dream lacks counts as vanished."""
    try:
        return parse(true, subpixel=True)
    except UserError as error:
        raise UserError(f"{true.meta.get('file', 'the truth')}: {error}") from None


def group_of(true: Clip | None) -> tuple[str, str]:
    """(law, split) of a truth that says so."""
    if true is None or not has_law(true):
        return "videos", ""
    world = true.meta["scenario"]
    outside = true.meta.get("params", {}).get("outside", [])
    return str(world["part"]).rsplit(".", 1)[-1].lower(), "ood" if outside else "id"


def _scene(
    case: Case, row: Sample, truth: Dataset | None, given: int, dt: float | None, metrics: Sequence[Metric], bodies: bool
) -> Scene:
    dream, true = _load(case, truth, given, dt)
    book = textbook(true, given) if true is not None and given and bodies and has_law(true) else None
    case_name = "" if true is None else row.case
    return Scene(case.file.stem, case_name, row.split, dream if true is None else true, dream, book, figures_of(row, metrics), given)


def undefined(table: Table) -> Iterator[str]:
    """Columns that no video has a value for."""
    of_sets = {column for *_, column in table.sets}
    for column in table.columns:
        if column.name not in of_sets and all(math.isnan(s.values[column.name]) for s in table.samples if s.source == "dream"):
            yield column.name
