"""PHYRE's scenes: published templates, ranges and constants; and rigid bodies that obey mechanics."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError, stream
from kinema.data.rigid import energy_gain, rigid_reprojection_error, static_motion
from kinema.simulators import make, scenario
from kinema.simulators.planar.phyre import FATES, KINDS, SIDE, TEMPLATES, features
from kinema.simulators.planar.phyre.depth import escape, overlap
from kinema.simulators.planar.phyre.engine import GRAVITY, STEP, mass_of, moment_of, simulate
from kinema.simulators.planar.phyre.objects import COMPONENTS, Object
from kinema.simulators.planar.phyre.scene import red_ball, scene
from kinema.simulators.planar.phyre.templates import HELD_OUT, SIX, SIXTY, THIRTY
from kinema.simulators.planar.phyre.world import outline

TYPES = ("ball_1", "ball_2", "static_balls", "bar", "standing_bars", "static_bar", "jar", "standing_sticks")
NAMES = list(KINDS)
FASTEST = math.sqrt(2 * 9.8 * 512 / 6) / 60  # m that a body may fall in one step, and so enter another before it is stopped


def clip_of(template: int, index: int = 0, fields: tuple[str, ...] = ()) -> Clip:
    return make(scenario("phyre", size=64).split(str(template)), 1, index, fields)


@pytest.fixture(scope="module")
def of_each() -> dict[int, Clip]:
    """A clip of every template."""
    return {template: clip_of(template) for template in TEMPLATES}


# --- what is published -------------------------------------------------------------------------------------------------


def test_the_templates_are_the_published_ones() -> None:
    assert tuple(COMPONENTS) == TYPES
    assert list(TEMPLATES) == list(range(10000, 10070))
    assert {frozenset(kinds) for kinds in TEMPLATES.values()} == {frozenset(c) for c in combinations(TYPES, 4)}
    published = {  # comments of the released task script
        10003: ("standing_bars", "static_bar", "jar", "standing_sticks"),
        10005: ("static_balls", "bar", "standing_bars", "static_bar"),
        10016: ("static_balls", "bar", "jar", "standing_sticks"),
        10023: ("ball_1", "ball_2", "static_balls", "bar"),
        10024: ("ball_1", "ball_2", "standing_bars", "static_bar"),
        10053: ("ball_1", "ball_2", "jar", "standing_sticks"),
    }
    assert {template: TEMPLATES[template] for template in SIX} == published
    met = {frozenset(pair) for template in SIX for pair in combinations(TEMPLATES[template], 2)}
    assert len(met) == 28  # "every interaction of two types occurs" in the six
    assert {str(t)[-2:] for t in THIRTY} == {f"{tens}{ones}" for tens in "012345" for ones in "02468"}
    assert tuple(range(10000, 10060)) == SIXTY
    assert tuple(range(10060, 10070)) == HELD_OUT


def test_splits_draw_from_their_templates() -> None:
    for name, wanted in {"id": SIXTY, "60": SIXTY, "30": THIRTY, "6": SIX, "ood": HELD_OUT, "10042": (10042,)}.items():
        world = scenario("phyre").split(name)
        drawn = {world.sample(stream("split", i))["template"] for i in range(40)}
        assert drawn <= set(wanted)
        assert len(drawn) > min(len(wanted), 5) - 1


def test_every_template_gives_its_four_types_and_the_red_ball(of_each: dict[int, Clip]) -> None:
    most = {"static_balls": 7, "standing_bars": 4}
    for template, clip in of_each.items():
        count = Counter(NAMES[k] for k in clip.bodies["kind"][0].tolist())
        assert set(count) == {*TEMPLATES[template], "red_ball"}
        assert all(number <= most.get(kind, 1) for kind, number in count.items())
        assert NAMES[clip.bodies["kind"][0, -1]] == "red_ball"
        assert clip.bodies["color"][0, -1].tolist() == [0xF3, 0x4F, 0x46]
        assert {kind for kind in count if "static" in kind} == {
            NAMES[k] for k, still in zip(clip.bodies["kind"][0].tolist(), clip.bodies["static"][0].tolist(), strict=True) if still
        }


def box(item: Object) -> tuple[float, float, float, float]:
    """(left, right, bottom, top), from the outline that is drawn."""
    it = outline(("ball", "bar", "jar", "sticks").index(KINDS[item.kind].shape), item.length * SIDE)
    pieces = getattr(it, "pieces", (it,))
    if KINDS[item.kind].shape == "ball":
        r = item.length / 2
        return item.x - r, item.x + r, item.y - r, item.y + r
    c, s = math.cos(item.angle), math.sin(item.angle)
    x, y = np.array([(c * a - s * b, s * a + c * b) for piece in pieces for a, b in piece.vertices]).T / SIDE
    return item.x + x.min(), item.x + x.max(), item.y + y.min(), item.y + y.max()


def within(values: list[float], low: float, high: float) -> None:
    assert min(values) >= low - 1e-9
    assert max(values) <= high + 1e-9
    assert max(values) - min(values) > 0.8 * (high - low)  # and all of the range is used


def test_objects_are_drawn_from_the_published_ranges() -> None:
    drawn = {kind: [COMPONENTS[kind](stream("ranges", kind, i)) for i in range(300)] for kind in TYPES}
    for kind in ("ball_1", "ball_2"):
        balls = [o for (o,) in drawn[kind]]
        within([o.length for o in balls], 0.06, 0.12)
        within([o.x for o in balls], 0.3, 0.6)
        within([box(o)[2] for o in balls], 0.4, 0.85)
    chains = [chain for chain in drawn["static_balls"] if chain]
    assert len(chains) > 250
    assert {len(chain) for chain in chains} == {3, 4, 5, 6, 7}  # the first, and 2 to 6 more
    assert all((chain[0].x, chain[0].y, o.length) == (0.4, 0.55, 0.04) and o.y < 0.5 for chain in chains for o in chain[1:])
    bars = [o for (o,) in drawn["bar"]]
    within([o.length for o in bars], 0.15, 0.5)
    within([o.x for o in bars], 0.3, 0.6)
    within([o.y - 0.01 for o in bars], 0.2, 0.8)
    within([math.degrees(o.angle) for o in bars], -90, 90)
    standing = drawn["standing_bars"]
    assert {len(group) for group in standing} == {1, 2, 3, 4}
    for group in standing:
        assert [round(o.length, 9) for o in group] == [0.2, 0.25, 0.3, 0.35][: len(group)]
        assert all(abs(box(o)[2]) < 1e-9 and math.isclose(box(o)[3], o.length) for o in group)
        assert {round(b.x - a.x, 9) for a, b in pairwise(group)} <= {0.15, -0.15}
    firm = [o for (o,) in drawn["static_bar"]]
    within([o.length for o in firm], 0.2, 0.5)
    within([o.x + o.length / 2 for o in firm], 0.3, 0.4)
    within([o.y - 0.01 for o in firm], 0.1, 0.5)
    within([math.degrees(o.angle) for o in firm], -60, 60)
    for kind, (low, high), (bottom, top), turn, floor in (
        ("jar", (0.08, 0.3), (0.2, 0.8), 45, 0.3), ("standing_sticks", (0.3, 0.6), (0.2, 0.5), 90, 0.3),
    ):  # fmt: skip
        things = [o for (o,) in drawn[kind]]
        within([o.length for o in things], low, high)
        within([(box(o)[0] + box(o)[1]) / 2 for o in things], 0.3, 0.6)
        air = [o for o in things if box(o)[2] > 0.1]
        within([box(o)[2] for o in air], bottom, top)
        within([math.degrees(o.angle) for o in air], -turn, turn)
        ground = [o for o in things if o not in air]
        assert all(abs(box(o)[2]) < 1e-9 and o.angle == 0 for o in ground)
        assert abs(len(ground) / 300 - floor) < 4 * math.sqrt(0.21 / 300)


def test_shapes_have_the_published_proportions() -> None:
    left, right, bottom, top = box(Object("bar", 0.3, 0, 0))
    assert (right - left, top - bottom) == (pytest.approx(0.3), pytest.approx(1 / 50))
    left, right, bottom, top = box(Object("jar", 0.3, 0, 0))
    assert (right - left, top - bottom) == (pytest.approx(0.3 / 1.2), pytest.approx(0.3))
    left, right, bottom, top = box(Object("standing_sticks", 0.6, 0, 0))
    up = math.radians(77.5)
    assert top - bottom == pytest.approx(0.4 * math.sin(up) + 0.04 / 3 * math.cos(up))
    assert right - left == pytest.approx(0.4 * math.cos(up) + 0.04 / 3 * math.sin(up))


@pytest.mark.parametrize(("kind", "length"), [("ball_1", 0.1), ("bar", 0.4), ("jar", 0.08), ("jar", 0.3), ("standing_sticks", 0.5)])
def test_mass_and_moment_are_those_of_the_area(kind: str, length: float) -> None:
    item = Object(kind, length, 0.0, 0.0)
    it = outline(("ball", "bar", "jar", "sticks").index(KINDS[kind].shape), length * SIDE)
    left, right, bottom, top = (value * SIDE for value in box(item))
    x, y = np.meshgrid(np.linspace(left, right, 701), np.linspace(bottom, top, 701))
    cell = (right - left) * (top - bottom) / 700**2
    inside = sum((piece.distance(x, y) < 0).astype(float) for piece in getattr(it, "pieces", (it,)))
    assert 0.25 * inside.sum() * cell == pytest.approx(mass_of(item), rel=0.01)
    assert 0.25 * (inside * (x**2 + y**2)).sum() * cell == pytest.approx(moment_of(item), rel=0.02)
    assert abs((inside * x).sum()) / inside.sum() < 0.002 * SIDE  # about the centre of mass
    assert abs((inside * y).sum()) / inside.sum() < 0.002 * SIDE


def test_the_action_is_phyres() -> None:
    ball = red_ball((0.5, 1.0, 0.0))
    assert (ball.x * 512, ball.y * 512, ball.length * 256) == (pytest.approx(255.5), pytest.approx(511), pytest.approx(2))
    assert red_ball((0.5, 0.5, 1.0)).length * 256 == pytest.approx(64)


def test_scenes_are_inside_and_free_of_overlaps(of_each: dict[int, Clip]) -> None:
    for clip in of_each.values():
        first = {key: value[:1] for key, value in clip.bodies.items()}
        assert overlap(first) == 0
        assert escape(first) < 1e-7
        items = [
            Object(NAMES[k], length / SIDE, x / SIDE, y / SIDE, a) for k, length, (x, y), a in
            zip(*(first[key][0].tolist() for key in ("kind", "length", "position", "angle")), strict=True)
        ]  # fmt: skip
        outlines = [outline(int(code), float(length)) for code, length in zip(first["shape"][0], first["length"][0], strict=True)]
        for (a, one), (b, other) in combinations(zip(items, outlines, strict=True), 2):
            if a.kind == b.kind == "static_balls":
                continue
            for p, q, shape in ((a, b, other), (b, a, one)):  # no corner, and no centre, of one lies in the other
                pieces = getattr(one if p is a else other, "pieces", (one if p is a else other,))
                corners = np.array([(0.0, 0.0)] + [v for piece in pieces for v in getattr(piece, "vertices", ())])
                c, s = math.cos(p.angle), math.sin(p.angle)
                at = corners @ np.array([[c, s], [-s, c]]) + np.array([p.x - q.x, p.y - q.y]) * SIDE
                assert (shape.distance(at[1:, 0], at[1:, 1], (math.cos(q.angle), math.sin(q.angle))) > -1e-6).all()


def test_the_red_ball_is_near_an_object() -> None:
    near = above = total = 0
    for i in range(200):
        params = scenario("phyre").sample(stream("near", i))
        ball, items = red_ball(tuple(params["action"])), [Object(**values) for values in params["objects"]]
        assert 0.1 - 1e-9 <= params["action"][2] <= 1
        spans = [(o, o.shape.diameter / 2) for o in items]
        close = [o for o, r in spans if abs(params["action"][0] - o.x) <= 0.8 * (r + params["action"][2] / 5) + 1e-9]
        near += bool(close)
        above += ball.y > np.mean([o.y for o in items])
        total += 1
    assert near / total > 0.95
    assert 0.25 < above / total < 0.85


def test_a_task_is_one_scene_whatever_the_seed() -> None:
    world = scenario("phyre", tasks=2).split("10023")
    params = [world.sample(stream("phyre", seed, i)) for seed in (0, 1) for i in range(6)]
    scenes = {p["task"]: p["objects"] for p in params}
    assert set(scenes) == {0, 1}
    assert all(p["objects"] == scenes[p["task"]] for p in params)
    assert len({tuple(p["action"]) for p in params}) == len(params)


# --- mechanics ---------------------------------------------------------------------------------------------------------


def test_a_ball_falls_as_galilei_says() -> None:
    run = simulate([Object("red_ball", 0.05, 0.5, 0.9)], 14, 15)
    t = np.arange(14) / 4
    assert np.allclose(run.position[:, 0, 1], 0.9 * SIDE - 9.8 * t**2 / 2, atol=1e-9)
    assert np.allclose(run.velocity[:, 0, 1], -9.8 * t, atol=1e-9)
    assert np.ptp(run.position[:, 0, 0]) == 0
    assert not run.touches


def test_a_ball_bounces_with_the_published_restitution() -> None:
    ball = Object("red_ball", 0.05, 0.5, 0.5)
    run = simulate([ball], 240, 1)
    hit = run.touches[0]
    frame = round(hit.time * 60)
    before = math.sqrt(2 * 9.8 * (0.475 * SIDE))
    assert hit.bodies == (0, -1)
    assert hit.time == pytest.approx(before / 9.8, abs=1.01 * STEP)
    assert run.velocity[frame, 0, 1] == pytest.approx(0.2 * before, abs=2 * 9.8 * STEP)
    assert hit.impulse == pytest.approx(1.2 * mass_of(ball) * before, rel=0.02)
    assert hit.point[0] == pytest.approx(0.5 * SIDE)
    assert abs(hit.point[1]) <= FASTEST


@pytest.mark.parametrize(("degrees", "slides"), [(20, False), (35, True)])
def test_friction_holds_a_bar_on_a_gentle_slope(degrees: float, slides: bool) -> None:
    slope = math.radians(degrees)
    normal = (-math.sin(slope), math.cos(slope))
    ramp = Object("static_bar", 0.6, 0.5, 0.4, slope)
    bar = Object("bar", 0.15, 0.5 + 0.02 * normal[0], 0.4 + 0.02 * normal[1], slope)
    run = simulate([ramp, bar], 3, 60)
    way = np.hypot(*(run.position[:, 1] - run.position[0, 1]).T)
    pull = 9.8 * (math.sin(slope) - 0.5 * math.cos(slope))
    if slides:
        assert way[2] == pytest.approx(pull * 2**2 / 2, rel=0.05)
    else:
        assert pull < 0
        assert way[2] < 0.1


def test_balls_that_meet_in_the_air_exchange_momentum() -> None:
    """The lower one comes back from the floor when the upper one falls on it, off centre."""
    low, high = Object("ball_1", 0.1, 0.5, 0.3), Object("ball_2", 0.08, 0.52, 0.42)
    run = simulate([low, high], 200, 1)
    met = next(touch for touch in run.touches if touch.bodies == (0, 1))
    frame = round(met.time * 60)
    mass = np.array([mass_of(low), mass_of(high)])
    weight = mass * GRAVITY * STEP
    change = mass[:, None] * (run.velocity[frame + 1] - run.velocity[frame - 1])
    assert abs(change[:, 0].sum()) < 1e-9 * met.impulse
    assert change[:, 1].sum() == pytest.approx(2 * weight.sum(), abs=0.51 * abs(weight.sum()))  # half a step of gravity
    change[:, 1] -= 2 * weight
    assert np.hypot(*change.T) == pytest.approx([met.impulse] * 2, rel=0.05)


def test_a_ball_stays_in_the_jar_it_falls_into() -> None:
    jar, ball = Object("jar", 0.3, 0.5, 0.0), Object("ball_1", 0.08, 0.51, 0.6)
    jar = Object("jar", 0.3, 0.5, -box(jar)[2])
    run = simulate([jar, ball], 33, 20)
    (x, y), (jx, jy) = run.position[-1, 1], run.position[-1, 0]
    assert abs(x - jx) < 0.1 * SIDE
    assert 0.04 * SIDE < y < 0.09 * SIDE
    assert np.abs(run.velocity[-1]).max() < 1e-3  # m/s
    assert abs(run.angle[-1, 0]) < 0.05
    assert abs(jy - run.position[0, 0, 1]) < 0.1


def test_spin_dies_away_as_published() -> None:
    bar = Object("bar", 0.2, 0.5, 0.9, 0.3)
    touching = Object("static_balls", 0.04, 0.42, 0.82)
    run = simulate([touching, bar], 14, 15)
    spin = run.spin[8:, 1][np.abs(run.spin[8:, 1]) > 0]
    assert len(spin) > 2
    free = [touch.time for touch in run.touches if touch.time > 2.0]
    assert not free
    assert spin[-1] / spin[0] == pytest.approx(math.exp(-0.01 * (len(spin) - 1) / 4), rel=0.006)


def test_clips_of_every_template_are_lawful(of_each: dict[int, Clip]) -> None:
    for clip in of_each.values():
        assert energy_gain(clip) < 0.005
        assert overlap(clip.bodies) < FASTEST  # 1.03 px of 128
        assert escape(clip.bodies) < FASTEST
        assert static_motion(clip) == 0
        body, free = clip.bodies, (~clip.bodies["static"]).double()
        kinetic = (body["mass"] * body["velocity"].square().sum(-1) + body["moment"] * body["angular_velocity"].square()) / 2
        assert torch.allclose(clip.energy, (free * (kinetic + 9.8 * body["mass"] * body["position"][..., 1])).sum(-1), rtol=1e-12)
        assert (body["velocity"][body["static"]] == 0).all()


@pytest.mark.parametrize("template", [10003, 10023, 10053])
def test_flow_is_the_motion_of_turning_bodies(template: int) -> None:
    clip = clip_of(template, 1, ("segmentation", "flow"))
    assert clip.bodies["angle"].diff(dim=0).abs().max() > 0.05
    assert rigid_reprojection_error(clip) < 1e-4
    assert rigid_reprojection_error(clip.replace(bodies={**clip.bodies, "angle": clip.bodies["angle"] * 1.01})) > 1e-3


def test_what_is_touched_is_told(of_each: dict[int, Clip]) -> None:
    touched = 0
    for clip in of_each.values():
        red, outcome = clip.bodies["kind"].shape[1] - 1, clip.outcome
        pairs = clip.contacts["bodies"]
        hits = clip.contacts["time"][(pairs == red).any(1) & (pairs >= 0).all(1)]
        assert bool(outcome["touched"]) == bool(len(hits)) == ("hits" in clip.text)
        assert float(outcome["touch_time"]) == (float(hits[0]) if len(hits) else math.inf)
        touched += bool(outcome["touched"])
        low, high = outcome["goal"].tolist()
        assert clip.bodies["kind"][0, low] != clip.bodies["kind"][0, high]
        assert not (clip.bodies["static"][0, low] and clip.bodies["static"][0, high])
        if outcome["solved"]:
            assert (pairs == outcome["goal"]).all(1).any()
        assert torch.equal(clip.actions[0], clip.actions[-1])
    assert 0.5 < touched / len(of_each) < 0.95


def test_features_are_phyres(of_each: dict[int, Clip]) -> None:
    for clip in of_each.values():
        f = features(clip.bodies)
        assert f.shape == (*clip.bodies["angle"].shape, 14)
        assert (f[..., 4:8].sum(-1) == 1).all()
        assert (f[..., 8:].sum(-1) == 1).all()
        assert f[..., 8].sum(-1).unique().tolist() == [1.0]  # one red ball, the last
        assert (f[:, -1, 8] == 1).all()
        assert f[..., 2].min() >= 0
        assert f[..., 2].max() < 1
        length, ball, bar = clip.bodies["length"] / SIDE, f[..., 4] == 1, f[..., 5] == 1
        assert torch.allclose(f[..., 3][ball], length[ball])
        assert torch.allclose(f[..., 3][bar], torch.hypot(length[bar], torch.tensor(0.02, dtype=torch.float64)))


def test_flip_mirrors_the_start() -> None:
    plain, flipped = scenario("phyre", size=32), scenario("phyre", size=32, flip=True)
    pairs = [(make(plain, 0, i, ("rgb",)), make(flipped, 0, i, ("rgb",))) for i in range(12)]
    mirrored = [b.meta["params"]["mirrored"] for _, b in pairs]
    assert 0 < sum(mirrored) < 12
    for a, b in pairs:
        if b.meta["params"]["mirrored"]:
            assert (b.rgb[0].flip(-1).int() - a.rgb[0].int()).abs().max() <= 1
            ball = red_ball(tuple(b.actions[0].tolist()))
            assert ball.x * SIDE == pytest.approx(float(b.bodies["position"][0, -1, 0]))


# --- ambiguity ---------------------------------------------------------------------------------------------------------


def fates(template: int) -> list[str]:
    world = scenario("phyre-ambiguity", size=16).split(str(template))
    return [FATES[int(make(world, 0, i, ()).outcome["fate"])] for i in range(world.steps)]


def test_a_ball_falls_through_a_gap_that_is_wider() -> None:
    gap = (0.5 - 0.4 - 0.04) * 512
    room = [gap - 2 * (2 + 62 * (0.2 + 0.05 * k / 100)) for k in range(101)]
    found = fates(20000)
    clear = [k for k in range(101) if abs(room[k]) > 0.12]  # units: the overlap that is left alone
    assert len(clear) >= 95
    assert all(found[k] == ("through" if room[k] > 0 else "held") for k in clear)
    assert 20 < found.count("through") < 50


@pytest.mark.parametrize(("template", "steps"), [(20001, 101), (20003, 100)])
def test_a_ball_falls_to_its_side_of_the_block(template: int, steps: int) -> None:
    ball = [511 * (0.39 + 0.02 * k / 100 if template == 20001 else 0.4) for k in range(steps)]
    block = [512 * (0.4 if template == 20001 else 0.4 + 0.0001 * (k - 50)) for k in range(steps)]
    assert fates(template) == ["left" if b < c else "right" for b, c in zip(ball, block, strict=True)]


def test_neighbours_that_look_alike_end_apart() -> None:
    world = scenario("phyre-ambiguity", size=128).split("20003")
    turn = fates(20003).index("left")
    before, after = (make(world, 0, i, ("rgb",)) for i in (turn - 1, turn))
    assert (before.rgb[0].int() - after.rgb[0].int()).abs().max() <= 4  # .0001 of the side is .013 px
    assert (before.rgb[-1].int() - after.rgb[-1].int()).abs().max() > 100
    assert before.text != after.text


def test_the_walk_begins_again() -> None:
    world = scenario("phyre-ambiguity", size=16)
    assert world.steps == 101 + 101 + 100 + 100
    assert world.sample(stream("a"), 0) == world.sample(stream("b"), 402)
    assert [world.sample(stream("a"), i)["template"] for i in (100, 101, 202, 302, 401)] == [20000, 20001, 20002, 20003, 20003]


# --- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("phyre", {"dt": 0.1234}, "whole number of steps of 1/60 s"),
        ("phyre", {"dt": 0.001}, "whole number of steps"),
        ("phyre", {"num_frames": 52}, "1020 steps"),
        ("phyre", {"templates": (10070,)}, "no template 10070"),
        ("phyre", {"templates": ()}, "10000 to 10069"),
        ("phyre", {"tasks": 0}, "tasks"),
        ("phyre", {"size": 4}, "size"),
        ("phyre-ambiguity", {"templates": (10000,)}, "20000, 20001, 20002, 20003"),
        ("phyre-ambiguity", {"templates": ()}, "20000"),
    ],
)
def test_a_wrong_field_is_refused(name: str, fields: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario(name, **fields)


@pytest.mark.parametrize("split", ["test", "10070", "9999", ""])
def test_a_wrong_split_is_refused(split: str) -> None:
    with pytest.raises(UserError, match="single templates"):
        scenario("phyre").split(split)


@pytest.mark.parametrize("change", [{"objects": [{"kind": "cube"}]}, {"objects": 3}, {"action": [0.5]}, {"goal": 1}, {"goal": [0, 99]},
    {"action": ["a", 0, 0]}, {"action": [0.5, float("nan"), 0.5]}, {"objects": [{"kind": "bar", "length": -1.0, "x": 0.5, "y": 0.5}]},
    {"objects": [{"kind": "jar", "length": 0.0, "x": 0.5, "y": 0.5}]}])
def test_parameters_that_describe_nothing_are_refused(change: dict[str, object]) -> None:
    world = scenario("phyre", size=16)
    with pytest.raises(UserError, match="describe no scene"):
        world.simulate({**world.sample(stream("nothing")), **change}, stream("unused"))


def test_a_scene_is_the_same_in_every_call() -> None:
    scene.cache_clear()
    first = scene(10031, 5)
    scene.cache_clear()
    assert scene(10031, 5) == first
