"""Attributes: which of two attributes a model holds on to where it has never seen them together (PhyWorld sec. 5.3, figures 11, 13, 19)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..benchmarks.table import Figure, bootstrap
from ..models.dit import SMALL
from ..simulators.planar import Attributes
from ..simulators.planar.sets import ATTRIBUTES as SETS
from .budget import TOY, Budget
from .figures import COLORS, panels
from .found import Found
from .kept import Kept
from .page import Cell, Drawing, Sheet
from .rows import Row, Rows
from .strips import drawn
from .study import Finding, Point, Study, Test
from .verdicts import every, finding, over, under

RANKS = ("color", "radius", "speed", "shape")  # the paper's order, the one that is held on to most first
SAID = {"color": "colour", "radius": "size", "speed": "velocity", "shape": "shape"}
RING, EXTREMES, CONTROL = "color-shape, ring", "color-size, extremes", "color-size, red only"
ORDER = ("color-shape", "size-shape", "velocity-shape", "color-size", "color-velocity", "size-velocity")
FEW = (*ORDER, RING, EXTREMES, CONTROL)
MORE = ("size-velocity, extremes", "color-velocity, red only")  # where a point costs hours anyway
STEADY = 0.25  # drift that a model may show on combinations it has seen and still be asked about others
MARGIN = 0.05  # drift by which one attribute must give way more than the other


def points(budget: Budget) -> tuple[Point, ...]:
    """A model per pair, asked the combinations it has seen and the ones it has not."""
    return tuple(_point(budget, name) for name in (FEW if budget.network in (TOY, *SMALL) else FEW + MORE))


def _point(budget: Budget, name: str) -> Point:
    world = SETS[name]
    pair = dict(zip(("first", "second"), ranked(world), strict=True))
    tests = tuple(
        Test(name=f"{name}: {said}", data=budget.asked(world.split(split), max(4, share)), judge=Kept(), labels={"combination": said})
        for said, split, share in (("seen", "id", budget.num // 4), ("unseen", "ood", budget.num // 3))
    )
    data = budget.clips(replace(world, flip=True))
    return Point(name=name, stage=budget.stage(data, scenes=True), tests=tests, about=trained_on(world), labels=pair)


def ranked(world: Attributes) -> tuple[str, str]:
    """The pair, the one first that the paper found to be held on to."""
    first, second = sorted(world.pair, key=RANKS.index)
    return first, second


def trained_on(world: Attributes) -> str:
    """The trained combinations in words.

    >>> trained_on(SETS["color-size"])
    'red ball of 0.7 to 1.05 m, blue ball of 1.05 to 1.4 m'
    """
    return ", ".join(_body(world, dict(zip(world.pair, both, strict=True))) for both in world.combinations)


def _body(world: Attributes, kinds: dict[str, int]) -> str:
    shape = world.shape[kinds["shape"]] if "shape" in kinds else world.shape[0]
    color = [world.color[kinds["color"]]] if "color" in kinds else []
    return " ".join([*color, shape, *(_numbers(key, getattr(world, key)[kinds[key]]) for key in ("radius", "speed") if key in kinds)])


def _numbers(key: str, kind: tuple[float, float]) -> str:
    value = f"{kind[0]:g}" if kind[0] == kind[1] else f"{kind[0]:g} to {kind[1]:g}"
    return f"of {value} m" if key == "radius" else f"at {value} m/s"


# --- figures of one point --------------------------------------------------------------------------------------------


def gap(rows: Rows, first: str, second: str) -> Figure:
    """By how much more `second` drifts than `first`, clip by clip."""
    return bootstrap([r.number(f"drift_{second}") - r.number(f"drift_{first}") for r in rows], key=("study", "gap", first, second))


def steady(rows: Rows, *attributes: str) -> bool:
    """Whether a model keeps what it has seen together: bodies that last and move as they should, drift below STEADY. What does not has
    no preference to show."""
    drifts = [rows.figure(f"drift_{a}") for a in dict.fromkeys((*attributes, "speed"))]
    return under(rows.figure("vanished"), 0.5) == "shows" and all(under(d, STEADY) == "shows" for d in drifts)


def _both(found: Found, name: str) -> tuple[Rows, Rows]:
    """Dreams of the combinations a model has seen, and of those it has not."""
    dreams = found.dreams(name)
    return dreams.where(combination="seen"), dreams.where(combination="unseen")


# --- findings --------------------------------------------------------------------------------------------------------


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's order, pair by pair, and what it says beside."""
    pairs = [_preferred(found, name) for name in ORDER]
    whole = finding(
        "The order is colour > size > velocity > shape.", every([f.verdict for f in pairs]),
        {name: f.verdict for name, f in zip(ORDER, pairs, strict=True)},
    )  # fmt: skip
    return (*pairs, whole, _no_exception(found), _ring(found), _extremes(found), _control(found))


