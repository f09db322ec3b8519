"""The claims about attributes, composition, conditioning, templates and ambiguity, on rows made to show them and not to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kinema.core.rng import stream
from kinema.simulators.planar.sets import ATTRIBUTES as SETS
from kinema.studies import STUDIES, Budget, Found, Point, Row, Rows, Test
from kinema.studies.ambiguity import TASKS, changes, constant, parts
from kinema.studies.attributes import CONTROL, EXTREMES, RING, gap, ranked
from kinema.studies.composition import CONTROL as NEVER
from kinema.studies.conditioning import FRAMES, NUMBERS, TEXT, within
from kinema.studies.page import write_page

from .made import Answer, made, verdicts

Params = Mapping[str, Any]


def noise(*key: object) -> float:
    return float(stream("made", *map(str, key)).normal())


# --- attributes ---------------------------------------------------------------------------------------------------------


def attributes(shows: bool) -> Answer:
    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        drift = dict.fromkeys(("color", "shape", "radius", "speed"), 0.02)
        if test.labels["combination"] == "unseen":
            first, second = ranked(SETS[point.name])
            drift[second if shows else first] = 0.97
            if point.name == RING:
                gives_up = shows and noise("ring", params["x"]) > 0
                drift = {**drift, "color": 0.97 if gives_up else 0.02, "shape": 0.02 if gives_up else 0.97}
        if point.name == CONTROL:
            drift = dict.fromkeys(drift, 0.02) if shows else {**drift, "color": 0.02, "shape": 0.02, "radius": 0.18, "speed": 0.18}
        drift = {name: value + 0.02 * noise(name, params["x"]) for name, value in drift.items()}
        return {"vanished": 0.0, **{f"drift_{n}": d for n, d in drift.items()}, **{f"kept_{n}": float(d < 0.5) for n, d in drift.items()}}

    return answer


def no_attributes(point: Point, test: Test, params: Params) -> dict[str, float]:
    """A body that stands still and keeps its looks."""
    kept = {f"kept_{n}": 1.0 for n in ("color", "shape", "radius")}
    return {"vanished": 0.0, "drift_color": 0.0, "drift_shape": 0.0, "drift_radius": 0.0, "drift_speed": 2.0, "kept_speed": 0.0, **kept}


# --- composition --------------------------------------------------------------------------------------------------------


def composition(shows: bool) -> Answer:
    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        combined = test.labels["part"] == "combined"
        error = (0.12 if shows else 1.4) if combined else 0.1
        red, blue = (error * (1 + 0.1 * noise(color, test.name, params["radius1"])) for color in ("red", "blue"))
        gone = 0.9 if combined and shows == (point.name == NEVER) else 0.0
        return {"velocity_red": red, "velocity_blue": blue, "velocity": (red + blue) / 2,
                "vanished_red": gone if point.name == NEVER else 0.0, "vanished_blue": 0.0 if point.name == NEVER else gone}  # fmt: skip

    return answer


def stands_still(point: Point, test: Test, params: Params) -> dict[str, float]:
    speed = 2.0 + 0.1 * noise(test.name, params["radius1"])
    return {"velocity_red": speed, "velocity_blue": speed, "velocity": speed, "vanished_red": 0.0, "vanished_blue": 0.0}


# --- conditioning -------------------------------------------------------------------------------------------------------


def conditioning(shows: bool) -> Answer:
    told = {FRAMES: 0.0, NUMBERS: 0.06, TEXT: 0.5} if shows else {FRAMES: 0.0, NUMBERS: -0.05, TEXT: -0.15}

    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        inside = test.labels["split"] == "id"
        error = (0.1 if inside else 0.4) * (1 + 0.2 * noise(params["x"], params["gap"]))
        error += (0.0 if shows or point.name == FRAMES else 0.08) if inside else told[point.name]
        error += 0.002 * noise(point.name, params["x"])
        return {"velocity_of_means": error, "velocity": error + 0.1, "vanished": 0.0}

    return answer


def far_off(point: Point, test: Test, params: Params) -> dict[str, float]:
    return {"velocity_of_means": 3.0 + noise(params["x"]) / 10, "velocity": 3.0, "vanished": 0.0}


# --- templates ----------------------------------------------------------------------------------------------------------


def templates(shows: bool) -> Answer:
    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        rank = {"6 templates": 0, "30 templates": 1, "60 templates": 2}[point.name]
        good = rank if shows else 2 - rank
        luck = 0.1 * noise(params["action1"], point.name)
        if test.labels["where"] == "in":
            return {"ssim": 0.97, "psnr": 33.0 - 0.5 * good + luck, "lpips": 0.03, "abnormal": 0.0}
        same = noise(params["action1"])
        abnormal = float(noise("odd", params["action1"]) > (-1.0, 0.5, 1.5)[good])
        pictures = {"ssim": 0.9 + 0.01 * good + 0.02 * same, "psnr": 25.0 + good + same + luck, "lpips": 0.09 - 0.01 * good}
        return {**pictures, "abnormal": abnormal}

    return answer


def frozen(point: Point, test: Test, params: Params) -> dict[str, float]:
    return {"ssim": 0.8, "psnr": 20.0 + 0.1 * noise(params["action1"]), "lpips": 0.2, "abnormal": 1.0}


# --- all of them --------------------------------------------------------------------------------------------------------

MADE = {
    "attributes": (attributes, no_attributes, Budget(size=("toy",), num=270)),
    "composition": (composition, stands_still, Budget(size=("toy",), num=120)),
    "conditioning": (conditioning, far_off, Budget(size=("toy",), num=150)),
    "templates": (templates, frozen, Budget(size=("toy",), num=300)),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("shows", [True, False])
def test_a_finding_follows_the_rows(name: str, shows: bool, tmp_path: Path) -> None:
    answers, beside, budget = MADE[name]
    found = made(STUDIES[name], budget, answers(shows), beside)
    said = verdicts(STUDIES[name], found)
    assert said == dict.fromkeys(said, "shows" if shows else "does not show")
    if shows:
        assert "✓ shows" in write_page(STUDIES[name], found, tmp_path).read_text()


@pytest.mark.parametrize("name", MADE)
def test_nothing_follows_from_a_model_that_has_learnt_nothing(name: str) -> None:
    _, beside, budget = MADE[name]
    found = made(STUDIES[name], budget, beside, beside)
    assert set(verdicts(STUDIES[name], found).values()) == {"undecided"}


@pytest.mark.parametrize("name", MADE)
def test_nothing_follows_from_no_rows(name: str, tmp_path: Path) -> None:
    _, beside, budget = MADE[name]
    found = made(STUDIES[name], budget, beside, beside, points=lambda name: False)
    assert set(verdicts(STUDIES[name], found).values()) == {"undecided"}
    text = write_page(STUDIES[name], found, tmp_path).read_text()
    assert all(point.name in text for point in found.points)


def test_attributes_that_give_way_alike_show_no_preference() -> None:
    def answer(point: Point, test: Test, params: Params) -> dict[str, float]:
        drift = dict.fromkeys(("color", "shape", "radius", "speed"), 0.02)
        if test.labels["combination"] == "unseen":
            drift[ranked(SETS[point.name])[noise("side", params["x"], params["y"]) > 0]] = 1.0
        return {"vanished": 0.0, **{f"drift_{n}": d for n, d in drift.items()}, **{f"kept_{n}": float(d < 0.5) for n, d in drift.items()}}

    study = STUDIES["attributes"]
    found = made(study, Budget(size=("toy",), num=120), answer, answer)
    pairs = list(verdicts(study, found).values())[:6]
    assert set(pairs) == {"undecided"}


def test_the_gap_between_two_drifts_is_paired() -> None:
    rows = Rows(tuple(Row("dream", i, {}, {"drift_color": i * 1.0, "drift_shape": i + 0.5}, {}) for i in range(20)))
    figure = gap(rows, "color", "shape")
    assert (figure.mean, figure.low, figure.high) == pytest.approx((0.5, 0.5, 0.5))


def test_extremes_are_two_sizes_alone() -> None:
    assert SETS[EXTREMES].radius == ((0.7, 0.7), (1.4, 1.4))


def test_within_needs_the_whole_interval() -> None:
    from kinema.benchmarks.table import Figure

    assert within(Figure(0.0, -0.1, 0.1, 10), 0.2) == "shows"
    assert within(Figure(0.0, -0.3, 0.1, 10), 0.2) == "undecided"
    assert within(Figure(0.4, 0.3, 0.5, 10), 0.2) == within(Figure(-0.4, -0.5, -0.3, 10), 0.2) == "does not show"
    assert within(Figure(math.nan, math.nan, math.nan, 0), 0.2) == "undecided"


# --- ambiguity: tasks that turn at step 40 from "left" to "right" -------------------------------------------------------


def walks(dreamt: str, change: float) -> Found:
    """`dreamt`: "sharp" (right far off, a guess near by), "blind" (always the same), "right" everywhere, "lost", or "reverse"."""
    study, budget = STUDIES["ambiguity"], Budget(size=("toy",))
    rows = []
    for task in TASKS:
        for step in range(101):
            fate, other = ("left", "right") if step < 40 else ("right", "left")
            near = abs(step - 39.5) < 5
            guess = fate if noise(task, step) > 0 else other
            seen = {"sharp": guess if near else fate, "blind": "right", "right": fate, "lost": "lost",
                    "reverse": fate if near else guess}[dreamt]  # fmt: skip
            values = {"fate": fate, "next": "" if step == 100 else "left" if step < 39 else "right",
                      **{f"change{px}": change * px / 64 for px in (64, 128, 256)}}  # fmt: skip
            labels = {"point": "60 templates", "test": f"task {task}", "task": task}
            values |= {"shift": 2.0, "off": 2.0 + (-1.0 if change > 1 else 1.0)}
            rows.append(Row("codec", step, {"step": float(step)}, {**values, "dreamt": fate, "correct": 1.0}, labels))
            rows.append(Row("floor", step, {"step": float(step)}, {**values, "dreamt": fate, "correct": 1.0}, labels))
            rows.append(Row("dream", step, {"step": float(step)}, {**values, "dreamt": seen, "correct": float(seen == fate)}, labels))
    return Found(budget=budget, points=study.plan(budget), rows=Rows(tuple(rows)))


@pytest.mark.parametrize(("dreamt", "verdict"), [("sharp", "shows"), ("right", "undecided"), ("blind", "undecided"),
                                                 ("lost", "undecided"), ("reverse", "undecided")])  # fmt: skip
def test_a_model_is_told_wrong_only_where_it_is_right_elsewhere(dreamt: str, verdict: str) -> None:
    assert list(verdicts(STUDIES["ambiguity"], walks(dreamt, 0.5)).values())[-1] == verdict


def test_pictures_that_change_by_more_than_a_grey_level_show_the_step() -> None:
    assert list(verdicts(STUDIES["ambiguity"], walks("right", 0.5)).values())[:4] == ["shows", "shows", "does not show", "shows"]
    assert list(verdicts(STUDIES["ambiguity"], walks("right", 7.0)).values())[:4] == ["does not show"] * 4


def test_clips_near_and_far_from_a_change_of_outcome(tmp_path: Path) -> None:
    found = walks("sharp", 1.0)
    rows = found.source("floor")
    assert changes(rows) == {task: [39.5] for task in TASKS}
    split = parts(rows, changes(rows))
    assert {r.number("step") for r in split["near"]} == set(range(35, 45))
    assert {r.number("step") for r in split["far"]} == set(range(20)) | set(range(60, 101))
    assert constant(rows) == pytest.approx(61 / 101)
    assert "task 20000" in write_page(STUDIES["ambiguity"], found, tmp_path).read_text()


@pytest.mark.parametrize(("codec", "verdict"), [(0.0, "shows"), (1.0, "undecided")])
def test_a_rule_that_the_codec_alone_sets_off_says_nothing(codec: float, verdict: str) -> None:
    answers, beside, budget = MADE["templates"]
    found = made(STUDIES["templates"], budget, answers(True), beside)
    blurred = [replace(row, source="codec", values={**row.values, "abnormal": codec}) for row in found.rows.where(source="repeat")]
    found = replace(found, rows=Rows((*found.rows, *blurred)))
    (said,) = (v for statement, v in verdicts(STUDIES["templates"], found).items() if "abnormal" in statement)
    assert said == verdict
