"""`kinema score`: videos judged against the truth, or by themselves."""

from __future__ import annotations

from typing import Annotated

import tyro


def main(
    videos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="VIDEOS")],
    *,
    out: str,
    truth: str | None = None,
    metrics: tuple[str, ...] | None = None,
    given: int | None = None,
    dt: float | None = None,
    paper_compatible: bool = False,
    json: bool = False,
) -> None:
    """Judge videos against the truth or the law.

    Balls are read off the frames, so any system's videos can be judged. With a truth, the figures of the true video itself
    (floor), of the repeated last frame and, where the scenario is known, of the textbook stand beside them.

    Args:
        videos: video files, saved clips, or a folder of them.
        out: folder for results.json, samples.csv and report.html.
        truth: dataset, folder of videos or one video to judge by; paired by name, else in order.
        metrics: names, such as velocity psnr lpips abnormal fvd; by default all that apply and need no weights.
        given: first frames that were given to the model and are not judged; by default what the videos say, or 3.
        dt: physical time between two frames of the videos, in s; by default what the file says, or 1/fps.
        paper_compatible: judge as PhyWorld's released evaluator does.
        json: print the result as JSON.
    """
    import json as _json
    from pathlib import Path

    from ..benchmarks.output import results, write_result
    from ..benchmarks.score import score, undefined
    from ..core.errors import UserError
    from ..data import open_dataset
    from .tables import Progress, print_table

    if dt is not None and not dt > 0:
        raise UserError(f"--dt must be above 0 s, got {dt:g}")
    dataset = None if truth is None else open_dataset(truth, fields=("rgb",))
    with Progress() as progress:
        result = score(videos, dataset, metrics=metrics, given=given, dt=dt, paper_compatible=paper_compatible, progress=progress)
        lede = [_ALONE if dataset is None else _BESIDE]
        lacking = [f"{name} is not defined for any of these videos." for name in undefined(result.table)]
        report = write_result(result, Path(out), model=", ".join(videos), lede=lede, notes=lacking)
    if json:
        print(_json.dumps(results(result, ", ".join(videos)), indent=2, sort_keys=True))
        return
    print_table(result.table, result.title)
    print(report)


_BESIDE = "The balls of every video are read off its frames and held against the truth."
_ALONE = "Without a truth, a video is judged by what it shows: balls that vanish or appear, sizes, momentum and energy."
