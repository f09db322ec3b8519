"""`kinema weights`: the pretrained weights kinema knows by name, and getting them."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..core import UserError, registry


def list_(*, json: tyro.conf.FlagCreatePairsOff[bool] = False) -> None:
    """Every file of weights by name: whether it is here, its licence, what it is for and how to get it.

    Args:
        json: Print a JSON list instead of a table.
    """
    rows = [_row(name) for name in registry.WEIGHTS]
    if json:
        print(dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "state", "size", "licence", "for")
    for row in rows:
        table.add_row(row["name"], row["state"], f"{row['size'] / 1e6:.1f} MB", row["licence"], row["use"])
    console = Console()
    console.print(table)
    for row in rows:
        if row["todo"]:
            console.print(f"{row['name']}: {row['todo']}", highlight=False, soft_wrap=True, markup=False)


def get(name: Annotated[str, tyro.conf.Positional], *, json: tyro.conf.FlagCreatePairsOff[bool] = False) -> None:
    """Fetch one file of weights from its public home, unless it is here, and check its hash.

    Args:
        name: A name that `kinema weights list` shows.
        json: Print the row of `list --json` when done.
    """
    try:
        path = registry.find(name)
    except registry.MissingWeights:
        path = registry.download(name) if json else _download(name)
    print(dumps(_row(name), indent=2) if json else path)


VERBS = {"list": list_, "get": get}


def _row(name: str) -> dict[str, Any]:
    weights = registry.entry(name)
    row: dict[str, Any] = {
        "name": name,
        "state": "here",
        "path": None,
        "todo": None,
        **{key: getattr(weights, key) for key in ("file", "size", "sha256", "licence", "use", "home", "url")},
    }
    try:
        row["path"] = str(registry.find(name))
    except registry.MissingWeights:
        row |= {"state": "missing", "todo": registry.how_to_get(weights)}
    except UserError as error:
        row |= {"state": "refused", "todo": str(error)}
    return row


def _download(name: str) -> Path:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        return registry.download(name, lambda done, total: progress.update(task, completed=done, total=total))
