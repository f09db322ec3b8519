"""Conditioning: a collision told by frames alone, with numbers beside, with words beside (PhyWorld's open discussion, figure 18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..benchmarks.table import Figure
from ..conditions import State, Text
from ..experts.text import T5, TextEncoder, encoder
from ..simulators import Collision
from .bars import draw_bars
from .budget import Budget
from .figures import svg
from .found import Found
from .page import Cell, Drawing, Sheet
from .rows import difference
from .strips import drawn
from .study import Finding, Point, Study, Test, Verdict
from .verdicts import every, finding, if_learnt, known, over, under

ERROR = "velocity_of_means"
FRAMES, NUMBERS, TEXT = "frames", "frames and numbers", "frames and text"
SPLITS = {"id": "in distribution", "ood": "out of distribution"}
SAME = 0.25  # of the error by frames alone, by which another may differ and still be comparable


def points(budget: Budget) -> tuple[Point, ...]:
    """A model per way of telling, on the same clips, asked the same clips."""
    data = budget.clips(Collision(flip=True))
    words = words_of(budget)
    told: dict[str, tuple[tuple[Any, ...], str]] = {
        FRAMES: ((), "the first frames alone"),
        NUMBERS: ((State(2),), "the first frames, and place, velocity and radius of both balls as numbers"),
        TEXT: ((Text(words),), f"the first frames, and the same as sentences, through {words!r}"),
    }
    num = max(4, 2 * budget.num // 5)
    asked = tuple(
        Test(name=split, data=budget.asked(Collision().split(split), num), judge=budget.judge, labels={"split": split})
        for split in SPLITS
    )
    return tuple(
        Point(name=name, stage=budget.stage(data, conditions), tests=asked, about=about, check=check_words(words) if name == TEXT else None)
        for name, (conditions, about) in told.items()
    )


def words_of(budget: Budget) -> T5 | TextEncoder:
    """The encoder that the budget names; T5-base, as in the paper, where it names none."""
    return encoder(budget.text_encoder) if budget.text_encoder else T5()


def check_words(words: T5 | TextEncoder) -> Callable[[], object]:
    """Raises UserError where the encoder's weights are absent: there is no stand-in for them."""
    return lambda: words.encode("A red ball.")


# --- findings --------------------------------------------------------------------------------------------------------


def findings(found: Found) -> tuple[Finding, ...]:
    """The paper's claims."""
    return (
        _comparable(found, NUMBERS, "id", "In distribution, numbers beside the frames leave the error as it is (within a quarter)."),
        _comparable(found, TEXT, "id", "In distribution, text beside the frames leaves the error as it is (within a quarter)."),
        _worse(found, NUMBERS, (0.0, SAME), "Out of distribution, numbers beside the frames make it slightly worse (by up to a quarter)."),
        _worse(found, TEXT, (SAME,), "Out of distribution, text beside the frames makes it much worse (by more than a quarter)."),
        _text_over_numbers(found),
    )


def _if_learnt(found: Found, names: tuple[str, ...], said: Finding) -> Finding:
    repeat = found.source("repeat", split="id").figure(ERROR)
    return if_learnt(said, {f"the model told by {name}": (found.dreams(name, split="id").figure(ERROR), repeat) for name in names})


def more(found: Found, point: str, other: str, split: str) -> Figure:
    """The error of one point less that of another, on the same clips."""
    return difference(found.dreams(point, split=split), found.dreams(other, split=split), ERROR)


def within(a: Figure, limit: float) -> Verdict:
    """"shows" where an interval lies between -limit and limit, "does not show" where it lies outside."""
    if not known(a):
        return "undecided"
    if -limit < a.low and a.high < limit:
        return "shows"
    return "does not show" if a.low > limit or a.high < -limit else "undecided"


def _comparable(found: Found, point: str, split: str, statement: str) -> Finding:
    alone, change = found.dreams(FRAMES, split=split).figure(ERROR), more(found, point, FRAMES, split)
    said: dict[str, Figure | str] = {"frames alone [m/s]": alone, f"{point} less that, same clips [m/s]": change}
    return _if_learnt(found, (FRAMES, point), finding(statement, within(change, SAME * alone.mean), said))


