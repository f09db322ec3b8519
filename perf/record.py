"""What every measurement ends in: a table in the terminal and a row in results.jsonl."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.jsonl")


def record(name: str, rows: list[dict[str, Any]], note: str) -> None:
    """Print `rows` (which share their keys) and append them with date, commit and machine."""
    show(name, rows, note)
    entry = {
        "name": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "--", "src") else ""),
        "machine": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rows": [{key: value if isinstance(value, str) else float(f"{value:.5g}") for key, value in row.items()} for row in rows],
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def show(name: str, rows: list[dict[str, Any]], note: str) -> None:
    """Print `rows`, which share their keys."""
    table = Table(title=name, caption=note, title_justify="left", caption_justify="left")
    for key in rows[0]:
        table.add_column(key, justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:.4g}" for value in row.values()))
    Console(width=120).print(table)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
