"""Composition: events learnt apart and asked for together, side by side or one after the other (PhyWorld sec. 5.4, figure 14)."""

from __future__ import annotations

from dataclasses import replace

from ..benchmarks.table import Figure
from ..simulators.planar.sets import COMPOSITION as SETS
from .bars import draw_bars
from .budget import Budget
from .events import Events
from .figures import svg
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import Rows
from .strips import drawn
from .study import Finding, Point, Study, Test
from .verdicts import below, every, finding, if_learnt, over, under

PARTS = {"spatial": ("ball", "square"), "temporal": ("collision", "bounce")}
CONTROL = "temporal, red never bounces"
COMBINED = "combined"
ABOUT = {
    "spatial": "a red ball bounces off a wall while a blue square rests, or the square moves while the ball rests",
    "temporal": "two balls collide far from the walls, or a red ball bounces off one",
    CONTROL: "two balls collide far from the walls, or a blue ball bounces off one",
}
BODIES = ("red", "blue")
FACTOR = 2.0  # of the error on the parts that the combination may have


def points(budget: Budget) -> tuple[Point, ...]:
    """A model per pair of events, asked for each alone and for both."""
    made = []
    for name, world in SETS.items():
        asked = tuple(_test(budget, name, part) for part in (*PARTS[world.name], COMBINED))
        data = budget.clips(replace(world, flip=True))
        made.append(Point(name=name, stage=budget.stage(data, scenes=True), tests=asked, about=ABOUT[name]))
    return tuple(made)


def _test(budget: Budget, name: str, part: str) -> Test:
    data = budget.asked(SETS[name].split(part), max(4, budget.num // (3 if part == COMBINED else 4)))
    return Test(name=f"{name}: {part}", data=data, judge=Events(), labels={"part": part})


# --- findings --------------------------------------------------------------------------------------------------------


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's claims about composition."""
    return (_spatial(found), _temporal(found), _vanishes(found))


def _if_learnt(found: Found, points: tuple[str, ...], said: Finding) -> Finding:
    """Who has not learnt each of the parts has nothing to combine."""
    parts = {
        f"{point}: {part}": (found.dreams(point, part=part).figure("velocity"), _still(found, point).where(part=part).figure("velocity"))
        for point in points for part in PARTS[SETS[point].name]
    }  # fmt: skip
    return if_learnt(said, {f"the model of \"{name}\"": pair for name, pair in parts.items()})


def _spatial(found: Found) -> Finding:
    dreams = found.dreams("spatial")
    pairs = {
        "bouncing ball": (dreams.where(part="ball").figure("velocity_red"), dreams.where(part=COMBINED).figure("velocity_red")),
        "moving square": (dreams.where(part="square").figure("velocity_blue"), dreams.where(part=COMBINED).figure("velocity_blue")),
    }
    statement = "Events learnt apart are combined in space: each body's velocity error is less than twice that of its event alone."
    return _combines(found, "spatial", statement, pairs)


def _temporal(found: Found) -> Finding:
    dreams = found.dreams("temporal")
    together = dreams.where(part=COMBINED).figure("velocity")
    pairs = {part: (dreams.where(part=part).figure("velocity"), together) for part in PARTS["temporal"]}
    statement = "A collision and a bounce learnt apart are combined in time: less than twice the velocity error of each alone."
    return _combines(found, "temporal", statement, pairs)


def _combines(found: Found, point: str, statement: str, pairs: dict[str, tuple[Figure, Figure]]) -> Finding:
    verdict = every([below(together, alone, FACTOR) for alone, together in pairs.values()])
    said: dict[str, Figure | str] = {}
    for name, (alone, together) in pairs.items():
        said |= {f"{name}: alone [m/s]": alone, f"{name}: combined [m/s]": together}
    return _if_learnt(found, (point,), finding(statement, verdict, said))


def _vanishes(found: Found) -> Finding:
    gone = found.dreams(CONTROL, part=COMBINED).figure("vanished_red")
    other = found.dreams("temporal", part=COMBINED).figure("vanished_blue")
    said = finding(
        "A red ball that never bounced in training vanishes after a collision near the wall (gone in more than half of the frames), while "
        "a model that has seen one bounce loses none (less than a tenth).", every([over(gone, 0.5), under(other, 0.1)]),
        {"gone, red ball that never bounced:": gone, "gone, blue ball of the model that saw red ones bounce:": other},
    )  # fmt: skip
    return _if_learnt(found, (CONTROL, "temporal"), said)


def _still(found: Found, point: str) -> Rows:
    return found.source("repeat", point=point)


# --- tables and figures ----------------------------------------------------------------------------------------------


def tables(found: Found) -> tuple[Sheet, ...]:
    """Errors after the events, of dreams and of what stands beside them."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        for test in p.tests:
            for source, said in (("dream", "model"), ("codec", "true video through the codec"), ("repeat", "last frame repeated")):
                its = found.dreams(p.name, test=test.name) if source == "dream" else found.source(source, test=test.name)
                values = [its.figure(f"{what}_{color}") for what in ("velocity", "vanished") for color in BODIES]
                rows.append((p.name, test.labels["part"], said, float(len(its)), *values))
    header = (
        "trained on the parts of", "asked", "whose", "clips", "velocity error, red [m/s]", "velocity error, blue [m/s]",
        "vanished, red [share]", "vanished, blue [share]",
    )  # fmt: skip
    about = (
        "Velocity error per frame after a body's last contact; vanished: share of the frames after its first one. The paper shows videos "
        "and prints no numbers here."
    )
    return (Sheet(name="errors", title="Each body after its event", header=header, rows=tuple(rows), about=about),)


def figures(found: Found) -> tuple[Drawing, ...]:
    """Errors and vanished bodies as bars."""
    present = found.present
    if not present:
        return ()
    bars = Drawing(
        name="errors", title="Parts and combinations", svg=svg(lambda canvas: _bars(canvas, found), 3.6 * len(present), 5.2),
        caption="above: velocity error after each body's last contact, beside a video that stands still; below: the share of frames after "
        "its first contact in which a body is gone.",
        paper="figure 14: bounce and uniform motion are combined in space, collision and bounce in time.",
    )  # fmt: skip
    return (bars, *drawn(found, [(p.name, p.tests[-1].name) for p in present], "the first clip of both events together."))


def _bars(canvas: object, found: Found) -> None:
    axes = canvas.subplots(2, len(found.present), squeeze=False, sharey="row")  # type: ignore[attr-defined]
    for column, p in zip(axes.T, found.present, strict=True):
        asked = [str(t.labels["part"]) for t in p.tests]
        for ax, what in zip(column, ("velocity", "vanished"), strict=True):
            bars = {c: [found.dreams(p.name, part=part).figure(f"{what}_{c}") for part in asked] for c in BODIES}
            if what == "velocity":
                bars["stands still"] = [_still(found, p.name).where(part=part).figure(what) for part in asked]
            draw_bars(ax, asked, bars, grey=("stands still",))
        column[0].set(title=p.name)
        column[1].set(ylim=(0, 1))
    axes[0][0].set_ylabel("velocity error [m/s]")
    axes[1][0].set_ylabel("vanished [share]")
    axes[0][0].legend()


COMPOSITION = Study(
    name="composition",
    title="Composition",
    question="Two events are learnt apart. Can a model show them at once, or one after the other?",
    claim="yes, in space (a ball bounces while a square moves) and in time (balls collide, then one bounces), unless the body has never "
    "been seen in the second event: then it vanishes after the first.",
    source="sec. 5.4, figure 14",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
