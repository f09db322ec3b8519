"""What judges read off a dream: nothing is said of a ball that is not there."""

import math

import torch

from kinema.simulators import make, scenario
from kinema.studies import Motion


def test_a_ball_that_is_gone_for_most_of_the_time_has_no_velocity():
    truth = make(scenario("uniform", size=64, num_frames=33, speed=((1.5, 1.5),)), 900_000_000, 0)

    def seen(until):
        rgb = truth.rgb.clone()
        rgb[until:] = 255
        return Motion()(truth.only("rgb").replace(rgb=rgb), truth, 5)

    whole, most, little = (seen(until) for until in (33, 25, 8))
    assert abs(whole["v1"] - 1.5) < 0.01
    assert whole["vanished"] == 0
    assert abs(most["v1"] - 1.5) < 0.01
    assert math.isnan(little["v1"])
    assert little["vanished"] > 0.7
    assert abs(whole["radius_error"]) < 0.05


def test_figures_and_parameters_have_names_of_their_own():
    """A row finds a name among its parameters first."""
    truth = make(scenario("collision", size=64, num_frames=33), 900_000_000, 0)
    figures = Motion()(truth.only("rgb"), truth, 5)
    assert not figures.keys() & truth.meta["params"].keys()
    one = make(scenario("uniform", size=64, num_frames=33), 900_000_000, 0)
    assert not Motion()(one.only("rgb"), one, 5).keys() & one.meta["params"].keys()
    assert torch.isfinite(torch.tensor([v for v in figures.values() if isinstance(v, float)])).all()
