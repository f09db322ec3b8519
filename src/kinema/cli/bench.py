"""`kinema bench`: benchmarks of a world model or of a folder of videos; and PhyWorld's studies, which train their own models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import tyro

_TERMINAL = ("velocity", "velocity_of_means", "vanished", "psnr", "ssim", "lpips", "fvd")


def phyworld(
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
    """PhyWorld's three laws: judge a world model or a folder of videos; with --study NAME, rerun a study of the paper.

    `kinema bench phyworld --study NAME --help` says what studies there are and what they take. Each row stands beside the
    true video through the parser (floor), the repeated last frame, the textbook, and what the paper reports, with 95 %
    bootstrap intervals.

    Args:
        system: a model's name or folder, or a folder of videos named like uniform-id-0000.mp4.
        out: folder for results.json, samples.csv and report.html (not needed for --write-inputs).
        num: clips of each law and split.
        laws: among uniform, parabola, collision, bounce.
        splits: id, ood, or levels such as r, v, both.
        metrics: names, such as velocity psnr lpips fvd; by default all that need no weights.
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


def study(
    *,
    study: str,
    size: tuple[str, ...] = ("nano",),
    steps: int | None = None,
    videos: tuple[int, ...] = (),
    num: int = 256,
    resolution: int | None = None,
    frames: int | None = None,
    seed: int = 0,
    codec: str = "",
    text_encoder: str = "",
    per_template: int | None = None,
    fvd: bool | None = None,
    points: tuple[str, ...] = (),
    out: str = "runs/phyworld",
    paper_compatible: bool = False,
    dry_run: bool = False,
    report_only: bool = False,
    json: bool = False,
) -> None:
    """Rerun a study of PhyWorld: train what is missing, ask it, and write the paper's figure or table beside ours.

    Killed in any way, the same command goes on where it stopped; what is done is never done again, and models that several
    studies share are trained once in one folder. Two commands may work in one folder at a time.

    Args:
        study: its name, or all.
        size: of the network: pico, nano, S, B, L, XL, or toy for the machinery in seconds; several for the study of scaling.
        steps: of training; by default 1,500 at pico and nano, and the paper's 100,000 from S on.
        videos: training videos of a model; several for the study of scaling. By default 3,000 at pico and nano, 30,000 from S on.
        num: about as many test clips a test; grids are as fine as that allows.
        resolution: side of the frames in px; by default 64 below S, 128 from there on.
        frames: frames of a clip; by default 33 below S, 31 from there on.
        seed: of training clips and weights.
        codec: a trained codec's name or folder; needed from S on.
        text_encoder: for the study of conditioning: a folder with a text encoder, or a model of the Hugging Face hub; by default T5-base.
        per_template: for the study of templates: training videos of each template, in place of an equal number for all models.
        fvd: for the study of templates: judge by FVD too, seconds a clip on a CPU; by default from S on.
        points: train and ask only these of the study's models, by name (gap-* stands for several); --dry-run lists them.
        out: folder of models, rows and pages.
        paper_compatible: judge velocities, beside our own way, as the released evaluator does at 256 px.
        dry_run: say what would be trained, what is there already and how long the rest takes, and stop.
        report_only: write the page from what is there; what is missing is named.
        json: print the result as JSON.
    """
    from pathlib import Path

    from ..studies import STUDIES, Budget
    from ..studies.store import Store
    from .studies import chosen, report, show_plan, train

    budget = Budget(
        size=size, steps=steps, videos=videos, num=num, resolution=resolution, num_frames=frames, seed=seed, codec=codec,
        text_encoder=text_encoder, per_template=per_template, fvd=fvd, paper_compatible=paper_compatible,
    )  # fmt: skip
    asked = chosen(study, STUDIES, budget, points)
    if dry_run:
        show_plan(asked, Store.open(Path(out), make=False), json)
        return
    store = Store.open(Path(out))
    if not report_only:
        train(asked, store)
    report(asked, store, json, index=study == "all")


def phyre(
    system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL|VIDEOS")],
    *,
    out: str | None = None,
    num: int = 100,
    seen: str = "60",
    held_out: str = "ood",
    metrics: tuple[str, ...] | None = None,
    given: int = 1,
    size: int = 256,
    frames: int = 33,
    write_inputs: bool = False,
    json: bool = False,
) -> None:
    """PhyWorld's PHYRE scenes: pictures, FVD and abnormal clips, in templates that training saw and in held-out ones.

    Beside the dreams stand the repeated last frame, the model's codec, and the paper's Table 2. Metrics whose weights are
    not on this machine are left out by name.

    Args:
        system: a model's name or folder, or a folder of videos named like phyre-in-0000.mp4.
        out: folder for results.json, samples.csv and report.html (not needed for --write-inputs).
        num: clips in template, and as many out of template.
        seen: templates that training saw: 6, 30, 60, or the number of one.
        held_out: templates that it did not see: ood, or the number of one.
        metrics: names, such as abnormal ssim psnr lpips fvd fvd-stylegan-v; by default the paper's.
        given: first frames that the videos' system was given (a model says so itself).
        size: side of the frames in px, for --write-inputs (otherwise the model's or the videos').
        frames: frames of a clip, for --write-inputs.
        write_inputs: instead of judging, write the given frames of every clip into the folder MODEL|VIDEOS.
        json: print the result as JSON.
    """
    import json as _json
    from pathlib import Path

    from ..benchmarks.output import results, write_result
    from ..benchmarks.phyre import METRIC_NAMES, Phyre
    from ..benchmarks.phyworld import RESERVED_SEEDS
    from ..core.errors import UserError
    from ..data import Simulated
    from ..simulators import scenario
    from .tables import Progress, print_table

    benchmark = Phyre(metrics=metrics or METRIC_NAMES, seed=RESERVED_SEEDS)

    def truths(px: int, count: int) -> dict[str, Simulated]:
        world, fields = scenario("phyre", size=px, num_frames=count), ("rgb", "segmentation")
        groups = {"in": world.split(seen), "out": world.split(held_out)}
        return {name: Simulated(group, seed=RESERVED_SEEDS, fields=fields, length=num) for name, group in groups.items()}

    if write_inputs:
        benchmark.write_inputs(Path(system), truths(size, frames), given)
        print(system)
        return
    if out is None:
        raise UserError("--out names the folder that the report goes to")
    judged = _system(system, given)
    with Progress() as progress:
        result = benchmark.run(judged, truths(judged.size, judged.num_frames), progress)
        lede = ["Whether a model that saw some combinations of objects can continue scenes of new ones. Worst cases first."]
        report = write_result(result, Path(out), model=system, lede=lede, notes=[])
    if json:
        print(_json.dumps(results(result, system), indent=2, sort_keys=True))
        return
    print_table(result.table, f"PHYRE's scenes: {system}")
    _print_table_2(result.protocol["paper"])
    print(report)


