"""Datasets of spatial worlds: every world once, thoroughly; laws that are broken are caught; scenes that fail are left out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import kinema
import kinema.core.files
from kinema.cli import main
from kinema.core import Clip, UserError
from kinema.data import generate, open_dataset
from kinema.data.card import command, read_card
from kinema.data.family import shard_size
from kinema.data.spatial import laws
from kinema.data.validate import difference, validate
from kinema.simulators import Failed, Twins, World, make, scenario, twins
from kinema.simulators.spatial.own import read_scene

from ..worlds import RIGID, SPATIAL, eventful, small

for engine in ("mujoco", "newton", "warp"):
    pytest.importorskip(engine, reason="spatial worlds need kinema[spatial]")

each = pytest.mark.parametrize("name", SPATIAL)
SEED, NUM = 2, 2  # with this seed bodies meet in every rigid scenario


def hashes(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.*")) if p.is_file()}


# --- every world -------------------------------------------------------------------------------------------------------

_ELSEWHERE = """
import sys
from kinema.core import from_json
from kinema.data import generate
import json
worlds, out = json.loads(sys.argv[1]), sys.argv[2]
for name in reversed(worlds):  # another order: nothing may depend on what was made before
    generate(f"{out}/{name}", from_json(worlds[name]), num=int(sys.argv[3]), seed=int(sys.argv[4]), workers=1)
"""


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same datasets, made by another process: one for all worlds, and for all of pytest's own processes."""
    from kinema.core import to_json

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen") else base) / "elsewhere"
    worlds = json.dumps({name: to_json(eventful(name)) for name in SPATIAL})
    with _alone(folder.with_suffix(".lock")):
        if not folder.exists():
            run = subprocess.run(
                [sys.executable, "-c", _ELSEWHERE, worlds, str(folder), str(NUM), str(SEED)], capture_output=True, text=True
            )
            assert run.returncode == 0, run.stderr
    return folder


@contextlib.contextmanager
def _alone(path: Path) -> Any:
    fcntl = pytest.importorskip("fcntl")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@each
def test_a_dataset_of_every_world_is_lawful_and_the_same_elsewhere(tmp_path: Path, elsewhere: Path, name: str) -> None:
    generate(tmp_path / "d", eventful(name), num=NUM, seed=SEED, workers=1)
    dataset = open_dataset(tmp_path / "d")
    checks = list(validate(dataset))
    assert [check for check in checks if not check.ok] == []
    assert {check.name for check in checks} > {"simulated again", "flow against scene flow and depth", "depth against MuJoCo's rays"}
    assert hashes(tmp_path / "d") == hashes(elsewhere / name)
    clip = dataset[0]
    assert clip.has("bodies", "contacts", "energy", "camera", "tracks", "track_ids", "track_visible")
    assert clip.text.endswith(".")
    assert clip.rgb.float().std() > 5  # a picture
    assert (clip.segmentation > 0).any()
    if name in RIGID:  # laws of contacts say nothing where there are none
        assert any((clip.contacts["bodies"] >= 0).all(1).any() for clip in dataset)


# --- truth -------------------------------------------------------------------------------------------------------------


@cache
def drop(index: int = 0) -> Clip:
    return make(small("drop", size=48, num_frames=20, tracks=16), 0, index)


