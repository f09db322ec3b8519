"""Possible/impossible twins, every scenario with every violation: one clip until the violation, and lawful but for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.core.clip import AXES
from kinema.simulators import EFFECT, VIOLATIONS, Twins, World, make, remake, scenario
from kinema.simulators.planar import DENSE, Planar

from ..worlds import FLAT

SIZE, CONTEXT = 64, 4
CHANGES_AT_ONCE = ("vanish", "teleport", "shape", "colour")  # the others are seen once what was set in motion has moved


WORLDS: dict[str, World] = {name: scenario(name, size=SIZE) for name in FLAT}
WORLDS |= {f"{name}, as Box2D": replace(world, box2d_compatible=True) for name, world in WORLDS.items() if isinstance(world, Planar)}


@cache
def meets(name: str) -> bool:
    """Whether anything meets anything in this world, where a violation may lie."""
    clips = [make(WORLDS[name], 3, i, ()) for i in range(8)]
    return any(((c.contacts["time"] > CONTEXT * c.dt) & (c.contacts["time"] < (c.num_frames - 5) * c.dt)).any() for c in clips)


CASES = [(name, kind) for name in WORLDS for kind in VIOLATIONS if kind != "pass_through" or meets(name)]
every = pytest.mark.parametrize(("name", "kind"), CASES)
planar = pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in CASES if isinstance(WORLDS[name], Planar)])


def twins(name: str, kind: str) -> Twins:
    return Twins(WORLDS[name], violations=(kind,), context=CONTEXT)


@cache
def pairs(name: str, kind: str) -> list[tuple[Clip, Clip]]:
    world, count = twins(name, kind), 2 if isinstance(WORLDS[name], Planar) else 1
    return [(make(world, 7, 2 * i, DENSE), make(world, 7, 2 * i + 1, DENSE)) for i in range(count)]


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.nan_to_num(-9.0), b.nan_to_num(-9.0)) if a.is_floating_point() else torch.equal(a, b)


def law(clip: Clip) -> dict[str, Any]:
    said: dict[str, Any] = clip.meta["violation"]
    return said


@every
def test_twins_are_one_clip_until_the_violation(name: str, kind: str) -> None:
    for possible, impossible in pairs(name, kind):
        said = law(impossible)
        assert (said["kind"], law(possible)) == (kind, said)
        assert (possible.meta["possible"], impossible.meta["possible"]) == (True, False)
        frame = said["frame"]
        for field in AXES:
            if possible.has(field):
                stop = frame if AXES[field][0] == "t" else frame - 1
                assert same(possible.fields[field][:stop], impossible.fields[field][:stop]), field
        assert set(possible.bodies) == set(impossible.bodies)
        for key in possible.bodies:
            assert same(possible.bodies[key][:frame], impossible.bodies[key][:frame]), key
        old = possible.contacts["time"] <= (frame - 1) * possible.dt
        for key in possible.contacts:
            assert same(possible.contacts[key][old], impossible.contacts[key][: int(old.sum())]), key
        assert possible.text == impossible.text
        assert Clip.stack([possible.only("rgb", "bodies"), impossible.only("rgb", "bodies")]).rgb.shape[0] == 2


@every
def test_the_possible_one_is_the_scenarios_own(name: str, kind: str) -> None:
    for possible, _ in pairs(name, kind):
        params = possible.meta["params"]["scene"]
        plain = WORLDS[name].simulate(params, np.random.default_rng(0), DENSE)
        for field in AXES:
            assert possible.has(field) == plain.has(field)
            assert not plain.has(field) or same(possible.fields[field], plain.fields[field]), field
        for key in plain.bodies:
            assert same(possible.bodies[key], plain.bodies[key]), key
        assert possible.bodies["visible"].all()
        assert not possible.bodies["cut"].any()


@every
def test_the_violation_can_be_seen(name: str, kind: str) -> None:
    for possible, impossible in pairs(name, kind):
        said = law(impossible)
        frame, body = said["frame"], said["body"]
        assert CONTEXT <= frame <= possible.num_frames - 4
        differ = ((possible.rgb.int() - impossible.rgb.int()).abs().amax(1) > 32).sum((1, 2)).sqrt()
        assert not differ[:frame].any()
        assert (differ[frame] > 0) or kind not in CHANGES_AT_ONCE
        soon = float(differ[frame : frame + 4].max())
        assert soon >= EFFECT * SIZE
        assert said["effect"] == pytest.approx(soon, abs=0.01)
        width = possible.meta["world_width"]
        before = possible.bodies["position"][frame - 1, body]
        assert ((before > 0) & (before < width)).all()
        assert (possible.segmentation[frame - 1] == body + 1).any()


@every
def test_what_happens_is_what_is_said(name: str, kind: str) -> None:
    for possible, impossible in pairs(name, kind):
        said, a, b = law(impossible), possible.bodies, impossible.bodies
        f, n = said["frame"], said["body"]
        if kind == "vanish":
            assert b["position"][f:, n].isnan().all()
            assert b["velocity"][f:, n].isnan().all()
            assert not b["visible"][f:, n].any()
            assert not (impossible.segmentation[f:] == n + 1).any()
        elif kind == "teleport":
            spot = torch.tensor(said["to"], dtype=torch.float64)
            reach = 2 * impossible.dt * (a["velocity"][f - 1, n].norm() + 10 * impossible.dt)
            assert (b["position"][f, n] - spot).norm() <= reach
            assert (spot - a["position"][f - 1, n]).norm() >= 2 * a["radius"][f, n]
        elif kind == "speed":
            world, before, after = WORLDS[name], a["velocity"][f - 1, n], b["velocity"][f, n]
            factor = float(said["factor"])
            assert factor <= 0.4 or factor >= 2
            if isinstance(world, Planar):
                torch.testing.assert_close(after, factor * before + torch.tensor(world.gravity) * impossible.dt)
            assert float((after - a["velocity"][f, n]).norm()) > 0.3 * float(before.norm())
        elif kind == "shape":
            assert (a["shape"][f:, n] != b["shape"][f:, n]).all()
            assert same(a["radius"], b["radius"])
        elif kind == "colour":
            assert b["color"][f:, n].tolist() == [said["color"]] * (possible.num_frames - f)
            assert said["color"] not in a["color"][0].tolist()
            assert all(same(a[key], b[key]) for key in a if key != "color")
            assert all(same(possible.fields[key], impossible.fields[key]) for key in DENSE if key != "rgb")
        else:
            pair = {n, said["other"]}
            time = impossible.contacts["time"]
            later = [set(p) for p, t in zip(impossible.contacts["bodies"].tolist(), time, strict=True) if t > (f - 1) * possible.dt]
            met = [set(p) for p, t in zip(possible.contacts["bodies"].tolist(), possible.contacts["time"], strict=True)
                   if (f - 1) * possible.dt < t <= f * possible.dt + 1e-9]  # fmt: skip
            assert pair in met
            assert pair not in later


@every
def test_what_is_cut_is_not_followed(name: str, kind: str) -> None:
    for _, clip in pairs(name, kind):
        said, cut = law(clip), clip.bodies["cut"]
        f, n = said["frame"], said["body"]
        assert cut.nonzero().tolist() == ([[f, n]] if kind in ("vanish", "teleport") else [])
        if cut.any():
            before, after = clip.segmentation[f - 1] == n + 1, clip.segmentation[f] == n + 1
            assert clip.occlusion[f - 1][before].all()
            assert not clip.flow[f - 1][:, before].any()
            assert not clip.backward_flow[f - 1][:, after].any()
        assert clip.flow.isfinite().all()
        assert clip.energy.isfinite().all()


@planar
def test_flow_is_the_step_of_what_is_shown(name: str, kind: str) -> None:
    for _, clip in pairs(name, kind):
        position = clip.bodies["position"]
        centers = clip.camera.project(torch.cat([position, torch.zeros_like(position[..., :1])], -1))
        steps = centers.diff(dim=0).nan_to_num(0.0)
        steps[clip.bodies["cut"][1:]] = 0.0
        steps = torch.cat([torch.zeros_like(steps[:, :1]), steps], 1)
        for t in range(clip.num_frames - 1):
            assert (clip.flow[t].permute(1, 2, 0) - steps[t][clip.segmentation[t].long()]).abs().max() < 1e-3


@planar
def test_all_else_goes_by_the_law(name: str, kind: str) -> None:
    """Energy is conserved up to the violation and from it on (by Box2D, slow impacts lose some); what is left out has no share."""
    world = WORLDS[name]
    assert isinstance(world, Planar)
    gravity = torch.tensor(world.gravity, dtype=torch.float64)
    for _, clip in pairs(name, kind):
        f, body = law(clip)["frame"], clip.bodies
        energy = body["mass"] * (body["velocity"].square().sum(-1) / 2 - body["position"] @ gravity)
        torch.testing.assert_close(clip.energy, energy.nan_to_num(0.0).sum(-1))
        for part in (clip.energy[:f], clip.energy[f:]):
            change, most = part - part[0], 1e-9 * max(1.0, float(clip.energy.abs().max()))
            assert float((change if world.box2d_compatible else change.abs()).max()) <= most


def test_a_shape_without_a_published_look_is_not_drawn() -> None:
    world = twins("uniform, as Box2D", "shape")
    assert {make(world, 0, i, ()).meta["violation"]["shape"] for i in range(0, 16, 2)} == {"square"}
    assert {make(twins("uniform", "shape"), 0, i, ()).meta["violation"]["shape"] for i in range(0, 16, 2)} == {"square", "ring"}


def test_bodies_that_meet_no_more_pass_straight_through_each_other() -> None:
    for _, clip in pairs("collision", "pass_through"):
        velocity = clip.bodies["velocity"]
        assert (velocity == velocity[0]).all()
        assert clip.contacts["time"].numel() == 0
        gap = clip.bodies["position"].diff(dim=1)[:, 0].norm(dim=-1) - clip.bodies["radius"].sum(1)
        assert gap.min() < -0.1
    for _, clip in pairs("bounce", "pass_through"):
        assert law(clip)["other"] == -1
        assert (clip.bodies["velocity"] == clip.bodies["velocity"][0]).all()


def test_who_was_to_be_met_by_what_vanished_goes_straight_on() -> None:
    found = 0
    for i in range(8):
        clip = make(twins("collision", "vanish"), 1, 2 * i + 1, ())
        said = law(clip)
        if clip.contacts["time"].numel() == 0:
            other = 1 - said["body"]
            assert (clip.bodies["velocity"][:, other] == clip.bodies["velocity"][0, other]).all()
            found += 1
    assert found


def test_violations_take_turns() -> None:
    world = Twins(scenario("collision", size=32), violations=tuple(VIOLATIONS))
    kinds = [make(world, 0, i, ()).meta["violation"]["kind"] for i in range(2 * len(VIOLATIONS))]
    assert kinds[::2] == kinds[1::2] == list(VIOLATIONS)


@every
def test_a_twin_can_be_made_again(name: str, kind: str) -> None:
    for clip in pairs(name, kind)[0]:
        again = remake(clip, DENSE)
        assert again.meta == clip.meta
        assert all(same(again.fields[key], clip.fields[key]) for key in AXES if clip.has(key))
        assert all(same(again.bodies[key], clip.bodies[key]) for key in clip.bodies)


def test_twins_of_a_split_draw_from_it() -> None:
    world = Twins(scenario("uniform", size=32), violations=("speed",)).split("r")
    radii = [float(make(world, 0, i, ()).bodies["radius"][0, 0]) for i in range(8)]
    assert all(not 0.7 <= r <= 1.4 for r in radii)
    with pytest.raises(UserError, match="no split 'nowhere'"):
        world.split("nowhere")


def test_mistakes_are_answered() -> None:
    world = scenario("uniform", size=32)
    with pytest.raises(UserError, match="vanish, teleport, speed, shape, colour, pass_through"):
        Twins(world, violations=("levitate",))
    with pytest.raises(UserError, match="names none"):
        Twins(world, violations=())
    with pytest.raises(UserError, match="32 frames do not hold a context of 30"):
        Twins(world, context=30)
    with pytest.raises(UserError, match="twins: there are none of twins"):
        Twins(Twins(world))
    with pytest.raises(UserError, match="no place for 'pass_through' in 40 scenes of uniform"):
        make(Twins(world, violations=("pass_through",)), 0, 0)
    with pytest.raises(UserError, match="parameters lack 'violation'"):
        Twins(world).simulate({"scene": {}}, np.random.default_rng(0))
