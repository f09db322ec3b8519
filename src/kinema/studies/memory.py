"""Memory: fast balls are learnt, slow ones asked. Rule or nearest example? (PhyWorld sec. 5.2, figures 9 and 10)."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..benchmarks.table import Figure
from ..simulators.planar import Uniform
from ..simulators.planar.sets import MEMORY, MEMORY_TEST
from .budget import Budget
from .figures import COLORS, panels
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import Row, Rows
from .study import Finding, Point, Study, Test
from .verdicts import finding, if_learnt, over, under

ERROR = "velocity_of_means"
ONE, BOTH = "one direction", "both directions"
BACK = 0.25  # m/s against the direction of travel from which on a ball counts as turned round
RARELY = 0.02  # share of clips up to which a ball counts as never reversed


def points(budget: Budget) -> tuple[Point, ...]:
    """Trained on one direction or, mirrored, on both; asked slow balls that move right, and fast ones as in training."""
    tests = (
        Test(name="slow", data=budget.asked(MEMORY_TEST), judge=budget.judge),
        Test(name="fast", data=budget.asked(Uniform(speed=MEMORY[ONE].speed)), judge=budget.judge),
    )
    abouts = {ONE: "2.5 to 4 m/s, all to the right", BOTH: "2.5 to 4 m/s, half of the clips mirrored"}
    return tuple(
        Point(name=name, stage=budget.stage(budget.clips(world)), tests=tests, about=abouts[name]) for name, world in MEMORY.items()
    )


def reversed_(row: Row) -> bool | None:
    """Whether the dreamt ball moves, on average, against the direction it was shown to move in; None where it is gone at once."""
    v = row.number("v1")
    return None if math.isnan(v) else v < -BACK


def bias(rows: Rows) -> Figure:
    """How much faster dreams are than the truth, in m/s along the direction of travel, over balls that keep it."""
    forward = [r for r in rows if reversed_(r) is False]
    return Rows(tuple(_with(r, "bias", r.number("v1") - r.number("true_v1")) for r in forward)).figure("bias")


def tables(found: Found) -> tuple[Sheet, ...]:
    """What becomes of slow balls."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        for test, said in (("slow", "1 to 2.5 m/s, never seen"), ("fast", "2.5 to 4 m/s, as in training")):
            dreams = found.dreams(p.name, test=test)
            rows.append((p.name, said, dreams.share(reversed_), bias(dreams), dreams.figure(ERROR), dreams.figure("velocity"),
                         dreams.figure("vanished")))  # fmt: skip
    header = (
        "trained on", "asked", "reversed [share]", "faster than true, if not reversed [m/s]", "error of means [m/s]",
        "error per frame [m/s]", "ball gone [share]",
    )  # fmt: skip
    about = "The paper prints no numbers: reversals happen \"occasionally\" with both directions, and never with one."
    return (Sheet(name="reversals", title="What becomes of slow balls", header=header, rows=tuple(rows), about=about),)


def figures(found: Found) -> tuple[Drawing, ...]:
    """Figure 9: dreamt against true velocity."""
    present = [p.name for p in found.present]
    if not present:
        return ()
    return (
        Drawing(
            name="velocities", title="Dreamt velocity against true velocity", svg=panels(len(present), _scatter(found, present), side=3.4),
            caption="a dot per test clip: black slow balls, which no model has seen, blue fast ones. On the line the dream keeps the speed "
            "it was shown; below zero it has turned round. Shaded: speeds of training. Balls that are gone at once have no dot.",
            paper="figure 9: with one direction, dreamt velocities are positive and biased to the fast ones of training; with both, some "
            "dots lie below zero.",
        ),
    )  # fmt: skip


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's claims about slow balls."""
    one, both = (found.dreams(name, test="slow") for name in (ONE, BOTH))
    turned = {name: rows.share(reversed_) for name, rows in ((ONE, one), (BOTH, both))}
    seen = found.dreams(BOTH, test="fast").share(reversed_)
    faster = bias(one)
    return (
        _if_learnt(found, ONE, finding(
            "Trained on one direction, slow balls never turn round.", under(turned[ONE], RARELY), {"share of reversed balls": turned[ONE]},
        )),
        _if_learnt(found, ONE, finding(
            "Trained on one direction, slow balls are dreamt too fast, as in training.", over(faster, 0.0),
            {"dreamt minus true velocity, m/s": faster},
        )),
        _if_learnt(found, BOTH, finding(
            "Trained on both directions, slow balls sometimes turn round after the given frames.", over(turned[BOTH], RARELY),
            {"share of reversed balls": turned[BOTH], "of fast balls, as in training": seen},
        )),
    )  # fmt: skip


def _if_learnt(found: Found, name: str, said: Finding) -> Finding:
    pair = (found.dreams(name, test="fast").figure(ERROR), found.source("repeat", test="fast").figure(ERROR))
    return if_learnt(said, {f"the model of {name}": pair})


def _scatter(found: Found, names: list[str]) -> Callable[[object, int], None]:
    def draw(ax, i):  # type: ignore[no-untyped-def]
        ax.axvspan(2.5, 4.0, color=COLORS[0], alpha=0.13, linewidth=0)
        ax.axhline(0, color="#8a8d94", linewidth=0.8, linestyle=":")
        ax.plot([1, 4], [1, 4], color="#8a8d94", linewidth=0.8)
        for test, color in (("slow", "#1c1d20"), ("fast", COLORS[0])):
            dreams = found.dreams(names[i], test=test)
            ax.plot(dreams.array("speed"), dreams.array("v1"), ".", color=color, markersize=3.5, alpha=0.6, markeredgewidth=0)
        ax.set(title=f"trained on {names[i]}", xlabel="true velocity [m/s]", xlim=(0.9, 4.1), ylim=(-4.5, 4.5))
        if i == 0:
            ax.set_ylabel("dreamt velocity [m/s]")

    return draw


def _with(row: Row, name: str, value: float) -> Row:
    return Row(row.source, row.index, row.params, {**row.values, name: value}, row.labels)


MEMORY_STUDY = Study(
    name="memory",
    title="Memorisation",
    question="A model has seen fast balls only. Shown a slow one, does it follow the rule, or the nearest example it knows?",
    claim="trained on balls that move right, slow balls are dreamt too fast; trained on both directions, a slow ball sometimes turns round "
    "right after the given frames: the nearest examples decide, not the law of inertia.",
    source="sec. 5.2, figures 9 and 10",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