def broken() -> dict[str, Callable[[Clip], Clip]]:
    """A way to break each law."""

    def body(clip: Clip, key: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Clip:
        return clip.replace(bodies={**clip.bodies, key: change(clip.bodies[key].clone())})

    def shifted(frame: int, by: float) -> Callable[[torch.Tensor], torch.Tensor]:
        def change(x: torch.Tensor) -> torch.Tensor:
            x[frame:] += by
            return x

        return change

    def no_contact(clip: Clip) -> Clip:
        (agent, patient) = (clip.bodies["position"].clone() for _ in range(2))
        patient[5] = agent[5, :1]  # everything in one place
        quiet = {"contact": torch.tensor(False), "contact_time": torch.tensor(torch.nan)}
        return clip.replace(bodies={**clip.bodies, "position": patient}, outcome=quiet)

    return {
        "flow against scene flow and depth": lambda clip: clip.replace(flow=clip.flow + 0.01),
        "flow there and back": lambda clip: clip.replace(backward_flow=clip.backward_flow + 0.2),
        "depth against MuJoCo's rays": lambda clip: clip.replace(depth=clip.depth * 1.01),
        "pixels lie on their bodies": lambda clip: clip.replace(segmentation=clip.segmentation.roll(3, -1)),
        "tracks stay on their bodies": lambda clip: clip.replace(tracks=clip.tracks + 0.02),
        "ids against MuJoCo's rays": lambda clip: clip.replace(track_ids=3 - clip.track_ids.clamp(1, 2)),
        "momentum of what meets": lambda clip: clip.replace(contacts={**clip.contacts, "impulse": clip.contacts["impulse"] * 1.01}),
        "static bodies move": lambda clip: body(
            body(clip, "static", torch.ones_like), "position", lambda x: x + 1e-9 * torch.arange(len(x))[:, None, None]
        ),
        "bodies overlap": lambda clip: body(clip, "position", lambda x: x - torch.tensor([0.0, 0.0, 0.02])),
        "bodies jump": lambda clip: body(clip, "center", shifted(7, 0.3)),
        "free flight": lambda clip: body(clip, "velocity", shifted(1, 0.01)),
        "energy gained beyond work": lambda clip: clip.replace(energy=clip.energy + torch.arange(20) * 0.1 * clip.energy.max()),
        "outcome against distance": no_contact,
    }


def test_every_law_is_kept_and_its_breach_is_caught() -> None:
    clip = drop()
    found = {name: (measure, limit) for name, measure, limit, _ in laws(small("drop"))}
    assert set(found) == set(broken())
    for name, (measure, limit) in found.items():
        assert measure(clip) <= limit, name
        assert not measure(broken()[name](clip)) <= limit, name


def test_truth_that_is_not_a_number_is_no_truth() -> None:
    depth, tracks = drop().depth.clone(), drop().tracks.clone()
    depth[0, 0, ::3] = torch.nan
    tracks[3, 2] = torch.nan
    found = {name: (measure, limit) for name, measure, limit, _ in laws(small("drop"))}
    for name, clip in [
        ("flow against scene flow and depth", drop().replace(depth=depth)), ("depth against MuJoCo's rays", drop().replace(depth=depth)),
        ("tracks stay on their bodies", drop().replace(tracks=tracks)),
    ]:  # fmt: skip
        measure, limit = found[name]
        assert not measure(clip) <= limit, name


def test_everything_that_is_stored_comes_back_to_the_bit(tmp_path: Path) -> None:
    world = small("drop", cameras=2)
    generate(tmp_path / "all", world, num=4, seed=1, store="all")
    generate(tmp_path / "states", world, num=4, seed=1)
    stored, rendered = open_dataset(tmp_path / "all"), open_dataset(tmp_path / "states")
    for i in range(4):
        ours = make(world, 1, i)
        assert difference(stored[i], ours) == ""
        assert difference(rendered[i], ours) == ""


def test_reading_videos_and_states_needs_no_engine(tmp_path: Path) -> None:
    generate(tmp_path / "d", small("drop"), num=2)
    script = """
import sys
from kinema.data import open_dataset
for fields in (("rgb",), ("tracks", "energy")):
    clip = open_dataset(sys.argv[1], fields)[1]
sys.exit(bool({"mujoco", "newton", "warp"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path / "d")], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


# --- several cameras ---------------------------------------------------------------------------------------------------


def test_a_run_is_simulated_once_for_all_its_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinema.simulators.spatial import world as spatial_world

    real, times = spatial_world.simulate, []
    monkeypatch.setattr(spatial_world, "simulate", lambda *arguments: times.append(1) or real(*arguments))
    spatial_world._run.cache_clear()
    generate(tmp_path / "d", small("drop", cameras=3), num=6, workers=1)
    assert len(times) == 2
    clips = list(open_dataset(tmp_path / "d"))
    runs = [clip.meta["run"] for clip in clips]
    assert runs == [runs[0]] * 3 + [runs[3]] * 3
    assert runs[0] != runs[3]
    for first, other in [(0, 1), (0, 2), (3, 4), (3, 5)]:
        assert torch.equal(clips[first].bodies["position"], clips[other].bodies["position"])
        assert not torch.equal(clips[first].camera.pose, clips[other].camera.pose)


def test_shards_hold_whole_runs() -> None:
    for cameras in (1, 2, 3, 5):
        for num in (1, 10, 1000):
            size = shard_size(scenario("drop", cameras=cameras), num, "bodies")
            assert size % cameras == 0
            assert 1 <= size <= 20
    assert shard_size(scenario("uniform"), 1000, "bodies") == 125
    assert -(-1000 // shard_size(scenario("drop"), 1000, "bodies")) >= 32  # work for many cores


def test_pairs_of_spatial_worlds_are_datasets_too(tmp_path: Path) -> None:
    world = twins(scenario("drop", num_frames=12, size=64, supersampling=1), violations=("vanish",))
    assert not isinstance(world, Twins)
    card = generate(tmp_path / "d", world, num=4)
    assert [check for check in validate(open_dataset(tmp_path / "d")) if not check.ok] == []
    assert "mujoco" in card["versions"]
    assert "--twins vanish" in command(card)


def test_a_scene_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ball = {"kind": "rigid", "name": "ball", "shape": "sphere", "radius": 0.15, "position": [0, 0, 1]}
    cameras = [{"kind": "still"}, {"kind": "orbit"}]
    monkeypatch.chdir(tmp_path)
    Path("scene.json").write_text(json.dumps({"duration": 0.5, "fps": 12, "size": 32, "bodies": [ball], "cameras": cameras}))
    assert main(["simulate", "scene.json", "--out", "d"]) == 0
    dataset = open_dataset("d")
    assert [(clip.num_frames, clip.fps, clip.size) for clip in dataset] == [(6, 12.0, (32, 32))] * 2
    assert dataset[0].meta["run"] == dataset[1].meta["run"]
    assert [check for check in validate(dataset) if not check.ok] == []
    said = command(read_card(Path("d")))
    assert len(said) < 300
    monkeypatch.chdir(tmp_path / "d")
    eval(said.replace("FOLDER", str(tmp_path / "again")), {"kinema": kinema})
    assert hashes(tmp_path / "again") == hashes(tmp_path / "d")
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "scene.json", "--vary", "--num", "4", "--size", "16", "--out", "varied"]) == 0
    clips = list(open_dataset("varied"))
    assert not torch.equal(clips[0].rgb, clips[2].rgb)
    capsys.readouterr()
    Path("scene.json").write_text(json.dumps({"bodies": [{**ball, "radius": -1}]}))
    for arguments, words in [
        (["nowhere.json"], "nowhere.json: cannot be read"), (["scene.json"], "radius"), (["drop", "--vary"], "--vary"),
        (["uniform", "--cameras", "2"], "--cameras is for worlds in three dimensions; uniform is planar"),
        (["uniform", "--supersampling", "2"], "--supersampling is for"), (["drop", "--cameras", "0"], "cameras must be at least 1"),
    ]:  # fmt: skip
        assert main(["simulate", *arguments, "--out", "e"]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert len(err.splitlines()) == 1


def balls_over(name: str) -> Clip:
    """A short clip of particles that are drawn as balls which overlap."""
    return make(small(name, num_frames=3, dt=1 / 4, size=48, tracks=32), 1, 0)


@pytest.mark.parametrize("name", ["fluid", "granular"])
def test_what_is_seen_of_balls_that_overlap_lies_on_one_of_them(name: str) -> None:
    found = {name: (measure, limit) for name, measure, limit, _ in laws(small(name))}
    clip = balls_over(name)
    for law in ("pixels lie on their bodies", "tracks stay on their bodies"):
        measure, limit = found[law]
        assert measure(clip) <= limit
        assert not measure(clip.replace(vertices=clip.vertices + 0.01)) <= limit


def test_balls_that_meet_keep_their_momentum() -> None:
    ball = {"kind": "rigid", "shape": "sphere", "radius": 0.15}
    bodies = [{**ball, "name": name, "position": [x, 0, 2], "velocity": [-4 * x, 0, 1]} for name, x in (("a", -0.4), ("b", 0.4))]
    world = read_scene({"duration": 0.5, "fps": 12, "size": 32, "bodies": bodies})
    clip = make(world, 0, 0)
    measure = {name: measure for name, measure, _, _ in laws(world)}["momentum of what meets"]
    assert (clip.contacts["bodies"] == torch.tensor([0, 1])).all(1).any()
    assert measure(clip) < 1e-9
    velocity = clip.bodies["velocity"].clone()
    velocity[int(clip.contacts["time"][0] / clip.dt) + 1 :, 0, 1] += 0.01
    assert measure(clip.replace(bodies={**clip.bodies, "velocity": velocity})) == pytest.approx(0.005)


# --- scenes that fail --------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    def fail(indices: set[int]) -> None:
        def fragile(world: World, seed: int, index: int, fields: Any = None) -> Clip:
            if index in indices:
                raise Failed(f"the scene explodes at {index / 10:.3f} s")
            return make(world, seed, index, fields)

        monkeypatch.setattr(sys.modules["kinema.data.generate"], "make", fragile)  # the package has a function of that name

    return fail


def flat(**fields: Any) -> World:
    return replace(scenario("uniform", size=32, num_frames=5), **fields)


def test_a_scene_that_fails_is_left_out_and_said(tmp_path: Path, failing: Callable[[set[int]], None]) -> None:
    failing({0, 3, 4, 5})
    card = generate(tmp_path / "d", flat(), num=8, seed=2, shard_size=2, workers=1)
    assert card["counts"]["clips"] == 4
    assert [shard["clips"] for shard in card["shards"]] == [1, 1, 0, 2]
    assert card["failed"] == [{"index": i, "reason": f"the scene explodes at {i / 10:.3f} s"} for i in (0, 3, 4, 5)]
    assert "| 4 | the scene explodes at 0.400 s |" in (tmp_path / "d/README.md").read_text()
    dataset = open_dataset(tmp_path / "d")
    assert [clip.meta["index"] for clip in dataset] == [1, 2, 6, 7]
    for i, clip in zip((1, 2, 6, 7), dataset, strict=True):
        assert difference(clip, make(flat(), 2, i)) == ""
    checks = {check.name: check for check in validate(dataset)}
    assert all(check.ok for check in checks.values())
    assert "4 fail again" in checks["clips left out"].found
    failing({0, 3, 4})
    assert [check.name for check in validate(dataset) if not check.ok] == ["clips left out"]


def test_a_dataset_with_failures_is_gone_on_with(tmp_path: Path, failing: Callable[[set[int]], None]) -> None:
    failing({0, 3, 4, 5})
    generate(tmp_path / "d", flat(), num=8, shard_size=2, workers=1)
    before = hashes(tmp_path / "d")
    for shard in (0, 2, 3):
        (tmp_path / f"d/shards/{shard:06d}.tar").unlink()
        generate(tmp_path / "d", flat(), num=8, shard_size=2, workers=1)
        assert hashes(tmp_path / "d") == before
    (tmp_path / "d/card.json").write_text(
        json.dumps({**json.loads((tmp_path / "d/card.json").read_text()), "shards": [], "complete": False})
    )
    generate(tmp_path / "d", flat(), num=8, shard_size=2, workers=1)
    assert hashes(tmp_path / "d") == before


def test_a_clip_that_offers_no_violation_is_named(tmp_path: Path) -> None:
    still = {"kind": "rigid", "name": "box", "shape": "box", "size": [0.3, 0.3, 0.3], "position": [0, 0, 0.15], "fixed": True}
    world = twins(read_scene({"duration": 0.5, "fps": 20, "size": 16, "bodies": [still]}), violations=("vanish",))
    with pytest.raises(UserError, match=r"^clip 0: twins: found no place for 'vanish'"):
        generate(tmp_path / "d", world, num=2)
    assert not (tmp_path / "d").exists()


def test_a_dataset_of_failures_alone_is_refused(tmp_path: Path, failing: Callable[[set[int]], None]) -> None:
    failing(set(range(9)))
    with pytest.raises(UserError, match=r"uniform, seed 0: each of 3 clips fails, the first because the scene explodes at 0\.000 s"):
        generate(tmp_path / "d", flat(), num=3, workers=1)
    assert not (tmp_path / "d").exists()


def test_the_command_says_what_is_left_out(tmp_path: Path, failing: Callable[[set[int]], None], capsys: pytest.CaptureFixture[str]) -> None:
    failing({1})
    flags = ["--num", "3", "--size", "32", "--frames", "5", "--seed", "4", "--workers", "1", "--out", str(tmp_path / "d")]
    assert main(["simulate", "uniform", *flags]) == 0
    found = capsys.readouterr()
    assert found.err == "kinema: clip 1 of uniform, seed 4, is left out: the scene explodes at 0.100 s\n"
    assert "2 clips" in found.out
    assert main(["data", "inspect", str(tmp_path / "d"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["clips"] == "2 of 3"
    assert "clip 1: the scene explodes" in facts["left out"]
