"""The camera's motion from pixels: against the simulator's own actions, in the mirror, at rest, and through blur and noise."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinema.core import Clip, UserError
from kinema.metrics import DRIVE, EgoMotion, SpeedError, YawError, speed_of, yaw_of
from kinema.simulators import scenario

FRAMES, DT = 6, 1 / 8
NAMES = ("keep", "left", "right", "accelerate", "brake")


def rows(name):
    """Speed m/s and yaw rate rad/s of a short, firm manoeuvre."""
    speed = {"accelerate": np.linspace(2, 9, FRAMES), "brake": np.linspace(9, 2, FRAMES)}.get(name, np.full(FRAMES, 6.0))
    return np.stack([speed, np.full(FRAMES, {"left": 0.5, "right": -0.5}.get(name, 0.0))], 1)


@pytest.fixture(scope="module")
def drives():
    """One scene, driven in five ways; the pixels and what drove them."""
    world = scenario("driving", size=64, num_frames=FRAMES, fps=8, dt=DT)
    params = world.sample(np.random.default_rng(3), 0)
    told = {name: world.with_actions(params, rows(name)) for name in NAMES}
    clips = [world.simulate(one, np.random.default_rng(0), ("rgb",)).only("rgb", "actions") for one in told.values()]
    return Clip.stack(clips)


@pytest.fixture(scope="module")
def measured(drives):
    return EgoMotion()(drives)


def degrees(yaw):
    return torch.rad2deg(yaw.double().sum(1))


def true_degrees(drives):
    return degrees(drives.actions[:, :-1, 3])


def gain(step):
    return step[:, -2:].mean(1) - step[:, :2].mean(1)


def test_yaw_is_that_of_the_simulator(drives, measured):
    yaw, step = measured
    assert yaw.shape == step.shape == (len(NAMES), FRAMES - 1)
    assert (degrees(yaw) - true_degrees(drives)).abs().max() < 3
    assert true_degrees(drives).abs().max() > 15  # or nothing would be shown


def test_speed_ranks_as_the_simulator_s(drives, measured):
    by_name = dict(zip(NAMES, gain(measured[1]).tolist(), strict=True))
    true = dict(zip(NAMES, gain(drives.actions[:, :-1, 2]).tolist(), strict=True))
    assert true["accelerate"] > 0.1 > -0.1 > true["brake"]
    assert by_name["accelerate"] > by_name["keep"] > by_name["brake"]


def test_the_mirror_turns_the_other_way(drives, measured):
    mirrored = drives.replace(rgb=drives.rgb.flip(-1))
    assert (degrees(EgoMotion()(mirrored)[0]) + degrees(measured[0])).abs().max() < 1.5


def test_nothing_moves_in_a_video_that_stands_still(drives):
    still = drives.replace(rgb=drives.rgb[:, :1].expand(-1, FRAMES, -1, -1, -1))
    yaw, step = EgoMotion()(still.frames(0, 3))
    assert degrees(yaw).abs().max() < 1
    assert step.max() < 0.03


@pytest.mark.parametrize("how", ["blurred", "noisy", "coarse"])
def test_turns_show_through_what_a_codec_loses(drives, how):
    flat = drives.rgb.flatten(0, 1)
    if how == "blurred":
        flat = F.avg_pool2d(flat, 5, 1, 2, count_include_pad=False)
    elif how == "noisy":
        flat = (flat + 0.08 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    else:
        flat = F.interpolate(F.interpolate(flat, (20, 20), mode="area"), (64, 64), mode="bilinear")
    seen = degrees(yaw_of(Clip(rgb=flat.reshape(drives.rgb.shape), fps=8, dt=DT, batched=True)))
    true = true_degrees(drives)
    turning = true.abs() > 10
    assert (seen[turning].sign() == true[turning].sign()).all()
    assert (seen - true).abs().max() < 6


def test_frames_of_twice_the_side_give_nearly_the_same(drives, measured):
    large = drives[1].replace(rgb=drives[1].rgb.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert torch.allclose(yaw_of(large)[0], measured[0][1], atol=1e-6)
    assert torch.allclose(speed_of(large)[0] * DT, measured[1][1], atol=1e-6)


@pytest.mark.parametrize("cls", DRIVE)
def test_metrics_hold_dream_against_what_was_told(drives, measured, cls):
    value = cls()(drives.only("rgb"), drives)
    yaw, step = measured
    said = drives.actions[:, :-1]
    expected = {
        YawError: (degrees(yaw) - degrees(said[..., 3])).abs(),
        SpeedError: (step.double().mean(1) - said[..., 2].mean(1)).abs() / DT,
    }[cls]
    torch.testing.assert_close(value, expected)
    assert cls.unit
    assert not cls.higher_is_better
    one = cls()(drives[0].only("rgb"), drives[0])
    torch.testing.assert_close(one, value[:1], atol=0.1, rtol=0)
    broken = drives.only("rgb").frames(0, 2).map(torch.clone)
    broken.rgb[2, 1, 0, 0, 0] = torch.nan
    assert cls()(broken, drives.frames(0, 2)).isnan().tolist() == [False, False, True, False, False]


def test_two_columns_are_speed_and_yaw_rate(drives):
    one = drives[1]
    two = one.replace(actions=one.actions[:, :2])
    torch.testing.assert_close(YawError()(one.only("rgb"), two), YawError()(one.only("rgb"), one), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("change", "word"), [
    (lambda c: c.only("actions"), "no rgb"),
    (lambda c: c.frames(0, 1), "2 frames or more"),
    (lambda c: c.replace(rgb=c.rgb[..., :48]), "square frames of at least 32 px, got 48 x 64"),
    (lambda c: c.replace(rgb=c.rgb[..., :16, :16]), "at least 32 px, got 16 x 16"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused(drives, change, word):
    with pytest.raises(UserError, match=word):
        yaw_of(change(drives))


@pytest.mark.parametrize(("change", "word"), [
    (lambda c: c.only("rgb"), "got none"),
    (lambda c: c.replace(actions=c.actions[..., :3]), "got 3 columns"),
    (lambda c: c.frames(0, 4), "differ in steps"),
])  # fmt: skip
def test_what_was_not_told_is_refused(drives, change, word):
    with pytest.raises(UserError, match=word):
        YawError()(drives.only("rgb"), change(drives))
