"""Our clips in PhyWorld's layout: what comes back is what was written, and its evaluator's way of reading finds it."""

from __future__ import annotations

import io
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.data import Mixture, PhyWorldFile, Simulated, Subset, generate, open_dataset, to_phyworld
from kinema.data.dataset import Dataset
from kinema.data.validate import validate
from kinema.metrics import bucket
from kinema.simulators import make, scenario

from ..worlds import FLAT

SIZE = 32
KINDS = ("uniform", "parabola", "collision", "bounce")


def clips(name: str, count: int = 3, **fields: object) -> Simulated:
    return Simulated(scenario(name, size=SIZE, **fields), seed=5, fields=("rgb",), length=count)


@pytest.mark.parametrize("box2d_compatible", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_what_comes_back_is_what_was_written(tmp_path: Path, name: str, box2d_compatible: bool) -> None:
    world = scenario(name, size=SIZE, box2d_compatible=box2d_compatible)
    ours = Mixture((clips(name, box2d_compatible=box2d_compatible), Simulated(world.split("ood"), seed=6)), length=5)
    path = tmp_path / "x.hdf5"
    counts = to_phyworld(ours, path, size=None, chunk=2)
    assert (counts["clips"], counts["layout"]) == (5, name)
    file = open_dataset(path)
    assert isinstance(file, PhyWorldFile)
    assert len(file) == 5
    for clip, back in zip(ours, file, strict=True):
        assert torch.equal(back.rgb, clip.rgb)
        for key in ("position", "radius", "color"):
            assert torch.equal(back.bodies[key], clip.bodies[key]), key
        assert torch.allclose(back.bodies["velocity"][0], clip.bodies["velocity"][0], atol=1e-9)
        assert torch.equal(back.camera.pose, clip.camera.pose)
        assert torch.equal(back.camera.intrinsics, clip.camera.intrinsics)
        assert (back.dt, back.fps, back.text) == (0.1, 5.0, clip.text)
        assert (back.meta["scenario"], back.meta["first_frame_time"]) == (name, 0.01 if box2d_compatible else 0.0)
        assert back.meta["pixel_convention"] == ("linspace" if box2d_compatible else "centers")
        assert back.meta["bucket"] == bucket(clip)


@pytest.mark.parametrize("name", FLAT)
def test_every_world_is_written_or_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    world = scenario(name, size=SIZE)
    ours, out = Simulated(world, seed=1, fields=("rgb",), length=6), tmp_path / "x.hdf5"
    options = {"size": None, "frames": min(32, world.num_frames)}
    if name in ("spatial", "temporal"):  # a square and a ball; one and two balls in turn
        with pytest.raises(UserError, match=r"^clip \d: "):
            to_phyworld(ours, out, **options)
        assert not list(tmp_path.iterdir())
    else:
        to_phyworld(ours, out, **options)
        assert all(check.ok for check in validate(open_dataset(out)))


def read_as_the_evaluator_does(path: Path, key: str, item: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames with y up, states and start of one item: h5py, the bytes of the video, its frames in order, turned over."""
    with h5py.File(path, "r") as file:
        data, states, init = (file[name][key][item] for name in ("video_streams", "position_streams", "init_streams"))
    with av.open(io.BytesIO(data.tobytes()), format="mp4") as video:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
    return frames[:, ::-1], states, init


def centre(frame: np.ndarray, blue: bool) -> tuple[float, float, float]:
    high, low = (2, 0) if blue else (0, 2)
    mask = (frame[..., high] > 127) & (frame[..., 1] < 127) & (frame[..., low] < 127)
    rows, columns = np.nonzero(mask)
    scale = 10 / frame.shape[1]
    return columns.mean() * scale, rows.mean() * scale, np.sqrt(mask.sum() / np.pi) * scale


def test_the_released_evaluator_s_way_of_reading_finds_the_law(tmp_path: Path) -> None:
    """Step by step: states 0..30 against as many frames, those from 3 on with the ball inside, differences over 0.1 s."""
    path = tmp_path / "uniform.hdf5"
    to_phyworld(clips("uniform"), path, size=128)
    for item in range(3):
        frames, states, (radius, speed) = read_as_the_evaluator_does(path, "00000", item)
        assert frames.shape == (32, 128, 128, 3)
        assert states.shape == (32, 2)
        frames, states = frames[:-1], states[:-1]
        index = [i for i, (x, y) in enumerate(states) if i >= 3 and radius <= x <= 10 - radius and radius <= y <= 10 - radius]
        seen = np.array([centre(frame, blue=False) for frame in frames[index]])
        assert np.abs(seen[:, :2] + 5 / 128 - states[index]).max() < 0.06  # the evaluator forgets half a pixel
        assert np.abs(seen[:, 2] - radius).max() < 0.05
        assert abs((np.diff(seen[:, 0]) / 0.1).mean() - speed) < 0.02


def test_the_released_evaluator_s_way_of_reading_a_collision(tmp_path: Path) -> None:
    path = tmp_path / "collision.hdf5"
    to_phyworld(clips("collision"), path, size=128)
    for item in range(3):
        frames, states, init = read_as_the_evaluator_does(path, "00000", item)
        r1, r2, v1, v2 = init
        states = states[:-1]
        inside = [i for i in range(3, 31) if states[i, 0, 0] >= r1 and states[i, 1, 0] <= 10 - r2]
        true = np.diff(states[inside][:, :, 0], axis=0) / 0.1
        impact = int(np.flatnonzero((np.abs(np.diff(true, axis=0)) > 0.1).any(1))[0]) + 1
        assert np.allclose(true[: impact - 1], [v1, -v2])
        left, right = ([centre(frames[i], blue)[0] for i in inside] for blue in (False, True))
        found = np.diff(np.stack([left, right], 1), axis=0) / 0.1
        after = slice(impact + 1, None)
        assert np.abs(found[after].mean(0) - true[after].mean(0)).mean() < 0.05
        momentum = r1**2 * found[after, 0].mean() + r2**2 * found[after, 1].mean()
        assert momentum == pytest.approx(r1**2 * v1 - r2**2 * v2, abs=0.1)


def test_chunks_of_a_thousand_and_a_rest(tmp_path: Path) -> None:
    to_phyworld(clips("uniform", 5, num_frames=4), tmp_path / "x.hdf5", size=None, frames=4, chunk=2)
    with h5py.File(tmp_path / "x.hdf5") as file:
        for name, dtype in (("init_streams", "<f8"), ("position_streams", "<f8"), ("video_streams", "O")):
            assert {key: (len(data), data.dtype.str.lstrip("|")) for key, data in file[name].items()} == {
                "00000": (2, dtype), "00001": (2, dtype), "00002": (1, dtype),
            }  # fmt: skip
        assert h5py.check_vlen_dtype(file["video_streams/00000"].dtype) == np.uint8


def test_a_dataset_folder_drawn_at_the_published_size(tmp_path: Path) -> None:
    generate(tmp_path / "ours", scenario("collision", size=SIZE, num_frames=33), num=2, workers=1)
    to_phyworld(open_dataset(tmp_path / "ours"), tmp_path / "x.hdf5", size=64)
    clip = open_dataset(tmp_path / "x.hdf5")[1]
    expected = make(scenario("collision", size=64, num_frames=33), 0, 1, ("rgb",)).frames(0, 32)
    assert torch.equal(clip.rgb, expected.rgb)
    assert torch.equal(clip.bodies["position"], expected.bodies["position"])


def test_lossy_videos_are_close(tmp_path: Path) -> None:
    to_phyworld(clips("uniform", 1), tmp_path / "x.hdf5", size=64, lossless=False)
    lossy = open_dataset(tmp_path / "x.hdf5")[0].rgb.float()
    difference = (lossy - make(scenario("uniform", size=64), 5, 0, ("rgb",)).rgb.float()).abs()
    assert 0 < float(difference.mean()) < 3


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize(("name", "law"), [*((name, name) for name in KINDS if name != "collision"), ("attributes", "uniform")])
def test_the_law_of_few_frames_is_that_of_the_scenario(tmp_path: Path, name: str, law: str, frames: int) -> None:
    ours = clips(name) if name != "attributes" else clips(name, color=("red", "red"), shape=("ball", "ball"))
    assert to_phyworld(ours, tmp_path / "x.hdf5", size=None, frames=frames)["layout"] == law
    file = open_dataset(tmp_path / "x.hdf5")
    assert [clip.meta["scenario"] for clip in file] == [law] * 3
    if law != "parabola":  # two frames of a fall read from a file state no exact speed
        assert to_phyworld(file, tmp_path / "y.hdf5", size=None, frames=frames)["layout"] == law  # a file's clips state it too


def test_the_law_of_few_frames_that_is_not_stated_is_asked_for(tmp_path: Path) -> None:
    for meta in ({}, {"scenario": "collision"}):
        with pytest.raises(UserError, match="clip 0: 2 frames do not tell its law, and it states none of the scenarios uniform, parabola"):
            to_phyworld(Edited(clips("uniform", 1), meta), tmp_path / "x.hdf5", size=None, frames=2)
    assert to_phyworld(Edited(clips("uniform", 1), {}), tmp_path / "x.hdf5", size=None, frames=3)["layout"] == "uniform"


class Edited(Dataset):
    """Clips of a dataset with some bodies, or the meta, changed."""

    def __init__(self, dataset: Dataset, meta: dict[str, Any] | None = None, **bodies: torch.Tensor) -> None:
        self.dataset, self.meta, self.bodies = dataset, meta, bodies

    @property
    def length(self) -> int | None:
        return self.dataset.length

    def read(self, index: int) -> Clip:
        clip = self.dataset[index]
        return clip.replace(bodies={**clip.bodies, **self.bodies}, meta=clip.meta if self.meta is None else self.meta)


def test_colour_and_shape_are_written_where_they_differ(tmp_path: Path) -> None:
    blue = torch.tensor([0, 0, 255], dtype=torch.uint8).expand(32, 1, 3)
    plain = clips("uniform", 1)
    for bodies, layout, values in [
        ({"color": blue}, "color", [1]),
        ({"shape": torch.ones(32, 1, dtype=torch.int64)}, "shape", [0, 1]),
        ({"shape": torch.zeros(32, 1, dtype=torch.int64)}, "uniform", []),
    ]:
        path = tmp_path / f"{layout}.hdf5"
        assert to_phyworld(Edited(plain, **bodies), path, size=None)["layout"] == layout
        with h5py.File(path) as file:
            assert file["init_streams/00000"][0, 2:].tolist() == values
        back = open_dataset(path)[0]
        assert torch.equal(back.bodies["color"], bodies.get("color", plain[0].bodies["color"]))
        assert bool((back.bodies.get("shape", torch.zeros(1)) == bodies.get("shape", torch.zeros(1))).all())


def test_what_the_layout_cannot_hold_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "x.hdf5"
    flipped = Simulated(scenario("uniform", size=SIZE, flip=True), seed=0, fields=("rgb",), length=8)
    mirrored = next(i for i in range(8) if flipped[i].meta["params"]["mirrored"])
    growing = torch.linspace(0.7, 1.4, 32, dtype=torch.float64)[:, None]
    gone = clips("uniform", 1)[0].bodies["position"].clone()
    gone[9] = torch.nan
    for dataset, options, words in [
        (Subset(flipped, indices=(mirrored,)), {}, "a ball that sets out to the right; simulate it without flip"),
        (clips("uniform", 1, dt=0.2), {}, r"clip 0: its frames are 0\.2 s apart; the layout's are 0\.1 s"),
        (clips("uniform", 1, num_frames=20), {}, "has 20 frames, 32 are to be written"),
        (Edited(clips("uniform", 1), radius=growing), {}, "changes its size"),
        (Edited(clips("uniform", 1), position=gone), {}, "a body that vanishes"),
        (Edited(clips("uniform", 1), color=torch.zeros(32, 1, 3, dtype=torch.uint8)), {}, "has colour \\[0, 0, 0\\]"),
        (Mixture((clips("uniform"), clips("collision")), length=8), {}, "balls is [12], in the clips before it"),
        (Mixture((clips("uniform"), clips("parabola")), length=8), {}, "law is .*, in the clips before it"),
        (replace(clips("uniform", 1), length=None), {}, "has no end"),
        (clips("uniform", 1), {"num": 2}, "2 clips cannot be written of a dataset of 1"),
        (clips("uniform", 1), {"size": 4}, "size must be at least 8 px"),
    ]:
        with pytest.raises(UserError, match=words):
            to_phyworld(dataset, out, **{"size": None, **options})  # type: ignore[arg-type]
        assert not list(tmp_path.iterdir())
    bare = make(scenario("uniform", size=SIZE), 0, 0, ("rgb",))

    class One(Edited):
        def read(self, index: int) -> Clip:
            return bare.replace(meta={})

    with pytest.raises(UserError, match="is 32 x 32 px and says no scenario to draw it again at 256 px; --size 0"):
        to_phyworld(One(clips("uniform", 1)), out)


def test_nothing_is_lost_and_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "x.hdf5"
    with pytest.raises(UserError, match=r"written as \.hdf5"):
        to_phyworld(clips("uniform"), tmp_path / "x.mp4")
    out.write_text("mine")
    with pytest.raises(UserError, match="exists; --overwrite replaces it"):
        to_phyworld(clips("uniform"), out)
    with pytest.raises(UserError, match="frames"):
        to_phyworld(clips("uniform", num_frames=9), out, overwrite=True)
    assert out.read_text() == "mine"
    to_phyworld(clips("uniform"), out, size=None, overwrite=True)
    assert len(open_dataset(out)) == 3
    with pytest.raises(UserError, match="cannot be written"):
        to_phyworld(clips("uniform"), tmp_path / "absent/x.hdf5", size=None)


@pytest.mark.parametrize("most", [3_000, 9_000, 14_000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, most: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(UserError, match=r"x\.hdf5: cannot be written"):
            to_phyworld(clips("uniform", 4), tmp_path / "x.hdf5", size=128, chunk=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
