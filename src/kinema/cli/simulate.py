"""`kinema simulate`: a scenario into a dataset folder."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import tyro


def main(
    scenario: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SCENARIO")],
    *,
    out: str,
    num: int = 100,
    seed: int = 0,
    split: str = "id",
    size: int = 128,
    frames: int = 32,
    fps: float = 10.0,
    dt: float | None = None,
    store: Literal["bodies", "all"] = "bodies",
    shard_size: int | None = None,
    workers: int | None = None,
    on: str = "local",
    json: bool = False,
) -> None:
    """Simulate a scenario into a dataset folder.

    Interrupted in any way, the same command goes on where it stopped. Workers never change a byte.

    Args:
        scenario: uniform, parabola, collision or bounce.
        out: the folder to write; an empty one, a new one, or one that the same command began.
        num: clips.
        seed: of the random stream; clip i depends on scenario, seed and i alone.
        split: id, ood, or one of the scenario's levels (such as r, v, both).
        size: side of the square frames, in px.
        frames: frames of a clip.
        fps: rate at which the videos play.
        dt: physical time between two frames, in s; 1/fps if not given.
        store: bodies keeps video, bodies and seed, and dense truth is rendered when read; all keeps it too.
        shard_size: clips of a shard; chosen from num if not given.
        workers: processes; as many as there are CPU cores if not given.
        on: where to run.
        json: print the dataset's card as JSON.
    """
    from ..core.errors import UserError
    from ..data.generate import generate
    from ..simulators import scenario as named

    if not fps > 0:
        raise UserError(f"--fps must be above 0, got {fps:g}")
    for flag, value in (("--workers", workers), ("--shard-size", shard_size)):
        if value is not None and value < 1:
            raise UserError(f"{flag} must be at least 1, got {value}")
    world = named(scenario, size=size, num_frames=frames, fps=fps, dt=1 / fps if dt is None else dt)
    with _Progress(num) as progress:
        sharing: dict[str, Any] = {"shard_size": shard_size or 0, "workers": workers or 0, "on": on}
        card = generate(out, world, num=num, seed=seed, split=split, store=store, report=progress, **sharing)
    if json:
        from json import dumps

        print(dumps(card, indent=2, sort_keys=True))
        return
    counts = card["counts"]
    kept = f" ({progress.kept} were there)" if progress.kept else ""
    print(f"{out}: {counts['clips']} clips{kept}, {counts['frames']} frames, {counts['shards']} shards, {counts['bytes'] / 1e6:.1f} MB")


class _Progress:
    """A bar with rate and time left on the terminal's error stream; nothing where that is no terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.kept = 0
        console, rate = Console(stderr=True), TextColumn("{task.fields[rate]}")
        columns = (TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("simulate", total=total, rate="")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, clips: int, total: int, kept: bool) -> None:
        self.kept += clips * kept
        self._bar.advance(self._task, clips)
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, rate=f"{speed:.1f} clips/s" if speed else "")
