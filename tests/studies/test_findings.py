"""Every claim of the paper, on rows made to show it and on rows made to show the contrary."""

import numpy as np
import pytest

from kinema.core.rng import stream
from kinema.studies import STUDIES, Budget
from kinema.studies.gaps import ranges_said, speeds_of
from kinema.studies.holes import COLLISION_HOLES, family, region
from kinema.studies.memory import BOTH
from kinema.studies.page import write_page
from kinema.studies.rows import Row

from .made import made, verdicts

BUDGET = Budget(size=("toy",), num=60)
CASES = {"gaps", "holes", "memory", "scaling"}


def _noise(*key):
    return float(stream("made", *map(str, key)).normal())


def _where(point, params, of):
    return of(Row("dream", 0, params, {}, {"point": point.name}))


def still(point, test, params):
    """A repeated frame stands still: it errs by the speed."""
    speed = params.get("speed", params.get("speed1", 0.0))
    return {"velocity_of_means": abs(speed) + 0.5, "velocity": abs(speed) + 0.5}


# --- velocity gaps: dreams of speed v1 ----------------------------------------------------------------------------------


def _gaps(shows):
    def answer(point, test, params):
        speed, ranges = params["speed"], speeds_of(point.name)
        far = min(max(low - speed, speed - high, 0.0) for low, high in ranges)
        nearest = min((abs(v - speed), v) for interval in ranges for v in interval)[1]
        beyond = not ranges[0][0] <= speed <= ranges[-1][1]
        pull = 0.0
        if shows:  # wide gaps and the outside pull towards training, narrow ones do not
            pull = 0.9 if beyond else 0.8 if far > 0.55 else 0.0
        elif far and not beyond:  # gaps repel, the narrow ones most; islands do not help; the outside is as the inside
            width = 4.0 - 3.0 * ("2-3" in point.name) + 2.0 * ("islands" in point.name)
            return {"velocity_of_means": 0.1 + width / 10, "velocity": 0.2, "v1": 2.5, "true_v1": speed} if point.name != "gap 2-3" else {
                "velocity_of_means": 0.9, "velocity": 0.9, "v1": 2.5, "true_v1": speed}  # fmt: skip
        v = speed + pull * (nearest - speed) + 0.02 * _noise(point.name, test.name, speed, params["radius"])
        return {"velocity_of_means": abs(v - speed) + 0.05, "velocity": abs(v - speed) + 0.1, "v1": v, "true_v1": speed}

    return answer


# --- holes ----------------------------------------------------------------------------------------------------------------


def _holes(shows):
    error = {True: {"trained": 0.1, "hole": 0.13, "beyond": 1.0}, False: {"trained": 0.1, "hole": 0.6, "beyond": 0.1}}[shows]

    def answer(point, test, params):
        if test.name != {"speed": "speeds", "radius": "masses"}[family(point.name)]:
            return {"velocity_of_means": 0.1, "velocity": 0.2}
        e = error[_where(point, params, region)] * (1 + 0.1 * _noise(point.name, params["speed1"], params["speed2"], params["radius1"]))
        return {"velocity_of_means": e, "velocity": 2 * e}

    return answer


# --- memory ---------------------------------------------------------------------------------------------------------------


def _memory(shows):
    def answer(point, test, params):
        speed = params["speed"]
        turns = (point.name == BOTH) == shows and _noise("turn", params["x"]) > 0.5
        v = speed
        if test.name == "slow":
            v = -speed if turns else speed + (0.6 if shows else -0.4)
        return {"velocity_of_means": abs(v - speed) + 0.05, "velocity": abs(v - speed) + 0.1, "v1": v, "true_v1": speed, "vanished": 0.0}

    return answer


# --- scaling --------------------------------------------------------------------------------------------------------------


def _scaling(shows):
    def answer(point, test, params):
        rank = np.log10(point.labels["videos"]) + (point.labels["size"] == "B")
        inside = 0.5 / rank**2
        outside = 3.0 if shows else 1.5 / rank**4
        inside = inside if shows else 0.05 * rank
        e = inside if test.labels["split"] == "id" else outside
        e *= 1 + 0.05 * _noise(point.name, test.name, params.get("x", 0.0))
        return {"velocity_of_means": e, "velocity": 2 * e, "vanished": 0.0}

    return answer


MADE = {"gaps": _gaps, "holes": _holes, "memory": _memory, "scaling": _scaling}
BUDGETS = {
    "memory": Budget(size=("toy",), num=250),
    "holes": Budget(size=("toy",), num=450),
    "scaling": Budget(size=("S", "B"), videos=(100, 1000), num=40, codec="planar-codec", resolution=16, num_frames=9),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("shows", [True, False])
def test_a_finding_follows_the_rows(name, shows, tmp_path):
    study = STUDIES[name]
    found = made(study, BUDGETS.get(name, BUDGET), MADE[name](shows), still)
    wanted = "shows" if shows else "does not show"
    assert verdicts(study, found) == dict.fromkeys(verdicts(study, found), wanted)
    page = write_page(study, found, tmp_path)
    assert wanted in page.read_text()


@pytest.mark.parametrize("name", MADE)
def test_nothing_follows_from_a_model_that_has_learnt_nothing(name):
    study = STUDIES[name]
    found = made(study, BUDGETS.get(name, BUDGET), still, still)
    assert set(verdicts(study, found).values()) == {"undecided"}


@pytest.mark.parametrize("name", MADE)
def test_nothing_follows_from_no_rows(name, tmp_path):
    study = STUDIES[name]
    found = made(study, BUDGETS.get(name, BUDGET), still, still, points=lambda name: False)
    assert len(found.missing) == len(found.points)
    assert set(verdicts(study, found).values()) == {"undecided"}
    text = write_page(study, found, tmp_path).read_text()
    assert all(point.name in text for point in found.points)


def test_regions_of_holes():
    def at(point, a, b, r=1.0):
        kind = family(point)
        speeds = {"speed1": a, "speed2": b, "radius1": r, "radius2": r} if kind == "speed" else {
            "radius1": a, "radius2": b, "speed1": 2.0, "speed2": 2.0}  # fmt: skip
        return region(Row("dream", 0, speeds, {}, {"point": point}))

    assert at("square 2-3", 2.5, 2.5) == "hole"
    assert at("square 2-3", 2.0, 2.5) == at("square 2-3", 1.5, 2.5) == "trained"
    assert at("square 2-3", 0.5, 2.5) == at("whole", 4.4, 2.0) == "beyond"
    assert at("one slow", 1.2, 3.9) == "trained"
    assert at("one slow", 2.0, 2.0) == "hole"  # below the line that joins the ends of the L
    assert at("one slow", 3.5, 3.5) == "beyond"
    assert at("masses", 1.0, 1.0) == "hole"
    assert at("masses", 1.0, 0.6) == "trained"
    assert at("masses", 1.9, 1.0) == "beyond"
    assert set(COLLISION_HOLES) >= {"whole", "one slow", "masses"}


def test_ranges_in_words():
    assert ranges_said(((1.0, 1.25), (3.75, 4.0))) == "1 to 1.25, 3.75 to 4"
