"""Rules on intervals: how many clips a verdict takes, and what the evidence says of those that are left out."""

from __future__ import annotations

import math

import pytest

from kinema.benchmarks.table import Figure, bootstrap
from kinema.studies.rows import Row, Rows, wilson
from kinema.studies.study import Finding
from kinema.studies.verdicts import below, finding, if_learnt, known, over, under


def figure(count: int, mean: float = 1.0, undefined: int = 0) -> Figure:
    return Figure(mean, mean - 0.1, mean + 0.1, count, undefined)


@pytest.mark.parametrize("count", [1, 2, 6, 9])
def test_no_verdict_follows_from_fewer_than_ten_clips(count: int) -> None:
    few, enough = figure(count), figure(10, 3.0)
    assert not known(few)
    assert below(few, enough) == below(enough, few) == under(few, 2.0) == over(few, 0.0) == "undecided"
    assert not known(wilson(count, count))
    said = finding("It is so.", over(few, 0.0), {"error [m/s]": few}).evidence
    assert f"too few clips: {count}" in said
    assert "missing" not in said


def test_ten_clips_are_enough() -> None:
    ten = figure(10)
    assert below(ten, figure(10, 3.0)) == under(ten, 2.0) == over(ten, 0.0) == "shows"
    assert "too few" not in finding("It is so.", "shows", {"error": ten}).evidence


def test_the_interval_of_so_few_clips_is_no_95_percent() -> None:
    """Why: of repeated draws of an error (log-normal), the interval of 4 clips holds the true mean far less often than it says."""
    from kinema.core.rng import stream

    def covered(count: int) -> float:
        draws = [bootstrap(stream("cover", i, count).lognormal(size=count), key=(i,)) for i in range(200)]
        return sum(f.low <= math.exp(0.5) <= f.high for f in draws) / 200

    assert covered(4) < 0.75 < covered(30)


def test_the_evidence_names_clips_that_could_not_be_read() -> None:
    rows = Rows(tuple(Row("dream", i, {}, {"velocity": math.nan if i < 5 else 1.0}, {}) for i in range(96)))
    assert "(5 of 96 not readable)" in finding("It is so.", "shows", {"error": rows.figure("velocity")}).evidence
    assert "not readable" not in finding("It is so.", "shows", {"error": figure(91)}).evidence
    none = Rows(rows.rows[:5]).figure("velocity")
    said = finding("It is so.", over(none, 0.0), {"error": none}).evidence
    assert "5 of 5 not readable" in said
    assert "nothing can be read off" in said


def test_few_clips_do_not_say_that_a_model_has_not_learnt() -> None:
    said = Finding(statement="It is so.", verdict="shows", evidence="e")
    few = if_learnt(said, {"the model": (figure(4), figure(4, 9.0))})
    assert few.verdict == "undecided"
    assert few.evidence.startswith("it cannot be told whether the model has learnt its training range")
    assert "too few clips: 4" in few.evidence
    bad = if_learnt(said, {"the model": (figure(40, 8.0, undefined=2), figure(40, 9.0))})
    assert bad.evidence.startswith("the model has not learnt its training range")
    assert "2 of 42 not readable" in bad.evidence
    assert if_learnt(said, {"the model": (figure(40), figure(40, 9.0))}) == said
