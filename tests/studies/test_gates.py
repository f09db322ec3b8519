"""What stands in the way of a verdict, one model at a time; and rules that a mean over two events, or one bound, would get wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from kinema.simulators.planar.sets import ATTRIBUTES as SETS
from kinema.studies import STUDIES, Budget, Found, Point, Row, Study, Test, gaps, holes
from kinema.studies.attributes import CONTROL
from kinema.studies.conditioning import FRAMES, NUMBERS, TEXT

from . import test_claims as claims
from .made import Answer, made, verdicts
from .test_findings import BUDGET, BUDGETS, still
from .test_findings import MADE as LAWS

Params = Mapping[str, Any]


def verdict(study: Study, found: Found, words: str) -> str:
    """The verdict on the one finding that says these words."""
    (said,) = (v for statement, v in verdicts(study, found).items() if words in statement)
    return said


# --- the order of sizes and amounts -----------------------------------------------------------------------------------


def test_pairs_go_from_small_to_large_in_whatever_order_they_were_named() -> None:
    budget = Budget(size=("B", "S", "XL", "L"), videos=(1000, 100))
    assert budget.pairs() == [(size, videos) for size in ("S", "B", "L", "XL") for videos in (100, 1000)]
    assert Budget(size=("nano", "pico")).pairs() == [(size, 3000) for size in ("pico", "nano")]
    assert budget.one("L", 100).pairs() == [("L", 100)]


@pytest.mark.parametrize("shows", [True, False])
def test_claims_about_scale_do_not_depend_on_the_order_in_which_sizes_were_named(shows: bool) -> None:
    study, budget = STUDIES["scaling"], replace(BUDGETS["scaling"], num=12)
    found = made(study, budget, LAWS["scaling"](shows), still)
    turned = made(study, replace(budget, size=budget.size[::-1], videos=budget.videos[::-1]), LAWS["scaling"](shows), still)
    assert study.findings(turned) == study.findings(found)


# --- attributes: the control ------------------------------------------------------------------------------------------


def control(seen: float, unseen: float) -> Answer:
    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        drift = seen if test.labels["combination"] == "seen" else unseen
        drifts = {n: drift + 0.02 * claims.noise(n, params["x"]) for n in ("radius", "speed")} | {"color": 0.02, "shape": 0.02}
        return {"vanished": 0.0, **{f"drift_{n}": d for n, d in drifts.items()}, **{f"kept_{n}": float(d < 0.5) for n, d in drifts.items()}}

    return answer


@pytest.mark.parametrize(("seen", "unseen", "said"), [(0.02, 0.02, "shows"), (0.02, 0.97, "does not show"), (0.02, 0.18, "does not show"),
                                                      (0.97, 0.02, "undecided"), (0.97, 0.97, "undecided")])  # fmt: skip
def test_the_control_is_judged_on_what_it_has_not_seen_where_it_keeps_what_it_has(seen: float, unseen: float, said: str) -> None:
    assert SETS[CONTROL].color == ("red", "red")
    study = STUDIES["attributes"]
    found = made(study, Budget(size=("toy",), num=120), control(seen, unseen), control(seen, unseen), points=lambda name: name == CONTROL)
    assert verdict(study, found, "all balls are red") == said


# --- composition in time, and numbers beside frames -------------------------------------------------------------------


def test_events_in_time_are_held_against_each_event_alone() -> None:
    """Five times the error after a collision, and less than that after a bounce: the mean of both would hide it."""

    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        error = {"collision": 0.1, "bounce": 0.9}.get(str(test.labels["part"]), 0.5)
        error *= 1 + 0.1 * claims.noise(test.name, params["radius1"])
        return dict.fromkeys(("velocity", "velocity_red", "velocity_blue"), error) | {"vanished_red": 0.0, "vanished_blue": 0.0}

    study = STUDIES["composition"]
    found = made(study, Budget(size=("toy",), num=120), answer, claims.stands_still)
    assert verdict(study, found, "combined in time") == "does not show"


@pytest.mark.parametrize(("change", "said"), [(0.06, "shows"), (0.3, "does not show"), (-0.06, "does not show"), (0.1, "undecided")])
def test_slightly_worse_has_an_upper_bound(change: float, said: str) -> None:
    """The error by frames alone is 0.4 m/s; a quarter of it is 0.1."""

    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        more = change + 0.01 * claims.noise("n", params["x"]) if point.name == NUMBERS and test.labels["split"] == "ood" else 0.0
        error = (0.1 if test.labels["split"] == "id" else 0.4) + more
        return {"velocity_of_means": error, "velocity": error, "vanished": 0.0}

    study = STUDIES["conditioning"]
    assert verdict(study, made(study, Budget(size=("toy",), num=150), answer, claims.far_off), "slightly worse") == said


# --- one model that has not learnt its training range -----------------------------------------------------------------


def _region(of: Callable[[Row], str]) -> Callable[[Point, Test, Params], bool]:
    return lambda point, test, params: of(Row("dream", 0, params, {}, {"point": point.name})) == "trained"


AT_HOME: dict[str, Callable[[Point, Test, Params], bool]] = {
    "memory": lambda point, test, params: test.name == "fast",
    "gaps": _region(gaps.region),
    "holes": _region(holes.region),
    "conditioning": lambda point, test, params: test.labels["split"] == "id",
    "scaling": lambda point, test, params: test.labels["split"] == "id",
    "composition": lambda point, test, params: test.labels["part"] in ("bounce", "square"),
}
WORLDS: dict[str, tuple[Callable[[bool], Answer], Answer, Budget]] = {
    **{name: (LAWS[name], still, BUDGETS.get(name, BUDGET)) for name in ("memory", "gaps", "holes", "scaling")},
    "conditioning": claims.MADE["conditioning"],
    "composition": claims.MADE["composition"],
}
CASES = [  # study, the one bad model, words of the claims that name it
    ("memory", "one direction", {"never turn round", "too fast"}),
    ("memory", "both directions", {"sometimes turn round"}),
    ("gaps", "whole", {"Outside"}),
    ("gaps", "gap 2-3", {"The larger the gap", "With a small gap", "Outside"}),
    ("gaps", "gap 1.25-3.75", {"The larger the gap", "In a wide gap", "(three islands)", "(four islands)", "Outside"}),
    ("gaps", "four islands", {"(four islands)", "Outside"}),
    ("holes", "whole", {"Outside"}),
    ("holes", "masses", {"Holes inside", "Outside"}),
    ("holes", "square 1.1-3.9", {"Holes inside", "very large", "Outside"}),
    ("conditioning", FRAMES, {"numbers beside the frames leave", "text beside the frames leave", "slightly", "much worse"}),
    ("conditioning", NUMBERS, {"numbers beside the frames leave", "slightly", "worse than numbers"}),
    ("conditioning", TEXT, {"text beside the frames leave", "much worse", "worse than numbers"}),
    ("composition", "spatial", {"combined in space"}),
    ("composition", "temporal", {"combined in time", "never bounced"}),
    ("composition", "temporal, red never bounces", {"never bounced"}),
    ("scaling", "uniform S 100", {"uniform: "}),
    ("scaling", "collision B 100", {"collision: more", "collision: a larger", "collision: every"}),
]


@pytest.mark.parametrize(("name", "bad", "words"), CASES)
def test_every_claim_that_names_a_model_which_has_not_learnt_is_undecided(name: str, bad: str, words: set[str]) -> None:
    """The model stands still where it was trained, and answers elsewhere as if it had learnt."""
    answers, beside, budget = WORLDS[name]
    good = answers(True)
    assert bad in {p.name for p in STUDIES[name].plan(budget)}

    def answer(point: Point, test: Test, params: Params) -> dict[str, Any]:
        said = dict(good(point, test, params))
        return {**said, **beside(point, test, params)} if point.name == bad and AT_HOME[name](point, test, params) else said

    said = verdicts(STUDIES[name], made(STUDIES[name], budget, answer, beside))
    assert said == {s: "undecided" if any(w in s for w in words) else "shows" for s in said}
    assert all(any(w in s for s in said) for w in words)


def test_the_evidence_names_the_model_that_has_not_learnt() -> None:
    answers, beside, budget = WORLDS["memory"]

    def answer(point: Point, test: Test, params: Params) -> Mapping[str, Any]:
        return (beside if point.name == "one direction" and test.name == "fast" else answers(True))(point, test, params)

    first = STUDIES["memory"].findings(made(STUDIES["memory"], budget, answer, beside))[0]
    assert first.evidence.startswith("the model of one direction has not learnt its training range: error ")
