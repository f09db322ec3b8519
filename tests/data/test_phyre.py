"""PHYRE's scenes in PhyWorld's layout: read as published, written so that they come back."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from kinema.core import UserError
from kinema.core.video import video_bytes
from kinema.data import PhyreFile, PhyWorldFile, Simulated, open_dataset, to_phyworld
from kinema.data.validate import validate
from kinema.simulators import scenario
from kinema.simulators.planar.phyre import SIDE, features

FRAMES = 6


def hot(place: int, size: int) -> list[float]:
    return [float(i == place) for i in range(size)]


def trial(objects: int, seed: int) -> np.ndarray:
    """[t,n,14]: a black ball that rests, a grey bar that turns through a whole turn, and a red ball last."""
    rng = np.random.default_rng(seed)
    found = np.zeros((FRAMES, objects, 14), np.float32)
    found[..., 0], found[..., 1] = rng.uniform(0.2, 0.8, objects), np.linspace(0.9, 0.3, FRAMES)[:, None]
    found[:, 0, :2] = 0.4, 0.5
    found[..., 3], found[:, 1, 3] = 0.1, np.hypot(0.3, 0.02)
    found[:, 1, 2] = (0.7 + 0.15 * np.arange(FRAMES)) % 1
    found[..., 4:8], found[..., 8:] = hot(0, 4), hot(0, 6)
    found[:, 0, 8:] = hot(5, 6)
    found[:, 1, 4:8], found[:, 1, 8:] = hot(1, 4), hot(4, 6)
    return found


def published(path: Path, tasks: dict[str, tuple[int, int]]) -> Path:
    """A file with, for each key, so many trials of so many objects."""
    video = np.frombuffer(video_bytes(torch.full((FRAMES, 3, 32, 32), 255, dtype=torch.uint8), 10), np.uint8)
    with h5py.File(path, "w") as file:
        for key, (trials, objects) in tasks.items():
            file[f"object_streams/{key}"] = np.stack([trial(objects, seed) for seed in range(trials)])
            file[f"action_streams/{key}"] = np.random.default_rng(0).random((trials, 3))
            videos = file.create_dataset(f"video_streams/{key}", shape=(trials,), dtype=h5py.vlen_dtype(np.uint8))
            for i in range(trials):
                videos[i] = video
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = {"10000:000": (2, 3), "10000:001": (1, 4), "10063:007": (1, 3)}
    return published(tmp_path_factory.mktemp("phyre") / "x.hdf5", tasks)


def test_features_become_bodies(file: Path) -> None:
    clips = open_dataset(file)
    assert isinstance(clips, PhyreFile)
    assert [clip.bodies["angle"].shape[1] for clip in clips] == [3, 3, 4, 3]
    clip, stored = clips[1], trial(3, 1)
    assert (clip.dt, clip.fps, clip.size) == (pytest.approx(1 / 3), 10.0, (32, 32))
    assert clip.meta["item"] == "10000:000-00001"
    assert clip.meta["first_frame_time"] == pytest.approx(1 / 60)
    assert (clip.meta["params"]["template"], clip.meta["params"]["task"], clip.meta["params"]["trial"]) == (10000, 0, 1)
    body = clip.bodies
    assert np.allclose(body["position"].numpy(), stored[..., :2] * SIDE)
    assert body["shape"][0].tolist() == [0, 1, 0]
    assert body["color"][0].tolist() == [[0, 0, 0], [185, 202, 210], [243, 79, 70]]
    assert body["static"][0].tolist() == [True, False, False]
    assert body["radius"][0].tolist() == pytest.approx([SIDE / 20, SIDE * np.hypot(0.3, 0.02) / 2, SIDE / 20], rel=1e-6)
    assert float(body["length"][0, 1]) == pytest.approx(0.3 * SIDE, rel=1e-6)
    # A whole turn has no jump, and the speed of turning follows.
    assert torch.allclose(body["angle"][:, 1].diff(), torch.tensor(0.15 * 2 * np.pi, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(body["angular_velocity"][:, 1], torch.tensor(0.15 * 2 * np.pi * 3, dtype=torch.float64), atol=1e-4)
    assert torch.allclose(body["velocity"][:, 2, 1], torch.tensor(-0.12 * SIDE * 3, dtype=torch.float64), atol=1e-3)
    with h5py.File(file) as raw:
        assert torch.allclose(clip.actions, torch.from_numpy(raw["action_streams/10000:000"][1]).expand(FRAMES, 3))


def test_sets_are_labelled_and_chosen(tmp_path: Path) -> None:
    path = published(tmp_path / "x.hdf5", {"10059:000": (992, 3), "10060:000": (1, 3)})
    everything = PhyreFile(str(path))
    assert [everything.labels.count(name) for name in ("train", "in_template", "out_of_template")] == [990, 2, 1]
    kept = PhyreFile(str(path), bucket="in_template", fields=("bodies",))
    assert [clip.meta["item"] for clip in kept] == ["10059:000-00990", "10059:000-00991"]
    assert {clip.meta["bucket"] for clip in kept} == {"in_template"}
    assert len(pickle.loads(pickle.dumps(kept))) == 2


def test_our_scenes_come_back(tmp_path: Path) -> None:
    ours = Simulated(scenario("phyre", size=32, num_frames=8), seed=1, fields=("rgb",), length=6)
    path = tmp_path / "ours.hdf5"
    assert to_phyworld(ours, path, size=None)["layout"] == "phyre"
    back = {clip.text: clip for clip in open_dataset(path)}
    assert len(back) == 6
    for clip in ours:
        found = back[clip.text]
        assert torch.equal(found.rgb, clip.rgb)
        assert torch.equal(found.actions, clip.actions)
        for key in ("color", "shape", "static"):
            assert torch.equal(found.bodies[key], clip.bodies[key]), key
        for key in ("position", "radius", "length"):
            assert torch.allclose(found.bodies[key], clip.bodies[key], atol=SIDE * 1e-6), key
        turns = (found.bodies["angle"] - clip.bodies["angle"]) / (2 * np.pi)
        assert torch.allclose(turns, turns.round(), atol=1e-6)
        assert torch.allclose(features(found.bodies), features(clip.bodies), atol=1e-6)
        assert found.meta["first_frame_time"] == 0.0
        assert (found.dt, found.camera.pose.tolist()) == (pytest.approx(clip.dt), clip.camera.pose.tolist())
        params = clip.meta["params"]
        assert (found.meta["params"]["template"], found.meta["params"]["task"]) == (params["template"], params["task"])


def test_others_read_our_scenes(tmp_path: Path) -> None:
    """Datasets under "template:task" of trials x frames x objects x 14 in single precision, as a plain reader finds them."""
    ours = Simulated(scenario("phyre", size=32).split("10003"), seed=1, fields=("rgb",), length=4)
    to_phyworld(ours, tmp_path / "x.hdf5", frames=5, size=64)
    with h5py.File(tmp_path / "x.hdf5") as file:
        assert set(file) == {"action_streams", "object_streams", "video_streams"}
        assert sum(len(data) for data in file["video_streams"].values()) == 4
        for key, data in file["object_streams"].items():
            assert key.startswith("10003:")
            assert len(key) == len("10003:000")
            assert data.dtype == np.float32
            assert data.shape[1::2] == (5, 14)
            assert file["action_streams"][key].shape == (len(data), 3)
            assert h5py.check_vlen_dtype(file["video_streams"][key].dtype) == np.uint8
            assert (data[..., 4:8].sum(-1) == 1).all()
            assert (data[..., 8:].sum(-1) == 1).all()


def test_a_whole_file_passes_its_checks(file: Path, tmp_path: Path) -> None:
    assert [(check.name, check.ok) for check in validate(open_dataset(file))] == [("streams", True), ("clips read", True)]
    broken = tmp_path / "broken.hdf5"
    broken.write_bytes(file.read_bytes())
    with h5py.File(broken, "r+") as raw:
        del raw["action_streams/10000:001"]
        raw["action_streams/10000:001"] = np.zeros((2, 3))
    assert [check.ok for check in validate(open_dataset(broken))] == [False, False]


def test_mistakes_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a file of PHYRE's scenes: PhyreFile reads it"):
        PhyWorldFile(str(file)).check()
    with pytest.raises(UserError, match="no bucket 'test'; there are train, in_template"):
        PhyreFile(str(file), bucket="test")
    with pytest.raises(UserError, match=r"no clip in bucket 'in_template'; it has out_of_template \(1\), train \(3\)"):
        PhyreFile(str(file), bucket="in_template").check()
    broken = tmp_path / "broken.hdf5"
    broken.write_bytes(file.read_bytes())
    with h5py.File(broken, "r+") as raw:
        raw["object_streams/10000:000"][0, 2, 1, 5] = 0
        raw["object_streams/10000:000"][1, 0, 0, 3] = 0
        raw["object_streams/10000:001"][0, 0, 0, 0] = np.nan
        del raw["object_streams/10063:007"]
        raw["object_streams/10063:007"] = np.zeros((1, FRAMES, 3, 13))
    clips = PhyreFile(str(broken))
    for index, words in enumerate([
        r"10000:000-00000: has an object without exactly one shape", r"10000:000-00001: has an object whose diameter is not above 0",
        r"10000:001-00000: object_streams: holds NaN", r"10063:007-00000: has objects of shape \(6, 3, 13\)",
    ]):  # fmt: skip
        with pytest.raises(UserError, match=words):
            clips[index]
    with pytest.raises(UserError, match=r"frames are 0\.05 s apart; the layout's are 1/3 s"):
        to_phyworld(Simulated(scenario("phyre", size=32, num_frames=4, dt=0.05), fields=("rgb",), length=1), tmp_path / "y.hdf5", size=None)
