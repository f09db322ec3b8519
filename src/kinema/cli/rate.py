"""`kinema rate`: ask people whether videos break a physical law, and read what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import tyro


def sheet(
    videos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="VIDEOS")],
    *,
    out: str,
    truth: str | None = None,
    num: int | None = None,
    seed: int = 0,
    question: str | None = None,
) -> None:
    """Write a blind sheet: a page that shows the videos without names, in a shuffled order, and asks yes or no.

    The page (sheet.html) works from a file without a network and saves a rater's answers as CSV; template.csv is the same
    to be filled in by hand. key.json says which video is which: keep it to yourself.

    Args:
        videos: video files, saved clips, or a folder of them.
        out: folder for sheet.html, template.csv and key.json.
        truth: dataset, folder of videos or one video; true clips are mixed among the others, one for each.
        num: videos drawn of all, by --seed.
        seed: of the draw and of the order.
        question: in place of "Does what happens in this video break a physical law?".
    """
    from pathlib import Path

    from ..benchmarks.ratings import QUESTION, items_of, write_sheet
    from ..data import open_dataset

    dataset = None if truth is None else open_dataset(truth, fields=("rgb",))
    items = items_of(videos, dataset, num=num, seed=seed)
    print(write_sheet(Path(out), items, seed=seed, question=question or QUESTION))


def read(
    folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    filled: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CSV")],
    *,
    json: bool = False,
) -> None:
    """Read filled sheets: the abnormal ratio with its interval, and how far the raters agree.

    Args:
        folder: where `kinema rate sheet` wrote key.json.
        filled: the raters' CSV files.
        json: print the result as JSON.
    """
    import json as _json
    from pathlib import Path

    from ..benchmarks.ratings import read_ratings
    from .tables import print_table

    ratings = read_ratings(Path(folder), [Path(f) for f in filled])
    if json:
        print(_json.dumps(ratings.to_json(), indent=2, sort_keys=True))
        return
    print_table(ratings.table(), f"Abnormal videos: {ratings.key['question']}", intervals=True)


VERBS: dict[str, Callable[..., Any]] = {"sheet": sheet, "read": read}