def _preferred(found: Found, name: str) -> Finding:
    first, second = ranked(SETS[name])
    seen, unseen = _both(found, name)
    more = gap(unseen, first, second)
    ready = steady(seen, first, second)
    statement = f"{SAID[first].capitalize()} is held on to more than {SAID[second]} (trained: {trained_on(SETS[name])})."
    evidence: dict[str, Figure | str] = {
        f"drift of {SAID[second]} minus drift of {SAID[first]} on unseen combinations:": more,
        f"kept {SAID[first]}": unseen.hits(f"kept_{first}"), f"kept {SAID[second]}": unseen.hits(f"kept_{second}"),
    }  # fmt: skip
    return finding(statement, over(more, MARGIN) if ready else "undecided", evidence | _unsteady(seen, ready, first, second))


def _no_exception(found: Found) -> Finding:
    return _always(
        found, "color-shape", "shape",
        "Colour against shape knows no exception: every blue ball turns into a square, every red square into a ball.",
    )  # fmt: skip


def _always(found: Found, point: str, lost: str, statement: str) -> Finding:
    """Whether all bodies keep their colour and none the attribute `lost`."""
    seen, unseen = _both(found, point)
    kept, left = unseen.hits("kept_color"), unseen.hits(f"kept_{lost}")
    ready = steady(seen, "color", lost)
    verdict = every([over(kept, 0.95), under(left, 0.05)]) if ready else "undecided"
    return finding(statement, verdict, {"kept colour": kept, f"kept {SAID[lost]}": left} | _unsteady(seen, ready, "color", lost))


def _ring(found: Found) -> Finding:
    seen, unseen = _both(found, RING)
    changed = unseen.share(lambda r: None if math.isnan(r.number("kept_color")) else r.number("kept_color") < 0.5)
    ready = steady(seen, "color", "shape")
    return finding(
        "Ring against ball breaks the order: a body may give up its colour to keep its shape (more than 5 % do).",
        over(changed, 0.05) if ready else "undecided",
        {"changed colour": changed, "kept shape": unseen.hits("kept_shape")} | _unsteady(seen, ready, "color", "shape"),
    )  # fmt: skip


def _extremes(found: Found) -> Finding:
    return _always(
        found, EXTREMES, "radius",
        "With two sizes alone (radius 0.7 or 1.4 m, one of each colour) every ball keeps its colour and changes its size.",
    )  # fmt: skip


def _control(found: Found) -> Finding:
    seen, unseen = _both(found, CONTROL)
    drifts = {SAID[a]: unseen.figure(f"drift_{a}") for a in ("radius", "speed")}
    ready = steady(seen, *RANKS)
    verdict = every([under(d, 0.1) for d in drifts.values()]) if ready else "undecided"
    return finding(
        "Where all balls are red, nothing is tied to anything, and neither size nor velocity drifts (below 0.1).", verdict,
        {f"drift of {name} on unseen combinations:": d for name, d in drifts.items()} | _unsteady(seen, ready, *RANKS),
    )  # fmt: skip


def _unsteady(seen: Rows, ready: bool, *attributes: str) -> dict[str, Figure | str]:
    """What stands in the way of a verdict."""
    if ready or not len(seen):
        return {}
    drifts = {f"drift of {SAID[a]}": seen.figure(f"drift_{a}") for a in dict.fromkeys((*attributes, "speed"))}
    return {"but the model does not keep what it has seen together: vanished": seen.figure("vanished"), **drifts}


# --- tables and figures ----------------------------------------------------------------------------------------------


