"""What a benchmark leaves in a folder: results.json, samples.csv, report.html, and the videos of its scenes when asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.files import make_folder, write_json, write_whole
from ..core.video import write_video
from .report import write_report
from .result import Result, Scene
from .table import Table, label, number

_SCENES = "Both videos run in step; the third picture is where they differ."
_PARSED = (
    " Below, what the parser reads off the frames while it sees a ball whole. A speed is the difference of two frames, so an "
    "impact between them shows as a dip."
)


def write_result(
    result: Result, out: Path, *, model: str, lede: Iterable[str], notes: Iterable[str], intervals: bool = True, order: str = "worst first"
) -> Path:
    """Write results.json, samples.csv and report.html into `out`; gives the report's path."""
    make_folder(out)
    write_json(out / "results.json", results(result, model))
    write_whole(out / "samples.csv", result.table.to_csv())
    protocol = result.protocol
    size, frames, given = protocol["size_px"], protocol["num_frames"], protocol["condition_frames"]
    facts = [
        ("model", model), ("resolution", f"{size} × {size} px"), ("frames", f"{frames}, of which {given} given"),
        ("clips", str(len({(s.case, s.split, s.index) for s in result.table.samples}))), ("parser", protocol["parser"]),
    ]  # fmt: skip
    write_report(
        out / "report.html",
        title=result.title, lede=lede, facts=facts, table=result.table, scenes=result.scenes, intervals=intervals,
        scenes_title="Truth, dream and difference" + (f", {order}" if order else ""),
        scenes_about=_SCENES + ("" if protocol["parser"].startswith("none") else _PARSED),
        notes=[*result.table.notes, *notes], paper=_paper(protocol),
    )  # fmt: skip
    return out / "report.html"


def results(result: Result, model: str) -> dict[str, Any]:
    """A benchmark's result as plain JSON."""
    return {"title": result.title, "model": model, "protocol": result.protocol, **result.table.to_json()}


def write_scenes(scenes: Iterable[Scene], out: Path) -> None:
    """Truth and dream of every scene as lossless videos beside each other: NAME-truth.mp4, NAME-dream.mp4."""
    for scene in scenes:
        for kind, clip, given in (("truth", scene.truth, None), ("dream", scene.dream, scene.condition_frames)):
            write_video(out / f"{scene.name}-{kind}.mp4", clip.rgb, clip.fps, dt=clip.dt, given=given)


def headline(table: Table, column: str = "velocity") -> list[str]:
    """A sentence per law and split: the dream's error as a share of repeating the last frame."""
    said = []
    for case, split in table.groups():
        dream, repeat = (table.figure(case, split, source, column).mean for source in ("dream", "repeat"))
        if not (math.isnan(dream) or math.isnan(repeat)) and repeat > 0:
            said.append(f"{case} {label(split)}: {number(dream)} m/s, {100 * dream / repeat:.0f} % of repeating the last frame")
    return said


def _paper(protocol: dict[str, Any]) -> dict[str, Any] | None:
    if "paper" not in protocol:
        return None
    paper = protocol["paper"]
    laws, splits = paper["rows"], paper.get("splits", ("in distribution", "out"))
    names = list(dict.fromkeys(name for rows in laws.values() for name in rows))
    columns = [f"{law}, {split}" for law in laws for split in splits]
    rows = [{"name": name, "values": [v for law in laws for v in laws[law].get(name, (None, None))]} for name in names]
    what, unit = paper.get("what", "velocity error of means"), paper.get("unit", "units/s")
    return {"note": paper["note"], "columns": columns, "rows": rows, "what": what, "unit": unit}
