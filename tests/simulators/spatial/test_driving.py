"""Driving: the unicycle's law, actions against cameras, traffic that keeps apart and reacts, and what the camera sees of it."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinema.core import Clip, UserError
from kinema.core.rng import stream
from kinema.simulators import Box, Key, Rigid, Scene, make, scenario
from kinema.simulators.spatial.actions import heading
from kinema.simulators.spatial.driving import Driving, accelerate, brake, drive, keep, left, right
from kinema.simulators.spatial.driving.driving import fits, touching
from kinema.simulators.spatial.driving.plan import MANOEUVRES, Plan
from kinema.simulators.spatial.driving.traffic import COMFORT, Car, go, wanted
from kinema.simulators.spatial.engine import simulate

TIMES = np.arange(32) / 8
SPLITS = ("id", "ood", *MANOEUVRES)


def world(split: str = "id", **fields: Any) -> Driving:
    made = scenario("driving", **{"size": 32, "supersampling": 1, "tracks": 0, **fields}).split(split)
    assert isinstance(made, Driving)
    return made


@cache
def params(split: str, index: int) -> dict[str, Any]:
    return world(split).sample(stream("driving", 5, index), index)


@cache
def clip(split: str, index: int, size: int = 32, fields: tuple[str, ...] = ()) -> Clip:
    return make(world(split, size=size), 5, index, fields)


@cache
def driven(split: str, seed: int) -> Plan:
    """The first plan, from this seed on, that shows its manoeuvre."""
    for k in range(100):
        plan = world(split)._plan(1000 * seed + k, split)
        go(plan.town, TIMES)
        if fits(plan, 1 / 8):
            return plan
    raise AssertionError


def test_the_unicycle_goes_along_arcs() -> None:
    # a quarter of a circle of radius 10 m in 2 s, in one step or in many, ends at (10, 10) facing left
    speed, rate = 10 * math.pi / 4, math.pi / 4
    for steps in (1, 16):
        end = drive([(speed, rate)] * (steps + 1), dt=2 / steps)[-1]
        np.testing.assert_allclose(end, [10, 10, math.pi / 2], atol=1e-12)
    fine = drive(np.stack([3 + np.arange(5.0), np.linspace(-0.3, 0.4, 5)], 1), (1.0, 2.0, 0.5))
    x, y, angle = 1.0, 2.0, 0.5
    for k in range(4):  # Euler's method in a million steps
        n = 250_000
        turned = angle + np.linspace(-0.3, 0.4, 5)[k] * 0.125 * (np.arange(n) + 0.5) / n
        x, y = x + (3 + k) * 0.125 * np.cos(turned).mean(), y + (3 + k) * 0.125 * np.sin(turned).mean()
        angle += np.linspace(-0.3, 0.4, 5)[k] * 0.125
    np.testing.assert_allclose(fine[-1], [x, y, angle], atol=1e-10)


def test_presets_do_what_they_say() -> None:
    assert drive(left(17))[-1, 2] > 0.8
    assert drive(left(17))[-1, 1] > 2
    np.testing.assert_allclose(drive(right(17)) * [1, -1, -1], drive(left(17)))
    assert drive(keep(17, 8.0))[-1] == pytest.approx([16, 0, 0])
    assert np.diff(accelerate(9)[:, 0]) == pytest.approx(2.5 / 8)
    assert np.diff(brake(9)[:, 0]) == pytest.approx(-0.5)
    assert brake(64)[-1, 0] == 0


@pytest.mark.parametrize("split", SPLITS)
def test_actions_say_how_the_camera_moves(split: str) -> None:
    c = clip(split, 0)
    actions = c.actions.numpy()
    assert actions.shape == (32, 4)
    assert (actions[-1] == actions[-2]).all()
    ego = c.meta["bodies"].index("ego")
    place, turn = c.bodies["position"][:, ego].numpy(), heading(c.bodies["rotation"][:, ego].numpy())
    poses = drive(actions[:, :2], (*place[0, :2], turn[0]))
    np.testing.assert_allclose(poses[:, :2], place[:, :2], atol=2e-6)
    np.testing.assert_allclose(poses[:, 2], np.unwrap(turn), atol=2e-6)
    # the camera from its pose alone: its centre, and the way it looks
    pose = c.camera.pose.numpy()
    eye, ahead = -np.einsum("tji,tj->ti", pose[:, :3, :3], pose[:, :3, 3]), pose[:, 2, :2]
    ahead = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
    np.testing.assert_allclose((np.diff(eye[:, :2], axis=0) * ahead[:-1]).sum(1), actions[:-1, 2], atol=1e-9)
    turned = np.arctan2(ahead[:-1, 0] * ahead[1:, 1] - ahead[:-1, 1] * ahead[1:, 0], (ahead[:-1] * ahead[1:]).sum(1))
    np.testing.assert_allclose(turned, actions[:-1, 3], atol=1e-9)
    assert eye[:, 2] == pytest.approx(1.53)


@pytest.mark.parametrize("split", SPLITS)
def test_driving_stays_within_what_a_car_can_do(split: str) -> None:
    for index in range(6):
        plan = driven(split, index)
        speed = plan.town.speeds[:, 0]
        rate = np.diff(plan.town.tracks[:, 0, 2]) * 8
        assert (np.abs(np.diff(plan.town.speeds, axis=0)) * 8 <= 8 + 1e-9).all()
        assert (plan.town.speeds >= 0).all()
        assert (np.abs(rate) <= 0.22 * speed[:-1] + 1e-9).all()
        assert (np.abs(rate) * speed[:-1] <= 4).all()


@pytest.mark.parametrize(("split", "count"), [("id", 30), ("ood", 15)])
def test_nobody_collides(split: str, count: int) -> None:
    for seed in range(count):  # without choosing: every plan that is drawn
        plan = world(split)._plan(seed, split)
        go(plan.town, TIMES)
        assert not touching(plan, 0.0), f"seed {seed}"


def test_the_ego_car_keeps_its_lane() -> None:
    for index in range(20):
        plan = driven(("straight", "left", "right", "brake")[index % 4], index)
        _, side = plan.town.cars[0].path.nearest(plan.town.tracks[:, 0, :2])
        assert np.abs(side).max() < 0.35, index
        assert np.abs(side).max() + 0.9 < plan.street.main.width / 2, index


def test_the_driver_model_has_its_equilibrium() -> None:
    # Treiber et al. (2000), equation 15: at speed v the gap is (s0 + v T) / sqrt(1 - (v / v0)^4)
    road = driven("straight", 0).street.main.lane(0)
    car = Car("a", road, 50.0, 6.0, 12.0)
    assert wanted(car, 12.0, (2 + 6 * 1.2) / math.sqrt(1 - 0.5**4), 0.0) == pytest.approx(0, abs=1e-12)
    assert wanted(car, 12.0, math.inf, 0.0) == pytest.approx(1.5 * (1 - 0.5**4))
    assert wanted(car, 12.0, 3.0, 5.0) < -COMFORT


def test_others_brake_when_the_ego_car_brakes() -> None:
    w, found = world("straight"), 0
    for index in range(12):
        given = params("straight", index)
        names = [body["name"] for body in given["scene"]["bodies"]]
        seed = int(given["scene"]["tags"]["seed"])
        plan = w._plan(seed, "straight")
        followers = [car.name for car in plan.town.cars if car.role == "follower"]
        if not followers:
            continue
        speed = float(plan.town.cars[0].v)
        slow = w.scene(w.with_actions(given, brake(32, speed, 4.0)))
        fast = w.scene(w.with_actions(given, keep(32, speed)))
        assert [body.name for body in slow.bodies] == names
        moved = [simulate(scene, TIMES) for scene in (slow, fast)]
        n = names.index(followers[0])
        v = [np.linalg.norm(run.velocity[:, n], axis=1) for run in moved]
        assert v[0][-1] < 0.5 * speed < 0.8 * speed < v[1][-1]
        ego = names.index("own car")
        gap = np.linalg.norm(moved[0].position[:, n] - moved[0].position[:, ego], axis=1)
        assert gap.min() > 4.4  # it stops behind
        found += 1
        if found == 3:
            return
    pytest.fail(f"{found} of 12 drives have a follower")


def test_given_actions_are_the_clip_s_actions() -> None:
    w = world()
    given = left(32, 6.0)
    made = w.with_actions(params("id", 1), given)
    c = w.simulate(made, np.random.default_rng(0), ())
    np.testing.assert_allclose(c.actions[:-1, :2], given[:-1], atol=2e-6)
    first = params("id", 1)["scene"]["bodies"]
    assert [body for body in made["scene"]["bodies"] if body["fixed"]][-5:] == [body for body in first if body["fixed"]][-5:]


@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_a_left_turn_moves_the_scene_to_the_right(side: str, sign: float) -> None:
    for index in range(3):
        c = clip(side, index, 32, ("flow", "depth"))
        turning = int(np.abs(c.actions[:-1, 1].numpy()).argmax())
        assert sign * c.actions[turning, 1] > 0.2
        across = c.flow[turning, 0].numpy()[:16]  # above the horizon, far away: rotation decides
        far = c.depth[turning, 0].numpy()[:16] > 15
        assert sign * np.median(across[far]) > 1.0
        assert sign * c.actions[:, 3].sum() > math.radians(30)


def test_flow_is_exact_near_and_far() -> None:
    c = clip("id", 2, 96, ("flow", "depth", "scene_flow"))
    v, u = np.mgrid[:96, :96] + 0.5
    pose, k = c.camera.pose.numpy(), c.camera.intrinsics[0].numpy()
    worst, farthest = 0.0, 0.0
    for t in range(0, 31, 5):
        z = c.depth[t, 0].numpy().astype(np.float64)
        z[~np.isfinite(z)] = 1e7  # the sky: a direction
        x = np.stack([(u - k[0, 2]) / k[0, 0] * z, (v - k[1, 2]) / k[1, 1] * z, z], -1)
        x = x + c.scene_flow[t].numpy().transpose(1, 2, 0)
        there = (x - pose[t, :3, 3]) @ pose[t, :3, :3] @ pose[t + 1, :3, :3].T + pose[t + 1, :3, 3]
        ok = (there[..., 2] > 0.1) & (z < 1e6)
        at = there[..., :2] / there[..., 2:] * k[0, 0] + k[:2, 2] - np.stack([u, v], -1)
        error = np.abs(at - c.flow[t].numpy().transpose(1, 2, 0)).max(-1)
        inside = ok & (np.abs(at).max(-1) < 96)
        worst, farthest = max(worst, error[inside].max()), max(farthest, z[inside].max())
    assert farthest > 100
    assert worst < 1e-3


@pytest.mark.parametrize("split", SPLITS)
def test_nothing_is_below_the_road(split: str) -> None:
    c = clip(split, 1)
    names = c.meta["bodies"]
    low = {"road", "markings", "pavement"}
    z = c.bodies["position"][..., 2].numpy()
    for n, name in enumerate(names):
        if name not in low:
            assert (z[:, n] >= 0.03 - 1e-9).all() or name.startswith("building"), name
    assert {"road", "markings", "pavement", "ego", "own car"} <= set(names)
    assert any(name.startswith("building") for name in names)


@pytest.mark.parametrize("split", MANOEUVRES)
def test_splits_draw_their_manoeuvre(split: str) -> None:
    for index in range(3):
        text, tags = params(split, index)["scene"]["text"], params(split, index)["scene"]["tags"]
        assert tags["manoeuvre"] == split
        telling = {"left": "left", "right": "right", "straight": ("straight", "bend"), "accelerate": "accelerates",
                   "brake": ("brakes", "stops"), "change": "lane"}[split]  # fmt: skip
        assert any(word in text for word in ((telling,) if isinstance(telling, str) else telling)), text
        assert len(json.dumps(params(split, index))) < 130_000
        assert len(text.split()) <= 60


@pytest.mark.parametrize("side", ["left", "right"])
def test_short_clips_tell_their_turns(side: str) -> None:
    short = world(side, num_frames=17)
    for index in range(4):
        c = make(short, 5, index, ())
        assert f"turns {side}" in c.text
        assert (1 if side == "left" else -1) * c.actions[:-1, 3].sum() > math.radians(17)


def test_unusual_drives_are_faster() -> None:
    fastest = {split: max(driven(split, k).town.speeds[:, 0].max() for k in range(6)) for split in ("id", "ood")}
    assert fastest["ood"] > fastest["id"]


def digest(c: Clip) -> str:
    data = [x.numpy().tobytes() for x in (c.rgb, c.flow, c.actions)] + [c.text.encode()]
    return hashlib.sha256(b"".join(data)).hexdigest()


def test_another_process_gives_the_same_bytes() -> None:
    made = "make(scenario('driving', size=24, num_frames=16, supersampling=1, tracks=0), 5, 3, ('rgb', 'flow'))"
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_driving import *; print(digest({made}))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == digest(make(scenario("driving", size=24, num_frames=16, supersampling=1, tracks=0), 5, 3, ("rgb", "flow")))


def test_what_is_told_moves_as_told() -> None:
    quarter = (math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4))
    path = (Key(time=0.5, position=(0.0, 0.0, 1.0)), Key(time=1.5, position=(2.0, 0.0, 1.0), rotation=quarter))
    cube = Box((1.0, 1.0, 1.0))
    scene = Scene((Rigid(name="a", shape=cube, path=path, mass=3.0), Rigid(name="b", shape=cube, fixed=True)))
    run = simulate(scene, np.arange(5) * 0.5)
    np.testing.assert_allclose(run.position[:, 0, 0], [0, 0, 1, 2, 2])
    np.testing.assert_allclose(heading(run.rotation[:, 0]), np.array([0, 0, 0.25, 0.5, 0.5]) * math.pi, atol=1e-12)
    np.testing.assert_allclose(run.velocity[:, 0, 0], [0, 2, 2, 0, 0])
    np.testing.assert_allclose(run.angular_velocity[:, 0, 2], np.array([0, 0.5, 0.5, 0, 0]) * math.pi, atol=1e-12)
    spin = 0.5 * (3.0 / 6) * (math.pi / 2) ** 2
    np.testing.assert_allclose(run.kinetic[:, 0], [0, 6 + spin, 6 + spin, 0, 0], rtol=1e-9)
    assert run.mass[1] == pytest.approx(700)
    assert not len(run.contacts.time)


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(UserError, match="no split 'night'"):
        world().split("night")
    with pytest.raises(UserError, match="32 frames"):
        world().with_actions(params("id", 1), keep(16))
    with pytest.raises(UserError, match="actions must be"):
        drive([(1.0, math.nan), (1.0, 0.0)])
    with pytest.raises(UserError, match="names body 'nobody'"):
        Scene((Rigid(name="a", shape=Box((1.0, 1.0, 1.0)), fixed=True),), ego="nobody")
