"""Possible/impossible twins of spatial worlds: one clip until the violation, and what is said to happen happens."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

pytest.importorskip("mujoco")
pytest.importorskip("warp")

from kinema.core import Clip, UserError
from kinema.core.clip import AXES
from kinema.simulators import EFFECT, SPATIAL_VIOLATIONS, SpatialTwins, make, remake, scenario, twins
from kinema.simulators.spatial.world import DENSE

SIZE, CONTEXT, FRAMES = 48, 3, 16
every = pytest.mark.parametrize("kind", SPATIAL_VIOLATIONS)


def world(kind: str) -> SpatialTwins:
    base = scenario("drop", size=SIZE, supersampling=1, num_frames=FRAMES)
    found = twins(base, violations=(kind,), context=CONTEXT)
    assert isinstance(found, SpatialTwins)
    return found


@cache
def pair(kind: str) -> tuple[Clip, Clip]:
    return make(world(kind), 7, 0, DENSE), make(world(kind), 7, 1, DENSE)


def law(clip: Clip) -> dict[str, Any]:
    said: dict[str, Any] = clip.meta["violation"]
    return said


@every
def test_twins_are_one_clip_until_the_violation(kind: str) -> None:
    possible, impossible = pair(kind)
    said = law(impossible)
    assert (said["kind"], law(possible)) == (kind, said)
    assert (possible.meta["possible"], impossible.meta["possible"]) == (True, False)
    frame = said["frame"]
    assert CONTEXT <= frame <= FRAMES - 4
    for field in AXES:
        if possible.has(field):
            stop = frame if AXES[field][0] == "t" else frame - 1
            assert torch.equal(possible.fields[field][:stop], impossible.fields[field][:stop]), field
    assert set(possible.bodies) == set(impossible.bodies)
    for key in possible.bodies:
        assert torch.equal(possible.bodies[key][:frame], impossible.bodies[key][:frame]), key
    assert possible.text == impossible.text
    assert torch.equal(possible.camera.pose, impossible.camera.pose)


@every
def test_the_possible_one_is_the_scenarios_own(kind: str) -> None:
    possible, _ = pair(kind)
    own = scenario("drop", size=SIZE, supersampling=1, num_frames=FRAMES, tracks=0)
    alone = own.simulate(possible.meta["params"]["scene"], torch.Generator(), DENSE)  # type: ignore[arg-type]
    for field in AXES:
        if alone.has(field):
            assert torch.equal(alone.fields[field], possible.fields[field]), field


@every
def test_the_violation_is_seen(kind: str) -> None:
    possible, impossible = pair(kind)
    soon = slice(law(possible)["frame"], law(possible)["frame"] + 4)
    differ = ((possible.rgb[soon].short() - impossible.rgb[soon].short()).abs().amax(1) > 32).sum((1, 2)).max()
    assert float(differ) ** 0.5 == pytest.approx(law(possible)["effect"], abs=0.01)
    assert law(possible)["effect"] >= EFFECT * SIZE


@every
def test_twins_come_again_bit_for_bit(kind: str) -> None:
    _, impossible = pair(kind)
    again = remake(impossible, ("rgb", "flow"))
    assert torch.equal(again.rgb, impossible.rgb)
    assert torch.equal(again.flow, impossible.flow)
    shown = world(kind).again(impossible, ("rgb", "flow"))
    assert torch.equal(shown["rgb"], impossible.rgb)
    assert torch.equal(shown["flow"], impossible.flow)


def test_who_vanishes_is_not_there() -> None:
    _, clip = pair("vanish")
    frame, body = law(clip)["frame"], law(clip)["body"]
    assert clip.bodies["visible"][:frame, body].all()
    assert not clip.bodies["visible"][frame:, body].any()
    assert (clip.segmentation[frame - 1] == body + 1).any()
    assert not (clip.segmentation[frame:] == body + 1).any()
    was = clip.segmentation[frame - 1] == body + 1
    assert clip.occlusion[frame - 1][was].all()
    assert not clip.flow[frame - 1].permute(1, 2, 0)[was].any()


@pytest.mark.parametrize("kind", ["teleport", "swap"])
def test_who_is_moved_stands_where_it_is_said(kind: str) -> None:
    possible, clip = pair(kind)
    said = law(clip)
    who = {said["body"]: said["to"]} | ({said["other"]: said["other_to"]} if kind == "swap" else {})
    for body, place in who.items():
        assert clip.bodies["position"][said["frame"], body].tolist() == pytest.approx(place, abs=1e-6)
        assert clip.bodies["cut"][said["frame"], body]
        velocity = (x.bodies["velocity"][said["frame"], body] for x in (possible, clip))
        assert torch.allclose(*velocity, atol=0.3)


def test_time_runs_backwards() -> None:
    _, clip = pair("reverse")
    frame = law(clip)["frame"]
    for k in range(frame, FRAMES):
        assert torch.equal(clip.rgb[k], clip.rgb[2 * (frame - 1) - k])
        assert torch.equal(clip.bodies["velocity"][k], -clip.bodies["velocity"][2 * (frame - 1) - k])


def test_everything_falls_another_way() -> None:
    possible, clip = pair("gravity")
    frame, pull = law(clip)["frame"], torch.tensor(law(clip)["gravity"], dtype=torch.float64)
    gap = clip.dt
    gained = clip.bodies["velocity"][frame] - clip.bodies["velocity"][frame - 1]
    touched = set(clip.contacts["bodies"][clip.contacts["time"] >= (frame - 2) * gap].flatten().tolist())
    touched |= set(possible.contacts["bodies"][possible.contacts["time"] >= (frame - 2) * gap].flatten().tolist())
    falling = [n for n in range(gained.shape[0]) if n not in touched]
    for n in falling:
        assert torch.allclose(gained[n], pull * gap, atol=0.02)
    assert not torch.equal(possible.bodies["velocity"][frame], clip.bodies["velocity"][frame])


def test_what_does_not_exist_is_refused() -> None:
    base = scenario("drop", size=SIZE)
    with pytest.raises(UserError, match="no violation 'shape' of drop; there are vanish, teleport, swap"):
        twins(base, violations=("shape",))
    with pytest.raises(UserError, match="no spatial scenario"):
        SpatialTwins(scenario("uniform"))


def test_where_everything_moves_as_told_a_car_can_vanish() -> None:
    base = scenario("driving", size=SIZE, supersampling=1, num_frames=FRAMES)
    clip = make(twins(base, violations=("vanish",), context=CONTEXT), 0, 1, ("segmentation",))
    frame, body = law(clip)["frame"], law(clip)["body"]
    assert (clip.segmentation[frame - 1] == body + 1).any()
    assert not (clip.segmentation[frame:] == body + 1).any()
    with pytest.raises(UserError, match="'gravity' means nothing in driving, where everything moves as it is told; there are vanish"):
        twins(base, violations=("gravity",))


def test_water_falls_another_way() -> None:
    pytest.importorskip("newton")
    base = scenario("fluid", size=32, supersampling=1, num_frames=10).split("single+thick")
    world = twins(base, violations=("gravity",), context=CONTEXT)
    possible, clip = make(world, 1, 0, ()), make(world, 1, 1, ())
    frame, pull = law(clip)["frame"], torch.tensor(law(clip)["gravity"], dtype=torch.float64)
    assert torch.equal(possible.vertices[:frame], clip.vertices[:frame])
    apart = (clip.bodies["center"] - possible.bodies["center"])[-1, 0]
    wanted = pull - torch.tensor(clip.meta["params"]["scene"]["scene"]["gravity"], dtype=torch.float64)
    assert torch.nn.functional.cosine_similarity(apart[:2], wanted[:2], dim=0) > 0.9 or wanted[:2].norm() == 0