def tables(found: Found) -> tuple[Sheet, ...]:
    """What was kept, and how far the rest drifted."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        for combination in ("seen", "unseen"):
            dreams = found.dreams(p.name, combination=combination)
            rows.append((p.name, p.about, combination, *_cells(dreams, p)))
        through = found.source("codec", test=p.tests[1].name)
        rows.append((p.name, "true videos through the codec", "unseen", *_cells(through, p)))
    header = (
        "pair", "trained on", "combinations", "clips", "first", "second", "first kept [share]", "second kept [share]", "drift of first",
        "drift of second", "drift of second less first", "vanished [share]",
    )  # fmt: skip
    paper = (("color-size, extremes", "", "unseen", 202.0, "colour", "size", 1.0, 0.0, None, None, None, None),)
    about = (
        "First is what the paper found to be held on to. Drift is 0 where the attribute stays as it was and 1 where it becomes that of the "
        "attribute's other kind. The paper prints one of these numbers: all 202 cases of two sizes keep their colour and change their size."
    )
    return (Sheet(name="kept", title="What a body keeps", header=header, rows=tuple(rows), paper=paper, about=about),)


def _cells(rows: Rows, point: Point) -> tuple[Cell, ...]:
    first, second = str(point.labels["first"]), str(point.labels["second"])
    kept, drift = [rows.hits(f"kept_{a}") for a in (first, second)], [rows.figure(f"drift_{a}") for a in (first, second)]
    return float(len(rows)), SAID[first], SAID[second], *kept, *drift, gap(rows, first, second), rows.figure("vanished")


def figures(found: Found) -> tuple[Drawing, ...]:
    """Drift against drift; and figure 13."""
    present = found.present
    if not present:
        return ()
    made = [Drawing(
        name="drifts", title="Which attribute gives way", svg=panels(len(present), _drifts(found), columns=3, side=3.0),
        caption="a dot per clip of a combination never seen (grey: seen). Bottom left: both attributes are kept; top left: the first is "
        "kept, the second changes to its other kind; bottom right: the reverse.",
    )]  # fmt: skip
    numbers = [p for p in present if {"radius", "speed"} & set(p.labels.values()) and p.name in ORDER and "shape" not in p.labels.values()]
    if numbers:
        made.append(Drawing(
            name="shifts", title="From what was shown to what was dreamt",
            svg=panels(len(numbers), _shifts(found, numbers), columns=3, side=3.0),
            caption="an arrow per clip of a combination never seen, from its true size and speed to the dreamt ones, in its dreamt "
            "colour (purple: all balls red); shaded: sizes and speeds of training.",
            paper="figure 13: size and velocity can be combined for most clips, with a slight preference for size at the extremes; "
            "colour and size nearly always; slow blue balls become much faster, and no ball changes its colour.",
        ))  # fmt: skip
    paper = "figures 11 and 12: a blue ball turns into a square right after the given frames, a red square into a ball."
    asked = [(p.name, p.tests[1].name) for p in present]
    return (*made, *drawn(found, asked, "the first clip of each pair's combinations never seen.", paper))


def _drifts(found: Found) -> Callable[[Any, int], None]:
    def draw(ax: Any, i: int) -> None:
        p = found.present[i]
        first, second = str(p.labels["first"]), str(p.labels["second"])
        for rows, color in zip(_both(found, p.name), ("#adb5bd", COLORS[0]), strict=True):
            x, y = (np.clip(rows.array(f"drift_{a}"), -0.5, 1.5) for a in (first, second))
            ax.plot(x, y, ".", color=color, markersize=4, alpha=0.6, markeredgewidth=0)
        for value in (0, 1):
            ax.axhline(value, color="#ced4da", linewidth=0.7, zorder=0)
            ax.axvline(value, color="#ced4da", linewidth=0.7, zorder=0)
        ax.set(title=p.name, xlim=(-0.6, 1.6), ylim=(-0.6, 1.6), xlabel=f"drift of {SAID[first]}", ylabel=f"drift of {SAID[second]}")

    return draw


def _shifts(found: Found, shown: list[Point]) -> Callable[[Any, int], None]:
    def draw(ax: Any, i: int) -> None:
        p, world = shown[i], SETS[shown[i].name]
        _shade(ax, world)
        seen = [r for r in _both(found, p.name)[1] if not math.isnan(r.number("seen_radius") + r.number("seen_speed"))]
        at, to = (np.array([[r.number(f"{kind}{a}") for a in ("radius", "speed")] for r in seen]).reshape(-1, 2) for kind in ("", "seen_"))
        inks = [_ink(r, world) for r in seen]
        ax.quiver(*at.T, *(to - at).T, color=inks, angles="xy", scale_units="xy", scale=1, width=0.004, headwidth=5)
        ax.set(title=p.name, xlim=(0.55, 1.55), ylim=(0.3, 4.7), xlabel="radius [m]", ylabel="velocity [m/s]")

    return draw


def _shade(ax: Any, world: Attributes) -> None:
    """The sizes and speeds of the trained combinations."""
    from matplotlib.patches import Rectangle

    for both in world.combinations:
        kind = dict(zip(world.pair, both, strict=True))
        spans = [[getattr(world, key)[kind[key]]] if key in kind else getattr(world, key) for key in ("radius", "speed")]
        low, high = zip(*[(min(s[0] for s in span), max(s[1] for s in span)) for span in spans], strict=True)
        color = {0: "#e03131", 1: "#1c7ed6"}[kind["color"]] if "color" in kind else COLORS[2]
        ax.add_patch(Rectangle(low, high[0] - low[0], high[1] - low[1], color=color, alpha=0.13, linewidth=0))


def _ink(row: Row, world: Attributes) -> Any:
    blue = min(max(row.number("seen_color"), 0.0), 1.0)
    return (1 - blue, 0.0, blue) if "color" in world.pair else COLORS[2]


ATTRIBUTES = Study(
    name="attributes",
    title="Attributes in pairs",
    question="Of two attributes of a body, two combinations are learnt. Shown the other two, which attribute does a dream hold on to?",
    claim="colour > size > velocity > shape: a blue ball turns into a blue square where only squares were blue. A ring, which would "
    "have to change many pixels to become a ball, may change its colour instead. Where all balls are red nothing drifts.",
    source="sec. 5.3 and 6, figures 11, 13, 19",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
