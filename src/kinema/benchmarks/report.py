"""report.html: one file without a network that plays truth, dream and difference, draws trajectories and lists the figures."""

from __future__ import annotations

import base64
import html
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.clip import Clip, as_float, as_uint8
from ..core.errors import UserError
from ..core.files import write_whole
from ..core.video import png_bytes
from ..metrics import parse, read_dream
from ..metrics.parse import WHOLE, colors_of, is_parsed, world_width_of
from .result import Scene
from .table import SOURCES, Table, label

_TALLEST = 8192  # px; browsers do not show pictures of any height
_LARGEST, _SMALLEST = 256, 64  # px; frames are shown no larger, and made no smaller
_HEAVY = 1_500_000  # bytes of one video
_BUDGET = 6_000_000  # bytes of pictures in one report; scenes beyond it are left to the files beside it
_BARS = ("velocity", "velocity_of_means")


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    lede: Iterable[str],
    facts: Iterable[tuple[str, str]],
    table: Table | None,
    scenes: Sequence[Scene],
    scenes_title: str = "Truth, dream and difference",
    scenes_about: str = "",
    notes: Iterable[str] = (),
    paper: Mapping[str, Any] | None = None,
    intervals: bool = True,
) -> int:
    """Write a self-contained report, whole or not at all; gives the number of scenes shown, at most 6 MB of pictures."""
    shown = _within_budget(scenes)
    data = {
        "title": title, "lede": list(lede), "facts": [list(fact) for fact in facts], "intervals": intervals,
        "columns": [] if table is None else [vars(c) for c in table.columns],
        "groups": [] if table is None else _groups(table),
        "bars": None if table is None else _bars(table, intervals),
        "table_about": _table_about(intervals), "scenes": shown, "scenes_title": scenes_title, "scenes_about": scenes_about,
        "notes": list(notes), "paper": paper,
    }  # fmt: skip
    page = resources.files(__package__).joinpath("report.html").read_text("utf-8")
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    write_whole(path, page.replace("{{title}}", html.escape(title)).replace("{{data}}", embedded))
    return len(shown)


