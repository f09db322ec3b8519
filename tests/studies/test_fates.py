"""What becomes of the ball of an ambiguity task: read off true videos, and off videos made to end otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.simulators import make, scenario
from kinema.simulators.planar.phyre import FATES, PhyreAmbiguity
from kinema.studies.fates import LOST, Fates, ball, fate_of


def task(name: str, step: int, px: int = 64) -> Clip:
    return make(PhyreAmbiguity(size=px, num_frames=33).split(name), 0, step, ("rgb",))


@pytest.mark.parametrize("name", ["20000", "20001", "20002", "20003"])
def test_the_fate_of_true_balls_is_read_without_error_at_64_px(name: str) -> None:
    truths = [task(name, step) for step in {*range(0, 100, 12), 32, 33, 43, 55, 68}]
    assert [fate_of(t.only("rgb"), t) for t in truths] == [FATES[int(t.outcome["fate"])] for t in truths]


def test_the_ball_is_where_it_is() -> None:
    truth = task("20001", 0, 128)
    path = ball(truth, truth)
    assert np.abs(path - truth.bodies["position"][:, -1].numpy()).max() < 0.6  # m; a pixel is 0.67 m


def test_a_dream_of_another_step_has_the_fate_of_that_step() -> None:
    truth, other = task("20001", 20), task("20001", 80)
    figures = Fates()(other.only("rgb"), truth, 1)
    assert (figures["fate"], figures["dreamt"], figures["correct"]) == ("left", "right", 0.0)
    assert Fates()(truth.only("rgb"), truth, 1)["correct"] == 1.0


def test_a_ball_that_a_dream_does_not_show_is_lost() -> None:
    truth = task("20000", 10)
    rgb = truth.rgb.clone()
    rgb[1:] = 255
    assert Fates()(truth.only("rgb").replace(rgb=rgb), truth, 1)["dreamt"] == LOST


def held() -> Clip:
    """A task in which the ball stays on the posts."""
    tasks = (task(name, step) for name in ("20000", "20001", "20002", "20003") for step in range(0, 100, 12))
    return next(t for t in tasks if FATES[int(t.outcome["fate"])] == "held")


@pytest.mark.parametrize(("first", "fate"), [(17, LOST), (24, LOST), (30, LOST), (32, "held"), (33, "held")])
def test_a_ball_that_vanishes_was_not_held(first: int, fate: str) -> None:
    truth = held()
    rgb = truth.rgb.clone()
    rgb[first:] = 255
    figures = Fates()(truth.only("rgb").replace(rgb=rgb), truth, 1)
    assert (figures["fate"], figures["dreamt"], figures["correct"]) == ("held", fate, float(fate == "held"))


def test_a_ball_that_falls_may_leave_the_picture() -> None:
    truth = task("20001", 20)
    rgb = truth.rgb.clone()
    rgb[-8:] = 255
    assert Fates()(truth.only("rgb").replace(rgb=rgb), truth, 1)["dreamt"] == "left"


def turn(name: str) -> int:
    """The last step before the outcome changes."""
    world = PhyreAmbiguity(size=8, num_frames=33).split(name)
    fates = [int(make(world, 0, k, ()).outcome["fate"]) for k in range(20, 70)]
    return 20 + next(k for k in range(49) if fates[k] != fates[k + 1])


def test_neighbouring_steps_are_compared_in_outcome_and_pictures() -> None:
    step = turn("20001")
    truth, after = task("20001", step), task("20001", step + 1)
    figures = Fates()(truth, truth, 1)
    assert (figures["fate"], figures["next"]) == ("left", "right") == tuple(FATES[int(t.outcome["fate"])] for t in (truth, after))
    assert figures["change64"] == float((truth.rgb[0].int() - after.rgb[0].int()).abs().max())
    assert float(figures["change256"]) > float(figures["change64"])
    moved = (truth.rgb[0].double() - after.rgb[0].double())[:, (truth.rgb[0] != after.rgb[0]).any(0)]
    assert figures["shift"] == pytest.approx(float(moved.square().mean().sqrt()))
    assert figures["off"] == 0.0
    assert Fates()(after.only("rgb"), truth, 1)["off"] == figures["shift"]  # a video of the next step is off by the step
    last = task("20001", 100)
    figures = Fates()(last, last, 1)
    assert figures["next"] == ""
    assert math.isnan(float(figures["change64"]))


def test_a_step_of_a_growing_ball_is_invisible_at_64_px_where_it_changes_the_outcome() -> None:
    truth = task("20000", turn("20000"))
    figures = Fates()(truth, truth, 1)
    assert figures["fate"] != figures["next"]
    assert float(figures["change64"]) <= 1.0


def test_other_worlds_are_refused() -> None:
    truth = make(scenario("phyre", size=32, num_frames=4), 0, 0, ("rgb",))
    with pytest.raises(UserError, match="phyre-ambiguity"):
        Fates()(truth, truth, 1)


def test_pixels_of_other_bodies_are_not_taken_for_the_ball() -> None:
    truth = task("20003", 0)
    rgb = truth.rgb.clone()
    x, y = truth.bodies["position"][0, -1].tolist()
    mine = torch.zeros(64, 64, dtype=torch.bool)
    step = 85.333 / 64
    mine[int((85.333 - y) / step) - 6 : int((85.333 - y) / step) + 6, int(x / step) - 6 : int(x / step) + 6] = True
    rgb[:, :, mine] = 255
    assert np.isnan(ball(truth.only("rgb").replace(rgb=rgb[:1]), truth)).all()