def prompted(
    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    *,
    out: str,
    data: tuple[str, ...] = (),
    clips: int = 32,
    tests: tuple[str, ...] = ("actions", "words", "inpainting", "quality"),
    steps: tuple[int, ...] = (1, 2, 4, 8, 12, 16, 24),
    guidance: tuple[str, ...] = (),
    timed: int = 5,
    batch: int = 8,
    seed: int = 0,
    device: str | None = None,
    json: bool = False,
) -> None:
    """How well prompted world models obey: actions, words, masks; and what their dreams are worth for the time they take.

    Several models stand side by side, on the same held-out clips and seeds, beside the truth, its codec, and what knows nothing.
    Dreams are kept under OUT/kept, so that the same command again costs little. FVD and LPIPS need their weights (kinema weights).

    Args:
        models: names or folders of world models that agree in size, frames and time step.
        out: folder for results.json, report.md, drives.csv and a CSV of samples per test.
        data: dataset folders of held-out clips, one per scenario; by default these are simulated.
        clips: of each scenario.
        tests: among actions, words, inpainting, quality.
        steps: of sampling, for the curve of quality against time; a model's own number is always among them.
        guidance: name=weight, any number of them.
        timed: dreams of one clip that are timed at each number of steps.
        batch: clips dreamt at once.
        seed: of dreams and of resampling.
        device: where models dream; by default a GPU where there is one.
        json: print the results as JSON.
    """
    import json as _json
    from pathlib import Path

    from ..benchmarks.findings import said, to_json, write
    from ..benchmarks.prompted import Prompted, held_in
    from ..core.errors import UserError
    from ..world_model import WorldModel
    from .given import weights
    from .tables import Progress, print_table

    if not models:
        raise UserError("name at least one model")
    names = _short(models)
    loaded = {name: WorldModel.from_pretrained(model, device=device) for name, model in zip(names, models, strict=True)}
    with Progress() as progress:
        benchmark = Prompted(
            clips=clips, tests=tests, steps=steps, timed=timed, batch=batch, seed=seed, guidance=weights(guidance), folder=Path(out),
            progress=progress,
        )  # fmt: skip
        findings = benchmark.run(loaded, held_in(data) if data else None)
        report = write(findings, Path(out))
    if json:
        print(_json.dumps(to_json(findings), indent=2, sort_keys=True))
        return
    for name, table in findings.tables.items():
        print_table(table, name)
    for line in (*(said(row) for row in findings.equal), *(f"left out: {why}" for why in findings.skipped)):
        print(line)
    print(report)


VERBS: dict[str, Callable[..., Any]] = {"phyworld": phyworld, "phyre": phyre, "prompted": prompted}


def variant(name: str, arguments: list[str]) -> tuple[Callable[..., Any], list[str]]:
    """The command of a study where one is named: it has flags of its own."""
    return (study if any(a.partition("=")[0] == "--study" for a in arguments) else VERBS[name]), arguments


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


def _short(models: tuple[str, ...]) -> list[str]:
    """What models are called in tables: the last part of their folders where that tells them apart."""
    from pathlib import Path

    last = [Path(model).name or model for model in models]
    return last if len(set(last)) == len(last) else list(models)


def _sentence(said: list[str]) -> list[str]:
    return ["Velocity error of the dream: " + "; ".join(said) + "."] if said else []


def _print_table_2(paper: dict) -> None:  # type: ignore[type-arg]
    from rich import box
    from rich.table import Table as Grid

    from .tables import wide_console

    grid = Grid(title="The paper's Table 2, in / out of template", title_justify="left", caption=paper["note"], caption_justify="left",
                box=box.SIMPLE_HEAD)  # fmt: skip
    grid.add_column("", no_wrap=True)
    for name in paper["rows"]:
        grid.add_column(name, justify="right")
    for name in dict.fromkeys(name for rows in paper["rows"].values() for name in rows):
        grid.add_row(name, *(" / ".join(f"{v:g}" for v in rows[name]) for rows in paper["rows"].values()))
    wide_console().print(grid)


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
