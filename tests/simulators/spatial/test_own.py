"""A user's own scene: what a file may say, what is refused and how, and that every world's scenes can be written and read."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.core.rng import stream
from kinema.simulators import SCENARIOS, Own, SpatialWorld, make, rebuild
from kinema.simulators.spatial.bodies import Cloth, Joint, Particles, Rigid, Rope, Soft
from kinema.simulators.spatial.looks import Look
from kinema.simulators.spatial.own import overlaps, read_scene, write_scene
from kinema.simulators.spatial.scene import Floor, Push, Scene, Wind
from kinema.simulators.spatial.shapes import Box, Compound, Piece, Sphere
from kinema.simulators.spatial.styles import NAMED
from kinema.simulators.spatial.views import FirstPerson, Still

BALL = {"name": "ball", "shape": "sphere", "radius": 0.1, "position": [0, 0, 1]}
SPATIAL = [cls for cls in SCENARIOS.values() if issubclass(cls, SpatialWorld)]


def scene(**fields):
    return {"bodies": [BALL], **fields}


def body(**fields):
    return {"bodies": [{**BALL, **fields}]}


@pytest.mark.parametrize("cls", SPATIAL, ids=lambda cls: cls.name)
def test_a_drawn_scene_can_be_written_and_read(cls):
    for k in range(3):
        drawn = cls().draw(stream(cls.name, 0, k), k)
        assert read_scene(json.loads(json.dumps(write_scene(drawn)))).given == drawn


def test_a_file_says_all_that_a_scene_is(tmp_path):
    data = {
        "duration": 1.5, "fps": 20, "size": 64, "supersampling": 1, "gravity": 1.62, "text": "On the moon.",
        "wind": {"velocity": [1, 0, 0]}, "floor": {"friction": 0.2, "color": "green"}, "agent": "ball", "patient": "box",
        "pushes": [{"body": "ball", "force": [1, 0, 0]}],
        "cameras": [{"eye": [0, -4, 1]}, {"kind": "first person", "body": "ball"}],
        "bodies": [
            {**BALL, "color": "red", "gloss": 0.5, "material": "steel", "restitution": 0.9, "velocity": [1, 0, 0]},
            {"name": "box", "shape": "box", "size": [0.1, 0.2, 0.3], "turn": [0, 0, 90], "mass": 2, "color": [1, 2, 3], "texture": "wood"},
            {"name": "arm", "shape": "compound", "pieces": [{"shape": "box", "size": [1, 1, 1], "color": "blue"}],
             "joint": {"kind": "slide"}},
            {"kind": "cloth", "name": "flag", "size": [1, 2], "pinned": "left"}, {"kind": "rope", "name": "rope", "start": "world"},
            {"kind": "particles", "name": "water", "substance": "honey"},
        ],
    }  # fmt: skip
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(data))
    world = read_scene(path)
    assert (world.num_frames, world.fps, world.dt, world.size, world.supersampling, world.cameras) == (30, 20.0, 0.05, 64, 1, 2)
    half = 2**-0.5
    found = world.given
    assert found == Scene(
        (
            Rigid(name="ball", shape=Sphere(0.1), position=(0.0, 0.0, 1.0), look=Look(color=NAMED["red"], gloss=0.5), material="steel",
                  restitution=0.9, velocity=(1.0, 0.0, 0.0)),
            Rigid(name="box", shape=Box((0.1, 0.2, 0.3)), rotation=found.body("box").rotation, mass=2.0,
                  look=Look(color=(1, 2, 3), texture="wood")),
            Rigid(name="arm", shape=Compound((Piece(Box((1.0, 1.0, 1.0)), look=Look(color=NAMED["blue"])),)), joint=Joint(kind="slide")),
            Cloth(name="flag", size=(1.0, 2.0), pinned="left"), Rope(name="rope", start="world"),
            Particles(name="water", substance="honey"),
        ),
        gravity=(0.0, 0.0, -1.62), text="On the moon.", wind=Wind(velocity=(1.0, 0.0, 0.0)), agent="ball", patient="box",
        floor=Floor(friction=0.2, look=Look(**{**vars(Floor().look), "color": NAMED["green"]})),
        pushes=(Push(body="ball", force=(1.0, 0.0, 0.0)),),
        views=(Still(eye=(0.0, -4.0, 1.0)), FirstPerson(body="ball")),
    )  # fmt: skip
    assert found.body("box").rotation == pytest.approx((half, 0, 0, half))
    write_scene(world, path)
    assert read_scene(path) == world
    assert read_scene(scene(floor=None)).given.floor is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (scene(graviti=3), r"scene: there is no 'graviti'; did you mean 'gravity'"),
        (body(frictoin=0.5), r"scene: body 'ball': there is no 'frictoin'; did you mean 'friction'"),
        (body(mass=-1), r"scene: body 'ball': mass must be above 0, got -1"),
        (body(mass="heavy"), r"scene: body 'ball': mass must be a number, got .heavy"),
        (body(mass=True), "mass must be a number"),
        (body(position=[0, 0]), r"body 'ball': position must be a list of three numbers, got \[0, 0\]"),
        (body(position=[0, 0, float("nan")]), "position must be a number"),
        (body(material="woood"), r"body 'ball'.*no material 'woood'"),
        (body(shape="spher"), r"body 'ball': shape must be one of sphere, .*did you mean 'sphere'"),
        (body(radius=-0.1), r"body 'ball': a sphere's radius must be above 0"),
        (body(size=[1, 1, 1]), r"body 'ball': there is no 'size'"),
        ({"bodies": [{"name": "ball", "shape": "sphere"}]}, "body 'ball': lacks radius, a number"),
        ({"bodies": [{"name": "ball"}]}, "body 'ball': lacks shape, one of sphere, box"),
        ({"bodies": [{"kind": "jelly", "name": "a"}]}, "kind must be one of rigid, cloth, soft, rope, balloon, particles"),
        ({"bodies": [{"kind": "soft", "name": "a", "poisson": 0.5}]}, "body 'a'.*Poisson's ratio must be from 0 to below 0.5"),
        ({"bodies": [BALL, BALL]}, "two bodies of a scene have one name: ball"),
        ({"bodies": [BALL, {**BALL, "name": None}]}, "body 2: name must be a text"),
        ({"bodies": []}, "at least one body"),
        ({}, "lacks bodies"),
        ([], "must be an object"),
        (body(color="reddish"), "color must be one of red, orange"),
        (body(color=[300, 0, 0]), "three numbers from 0 to 255"),
        (body(texture="plad"), "texture must be one of plain.*did you mean 'plain'"),
        (body(turn=[0, 0, 90], rotation=[1, 0, 0, 0]), "both rotation and turn"),
        (body(rotation=[1, 1, 0, 0]), "unit quaternion"),
        (scene(agent="bal"), "agent names body 'bal'"),
        (scene(cameras=[{"kind": "still", "fow": 30}]), "camera 1: there is no 'fow'; did you mean 'fov'"),
        (scene(pushes=[{"body": "ball", "duration": 0}]), "push 1: a push's duration must be above 0"),
        (scene(duration=-1), "duration must be a number above 0, got -1"),
        (scene(size=64.5), "size must be a whole number above 0"),
        (scene(size=4), "size must be at least 8"),
        (scene(duration=0.01), "at least two frames"),
    ],
)
def test_every_mistake_is_named(data, said):
    with pytest.raises(UserError, match=said):
        read_scene(data)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: cannot be read"):
        read_scene(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"bodies": [}')
    with pytest.raises(UserError, match=r"bad\.json: is no JSON: .* line 1, column 13"):
        read_scene(tmp_path / "bad.json")
    (tmp_path / "wrong.json").write_text(json.dumps(body(mass=-1)))
    with pytest.raises(UserError, match=r"wrong\.json: body 'ball': mass"):
        read_scene(tmp_path / "wrong.json")


def test_overlaps_at_the_start_are_told():
    pytest.importorskip("mujoco")
    deep = {**BALL, "name": "other", "position": [0.15, 0, 1]}
    assert overlaps(read_scene({"bodies": [BALL, deep]}).given) == ["ball and other overlap by 50 mm at the start"]
    assert overlaps(read_scene(body(position=[0, 0, 0.05])).given) == ["ball and the floor overlap by 50 mm at the start"]
    assert overlaps(read_scene({"bodies": [BALL, {**deep, "position": [0.25, 0, 1]}]}).given) == []


def test_what_bends_or_flows_and_starts_inside_a_solid_or_the_floor_is_told():
    pytest.importorskip("mujoco")
    box = Rigid(name="box", shape=Box((0.4, 0.4, 0.4)), position=(0, 0, 0.2), fixed=True)
    deep = (
        Cloth(name="c", position=(0, 0, 0.35)),
        Soft(name="s", position=(2, 0, 0.1)),
        Rigid(name="r", shape=Sphere(0.1), position=(3, 0, -3)),
    )
    assert sorted(overlaps(Scene((box, *deep)))) == [
        "c and box overlap by 50 mm at the start", "r and the floor overlap by 3100 mm at the start",
        "s and the floor overlap by 50 mm at the start",
    ]  # fmt: skip
    water = Particles(name="w", position=(0, 0.3, 0.3))
    assert [said[:15] for said in overlaps(Scene((box, water)))] == ["w and box overl"]
    apart = (Cloth(name="c", position=(0, 0, 0.41)), Soft(name="s", position=(2, 0, 0.151)), replace(water, position=(0, 0.36, 0.3)))
    assert overlaps(Scene((box, *apart))) == []
    assert overlaps(Scene(deep[1:2], floor=None)) == []


def test_a_given_scene_is_a_world_like_any_other():
    pytest.importorskip("mujoco")
    world = read_scene(scene(size=16, supersampling=1, duration=0.5, cameras=[{}, {"kind": "orbit"}]))
    clip = make(world, seed=0, index=1, fields=("rgb",))
    assert clip.rgb.shape == (8, 3, 16, 16)
    t = np.arange(7) / 16  # it lands after 0.43 s
    assert clip.bodies["position"][:7, 0, 2].numpy() == pytest.approx(1 - 9.81 * t**2 / 2, abs=1e-3)
    assert rebuild(clip.meta["scenario"], "meta") == world == from_json(to_json(world))
    assert world.split("id") == world
    with pytest.raises(UserError, match="id"):
        world.split("ood")


def test_only_what_is_asked_to_varies():
    still = read_scene({"bodies": [BALL, {**BALL, "name": "post", "position": [1, 0, 0.1], "fixed": True}]})
    varied = Own(still.given, vary=True)
    one, two, again = (varied.draw(np.random.default_rng(seed), 0) for seed in (1, 2, 1))
    assert one == again
    assert still.draw(np.random.default_rng(1), 0) == still.draw(np.random.default_rng(2), 0) == still.given
    for place in (0, 1):
        assert one.bodies[place].look != two.bodies[place].look
    assert one.views != two.views
    assert 0 < np.linalg.norm(np.subtract(one.bodies[0].position, BALL["position"])) <= 0.03 * 0.2 * 2**0.5 + 1e-4
    assert one.bodies[0].position[2] == 1.0
    assert one.bodies[1].position == (1.0, 0.0, 0.1)


def test_a_world_of_many_scenes_is_not_one_scene():
    with pytest.raises(UserError, match="another scene for every clip"):
        write_scene(SCENARIOS["drop"]())
