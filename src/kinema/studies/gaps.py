"""Velocity gaps: uniform motion learnt without the middle of the speeds (PhyWorld sec. 5.1, figure 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..benchmarks.table import Figure
from ..simulators.planar import Uniform
from ..simulators.planar.sets import UNIFORM_EXTRAPOLATION, UNIFORM_GAPS, UNIFORM_GRID
from .budget import Budget
from .figures import binned, edges, panels
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import Row, Rows, difference
from .study import Finding, Point, Study, Test
from .verdicts import below, every, finding, if_learnt, over

ERROR = "velocity_of_means"
REGIONS = {"trained": "speeds of training", "gap": "in a gap", "beyond": "slower or faster than all of training"}
_WIDEST, _NARROWEST = "gap 1.25-3.75", "gap 2-3"
Ranges = tuple[tuple[float, float], ...]


def points(budget: Budget) -> tuple[Point, ...]:
    """A model per set, all asked the same grids of speed and radius."""
    asked = tests(budget)
    made = []
    for name, world in UNIFORM_GAPS.items():
        data = budget.clips(replace(world, flip=True))
        about = f"uniform motion, speeds {ranges_said(world.speed)} m/s"
        made.append(Point(name=name, stage=budget.stage(data), tests=asked, about=about, labels={"trained on": ranges_said(world.speed)}))
    return tuple(made)


def tests(budget: Budget) -> tuple[Test, ...]:
    """The speeds of the whole range, slower and faster ones."""
    grids = {"between": UNIFORM_GRID, **UNIFORM_EXTRAPOLATION}
    return tuple(Test(name=name, data=budget.asked_all(Uniform(), grid), judge=budget.judge) for name, grid in grids.items())


def region(row: Row) -> str:
    """Where a clip's speed lies as seen from its model's training: trained, gap or beyond."""
    return region_of(str(row["point"]), row)


def region_of(point: str, row: Row) -> str:
    """Where a clip's speed lies as seen from the training of any point."""
    ranges, speed = speeds_of(point), row.number("speed")
    if any(low - 1e-9 <= speed <= high + 1e-9 for low, high in ranges):
        return "trained"
    return "gap" if ranges[0][0] < speed < ranges[-1][1] else "beyond"


def speeds_of(point: str) -> Ranges:
    """The speeds a point was trained on."""
    return UNIFORM_GAPS[point].speed


def tables(found: Found) -> tuple[Sheet, ...]:
    """Error of every model in its training range, in its gaps, and beyond."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        dreams = found.dreams(p.name)
        cells = [_where(dreams, name).figure(column) for column in (ERROR, "velocity") for name in REGIONS]
        rows.append((p.name, str(p.labels["trained on"]), *cells))
    floor = [found.source("floor").where(_covers(name)).figure(column) for column in (ERROR, "velocity") for name in REGIONS]
    rows.append(("ground truth through the parser", "", *floor))
    header = ["trained on", "speeds [m/s]"]
    header += [f"{kind}, {name} [m/s]" for kind in ("error of means", "error per frame") for name in REGIONS]
    about = "Regions are each model's own: " + "; ".join(f"{k}: {v}" for k, v in REGIONS.items()) + ". The paper prints no numbers here."
    title = "Velocity error in and out of the training range"
    return (Sheet(name="errors", title=title, header=tuple(header), rows=tuple(rows), about=about),)


def figures(found: Found) -> tuple[Drawing, ...]:
    """Figure 7: dreamt against true velocity; and the error over speed and radius."""
    present = found.present
    if not present:
        return ()
    return (
        Drawing(
            name="velocities", title="Dreamt velocity against true velocity", svg=panels(len(present), _scatter(found)),
            caption="a dot per test clip; on the diagonal the dream keeps the speed it was shown. A ball that is gone for most of the time "
            "has no dot. Shaded: speeds of training.",
            paper="figure 7: for the widest gap, velocities inside it are pulled to the trained speeds on either side; for narrow gaps and "
            "reintroduced islands the dots return to the diagonal.",
        ),
        Drawing(
            name="errors", title="Velocity error over speed and radius", svg=panels(len(present), _map(found)),
            caption="error of means, mean of a cell's test clips, on one logarithmic scale; white lines bound the speeds of training.",
        ),
    )  # fmt: skip


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's claims about gaps."""
    wide, narrow = found.dreams(_WIDEST), found.dreams(_NARROWEST)
    islands = [(_islands(name, wide, found.dreams(name)), (_WIDEST, name)) for name in ("three islands", "four islands")]
    said: list[tuple[Finding, tuple[str, ...]]] = [
        (_larger_gap(wide, narrow), (_WIDEST, _NARROWEST)),
        (_small_gap(narrow), (_NARROWEST,)),
        (_pulled(wide), (_WIDEST,)),
        *islands,
        (_beyond(found), tuple(p.name for p in found.points)),
    ]
    return tuple(if_learnt(one, {name: _at_home(found, name) for name in names}) for one, names in said)


def _at_home(found: Found, name: str) -> tuple[Figure, Figure]:
    """Errors at the speeds a model was trained on: its own, and that of the last frame repeated."""
    repeat = found.source("repeat").where(lambda r: region_of(name, r) == "trained")
    return _where(found.dreams(name), "trained").figure(ERROR), repeat.figure(ERROR)


