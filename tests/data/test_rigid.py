"""Laws of rigid scenes: each is broken on purpose, and caught."""

from __future__ import annotations

import pytest
import torch

from kinema.core import Clip
from kinema.data.rigid import energy_gain, rigid_reprojection_error, static_motion
from kinema.simulators import make, scenario
from kinema.simulators.planar.phyre.depth import ONE_STEP, escape, overlap


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make(scenario("phyre", size=48).split("10005"), 0, 3)


def changed(clip: Clip, key: str, frame: int, body: int, by: float) -> dict[str, torch.Tensor]:
    value = clip.bodies[key].clone()
    value[frame, body] += by
    return {**clip.bodies, key: value}


def test_flow_that_forgets_the_turn_is_caught(clip: Clip) -> None:
    turned = int(clip.bodies["angle"].diff(dim=0).abs().max(0).values.argmax())
    assert rigid_reprojection_error(clip) < 1e-4
    still = {**clip.bodies, "angle": torch.zeros_like(clip.bodies["angle"])}
    assert rigid_reprojection_error(clip.replace(bodies=still)) > 0.1
    assert rigid_reprojection_error(clip.replace(bodies=changed(clip, "position", 5, turned, 0.5))) > 0.1
    flow = clip.flow.clone()
    flow[3, 1, 0, 0] += 0.01  # the ground
    assert rigid_reprojection_error(clip.replace(flow=flow)) > 0.005


def test_energy_from_nothing_is_caught(clip: Clip) -> None:
    assert energy_gain(clip) < 0.005
    energy = clip.energy.clone()
    energy[-1] = energy[-2] + 0.01 * energy[0]
    assert energy_gain(clip.replace(energy=energy)) > 0.005


def test_static_bodies_that_move_are_caught(clip: Clip) -> None:
    body = int(clip.bodies["static"][0].nonzero()[0])
    assert static_motion(clip) == 0
    assert static_motion(clip.replace(bodies=changed(clip, "angle", 4, body, 1e-9))) > 0


def test_bodies_in_bodies_and_in_walls_are_caught(clip: Clip) -> None:
    last = clip.bodies["kind"].shape[1] - 1
    assert overlap(clip.bodies) < ONE_STEP
    assert escape(clip.bodies) < ONE_STEP
    position = clip.bodies["position"].clone()
    position[7, last] = position[7, 0]
    assert overlap({**clip.bodies, "position": position}) > ONE_STEP
    position[7, last, 1] = 0.0
    radius = float(clip.bodies["radius"][0, last])
    assert escape({**clip.bodies, "position": position}) == pytest.approx(radius)
