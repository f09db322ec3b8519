"""Drawings by matplotlib, the same bytes every time: panels of scattered points, of maps, and of lines with intervals."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.table import Figure

Array = NDArray[np.float64]
COLORS = ("#0b7285", "#b4540a", "#5f3dc4", "#2b8a3e", "#c2255c", "#495057")
GREY = "#8a8d94"
_STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#62656d", "axes.titlesize": 9.5,
    "axes.labelcolor": "#1c1d20", "xtick.color": "#62656d", "ytick.color": "#62656d", "svg.hashsalt": "kinema", "svg.fonttype": "none",
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "legend.frameon": False, "legend.fontsize": 8,
}  # fmt: skip


def svg(draw: Callable[[Any], None], width: float, height: float) -> str:
    """What `draw(figure)` draws on a matplotlib figure of width x height inches, as SVG."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(_STYLE):
        figure = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    # Several drawings share one HTML page: ids of clip paths must not meet.
    text = re.sub(r"<metadata>.*?</metadata>", "", out.getvalue().decode(), flags=re.DOTALL)
    mark = f"k{_mark(text)}"
    return re.sub(r'(id="|url\(#|href="#)([A-Za-z])', rf"\1{mark}\2", text)


def panels(count: int, draw: Callable[[Any, int], Any], *, columns: int = 4, side: float = 2.6, height: float | None = None) -> str:
    """`draw(axes, i)` for each of `count` panels in rows of at most `columns`, with common axes; gives SVG.

    What the last panel's `draw` gives, if it is something with colours, gets a colour bar.
    """
    columns = max(1, min(columns, count))
    rows = max(1, math.ceil(count / columns))

    def all_panels(figure: Any) -> None:
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        drawn = None
        for i, ax in enumerate(axes):
            if i < count:
                drawn = draw(ax, i)
                ax.tick_params(labelbottom=i + columns >= count)  # common axes hide the labels of all but the lowest row
            else:
                ax.set_visible(False)
        if drawn is not None:
            bar = figure.colorbar(drawn[0], ax=list(axes[:count]), shrink=0.9, pad=0.02)
            bar.set_label(drawn[1])

    return svg(all_panels, side * columns + 0.8, (height or side) * rows + 0.5)


@dataclass(frozen=True)
class Line:
    """Means with intervals along x; `dashed` for out of distribution, `grey` for the paper's."""

    label: str
    x: Sequence[float]
    y: Sequence[Figure | float | None]
    color: int = 0
    dashed: bool = False
    grey: bool = False
    marker: str = field(default="o")


def draw_lines(ax: Any, lines: Sequence[Line]) -> None:
    """Lines with error bars."""
    for line in lines:
        kept = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None and not math.isnan(_mean(y))]
        if not kept:
            continue
        x, y = [k[0] for k in kept], [k[1] for k in kept]
        low = [_mean(v) - v.low if isinstance(v, Figure) else 0.0 for v in y]
        high = [v.high - _mean(v) if isinstance(v, Figure) else 0.0 for v in y]
        color = GREY if line.grey else COLORS[line.color % len(COLORS)]
        ax.errorbar(
            x, [_mean(v) for v in y], yerr=[low, high], label=line.label, color=color, marker=line.marker, markersize=4, linewidth=1.3,
            capsize=2, linestyle="--" if line.dashed else "-", alpha=0.75 if line.grey else 1.0,
        )  # fmt: skip


def binned(x: Array, y: Array, value: Array, x_edges: Array, y_edges: Array) -> Array:
    """[ny, nx] mean of `value` in every cell, NaN where there is none."""
    known = ~np.isnan(value)
    count, _, _ = np.histogram2d(x[known], y[known], [x_edges, y_edges])
    total, _, _ = np.histogram2d(x[known], y[known], [x_edges, y_edges], weights=value[known])
    with np.errstate(invalid="ignore"):
        return np.asarray((total / np.where(count > 0, count, np.nan)).T)


def edges(values: Array, most: int) -> Array:
    """Cell borders between the values of a grid, or of `most` equal cells where there are more."""
    known = np.unique(np.round(values[~np.isnan(values)], 9))
    if len(known) < 2:
        middle = float(known[0]) if len(known) else 0.0
        return np.array([middle - 0.5, middle + 0.5])
    if len(known) > most:
        return np.linspace(known[0], known[-1] + 1e-9, most + 1)
    middle_points = (known[1:] + known[:-1]) / 2
    return np.array([2 * known[0] - middle_points[0], *middle_points, 2 * known[-1] - middle_points[-1]])


def _mean(value: Figure | float) -> float:
    return value.mean if isinstance(value, Figure) else float(value)


def _mark(text: str) -> str:
    import hashlib

    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