def _within_budget(scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    spent = 0
    for scene in scenes:
        made = _scene(scene)
        spent += len(made["dream"]) + len(made["truth"] or "")
        if shown and spent > _BUDGET:
            break
        shown.append(made)
    return shown


def _scene(scene: Scene) -> dict[str, Any]:
    truth, dream = scene.truth, scene.dream
    shows = truth.has("rgb") and truth is not dream
    clip = truth if shows else dream
    height, width, rows, strips = strips_of(truth.rgb if shows else None, dream.rgb)
    return {
        "name": f"{scene.case} {scene.name.rsplit('-', 1)[-1]}" if scene.case else scene.name,
        "split": label(scene.split), "text": truth.fields.get("text") if isinstance(truth.fields.get("text"), str) else None,
        "width": width, "height": height, "fps": dream.fps, "dt": clip.dt, "frames": dream.num_frames,
        "condition": scene.condition_frames, "rows": rows, **strips,
        "bodies": _bodies(scene, shows), "impact": _impact(truth), "quantities": _quantities(clip),
        "figures": [{"name": name, "unit": unit, "value": _plain(value)} for name, (unit, value) in scene.figures.items()],
    }  # fmt: skip


def strips_of(truth: Tensor | None, dream: Tensor, heavy: int = _HEAVY) -> tuple[int, int, int, dict[str, str | None]]:
    """(height, width, rows, pictures): both videos as PNGs in base64 of `rows` frames below each other, further ones in further
    columns; smaller until the dream's is lighter than `heavy` bytes."""
    largest = _LARGEST
    while True:
        small = _small(dream, largest)
        height, width = small.shape[-2:]
        rows = max(1, min(len(small), _TALLEST // height))
        strips = {"truth": None if truth is None else _strip(_small(truth, largest), rows), "dream": _strip(small, rows)}
        if largest <= _SMALLEST or len(strips["dream"] or "") < heavy:
            return height, width, rows, strips
        largest //= 2


def _strip(frames: Tensor, rows: int) -> str:
    """All frames as one PNG, base64: below each other, then in further columns."""
    blank = frames.new_full((-len(frames) % rows, *frames.shape[1:]), 255)
    count, height, width = (len(frames) + len(blank)) // rows, *frames.shape[-2:]
    grid = torch.cat([frames, blank]).reshape(count, rows, 3, height, width).permute(2, 1, 3, 0, 4)
    return base64.b64encode(png_bytes(grid.reshape(3, rows * height, count * width))).decode()


def _small(rgb: Tensor, largest: int) -> Tensor:
    """The frames as uint8, at most `largest` px a side."""
    height, width = rgb.shape[-2:]
    shrink = largest / max(height, width)
    if shrink >= 1:
        return as_uint8(rgb)
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    return as_uint8(torch.cat([F.interpolate(as_float(frame[None]), size, mode="area") for frame in rgb]))


def _quantities(clip: Clip) -> list[dict[str, Any]]:
    height, width = clip.size
    world = world_width_of(clip)
    return [
        {"key": "x", "name": "x", "unit": "m", "low": 0, "high": world},
        {"key": "y", "name": "y", "unit": "m", "low": 0, "high": world * height / width},
        {"key": "speed", "name": "speed", "unit": "m/s", "low": 0, "high": None},
    ]


def _bodies(scene: Scene, has_truth: bool) -> list[dict[str, Any]]:
    """Per ball: colour, and x, y [m], speed [m/s] of each source; null where a ball is not seen, nothing where none can be."""
    try:
        return _found_bodies(scene, has_truth)
    except UserError:  # a video without balls can be compared as pictures all the same
        return []


def _found_bodies(scene: Scene, has_truth: bool) -> list[dict[str, Any]]:
    if has_truth:
        true = scene.truth if scene.truth.has("bodies") else parse(scene.truth, subpixel=True)
        found = {"truth": true, "dream": read_dream(scene.dream, true)}
    else:
        found = {"dream": read_dream(scene.dream, scene.dream)}
    if scene.textbook is not None:
        found["textbook"] = read_dream(scene.textbook, found["truth"])
    colors = colors_of(next(iter(found.values())))
    return [
        {"color": ",".join(map(str, color)), **{kind: _series(clip, i) for kind, clip in found.items()}} for i, color in enumerate(colors)
    ]


def _series(clip: Clip, body: int) -> dict[str, list[float | None]]:
    """x, y per frame and speed: exact per frame where it is known, else between frames that show the ball whole."""
    position = clip.bodies["position"][:, body].numpy()
    if not is_parsed(clip):
        radius = clip.bodies["radius"][:, body].numpy()
        width = world_width_of(clip)
        seen = np.asarray((np.abs(position - width / 2) < width / 2 + radius[:, None]).all(1))
        speed = np.where(seen, clip.bodies["velocity"][:, body].norm(dim=-1).numpy(), np.nan)
        position = np.where(seen[:, None], position, np.nan)
    else:
        whole = clip.bodies["state"][:, body].numpy() == WHOLE
        position = np.where(np.asarray(whole)[:, None], position, np.nan)
        speed = np.linalg.norm(np.diff(position, axis=0), axis=-1) / clip.dt
    return {"x": _list(position[:, 0]), "y": _list(position[:, 1]), "speed": _list(speed)}


def _list(values: Any) -> list[float | None]:
    return [_plain(float(v), 4) for v in values]


def _plain(value: float, digits: int = 6) -> float | None:
    return None if math.isnan(value) or math.isinf(value) else round(value, digits)


def _impact(truth: Clip) -> float | None:
    """Time in s of the first impact of two balls."""
    if not truth.has("contacts"):
        return None
    between = truth.contacts["bodies"][:, 1] >= 0
    return float(truth.contacts["time"][between].min()) if bool(between.any()) else None


def _groups(table: Table) -> list[dict[str, Any]]:
    rows = table.to_json()["rows"]
    return [
        {
            "case": case,
            "split": label(split),
            "rows": [
                {"source": row["source"], "about": SOURCES.get(row["source"], ""), "cells": list(row["figures"].values())}
                for row in rows
                if (row["case"], row["split"]) == (case, split)
            ],
        }
        for case, split in table.groups()
    ]


def _bars(table: Table, intervals: bool) -> dict[str, Any] | None:
    """The velocity error of every source, on one logarithmic scale from round number to round number."""
    names = [c.name for c in table.columns]
    column = next((name for name in _BARS if name in names), None)
    if column is None:
        return None
    means = [table.figure(case, split, source, column).mean for case, split in table.groups() for source in table.sources()]
    known = [m for m in means if m > 0]
    if not known:
        return None
    low, high = 10.0 ** math.floor(math.log10(min(known))), 10.0 ** math.ceil(math.log10(max(known)))
    about = "Shorter is better." + (" The thin line is the 95 % bootstrap interval over clips." if intervals else "")
    kind = "mean over frames of |v dreamt − v true|" if column == "velocity" else "|mean v dreamt − mean v true|"
    return {"column": names.index(column), "low": low, "high": max(high, 10 * low), "title": f"Velocity error: {kind}", "about": about}


def _table_about(intervals: bool) -> str:
    text = "Means over clips; ↓ lower is better, ↑ higher is better."
    return text + (" Below each: 95 % bootstrap interval over clips." if intervals else "")
