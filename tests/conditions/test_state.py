"""State: the bodies at the first frame as a vector."""

import numpy as np
import pytest
import torch

from kinema.conditions import State
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.simulators import make, scenario

RED, BLUE = [2.0, 5.0, 3.0, 0.0, 1.0], [8.0, 4.0, -1.0, 0.5, 0.5]
TWO = [0.2, 0.5, 0.75, 0.0, 0.1, 1, 0.8, 0.4, -0.25, 0.125, 0.05, 1]  # in units of 10 m and 4 m/s
ONE = [*TWO[:6], *[0] * 6]


def clip(*states, t=3):
    """A clip of these bodies, which are somewhere else from its second frame on."""
    rows = torch.tensor(states, dtype=torch.float64).expand(t, -1, -1).clone()
    rows[1:] = 7.7
    return Clip(fps=10.0, rgb=torch.zeros(t, 3, 8, 8, dtype=torch.uint8), text="two balls",
                bodies={"position": rows[..., :2], "velocity": rows[..., 2:4], "radius": rows[..., 4]})  # fmt: skip


def read(condition, batch):
    return condition.read(batch, None, (1, 1, 1, 1))


def test_the_vector_is_the_first_frames_state_in_units():
    batch = Clip.stack([clip(RED, BLUE), clip(RED)])
    value = read(State(2), batch)
    assert value.data.dtype == torch.float32
    assert value.data.shape == (2, State(2).width)
    torch.testing.assert_close(value.data, torch.tensor([TWO, ONE]))
    assert value.present.tolist() == [True, True]
    assert value.mask is None
    wide = read(State(3, length=5.0, speed=1.0), batch)
    torch.testing.assert_close(wide.data[0], torch.tensor([0.4, 1, 3, 0, 0.2, 1, 1.6, 0.8, -1, 0.5, 0.1, 1, *[0] * 6]))


@pytest.mark.parametrize("name", ["uniform", "collision"])
def test_it_is_what_the_scenario_drew(name):
    truth = make(scenario(name, size=16, num_frames=4), 3, 5, ("rgb",))
    params, data = truth.meta["params"], State(2).take(truth, 1, "cpu").data[0]
    speed, radius = np.atleast_1d(params["speed"]), np.atleast_1d(params["radius"])
    assert float(data[0]) * 10 == pytest.approx(params["x"], abs=1e-5)
    assert abs(float(data[2])) * 4 == pytest.approx(speed[0], abs=1e-5)
    assert float(data[4]) * 10 == pytest.approx(radius[0], abs=1e-5)
    assert (float(data[11]) == 1) == (name == "collision")


def test_a_clip_rows_and_arrays_say_the_same():
    expected = State(2).take(clip(RED, BLUE), 1, "cpu").data
    rows, tensor, array = [RED, BLUE], torch.tensor([RED, BLUE], dtype=torch.float64), np.array([RED, BLUE])
    alike = (rows, (tuple(RED), tuple(BLUE)), tensor, array, list(tensor), [rows], tensor[None], [array], Clip.stack([clip(RED, BLUE)]))
    for given in alike:
        assert torch.equal(State(2).take(given, 1, "cpu").data, expected)


def test_one_for_all_or_one_for_each():
    both = State(2).take([[RED, BLUE], [RED]], 2, "cpu")
    torch.testing.assert_close(both.data, torch.tensor([TWO, ONE]))
    assert torch.equal(both.data, State(2).take(Clip.stack([clip(RED, BLUE), clip(RED)]), 2, "cpu").data)
    assert torch.equal(State(2).take([RED], 3, "cpu").data, torch.tensor([ONE] * 3))
    assert torch.equal(State(2).take(clip(RED), 3, "cpu").data, torch.tensor([ONE] * 3))
    assert both.clips(1, 2).data.tolist() == both.data[1:].tolist()
    assert State(2).take([RED], 3, "meta").data.device.type == "meta"


def test_a_body_that_is_not_there_is_zeros_whatever_fills_its_place():
    batch = Clip.stack([clip(RED, BLUE), clip(RED)])
    batch.bodies["position"][1, :, 1] = torch.nan
    torch.testing.assert_close(read(State(2), batch).data[1], torch.tensor(ONE, dtype=torch.float32))
    torch.testing.assert_close(read(State(1), Clip.stack([clip(RED)])).data[0], torch.tensor(ONE[:6]))


def test_what_cannot_be_is_refused():
    nan = [float("nan"), *RED[1:]]
    flat, bare = clip(RED), clip(RED)
    del flat.bodies["radius"]
    refused = {
        r"read from a clip's bodies, and this clip has none; it has rgb, text": bare.replace(bodies=None),
        r"bodies must have position, velocity, radius; these have position, velocity": flat,
        r"at most 2 bodies, got 3": [RED, BLUE, RED],
        r"numbers are not all finite": [nan],
        r"rows of 5 numbers \[x, y, vx, vy, r\] were expected, one per body, got \[\[1.0, 2.0\]\]": [[1.0, 2.0]],
        r"rows of 5 numbers .* got \[2.0, 5.0, 3.0, 0.0, 1.0\]": RED,
        r"rows of 5 numbers .* got 'here'": "here",
        r"rows of 5 numbers .* got \[\]": [],
        r"rows of 5 numbers .* got 7": 7,
        r"radii must be above 0 m, got 1, -1": [RED, [*RED[:4], -1]],
        r"2 states were given for 3 clips": [[RED], [BLUE]],
    }  # fmt: skip
    for sentence, given in refused.items():
        with pytest.raises(UserError, match=sentence):
            State(2).take(given, 3, "cpu")
    for fields in ({"bodies": 0}, {"length": 0.0}, {"speed": float("nan")}, {"drop": 1.0}, {"drop": -0.1}):
        with pytest.raises(UserError, match="State: "):
            State(**fields)
    assert from_json(to_json(State(3, drop=0.2))) == State(3, drop=0.2)
