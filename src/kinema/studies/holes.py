"""Holes: collisions learnt without squares of the two speeds, or of the two masses (PhyWorld sec. 5.1, figure 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from ..benchmarks.table import Figure
from ..simulators.planar import Collision
from ..simulators.planar.sets import COLLISION_GRID, COLLISION_GRID_BEFORE, COLLISION_HOLES, COLLISION_MASS_GRID
from .budget import Budget
from .figures import binned, edges, panels
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import Row, Rows
from .study import Finding, Point, Study, Test
from .verdicts import below, every, finding, if_learnt

ERROR = "velocity_of_means"
REGIONS = {
    "trained": "pairs of values as in training",
    "hole": "pairs left out, within the convex hull of training",
    "beyond": "pairs outside that hull",
}
_LATTICE = 61


def points(budget: Budget) -> tuple[Point, ...]:
    """A model per set, asked the grid of speeds; the one without some masses, the grid of radii."""
    tests = {
        kind: Test(
            name=kind,
            data=budget.asked_all(Collision(before=COLLISION_GRID_BEFORE), grid, over),
            judge=budget.judge,
        )
        for kind, grid, over in (
            ("speeds", COLLISION_GRID, ("speed1", "speed2")),
            ("masses", COLLISION_MASS_GRID, ("radius1", "radius2")),
        )
    }
    return tuple(
        Point(
            name=name, stage=budget.stage(budget.clips(replace(world, flip=True))), about=f"collisions {_said(world)}",
            tests=(tests["masses"],) if world.radius_holes else (tests["speeds"],) if name != "whole" else tuple(tests.values()),
        )
        for name, world in COLLISION_HOLES.items()
    )  # fmt: skip


def family(point: str) -> str:
    """What the holes of a point are in: speed or radius."""
    return "radius" if COLLISION_HOLES[point].radius_holes else "speed"


def region(row: Row) -> str:
    """Where a clip's pair of values lies as seen from its model's training: trained, hole or beyond."""
    return region_of(str(row["point"]), row)


def region_of(point: str, row: Row) -> str:
    """Where a clip's pair of values lies as seen from the training of any point."""
    kind = family(point)
    a, b = row.number(f"{kind}1"), row.number(f"{kind}2")
    if _trained(COLLISION_HOLES[point], kind, a, b) and _others_trained(row, kind):
        return "trained"
    return "hole" if _in_hull(point, a, b) and _others_trained(row, kind) else "beyond"


def _trained(world: Collision, kind: str, a: float, b: float) -> bool:
    ((low, high),) = getattr(world, kind)
    holes = getattr(world, f"{kind}_holes")
    inside = low - 1e-9 <= a <= high + 1e-9 and low - 1e-9 <= b <= high + 1e-9

    def within(value: float, side: tuple[float, float]) -> bool:
        """The border of a hole is trained, unless it is the border of the range too."""
        return (side[0] + 1e-9 < value or side[0] <= low) and (value < side[1] - 1e-9 or side[1] >= high)

    return inside and not any(within(a, first) and within(b, second) for first, second in holes)


def _others_trained(row: Row, kind: str) -> bool:
    other = "radius" if kind == "speed" else "speed"
    return _trained(Collision(), other, row.number(f"{other}1"), row.number(f"{other}2"))


def _in_hull(point: str, a: float, b: float) -> bool:
    equations = _hull(point)
    return bool((equations[:, :2] @ np.array([a, b]) + equations[:, 2] <= 1e-6).all())


def _hull(point: str) -> NDArray[np.float64]:
    """Half-planes of the convex hull of a point's training pairs."""
    if point not in _HULLS:
        world, kind = COLLISION_HOLES[point], family(point)
        ((low, high),) = getattr(world, kind)
        corners = (v for hole in getattr(world, f"{kind}_holes") for side in hole for v in side)
        values = sorted({*np.linspace(low, high, _LATTICE), *corners})
        inside = [(a, b) for a in values for b in values if _trained(world, kind, a, b)]
        _HULLS[point] = np.asarray(ConvexHull(np.array(inside)).equations)
    return _HULLS[point]


_HULLS: dict[str, NDArray[np.float64]] = {}


def tables(found: Found) -> tuple[Sheet, ...]:
    """Error of every model where it was trained, in its holes, and beyond."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        dreams = own(found, p.name)
        rows.append((p.name, p.about, *(_in(dreams, name).figure(c) for c in (ERROR, "velocity") for name in REGIONS)))
    for source, said in (("floor", "ground truth through the parser"), ("repeat", "last frame repeated")):
        yard = found.source(source, test="speeds")
        parts = [yard.where(lambda r: _in_range(r)), yard.where(lambda r: False), yard.where(lambda r: not _in_range(r))]
        rows.append((said, "", *(part.figure(c) for c in (ERROR, "velocity") for part in parts)))
    header = ["trained on", ""]
    header += [f"{kind}, {name} [m/s]" for kind in ("error of means", "error per frame") for name in REGIONS]
    about = "After the impact. Regions are each model's own: " + "; ".join(f"{k}: {v}" for k, v in REGIONS.items()) + "."
    about += " The paper prints no numbers here."
    return (Sheet(name="errors", title="Velocity error inside holes and beyond", header=tuple(header), rows=tuple(rows), about=about),)


def figures(found: Found) -> tuple[Drawing, ...]:
    """Figure 8: the error over both speeds, or both radii."""
    drawn = []
    for kind, unit in (("speed", "velocity [m/s]"), ("radius", "radius [m]")):
        names = [p.name for p in found.present if family(p.name) == kind]
        if names:
            drawn.append(Drawing(
                name=f"map-{kind}", title=f"Velocity error over both balls' {'speeds' if kind == 'speed' else 'radii'}",
                svg=panels(len(names), _map(found, names, kind, unit)),
                caption="error of means after the impact, mean of a cell's test clips, on one logarithmic scale. White: the holes; dashed: "
                "the range that training is drawn from.",
                paper="figure 8: inside the holes the error is about that of the training range, even for the largest hole; outside the "
                "hull it is large.",
            ))  # fmt: skip
    return tuple(drawn)


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's claims about holes."""
    filled = "Holes inside the convex hull are filled: the error there is less than twice that on trained pairs."
    return (
        _filled(found, filled, tuple(name for name in COLLISION_HOLES if name not in ("whole", "one slow"))),
        _filled(found, "Even a very large hole is filled (1.1 to 3.9 m/s left out).", ("square 1.1-3.9",)),
        _beyond(found),
    )


