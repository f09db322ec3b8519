"""`kinema bench`: a benchmark of a world model, or of a folder of videos that any other system made."""

from __future__ import annotations

from typing import Annotated

import tyro

_TERMINAL = ("velocity", "velocity_of_means", "vanished")


def main(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")],
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|VIDEOS")],
    *,
    out: str | None = None,
    num: int = 64,
    laws: tuple[str, ...] = ("uniform", "parabola", "collision"),
    splits: tuple[str, ...] = ("id", "ood"),
    metrics: tuple[str, ...] | None = None,
    given: int = 3,
    size: int = 128,
    frames: int = 32,
    write_inputs: bool = False,
    paper_compatible: bool = False,
    json: bool = False,
) -> None:
    """Run a benchmark on a world model or a folder of videos.

    Each row stands beside the true video through the parser (floor), the repeated last frame, the textbook, and what the
    paper reports, with 95 % bootstrap intervals.

    Args:
        name: of the benchmark; there is phyworld.
        system: a model's name or folder, or a folder of videos named like uniform-id-0000.mp4.
        out: folder for results.json, samples.csv and report.html (not needed for --write-inputs).
        num: clips of each law and split.
        laws: among uniform, parabola, collision, bounce.
        splits: id, ood, or levels such as r, v, both.
        metrics: names; by default all that need no weights.
        given: first frames that the videos' system was given (a model says so itself).
        size: side of the frames in px, for --write-inputs (otherwise the model's or the videos').
        frames: frames of a clip, for --write-inputs.
        write_inputs: instead of judging, write the given frames of every clip into the folder MODEL|VIDEOS.
        paper_compatible: judge as PhyWorld's released evaluator does.
        json: print the result as JSON.
    """
    import json as _json
    from pathlib import Path

    from ..benchmarks.output import headline, results, write_result
    from ..benchmarks.phyworld import METRIC_NAMES, PhyWorld
    from ..core.errors import UserError
    from .tables import Progress, print_table

    if name != "phyworld":
        raise UserError(f"there is no benchmark named {name!r}; there is phyworld")
    benchmark = PhyWorld(num=num, laws=laws, splits=splits, metrics=metrics or METRIC_NAMES, paper_compatible=paper_compatible)
    if write_inputs:
        benchmark.write_inputs(Path(system), size=size, num_frames=frames, condition_frames=given)
        print(system)
        return
    if out is None:
        raise UserError("--out names the folder that the report goes to")
    judged = _system(system, given)
    with Progress() as progress:
        result = benchmark.run(judged, progress)
        lede = ["How lawful the futures are that a model dreams, in and out of the range it was trained on. Worst cases first."]
        report = write_result(result, Path(out), model=system, lede=[*lede, *_sentence(headline(result.table))], notes=[])
    if json:
        print(_json.dumps(results(result, system), indent=2, sort_keys=True))
        return
    print_table(result.table, f"PhyWorld: {system}", [c for c in _TERMINAL if c in (metrics or METRIC_NAMES)] or None)
    _print_paper(result.protocol["paper"])
    print(report)


def _system(name: str, given: int):  # type: ignore[no-untyped-def]
    """A folder of videos where there is one of that name with videos in it, else a model."""
    from pathlib import Path

    from ..benchmarks.systems import Folder, Model
    from ..core.video import VIDEO_SUFFIXES

    folder = Path(name)
    if folder.is_dir() and any(f.suffix.lower() in VIDEO_SUFFIXES for f in folder.iterdir()):
        return Folder.open(folder, given)
    from ..world_model import WorldModel

    return Model(WorldModel.from_pretrained(name))


def _sentence(said: list[str]) -> list[str]:
    return ["Velocity error of the dream: " + "; ".join(said) + "."] if said else []


def _print_paper(paper: dict) -> None:  # type: ignore[type-arg]
    from rich import box
    from rich.table import Table as Grid

    from .tables import wide_console

    title = "The paper: velocity error of means, units/s"
    grid = Grid(title=title, title_justify="left", caption=paper["note"], caption_justify="left", box=box.SIMPLE_HEAD)
    grid.add_column("", no_wrap=True)
    for law in paper["rows"]:
        for split in ("id", "ood"):
            grid.add_column(f"{law}\n[dim]{split.upper()}[/dim]", justify="right")
    for name in dict.fromkeys(name for rows in paper["rows"].values() for name in rows):
        cells = [v for rows in paper["rows"].values() for v in rows.get(name, (None, None))]
        grid.add_row(name, *("–" if v is None else f"{v:.4f}" for v in cells))
    wide_console().print(grid)
