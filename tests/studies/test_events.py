"""What is read of each body after its event: on true clips, on a video that stands still, and on one that loses a body."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kinema.core import Clip
from kinema.simulators import make
from kinema.simulators.planar.sets import COMPOSITION
from kinema.studies.budget import Budget
from kinema.studies.events import Events

GIVEN = 5


def clips(name: str, split: str, count: int = 6) -> list[Clip]:
    world = Budget().fit(COMPOSITION[name].split(split))
    return [make(world, 5, i, ("rgb",)) for i in range(count)]


@pytest.mark.parametrize(("name", "split"), [("spatial", "ball"), ("spatial", "square"), ("spatial", "combined"),
                                             ("temporal", "collision"), ("temporal", "bounce"), ("temporal", "combined")])  # fmt: skip
def test_a_true_video_has_almost_no_error(name: str, split: str) -> None:
    for truth in clips(name, split):
        figures = Events()(truth.only("rgb"), truth, GIVEN)
        assert set(figures) >= {"velocity", "velocity_red", "vanished", "vanished_red"}
        assert float(figures["velocity"]) < 0.08
        assert figures["vanished"] == 0.0


def test_a_video_that_stands_still_is_off_by_each_body_s_speed_after_its_last_event() -> None:
    for truth in clips("temporal", "combined"):
        still = truth.only("rgb").replace(rgb=truth.rgb[:1].repeat(truth.num_frames, 1, 1, 1))
        figures = Events()(still, truth, GIVEN)
        for body, color in enumerate(("red", "blue")):
            speed = float(truth.bodies["velocity"][-5, body].norm())  # what happens later does not count
            assert figures[f"velocity_{color}"] == pytest.approx(speed, abs=0.02)


def test_bodies_without_an_event_are_judged_from_the_first_dreamt_frame_on() -> None:
    for truth in clips("spatial", "square"):
        still = truth.only("rgb").replace(rgb=truth.rgb[:1].repeat(truth.num_frames, 1, 1, 1))
        figures = Events()(still, truth, GIVEN)
        assert float(figures["velocity_red"]) < 0.02  # it rests
        assert figures["velocity_blue"] == pytest.approx(float(truth.bodies["velocity"][0, 1].norm()), abs=0.02)


def test_a_body_that_vanishes_after_its_first_event_is_counted_from_there() -> None:
    for truth in clips("temporal", "combined"):
        times = truth.contacts["time"][(truth.contacts["bodies"] == 0).any(1)]
        after = math.ceil(float(times.min()) / truth.dt - 1e-9)
        rgb = truth.rgb.clone()
        red = (rgb[:, 1] < 128) & (rgb[:, 2] < 128) & (rgb[:, 0] > 127)
        red = torch.nn.functional.max_pool2d(red.float(), 3, 1, 1).bool() & (rgb[:, 1] < 250) & (rgb[:, 0] > 250)
        red[:after] = False
        rgb.permute(0, 2, 3, 1)[red] = 255
        figures = Events()(truth.only("rgb").replace(rgb=rgb), truth, GIVEN)
        assert figures["vanished_red"] == 1.0
        assert figures["vanished_blue"] == 0.0
        assert figures["vanished"] == 0.5


def test_what_happens_before_the_event_does_not_count() -> None:
    truth = clips("temporal", "bounce", 1)[0]
    hit = int(np.ceil(float(truth.contacts["time"].max()) / truth.dt))
    rgb = truth.rgb.clone()
    rgb[GIVEN : hit - 1] = rgb[:1]
    assert Events()(truth.only("rgb").replace(rgb=rgb), truth, GIVEN)["velocity"] == pytest.approx(0.0, abs=0.08)
