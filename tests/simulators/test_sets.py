"""PhyWorld's sets: grids, holes, attribute pairs, compositions, and what Box2D does, against geometry and published values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError, from_json, stream, to_json
from kinema.data.validate import CONTACT, DRIFT, contact_error, energy_drift, energy_rise, overlap
from kinema.metrics import parse
from kinema.simulators import SCENARIOS, Attributes, Collision, Grid, Spatial, Temporal, Uniform, make, scenario
from kinema.simulators.planar import WORLD, Planar, motion, sets

PLANAR = [name for name, cls in SCENARIOS.items() if issubclass(cls, Planar)]
SETS: Mapping[str, Planar] = {**sets.UNIFORM_GAPS, **sets.COLLISION_HOLES, **sets.MEMORY, **sets.ATTRIBUTES, **sets.COMPOSITION}
each_set = pytest.mark.parametrize("name", SETS)


def params_of(world: Planar, count: int) -> list[dict[str, Any]]:
    return [world.sample(stream("sets", i), i) for i in range(count)]


def clips(world: Planar, count: int, *fields: str) -> list[Clip]:
    return [make(world, 7, i, fields) for i in range(count)]


# --- grids -------------------------------------------------------------------------------------------------------------


def test_a_grid_is_every_value_against_every_other() -> None:
    grid = Grid((("radius", 0.7, 1.4, 3), ("speed", 1.0, 4.0, 4)))
    cells = [tuple(grid.cell(i).values()) for i in range(len(grid))]
    np.testing.assert_allclose(cells, list(itertools.product(np.linspace(0.7, 1.4, 3), np.linspace(1, 4, 4))))
    assert grid.cell(12) == grid.cell(0)
    assert Grid((("speed", 2.0, 4.0, 1),)).cell(5) == {"speed": 2.0}


def test_a_clip_of_a_grid_has_its_parameters_and_draws_the_rest() -> None:
    world = Uniform(size=16, grid=Grid((("radius", 0.3, 2.0, 3), ("speed", 0.0, 6.0, 4))))
    made = [make(world, 0, i, ()) for i in range(24)]
    for i, clip in enumerate(made):
        assert float(clip.bodies["radius"][0, 0]) == pytest.approx(np.linspace(0.3, 2, 3)[i // 4 % 3])
        assert float(clip.bodies["velocity"][0, 0, 0]) == pytest.approx(np.linspace(0, 6, 4)[i % 4])
    assert len({clip.meta["params"]["x"] for clip in made}) == 24  # the second round starts elsewhere
    assert from_json(to_json(world)) == world


def test_the_published_grids() -> None:
    sizes = {"uniform": len(sets.UNIFORM_GRID), "collision": len(sets.COLLISION_GRID), "masses": len(sets.COLLISION_MASS_GRID)}
    assert sizes == {"uniform": 121 * 36, "collision": 21 * 13 * 25, "masses": 7 * 5 * 13 * 13}
    world = replace(sets.COLLISION_HOLES["square 1.1-3.9"], grid=sets.COLLISION_GRID, before=sets.COLLISION_GRID_BEFORE)
    corner = make(world, 0, len(sets.COLLISION_GRID) - 1, ()).meta["params"]
    assert (corner["radius"], corner["speed"]) == ([1.5, 1.5], [4.5, 4.0])
    inside = make(world, 0, 13 * 10 + 6, ()).meta["params"]["speed"]
    assert inside == [2.25, 2.5]  # a grid walks through the holes


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ((("speed", 1.0, 4.0, 3),), "the grid names 'speed', which it does not draw; it draws radius1, radius2, speed1, speed2"),
        ((("radius1", 1.0, 4.0, 3),), "grid axis radius1"),
        ((("speed1", -1.0, 4.0, 3),), "grid axis speed1"),
        ((("speed1", 1.0, 4.0, 0),), "count >= 1"),
        ((("speed1", 1.0, float("nan"), 2),), "grid's axis"),
        ((("speed1", 1.0, 2.0, 2), ("speed1", 1.0, 2.0, 2)), "each of another parameter"),
        ((), "needs axes"),
    ],
)
def test_a_wrong_grid_is_refused_when_the_world_is_made(axes: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Collision(grid=Grid(axes))


# --- gaps and holes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sets.UNIFORM_GAPS)
def test_speeds_come_from_the_islands_alone_and_from_all_of_them(name: str) -> None:
    world = sets.UNIFORM_GAPS[name]
    speeds = np.array([params["speed"] for params in params_of(world, 400)])
    shares = [((speeds >= low) & (speeds <= high)).mean() for low, high in world.speed]
    assert sum(shares) == 1.0
    lengths = np.array([high - low for low, high in world.speed])
    assert np.abs(shares - lengths / lengths.sum()).max() < 0.1
    if name.startswith("gap"):
        low, high = map(float, name[4:].split("-"))
        assert not ((speeds > low) & (speeds < high)).any()


def corners(world: Collision, family: str) -> list[Any]:
    return list(getattr(world, f"{family}_holes"))


@pytest.mark.parametrize("name", [name for name in sets.COLLISION_HOLES if name != "whole"])
def test_holes_are_left_out_of_training_and_alone_in_their_split(name: str) -> None:
    world = sets.COLLISION_HOLES[name]
    family = "radius" if name == "masses" else "speed"
    holes = corners(world, family)

    def inside(pair: list[float]) -> list[bool]:
        return [low1 <= pair[0] <= high1 and low2 <= pair[1] <= high2 for (low1, high1), (low2, high2) in holes]

    trained = [params[family] for params in params_of(world, 300)]
    assert not any(any(inside(pair)) for pair in trained)
    assert np.ptp(trained, axis=0).min() > 0.8 * (3.0 if family == "speed" else 1.0)  # what is around the holes is there
    tested = np.array([inside(params[family]) for params in params_of(world.split(f"{family}_hole"), 300)])
    assert tested.any(1).all()
    areas = np.array([(high1 - low1) * (high2 - low2) for (low1, high1), (low2, high2) in holes])
    assert np.abs(tested.mean(0) - areas / areas.sum()).max() < 0.1


def test_one_slow_ball_is_the_published_half_planes() -> None:
    for params in params_of(sets.COLLISION_HOLES["one slow"], 200):
        assert min(params["speed"]) <= 1.25


def test_a_hole_changes_no_draw_that_it_does_not_touch() -> None:
    whole, holed = params_of(Collision(), 100), params_of(sets.COLLISION_HOLES["square 2-3"], 100)
    same = [a == b for a, b in zip(whole, holed, strict=True)]
    touched = [all(2 <= v <= 3 for v in params["speed"]) for params in whole]
    assert [not t for t in touched] == same
    assert any(touched)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"speed_holes": (((3.0, 2.0), (2.0, 3.0)),)}, "speed_holes must hold pairs of intervals"),
        ({"speed_holes": ((2.0, 3.0),)}, "speed_holes: expected"),
        ({"outside": (("speed_hole",),)}, "outside names 'speed_hole'"),
        ({"height": "top"}, "height"),
    ],
)
def test_wrong_holes_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario("collision", **fields)


def test_holes_that_leave_nothing_are_refused() -> None:
    world = Collision(speed_holes=(((0.5, 5.0), (0.5, 5.0)),))
    with pytest.raises(UserError, match="speed_holes leave nothing"):
        world.sample(stream("nothing"))


def test_a_split_may_name_parameters() -> None:
    world = scenario("collision").split("speed2+radius1")
    for params in params_of(world, 50):
        out = [not 1 <= v <= 4 for v in params["speed"]], [not 0.5 <= r <= 1.5 for r in params["radius"]]
        assert out == ([False, True], [True, False])
    with pytest.raises(UserError, match="outside names 'radius', which it does not draw; it draws radius1, radius2, speed1, speed2"):
        scenario("collision").split("radius")
    with pytest.raises(UserError, match=r"has no split 'speed2\+mass'; it has id, ood"):
        scenario("collision").split("speed2+mass")


def test_the_height_of_a_collision_may_be_drawn() -> None:
    for params in params_of(Collision(height="drawn"), 100):
        most = max(params["radius"]) + 0.5
        assert most <= params["y"] <= WORLD - most
    assert np.ptp([params["y"] for params in params_of(Collision(height="drawn"), 100)]) > 4
    assert {params["y"] for params in params_of(Collision(), 20)} == {WORLD / 2}


@pytest.mark.parametrize(("name", "signs"), [("one direction", {1.0}), ("both directions", {1.0, -1.0})])
def test_memorisation_sets(name: str, signs: set[float]) -> None:
    velocity = torch.stack([clip.bodies["velocity"][0, 0, 0] for clip in clips(sets.MEMORY[name], 60)])
    assert ((velocity.abs() >= 2.5) & (velocity.abs() <= 4)).all()
    assert set(velocity.sign().tolist()) == signs
    slow = torch.stack([clip.bodies["velocity"][0, 0, 0] for clip in clips(sets.MEMORY_TEST, 20)])
    assert ((slow >= 1) & (slow <= 2.5)).all()


# --- attributes --------------------------------------------------------------------------------------------------------


def kinds(world: Attributes, params: Mapping[str, Any]) -> tuple[int, ...]:
    """Which kinds of the pair a clip has."""
    found = []
    for key in world.pair:
        values = getattr(world, key)
        found.append(values.index(params[key]) if key in ("color", "shape") else int(params[key] > values[0][1]))
    return tuple(found)


@pytest.mark.parametrize("pair", list(itertools.permutations(("color", "shape", "radius", "speed"), 2)))
def test_any_pair_trains_two_combinations_and_tests_the_others(pair: Any) -> None:
    world = Attributes(pair=pair)
    trained = {kinds(world, params) for params in params_of(world, 100)}
    tested = {kinds(world, params) for params in params_of(world.split("ood"), 100)}
    assert (trained, tested) == ({(0, 0), (1, 1)}, {(0, 1), (1, 0)})
    free = params_of(world, 300)
    if "color" not in pair:
        assert {params["color"] for params in free} == {"red"}
    if "shape" not in pair:
        assert {params["shape"] for params in free} == {"ball"}
    for key, (low, high) in {"radius": (0.7, 1.4), "speed": (1.0, 4.0)}.items():
        values = np.array([params[key] for params in free])
        assert low <= values.min() < low + 0.1 * (high - low) < high - 0.1 * (high - low) < values.max() <= high


def test_the_published_pairs() -> None:
    """phyworld/phyworld id_ood_data: small red and large blue; slow red and fast blue; and so on."""
    for params in params_of(sets.ATTRIBUTES["color-size"], 50):
        assert (params["color"] == "red") == (params["radius"] <= 1.05)
        assert params["shape"] == "ball"
    for params in params_of(sets.ATTRIBUTES["color-velocity"].split("ood"), 50):
        assert (params["color"] == "blue") == (params["speed"] <= 2.5)
    for params in params_of(sets.ATTRIBUTES["velocity-shape"], 50):
        assert (params["color"], params["shape"]) == ("red", "ball" if params["speed"] <= 2.5 else "square")
    for params in params_of(sets.ATTRIBUTES["size-velocity"], 50):
        assert (params["radius"] <= 1.05) == (params["speed"] <= 2.5)
    for params in params_of(sets.ATTRIBUTES["color-size, extremes"], 50):
        assert params["radius"] == (0.7 if params["color"] == "red" else 1.4)
    for params in params_of(sets.ATTRIBUTES["color-shape, ring"].split("ood"), 50):
        assert (params["color"], params["shape"]) in {("blue", "ball"), ("red", "ring")}
    for name in ("color-size, red only", "color-velocity, red only"):
        assert {params["color"] for split in ("id", "ood") for params in params_of(sets.ATTRIBUTES[name].split(split), 50)} == {"red"}
    for params in params_of(sets.ATTRIBUTES["color-velocity, slow red alone"], 50):
        assert params["color"] == "red"
        assert params["speed"] <= 2.5


def test_a_body_looks_as_its_attributes_say() -> None:
    for shape, share in (("ball", np.pi / 4), ("square", 1.0), ("ring", np.pi / 4 * (1 - 0.36))):
        for color, channel in (("red", 0), ("blue", 2)):
            world = Attributes(size=64, color=(color, color), shape=(shape, shape), speed=((0.0, 0.5), (0.5, 1.0)))
            clip = make(world, 1, 2, ("rgb",))
            r, (x, y) = float(clip.bodies["radius"][0, 0]) * 6.4, clip.bodies["position"][0, 0].tolist()
            ink = 1 - clip.rgb[0, 1].double() / 255
            assert float(ink.sum()) == pytest.approx(share * 4 * r**2, rel=0.03)
            assert (clip.rgb[0, channel] == 255).all()
            rows, columns = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
            place = (ink * columns).sum() / ink.sum(), (ink * rows).sum() / ink.sum()
            assert place == pytest.approx((x * 6.4, 64 - y * 6.4), abs=0.05)
            assert f"A {color} {shape} moves" in clip.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pair": ("color", "color")}, "two attributes"),
        ({"pair": ("color", "mass")}, "pair"),
        ({"color": ("red", "green")}, "no color 'green'; there are red, blue"),
        ({"shape": ("ball", "star")}, "no shape 'star'; there are ball, square, ring"),
        ({"pair": ("color", "speed"), "speed": ((1.0, 4.0),)}, "speed must have two kinds"),
        ({"combinations": ()}, "combinations must be some of"),
        ({"combinations": ((0, 2),)}, "combinations must be some of"),
        ({"combinations": ((0, 0), (0, 1), (1, 0), (1, 1)), "outside": (("combination",),)}, "none is left to test"),
    ],
)
def test_wrong_attributes_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario("attributes", **fields)


# --- composition -------------------------------------------------------------------------------------------------------


def events(world: Planar, split: str, count: int = 60) -> list[tuple[str, list[list[int]], Clip]]:
    made = clips(replace(world, flip=True).split(split), count)
    return [(clip.meta["params"]["event"], clip.contacts["bodies"].tolist(), clip) for clip in made]


def test_ball_and_square_never_touch_and_do_what_their_part_says() -> None:
    assert {event for event, _, _ in events(Spatial(), "id")} == {"ball", "square"}
    for split in ("ball", "square", "combined"):
        for event, contacts, clip in events(Spatial(), split):
            assert event == split
            body = clip.bodies
            assert body["shape"][0].tolist() == [0, 1]
            assert body["color"][0].tolist() == [[255, 0, 0], [0, 0, 255]]
            gap = (body["position"][:, 0, 1] - body["position"][:, 1, 1]).abs() - body["radius"].sum(1)
            assert (gap > 0.2 - 1e-9).all()  # on lines of their own
            inside = (body["position"] >= body["radius"][..., None] - 1e-9) & (body["position"] <= WORLD - body["radius"][..., None] + 1e-9)
            assert inside.all()
            moves = (body["position"].diff(dim=0).abs().amax((0, 2)) > 0).tolist()
            assert moves == [split != "square", split != "ball"]
            assert (len(contacts) > 0) == (split != "square")
            assert all(pair == [0, -1] for pair in contacts)
            assert torch.allclose(body["velocity"][:, 1], body["velocity"][:1, 1])
            if contacts:
                assert float(clip.contacts["time"][0]) <= 23 * clip.dt + 1e-9
    assert {event for event, _, _ in events(Spatial(), "ood", 5)} == {"combined"}


@pytest.mark.parametrize("rebound", ["blue", "red"])
def test_collisions_bounces_and_one_after_the_other(rebound: Any) -> None:
    world = Temporal(rebound=rebound)
    assert {event for event, _, _ in events(world, "id")} == {"collision", "bounce"}
    back = 1 if rebound == "blue" else 0
    for split in ("collision", "bounce", "ood"):
        for _, contacts, clip in events(world, split):
            x, r, times = clip.bodies["position"][..., 0], clip.bodies["radius"], clip.contacts["time"]
            assert ((x >= r - 1e-9) & (x <= WORLD - r + 1e-9)).all()
            if split == "collision":
                assert contacts == [[0, 1]]
            elif split == "bounce":
                assert contacts[0] == [0, -1]
                assert clip.bodies["color"][0].tolist() == [[255, 0, 0]]
            else:
                assert contacts[:2] == [[0, 1], [back, -1]]
                assert float(times[1]) <= 23 * clip.dt + 1e-9
                came = clip.bodies["velocity"][0, back, 0]
                hit = clip.contacts["point"][1, 0]
                assert (hit > 5) == (came < 0)  # it goes back to the wall that it came from
                assert f"{rebound} one bounces off the {'right' if hit > 5 else 'left'} wall" in clip.text
            assert float(times[0]) >= 8 * clip.dt - 1e-9 or split == "bounce"
    assert len(times) > 0


def test_the_control_never_shows_a_red_bounce() -> None:
    world = sets.COMPOSITION["temporal, red never bounces"]
    for _, contacts, clip in events(world, "id"):
        red = [k for k, color in enumerate(clip.bodies["color"][0].tolist()) if color == [255, 0, 0]]
        assert not any(pair == [k, -1] for pair in contacts for k in red)
    assert all(contacts[1] == [0, -1] for _, contacts, _ in events(world, "ood", 20))
    colors = {tuple(clip.bodies["color"][0, 0].tolist()) for _, _, clip in events(Temporal(bouncer="either"), "bounce", 20)}
    assert colors == {(255, 0, 0), (0, 0, 255)}


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("temporal", {"bouncer": "green"}, "bouncer"),
        ("temporal", {"span": 16}, "before and after leave no frame"),
        ("temporal", {"before": -1}, "before"),
        ("spatial", {"radius": ((2.4, 2.5),)}, "lines of their own"),
        ("spatial", {"drift": ((2.0, 1.0),)}, "drift"),
    ],
)
def test_wrong_compositions_are_refused(name: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario(name, **fields)


SQUARE = (((2.0, 3.0), (2.0, 3.0)),)


@pytest.mark.parametrize(
    ("name", "fields", "split", "said"),
    [
        ("spatial", {}, "ball+square", "'ball\\+square'; of ball, square, combined it may name one"),
        ("temporal", {}, "collision+combined", "of collision, bounce, combined it may name one"),
        ("collision", {"speed_holes": SQUARE}, "speed_hole+speed1", "speed_hole gives what speed1 would give"),
        ("collision", {"speed_holes": SQUARE}, "speed2+radius1+speed_hole", "speed_hole gives what speed2 would give"),
        ("collision", {"radius_holes": SQUARE}, "radius_hole+radius2", "radius_hole gives what radius2 would give"),
    ],
)
def test_levels_of_which_one_would_be_passed_over_are_refused(name: str, fields: dict[str, Any], split: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        scenario(name, **fields).split(split)
    with pytest.raises(UserError, match=said):
        scenario(name, **fields, outside=(tuple(split.split("+")),))


def test_levels_that_leave_each_other_alone_may_be_joined() -> None:
    world = scenario("collision", speed_holes=SQUARE, radius_holes=(((0.8, 1.0), (0.8, 1.0)),))
    for params in params_of(world.split("speed_hole+radius_hole"), 20):
        assert all(2 <= v <= 3 for v in params["speed"])
        assert all(0.8 <= r <= 1 for r in params["radius"])
    for params in params_of(world.split("speed_hole+radius1"), 20):
        assert all(2 <= v <= 3 for v in params["speed"])
        assert not 0.5 <= params["radius"][0] <= 1.5


@pytest.mark.parametrize(
    ("name", "split", "key", "draws"),
    [
        ("spatial", "ball", "speed2", "radius1, radius2, speed1"),
        ("spatial", "square", "speed1", "radius1, radius2, speed2"),
        ("spatial", "id", "speed1", "radius1, radius2, speed2"),
        ("spatial", "id", "speed2", "radius1, radius2, speed1"),
        ("temporal", "id", "speed2", "radius1, speed1"),
        ("temporal", "bounce", "radius2", "radius1, speed1"),
        ("collision", "speed_hole", "speed2", "radius1, radius2"),
    ],
)
def test_a_grid_on_what_an_event_does_not_draw_is_refused_when_the_world_is_made(name: str, split: str, key: str, draws: str) -> None:
    grid = Grid(((key, 1.0, 2.0, 3),))
    holed = {"speed_holes": SQUARE} if name == "collision" else {}
    with pytest.raises(UserError, match=f"{name}: the grid names '{key}', which it does not draw; it draws {draws}$"):
        replace(scenario(name, **holed).split(split), grid=grid)


def test_a_grid_on_what_every_event_draws_is_kept() -> None:
    world = replace(scenario("spatial").split("combined"), grid=Grid((("speed1", 1.0, 2.0, 2), ("speed2", 0.5, 1.5, 2))))
    assert [params["speed"] for params in params_of(world, 4)] == [[1.0, 0.5], [1.0, 1.5], [2.0, 0.5], [2.0, 1.5]]
    assert {params["radius"][0] for params in params_of(replace(scenario("temporal"), grid=Grid((("radius1", 0.8, 0.8, 1),))), 20)} == {0.8}


def test_a_composition_that_cannot_fit_is_refused() -> None:
    with pytest.raises(UserError, match="no collision of these radii and speeds fits into 32 frames of 1 s"):
        Temporal(dt=1.0).split("collision").sample(stream("tight"))


# --- Box2D -------------------------------------------------------------------------------------------------------------


def test_slow_impacts_are_inelastic_as_box2d_was_seen_to_make_them() -> None:
    """Radii 1 and 0.7 that close at 0.8 m/s: Box2D leaves both at 0.137 m/s, where -0.126 and 0.674 are right."""
    radius = np.array([1.0, 0.7])
    start = np.array([[3.0, 5.0], [6.0, 5.0]]), np.array([[0.4, 0.0], [-0.4, 0.0]]), radius, np.pi * radius**2, np.arange(64) * 0.1
    assert motion(*start, threshold=1.0).velocity[-1, :, 0].round(3).tolist() == [0.137, 0.137]
    assert motion(*start).velocity[-1, :, 0].round(3).tolist() == [-0.126, 0.674]
    assert motion(start[0], start[1] * 1.25001, *start[2:], threshold=1.0).velocity[-1, 1, 0] > 0.8  # faster than 1 m/s: elastic


def test_bodies_left_together_go_on_together() -> None:
    """Also not along an axis, and as far as a wall, which stops them one after the other."""
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    x, v = np.array([[0.0, 0.0], [3.0, 0.0]]) @ turn.T + 5, np.array([[0.5, 0.1], [-0.3, 0.1]]) @ turn.T
    run = motion(x, v, np.array([1.0, 0.7]), np.array([3.0, 1.5]), np.arange(200) * 0.1, threshold=1.0)
    assert len(run.contacts.time) == 1
    normal = turn[:, 0]
    assert np.ptp(run.velocity[-1] @ normal) < 1e-12
    assert np.abs((run.position[-1, 1] - run.position[-1, 0]) @ normal - 1.7).max() < 1e-9
    walled = motion(
        np.array([[3.0, 5.0], [6.0, 5.0]]), np.array([[0.6, 0.0], [0.0, 0.0]]), np.array([1.0, 0.7]), np.array([3.0, 1.5]),
        np.arange(200) * 0.1, walls=(0.0, 10.0, 0.0, 10.0), threshold=1.0,
    )  # fmt: skip
    assert np.abs(walled.velocity[-1]).max() < 1e-9
    assert walled.position[-1, :, 0] == pytest.approx([10 - 2 * 0.7 - 1.0, 9.3])


def box2d(name: str, split: str = "id", count: int = 20, **fields: Any) -> list[Clip]:
    return clips(scenario(name, size=64, box2d_compatible=True, **fields).split(split), count, "rgb")


@pytest.mark.parametrize("name", PLANAR)
def test_the_first_frame_is_one_step_in(name: str) -> None:
    world = scenario(name, size=16)
    for i in range(5):
        params = world.sample(stream("step", i))
        ours, theirs = world.simulate(params, stream("unused")), replace(world, box2d_compatible=True).simulate(params, stream("unused"))
        dt, pull = 0.01, torch.tensor(world.gravity, dtype=torch.float64)
        late = ours.bodies["position"][0] + ours.bodies["velocity"][0] * dt + pull * dt**2
        assert torch.allclose(theirs.bodies["position"][0], late, atol=1e-12)
        for exact, step in zip(ours.contacts["time"][:1] - dt, theirs.contacts["time"], strict=False):
            late = dt if int(theirs.contacts["bodies"][0, 1]) >= 0 else 0.0  # bodies meet at steps
            assert -1e-12 <= float(step - exact) <= late + 1e-12
        assert (theirs.meta["pixel_convention"], theirs.meta["render_width"], theirs.meta["first_frame_time"]) == ("linspace", 16, dt)
        assert "pixel_convention" not in ours.meta



def test_a_parabola_is_the_sum_of_box2d_steps() -> None:
    (clip,) = box2d("parabola", count=1)
    start = clip.meta["params"]
    x, v = np.array([start["x"], start["y"]]), np.array([start["speed"], 0.0])
    for k in range(311):
        v = v + np.array([0.0, -2.5]) * 0.01
        x = x + v * 0.01
        if k % 10 == 0:
            assert clip.bodies["position"][k // 10, 0].numpy() == pytest.approx(x, abs=1e-9)


@pytest.mark.parametrize("speed", [((1.0, 4.0),), ((0.1, 0.8),)])
def test_collisions_by_box2d(speed: Any) -> None:
    slow, fast, late = 0, 0, 0.0
    for clip in box2d("collision", count=40, speed=speed):
        assert clip.meta["params"]["y"] != WORLD / 2  # drawn, as published
        (v1, v2), m = clip.meta["params"]["speed"], clip.bodies["mass"][0]
        assert energy_rise(clip) < DRIFT
        assert contact_error(clip, (0.0, 0.0), 0.01) < CONTACT
        assert overlap(clip, 0.01) < CONTACT
        positions = box2d_loop(clip)
        assert clip.bodies["position"].numpy() == pytest.approx(positions, abs=1e-9)
        exact = replace(scenario("collision"), num_frames=clip.num_frames).simulate(clip.meta["params"], stream("unused"), ())
        late = max(late, float(np.abs(exact.bodies["position"].numpy() + exact.bodies["velocity"].numpy() * 0.01 - positions)[-1].max()))
        if not len(clip.contacts["time"]):
            continue
        common, left = (m[0] * v1 - m[1] * v2) / m.sum(), clip.bodies["velocity"][-1, :, 0]
        if v1 + v2 <= 1.0:
            slow += 1
            assert torch.allclose(left, common.expand(2), atol=1e-12)
            assert energy_drift(clip) > 1e-3
        else:
            assert torch.allclose(left, 2 * common - torch.tensor([v1, -v2], dtype=torch.float64), atol=1e-12)
            fast += 1
            assert energy_drift(clip) < DRIFT
    assert (slow == 0, fast > 5) == (speed[0][0] == 1.0, True)
    assert late > 0.005  # an impact at the very time of contact ends elsewhere


def box2d_loop(clip: Clip) -> np.ndarray[Any, Any]:
    """Positions [t,n,2] of two balls on a line, step by step: touch? impulse; move. A frame after steps 1, 11, 21, ..."""
    params = clip.meta["params"]
    (r1, r2), (v1, v2), x1, y = params["radius"], params["speed"], params["x"], params["y"]
    x, v, m = np.array([x1, x1 + r1 + params["gap"] + r2]), np.array([v1, -v2]), np.array([r1**2, r2**2])
    shown = []
    for n in range(10 * clip.num_frames):
        closing = v[0] - v[1]
        if x[1] - x[0] <= r1 + r2 and closing > 0:
            impulse = (2 if closing > 1.0 else 1) * closing / (1 / m).sum()
            v = v + np.array([-impulse, impulse]) / m
        x = x + 0.01 * v
        if n % 10 == 0:
            shown.append(np.stack([x, [y, y]], 1))
    return np.array(shown)


def test_bodies_meet_at_steps_walls_do_not_wait() -> None:
    """Balls 1.005 m apart that close at 4 m/s: 0.25125 s to contact, so 0.26 s with steps; the wall is met 0.5 s from start."""
    start = np.array([[2.0, 5.0], [5.005, 5.0]]), np.array([[2.0, 0.0], [-2.0, 0.0]]), np.array([1.0, 1.0]), np.ones(2)
    run = motion(*start, np.array([0.0, 0.26, 0.4]), step=0.01, walls=(0.0, 6.9, 0.0, 10.0))
    assert run.contacts.time[0] == 0.26  # the frame's own number
    assert run.velocity[1, :, 0].tolist() == [-2.0, 2.0]  # a frame at an impact shows what comes after it
    assert run.position[1, 1, 0] - run.position[1, 0, 0] == pytest.approx(3.005 - 4 * 0.26)
    late = motion(*start, np.array([0.0, 1.0]), step=0.01, walls=(0.0, 6.9, 0.0, 10.0))
    assert late.contacts.bodies[1] == (0, -1) or late.contacts.bodies[1] == (1, -1)
    wall = (5.9 - (5.005 - 2 * 0.26)) / 2 + 0.26
    assert any(time == pytest.approx(wall, abs=1e-12) for time in late.contacts.time)
    assert motion(*start, np.array([0.0, 0.26])).contacts.time == pytest.approx([0.25125])


@pytest.mark.parametrize("start", [-0.01, 0.05])
def test_motion_may_start_at_any_time(start: float) -> None:
    args = np.array([[2.0, 5.0], [5.005, 5.0]]), np.array([[2.0, 0.0], [-2.0, 0.0]]), np.array([1.0, 1.0]), np.ones(2)
    times = np.arange(8) * 0.1 + 0.1
    plain, moved = motion(*args, times - start), motion(*args, times, start=start)
    assert moved.position == pytest.approx(plain.position, abs=1e-12)
    assert moved.contacts.time == pytest.approx([time + start for time in plain.contacts.time])


def test_steps_of_box2d_need_frames_at_steps() -> None:
    with pytest.raises(UserError, match=r"collision: with box2d_compatible, dt must be a multiple of 0.01 s, got 0.0416"):
        scenario("collision", box2d_compatible=True, dt=1 / 24)
    assert scenario("collision", box2d_compatible=True, dt=0.03).dt == 0.03


def test_an_unexplained_change_of_energy_is_caught() -> None:
    clip = next(clip for clip in box2d("collision", speed=((0.1, 0.5),)) if energy_drift(clip) > 1e-3)
    fall, rise = clip.energy.clone(), clip.energy.clone()
    fall[-1] *= 0.99
    rise[1:] *= 1.01
    assert energy_rise(clip) < DRIFT
    assert energy_rise(clip.replace(energy=fall)) > DRIFT
    assert energy_rise(clip.replace(energy=rise)) > DRIFT


@pytest.mark.parametrize("name", ["uniform", "parabola", "collision", "bounce", "spatial", "temporal"])
def test_published_pixels_are_where_the_camera_and_the_parser_say(name: str) -> None:
    for clip in box2d(name, count=3):
        found = parse(clip, colors=[tuple(c) for c in clip.bodies["color"][0].tolist()], subpixel=True)
        there = (clip.bodies["position"] > clip.bodies["radius"][..., None] + 0.3) & (
            clip.bodies["position"] < WORLD - clip.bodies["radius"][..., None] - 0.3
        )
        there = there.all(-1)
        off = (found.bodies["position"] - clip.bodies["position"]).norm(dim=-1)
        if name == "collision":
            there &= (clip.bodies["position"].diff(dim=1).norm(dim=-1) - clip.bodies["radius"].sum(1, keepdim=True) > 0.5).expand(-1, 2)
        hard = clip.bodies["shape"] == 1 if "shape" in clip.bodies else torch.zeros_like(there)
        for which, px in ((~hard, 0.25), (hard, 0.72)):  # the edges of squares are not softened
            assert float(off[there & which].max() if (there & which).any() else 0.0) < px / 6.3
        points = torch.cat([clip.bodies["position"], torch.zeros_like(clip.bodies["position"][..., :1])], -1)
        wanted = clip.bodies["position"] * torch.tensor([6.3, -6.3], dtype=torch.float64) + torch.tensor([0.5, 63.5])
        assert torch.allclose(clip.camera.project(points), wanted, atol=1e-9)


def test_a_ring_has_no_published_look() -> None:
    with pytest.raises(UserError, match="published style draws balls and squares"):
        make(replace(sets.ATTRIBUTES["color-shape, ring"], box2d_compatible=True, size=32, combinations=((1, 1),)), 0, 0)


# --- every set ---------------------------------------------------------------------------------------------------------


@each_set
def test_every_set_can_be_stored_and_is_lawful(name: str) -> None:
    for split in ("id", "ood"):
        world = replace(SETS[name], size=32).split(split)
        assert from_json(to_json(world)) == world
        for clip in clips(world, 3):
            assert energy_drift(clip) < DRIFT
            assert contact_error(clip, world.gravity) < CONTACT
            assert overlap(clip) < CONTACT