def _larger_gap(wide: Rows, narrow: Rows) -> Finding:
    core = [rows.where(speed=lambda v: 2.0 < v < 3.0) for rows in (wide, narrow)]
    more = difference(core[0], core[1], ERROR)
    return finding(
        "The larger the gap, the larger the error inside it.", over(more, 0.0),
        {"error at 2 to 3 m/s of the widest gap's model minus that of the narrowest's, same clips:": more},
    )  # fmt: skip


def _small_gap(narrow: Rows) -> Finding:
    gap, trained = _where(narrow, "gap").figure(ERROR), _where(narrow, "trained").figure(ERROR)
    return finding(
        "With a small gap (2 to 3 m/s left out) the model interpolates: the error in the gap is less than twice that on trained speeds.",
        below(gap, trained, 2.0), {"gap": gap, "trained": trained},
    )  # fmt: skip


def _pulled(wide: Rows) -> Finding:
    ranges = speeds_of(_WIDEST)
    moved = Rows(tuple(replace(r, values={"nearer": _far(r.number("true_v1"), ranges) - _far(abs(r.number("v1")), ranges)})
                       for r in _where(wide, "gap")))  # fmt: skip
    nearer = moved.figure("nearer")
    return finding(
        "In a wide gap (1.25 to 3.75 m/s left out) dreamt speeds are pulled towards the trained ones.", over(nearer, 0.0),
        {"dreamt speeds are nearer to a trained one than true speeds by, m/s:": nearer},
    )  # fmt: skip


def _islands(name: str, wide: Rows, islands: Rows) -> Finding:
    speeds = speeds_of(name)
    untrained = [rows.where(_in("gap")).where(speed=lambda v: _far(v, speeds) > 0) for rows in (wide, islands)]
    less = difference(untrained[0], untrained[1], ERROR)
    return finding(
        f"Bringing parts of the gap back ({name}) lets the model interpolate the rest.", over(less, 0.0),
        {"error of the widest gap's model minus that with islands, on speeds neither has seen:": less},
    )  # fmt: skip


def _beyond(found: Found) -> Finding:
    pairs: dict[str, tuple[Figure, Figure]] = {}
    for p in found.points:
        dreams = found.dreams(p.name)
        pairs[p.name] = (_where(dreams, "trained").figure(ERROR), _where(dreams, "beyond").figure(ERROR))
    verdict = every([below(trained, beyond, 0.5) for trained, beyond in pairs.values()])
    said = {name: f"{trained} trained, {beyond} beyond" for name, (trained, beyond) in pairs.items() if beyond.count}
    return finding("Outside the convex hull of the trained speeds every model fails: more than twice the error.", verdict, said)


def _scatter(found: Found) -> Callable[[object, int], None]:
    def draw(ax, i):  # type: ignore[no-untyped-def]
        p = found.present[i]
        dreams = found.dreams(p.name)
        for low, high in speeds_of(p.name):
            ax.axvspan(low, high, color="#0b7285", alpha=0.13, linewidth=0)
        ax.plot([0, 6], [0, 6], color="#8a8d94", linewidth=0.8)
        ax.plot(dreams.array("speed"), dreams.array("v1"), ".", color="#1c1d20", markersize=2.4, alpha=0.5, markeredgewidth=0)
        ax.set(title=p.name, xlim=(0, 6), ylim=(-1, 6.5), xlabel="true velocity [m/s]" if i >= len(found.present) - 4 else "")
        if i % 4 == 0:
            ax.set_ylabel("dreamt velocity [m/s]")

    return draw


def _map(found: Found) -> Callable[[object, int], object]:
    def draw(ax, i):  # type: ignore[no-untyped-def]
        from matplotlib.colors import LogNorm

        p = found.present[i]
        dreams = found.dreams(p.name)
        for rows in dreams.groups("test").values():
            speed, radius = rows.array("speed"), rows.array("radius")
            x, y = edges(speed, 48), edges(radius, 12)
            image = ax.pcolormesh(x, y, binned(speed, radius, rows.array(ERROR), x, y), cmap="viridis", norm=LogNorm(0.02, 4))
        for value in {v for interval in speeds_of(p.name) for v in interval}:
            ax.axvline(value, color="white", linewidth=0.9)
        ax.set(title=p.name, xlabel="velocity [m/s]" if i >= len(found.present) - 4 else "")
        if i % 4 == 0:
            ax.set_ylabel("radius [m]")
        return image, "velocity error of means [m/s]"

    return draw


def _where(rows: Rows, name: str) -> Rows:
    return rows.where(_in(name))


def _in(name: str) -> Callable[[Row], bool]:
    return lambda row: region(row) == name


def _covers(name: str) -> Callable[[Row], bool]:
    """Of yardsticks, which know no training: the range of the speeds, or beyond."""
    return lambda row: (1.0 <= row.number("speed") <= 4.0) == (name != "beyond")


def _far(speed: float, ranges: Ranges) -> float:
    return min(max(low - speed, speed - high, 0.0) for low, high in ranges)


def ranges_said(ranges: Ranges) -> str:
    """Intervals as people write them."""
    return ", ".join(f"{low:g} to {high:g}" for low, high in ranges)


GAPS = Study(
    name="gaps",
    title="Velocity gaps",
    question="Uniform motion is learnt without the middle of the speeds. Does the model find the speeds between?",
    claim="interpolation works once gaps are small or parts of the gap are brought back; in a wide gap dreamt velocities are pulled "
    "towards those of training, and outside the convex hull of training the model fails.",
    source="sec. 5.1, figure 7",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