def own(found: Found, point: str) -> Rows:
    """The dreams of a point on the grid of what its holes are in."""
    return found.dreams(point, test=_grid(point))


def _grid(point: str) -> str:
    return "masses" if family(point) == "radius" else "speeds"


def _at_home(found: Found, name: str) -> tuple[Figure, Figure]:
    """Errors on the pairs a model was trained on: its own, and that of the last frame repeated."""
    repeat = found.source("repeat", test=_grid(name)).where(lambda r: region_of(name, r) == "trained")
    return _in(own(found, name), "trained").figure(ERROR), repeat.figure(ERROR)


def _filled(found: Found, statement: str, names: tuple[str, ...]) -> Finding:
    pairs = {name: _pair(found, name, "hole") for name in names}
    verdict = every([below(hole, trained, 2.0) for hole, trained in pairs.values()])
    said = finding(statement, verdict, _evidence(pairs, "in the hole", "trained"))
    return if_learnt(said, {name: _at_home(found, name) for name in names})


def _beyond(found: Found) -> Finding:
    pairs = {p.name: _pair(found, p.name, "beyond") for p in found.points}
    verdict = every([below(trained, beyond, 0.5) for beyond, trained in pairs.values()])
    statement = "Outside the convex hull every model fails: more than twice the error on trained pairs."
    said = finding(statement, verdict, _evidence(pairs, "beyond", "trained"))
    return if_learnt(said, {p.name: _at_home(found, p.name) for p in found.points})


def _pair(found: Found, name: str, where: str) -> tuple[Figure, Figure]:
    dreams = own(found, name)
    return _in(dreams, where).figure(ERROR), _in(dreams, "trained").figure(ERROR)


def _evidence(pairs: dict[str, tuple[Figure, Figure]], a: str, b: str) -> dict[str, Figure | str]:
    return {f"{name}:": f"{one} {a}, {other} {b}" for name, (one, other) in pairs.items() if one.count or other.count}


def _map(found: Found, names: list[str], kind: str, unit: str) -> Callable[[object, int], object]:
    def draw(ax, i):  # type: ignore[no-untyped-def]
        from matplotlib.colors import LogNorm
        from matplotlib.patches import Rectangle

        world, dreams = COLLISION_HOLES[names[i]], own(found, names[i])
        a, b = dreams.array(f"{kind}1"), dreams.array(f"{kind}2")
        x, y = edges(a, 24), edges(b, 24)
        image = ax.pcolormesh(x, y, binned(a, b, dreams.array(ERROR), x, y), cmap="viridis", norm=LogNorm(0.02, 4))
        ((low, high),) = getattr(world, kind)
        ax.add_patch(Rectangle((low, low), high - low, high - low, fill=False, edgecolor="white", linestyle="--", linewidth=0.8))
        for (l1, h1), (l2, h2) in getattr(world, f"{kind}_holes"):
            ax.add_patch(Rectangle((l1, l2), h1 - l1, h2 - l2, fill=False, edgecolor="white", linewidth=1.2))
        ax.set(title=names[i], xlabel=f"red ball's {unit}" if i >= len(names) - 4 else "")
        if i % 4 == 0:
            ax.set_ylabel(f"blue ball's {unit}")
        return image, "velocity error of means [m/s]"

    return draw


def _in(rows: Rows, name: str) -> Rows:
    return rows.where(lambda r: region(r) == name)


def _in_range(row: Row) -> bool:
    return _trained(Collision(), "speed", row.number("speed1"), row.number("speed2"))


def _said(world: Collision) -> str:
    for kind, unit in (("speed", "m/s"), ("radius", "m")):
        holes = getattr(world, f"{kind}_holes")
        if holes:
            squares = ", ".join(f"{l1:g} to {h1:g} × {l2:g} to {h2:g}" for (l1, h1), (l2, h2) in holes)
            return f"without {'speeds' if kind == 'speed' else 'radii'} (red × blue) {squares} {unit}"
    return "with all speeds from 1 to 4 m/s"


HOLES = Study(
    name="holes",
    title="Holes in collisions",
    question="Collisions are learnt without some combinations of the two balls' speeds. Are they found from their surroundings?",
    claim="combinations that lie within the convex hull of training are predicted about as well as trained ones, even when the hole is "
    "very large; outside the hull errors are large.",
    source="sec. 5.1, figure 8",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