def _worse(found: Found, point: str, shares: tuple[float, ...], statement: str) -> Finding:
    """Worse by more than the first of the shares of the error by frames alone, and by less than the second, if there is one."""
    alone, change = found.dreams(FRAMES, split="ood").figure(ERROR), more(found, point, FRAMES, "ood")
    bounds = [rule(change, share * alone.mean) for rule, share in zip((over, under), shares, strict=False)]
    verdict = every(bounds) if known(alone) else "undecided"
    said = finding(statement, verdict, {"frames alone [m/s]": alone, f"{point} less that, same clips [m/s]": change})
    return _if_learnt(found, (FRAMES, point), said)


def _text_over_numbers(found: Found) -> Finding:
    change = more(found, TEXT, NUMBERS, "ood")
    statement = "Out of distribution, text is worse than numbers."
    return _if_learnt(found, (NUMBERS, TEXT), finding(statement, over(change, 0.0), {"text less numbers, same clips [m/s]": change}))


# --- tables and figures ----------------------------------------------------------------------------------------------


def tables(found: Found) -> tuple[Sheet, ...]:
    """Errors by what a model is told, beside yardsticks, with paired differences to frames alone."""
    rows: list[tuple[Cell, ...]] = []
    for p in found.present:
        for split, said in SPLITS.items():
            dreams = found.dreams(p.name, split=split)
            change = None if p.name == FRAMES else more(found, p.name, FRAMES, split)
            rows.append((p.name, p.about, said, float(len(dreams)), *(dreams.figure(c) for c in (ERROR, "velocity", "vanished")), change))
    for source, name in (("codec", "true video through the codec"), ("floor", "true video through the parser"), ("repeat", "last frame")):
        for split, said in SPLITS.items():
            its = found.source(source, split=split)
            if len(its):
                rows.append((name, "", said, float(len(its)), *(its.figure(c) for c in (ERROR, "velocity", "vanished")), None))
    header = (
        "told by", "what it sees", "asked", "clips", "error of means [m/s]", "error per frame [m/s]", "vanished [share]",
        "error of means less that of frames alone, same clips [m/s]",
    )  # fmt: skip
    about = "Velocities after the impact. The paper's figure 18 has bars without printed values."
    return (Sheet(name="errors", title="Velocity error by what a model is told", header=header, rows=tuple(rows), about=about),)


def figures(found: Found) -> tuple[Drawing, ...]:
    """Figure 18."""
    if not found.present:
        return ()

    def draw(canvas: Any) -> None:
        ax = canvas.subplots()
        bars = {p.name: [found.dreams(p.name, split=split).figure(ERROR) for split in SPLITS] for p in found.present}
        bars["true video through the codec"] = [found.source("codec", split=split).figure(ERROR) for split in SPLITS]
        draw_bars(ax, list(SPLITS.values()), bars, grey=("true video through the codec",))
        ax.set_ylabel("velocity error of means [m/s]")
        ax.legend()

    bars = Drawing(
        name="errors", title="Velocity error after a collision", svg=svg(draw, 6.0, 3.4),
        caption="means over test clips with 95 % intervals; all models have learnt from the same clips and are asked the same ones.",
        paper="figure 18: in distribution the three are alike; out of distribution numbers are slightly and text is much worse.",
    )  # fmt: skip
    return (bars, *drawn(found, [(p.name, "ood") for p in found.present], "the first clip out of distribution."))


CONDITIONING = Study(
    name="conditioning",
    title="Conditioning",
    question="A model that sees the first frames is told the same once more: in numbers, or in words. Does it help with collisions?",
    claim="in distribution the error stays the same; out of distribution numbers are slightly worse and text is much worse than frames "
    "alone: frames hold all that is needed, and are perhaps the best modality for generalisation.",
    source="open discussion, figure 18",
    points=points,
    tables=tables,
    figures=figures,
    findings=findings,
)
