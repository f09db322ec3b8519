"""Ambiguity: scenes that pictures can hardly tell apart, and that end differently (PhyWorld sec. 5.5, figures 16, 17)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..benchmarks.phyworld import RESERVED_SEEDS
from ..benchmarks.table import Figure, number
from ..data import Dataset, Simulated, Subset
from ..simulators import PhyreAmbiguity
from .budget import Budget
from .fates import LOST, SIZES, Fates
from .figures import COLORS, panels
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import Row, Rows
from .strips import drawn
from .study import Finding, Point, Study, Test, Verdict
from .templates import MOST, stage_of
from .verdicts import below, finding, known

TASKS = {
    "20000": "a ball that grows, over a gap", "20001": "a ball that moves over a block",
    "20002": "a gap that opens under a ball", "20003": "a block that moves under a ball",
}  # fmt: skip
NEAR, FAR = 5, 20  # steps from where the outcome changes
_HEIGHT = {"left": 0.0, "through": 1.0, "held": 2.0, "right": 3.0, LOST: 4.0}


def points(budget: Budget) -> tuple[Point, ...]:
    """The model of the study of templates that has seen most of them, asked the tasks step by step."""
    tests = tuple(Test(name=f"task {name}", data=_steps(budget, name), judge=Fates(), labels={"task": name}) for name in TASKS)
    return (Point(name=MOST, stage=stage_of(budget, "60"), tests=tests, about="the model of the study of templates"),)


def _steps(budget: Budget, name: str) -> Dataset:
    """All steps of a task, or as many, evenly spaced, as the budget allows."""
    world = budget.fit(PhyreAmbiguity().split(name))
    assert isinstance(world, PhyreAmbiguity)
    every = Simulated(world, seed=RESERVED_SEEDS, length=world.steps)
    if budget.num >= world.steps:
        return every
    return Subset(every, indices=tuple(round(i * (world.steps - 1) / (budget.num - 1)) for i in range(budget.num)))


# --- what the rows say -----------------------------------------------------------------------------------------------


def flips(rows: Rows) -> Rows:
    """The steps after which the outcome is another."""
    return rows.where(lambda r: r.get("next", "") not in ("", r["fate"]))


def changes(rows: Rows) -> dict[str, list[float]]:
    """Half-way between which steps of each task the outcome changes."""
    found: dict[str, list[float]] = {}
    for task, its in rows.groups("task").items():
        walk = sorted(((r.number("step"), r["fate"]) for r in its), key=lambda step: step[0])
        found[str(task)] = [(a + b) / 2 for (a, before), (b, after) in pairwise(walk) if before != after]
    return found


def parts(rows: Rows, places: Mapping[str, Sequence[float]]) -> dict[str, Rows]:
    """The clips near a change of outcome, and those far from any."""

    def far(row: Row) -> float:
        return min((abs(row.number("step") - place) for place in places.get(str(row["task"]), ())), default=math.inf)

    return {"near": rows.where(lambda r: far(r) < NEAR), "far": rows.where(lambda r: far(r) > FAR)}


def constant(rows: Rows) -> float:
    """The share of clips that the most frequent outcome of their task would get right."""
    groups = [[r["fate"] for r in its] for its in rows.groups("task").values()]
    right = sum(max(fates.count(f) for f in set(fates)) for fates in groups)
    return right / max(len(rows), 1)


def _walked(found: Found) -> Rows:
    """One row per step: what is known of the tasks without any model."""
    return found.source("floor")


# --- findings --------------------------------------------------------------------------------------------------------


def findings(found: Found) -> tuple[Finding, ...]:
    """What pictures cannot show, and what a model makes of it."""
    return (*(_alike(found, px) for px in SIZES), _below_codec(found), _near_and_far(found))


def _alike(found: Found, px: int) -> Finding:
    steps = flips(_walked(found))
    same = [r for r in steps if r.number(f"change{px}") <= 1]
    verdict: Verdict = "undecided" if not len(steps) else "shows" if 2 * len(same) > len(steps) else "does not show"
    by_task = {f"task {task}": ", ".join(number(v) for v in its.array(f"change{px}")) for task, its in steps.groups("task").items()}
    return finding(
        f"Where one step changes the outcome, pictures of {px} px do not show the step: first frames are the same within a grey level.",
        verdict, {"same": f"{len(same)} of {len(steps)} changes; grey levels by which first frames differ most:", **by_task},
    )  # fmt: skip


def _below_codec(found: Found) -> Finding:
    steps = flips(found.source("codec"))
    less = [r for r in steps if r.number("shift") < r.number("off")]
    verdict: Verdict = "undecided" if not len(steps) else "shows" if 2 * len(less) > len(steps) else "does not show"
    shift, off = (", ".join(number(v) for v in steps.array(name)) for name in ("shift", "off"))
    return finding(
        "Where one step changes the outcome, pictures change by less than what the model's codec gets wrong in the same pixels.", verdict,
        {"less": f"{len(less)} of {len(steps)} changes", "step [grey levels, RMS]": shift, "codec [grey levels, RMS]": off},
    )  # fmt: skip


def _near_and_far(found: Found) -> Finding:
    dreams = found.dreams(MOST)
    split = parts(dreams, changes(_walked(found)))
    near, far = (its.hits("correct") for its in split.values())
    shown = dreams.share(lambda r: r["dreamt"] != LOST)
    guess = constant(split["far"])
    weak = not known(far) or far.low <= guess or shown.low <= 0.5
    said: dict[str, Figure | str] = {
        f"right outcome within {NEAR} steps of a change": near, f"beyond {FAR} steps": far, "dreams that show the ball": shown,
    }  # fmt: skip
    if weak and known(far):
        said["but the model is too weak to tell: there, the most frequent outcome of each task would be right for"] = number(guess)
    return finding(
        "Near the change of outcome the dreamt one is often wrong, far from it right.", "undecided" if weak else below(near, far), said,
    )  # fmt: skip


# --- tables and figures ----------------------------------------------------------------------------------------------


def tables(found: Found) -> tuple[Sheet, ...]:
    """Where outcomes change and by how much pictures do; and how often the dreamt outcome is the true one."""
    walked = _walked(found)
    seen: list[tuple[Cell, ...]] = [
        (str(r["task"]), TASKS[str(r["task"])], r.number("step"), f"{r['fate']} to {r['next']}", *(r.number(f"change{px}") for px in SIZES))
        for r in flips(walked)
    ]
    header = ("task", "", "step", "outcome", *(f"first frames differ by, {px} px [grey levels]" for px in SIZES))
    about = "The paper shows one such pair of each kind (figure 16) and says that the difference is at the level of pixels."
    sheets = [Sheet(name="changes", title="Where one step changes the outcome", header=header, rows=tuple(seen), about=about)]
    asked: list[tuple[Cell, ...]] = []
    for source, said in (("dream", "model"), ("codec", "true video through the codec"), ("floor", "true video")):
        its = found.dreams(MOST) if source == "dream" else found.source(source)
        for task in TASKS:
            rows = its.where(task=task)
            if len(rows):
                accuracy = [part.hits("correct") for part in parts(rows, changes(walked)).values()]
                asked.append((said, task, float(len(rows)), rows.hits("correct"), *accuracy, rows.share(lambda r: r["dreamt"] != LOST)))
    header = ("whose", "task", "clips", "right [share]", f"within {NEAR} steps [share]", f"beyond {FAR} steps [share]", "ball seen [share]")
    guess = number(constant(walked)) if len(walked) else "–"
    about = f"The most frequent outcome of each task alone would be right for {guess} of all steps."
    return (*sheets, Sheet(name="outcomes", title="Outcomes", header=header, rows=tuple(asked), about=about))


def figures(found: Found) -> tuple[Drawing, ...]:
    """Outcomes along the walks."""
    if not len(_walked(found)):
        return ()
    walks = Drawing(
        name="walks", title="Outcome against step", svg=panels(len(TASKS), _walk(found), columns=2, side=3.9, height=2.0),
        caption="grey: the true outcome of every step; dots: the dreamt one.",
        paper="figure 16: dreams near the threshold are plausible and wrong.",
    )  # fmt: skip
    return (walks, *drawn(found, [(MOST, f"task {task}") for task in TASKS], "the first step of each task."))


def _walk(found: Found) -> Callable[[Any, int], None]:
    def draw(ax: Any, i: int) -> None:
        task = list(TASKS)[i]
        for rows, style in ((_walked(found), {"color": "#adb5bd", "marker": "s", "markersize": 5}),
                            (found.dreams(MOST), {"color": COLORS[1], "marker": ".", "markersize": 5})):  # fmt: skip
            its, key = rows.where(task=task), "fate" if style["marker"] == "s" else "dreamt"
            ax.plot(its.array("step"), [_HEIGHT[str(r[key])] for r in its], linestyle="", markeredgewidth=0, **style)
        ax.set(title=f"{task}: {TASKS[task]}", yticks=list(_HEIGHT.values()), yticklabels=list(_HEIGHT), ylim=(-0.5, 4.5), xlabel="step")

    return draw


AMBIGUITY = Study(
    name="ambiguity",
    title="Ambiguity",
    question="A ball over a gap of nearly its own width: pictures hardly show whether it fits. What does a model make of them?",
    claim="differences of less than a pixel decide the outcome, so that dreams near the threshold are plausible and wrong: pictures alone "
    "do not suffice for exact physics.",
    source="sec. 5.5, figures 16 and 17",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
