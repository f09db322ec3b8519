"""Bars with intervals, in groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..benchmarks.table import Figure
from .figures import COLORS, GREY


def draw_bars(ax: Any, groups: Sequence[str], bars: Mapping[str, Sequence[Figure]], *, log: bool = False, grey: Sequence[str] = ()) -> None:
    """A group per name, in each a bar per entry of `bars`, which holds a figure per group; bars named in `grey` stand back."""
    width = 0.8 / max(len(bars), 1)
    colored = [name for name in bars if name not in grey]
    for i, (name, figures) in enumerate(bars.items()):
        kept = [(g, f) for g, f in enumerate(figures) if not math.isnan(f.mean)]
        if not kept:
            continue
        x, y = [g + (i - (len(bars) - 1) / 2) * width for g, _ in kept], [f.mean for _, f in kept]
        color = GREY if name in grey else COLORS[colored.index(name) % len(COLORS)]
        whiskers = [[max(f.mean - f.low, 0.0) for _, f in kept], [max(f.high - f.mean, 0.0) for _, f in kept]]
        alpha = 0.45 if name in grey else 0.9
        ax.bar(x, y, width * 0.92, yerr=whiskers, label=name, color=color, alpha=alpha, error_kw={"linewidth": 1.0, "ecolor": "#1c1d20"})
    ax.set_xticks(range(len(groups)), groups)
    if log:
        ax.set_yscale("log")
