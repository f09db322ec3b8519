"""PhyWorld's published files are read as they are: states, pixels on the right scale, buckets; mistakes name file and item."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from kinema.core import UserError
from kinema.core.video import video_bytes
from kinema.data import PhyWorldFile, open_dataset
from kinema.data.validate import validate
from kinema.metrics import VelocityErrorOfMeans, bucket, parse

from . import published

ROWS = [(1.0, 2.0), (0.7, 1.0), (1.4, 4.0), (0.4, 2.0), (1.0, 5.0), (1.8, 0.5), (0.9, 0.0)]
NAMES = ["id", "id", "id", "r", "v", "both", "still"]


@pytest.fixture(scope="module")
def uniform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published.uniform(tmp_path_factory.mktemp("published") / "uniform.hdf5", ROWS, chunk=3)


def test_states_are_those_of_the_file(uniform: Path) -> None:
    file = open_dataset(uniform)
    assert isinstance(file, PhyWorldFile)
    assert len(file) == len(ROWS)
    assert file.kind == "uniform"
    for i, (radius, speed) in enumerate(ROWS):
        clip = file[i]
        assert (clip.dt, clip.fps, clip.num_frames, clip.size) == (0.1, 5.0, 32, (64, 64))
        assert clip.meta["item"] == f"{i // 3:05d}-{i % 3:05d}"
        assert clip.meta["index"] == i
        assert torch.equal(clip.bodies["radius"], torch.full((32, 1), radius, dtype=torch.float64))
        assert clip.bodies["velocity"][0].tolist() == [[speed, 0.0]]
        assert torch.allclose(clip.bodies["velocity"][:, 0, 0], torch.tensor(speed, dtype=torch.float64), atol=1e-4)
        # The first frame shows 0.01 s.
        assert float(clip.bodies["position"][0, 0, 0]) == pytest.approx(1.5 + 0.1 * i + 0.01 * speed, abs=1e-6)
        assert clip.meta["first_frame_time"] == 0.01


def test_buckets_label_and_choose(uniform: Path) -> None:
    file = PhyWorldFile(str(uniform))
    assert list(file.labels) == NAMES == [clip.meta["bucket"] for clip in file] == [bucket(clip) for clip in file]
    inside = PhyWorldFile(str(uniform), bucket="id", fields=("bodies",))
    assert len(inside) == 3
    assert [clip.meta["params"]["v"] for clip in inside] == [2.0, 1.0, 4.0]
    assert [clip.meta["index"] for clip in PhyWorldFile(str(uniform), bucket="v")] == [4]
    with pytest.raises(UserError, match=r"no clip in bucket 'fast'; it has both \(1\), id \(3\)"):
        len(PhyWorldFile(str(uniform), bucket="fast"))


def test_published_pixels_are_read_on_their_own_scale(tmp_path: Path) -> None:
    """Law 1: 256 px, 40 balls; with 10/(W-1) the difference of means is below 0.002, with 10/W it is v/W."""
    rng = np.random.default_rng(0)
    rows = [(float(rng.uniform(0.7, 1.4)), float(rng.uniform(1, 4))) for _ in range(40)]
    file = PhyWorldFile(str(published.uniform(tmp_path / "u.hdf5", rows, size=256, frames=16)))
    compatible, corrected = (VelocityErrorOfMeans(paper_compatible=paper, subpixel=False) for paper in (True, False))
    clips = list(file)
    found = np.mean([[float(metric(clip.only("rgb"), clip)) for metric in (corrected, compatible)] for clip in clips], 0)
    assert found[0] < 0.002
    assert found[1] == pytest.approx(np.mean([v for _, v in rows]) / 256, abs=0.002)


@pytest.mark.parametrize("size", [64, 96])
def test_what_the_pixels_show_is_where_the_states_are(tmp_path: Path, size: int) -> None:
    for path in (published.uniform(tmp_path / "u.hdf5", [(1.2, 1.0)], size=size), published.collision(tmp_path / "c.hdf5", size=size)):
        clip = open_dataset(path)[0]
        seen = parse(clip.only("rgb"), subpixel=True).bodies
        whole = seen["state"] == 1
        assert whole[:15].all()
        assert float((seen["position"] - clip.bodies["position"]).norm(dim=-1)[whole].mean()) < 0.1 * 10 / size
        # The camera says where a body's centre falls: the parser's pixels under the other, plain scale.
        image = clip.camera.project(torch.cat([clip.bodies["position"], torch.zeros_like(clip.bodies["position"][..., :1])], -1))
        plain = parse(clip.only("rgb").replace(meta={}), subpixel=True).bodies["position"] * size / 10
        assert float((image - torch.stack([plain[..., 0], size - plain[..., 1]], -1)).norm(dim=-1)[whole].mean()) < 0.1


def test_a_parabola_is_told_by_its_positions(tmp_path: Path) -> None:
    clip = open_dataset(published.uniform(tmp_path / "p.hdf5", [(0.8, 2.0)], gravity=-2.5))[0]
    assert clip.meta["scenario"] == "parabola"
    assert float(clip.bodies["velocity"][0, 0, 0]) == 2.0
    times = 0.01 + 0.1 * torch.arange(32, dtype=torch.float64)
    # Its simulator moves a body by the speed at the end of a step: half a step of 0.01 s ahead of a parabola.
    assert torch.allclose(clip.bodies["velocity"][:, 0, 1], -2.5 * (times + 0.005), atol=1e-3)
    assert bucket(clip) == clip.meta["bucket"] == "id"


def test_a_collision_has_two_balls_and_keeps_momentum(tmp_path: Path) -> None:
    clip = open_dataset(published.collision(tmp_path / "c.hdf5"))[0]
    body = clip.bodies
    assert clip.meta["scenario"] == "collision"
    assert body["color"][0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert body["velocity"][0].tolist() == [[2.0, 0.0], [-1.0, 0.0]]
    momentum = (body["mass"][..., None] * body["velocity"]).sum(1)
    assert torch.allclose(momentum, momentum[:1].expand_as(momentum), atol=1e-9)
    assert float(VelocityErrorOfMeans()(clip.only("rgb"), clip)) < 0.02


@pytest.mark.parametrize(("direction", "velocity"), [((-1, 0), [-2.0, 0.0]), ((0, 1), [0.0, 2.0]), ((0, -1), [0.0, -2.0])])
def test_balls_that_set_out_in_other_directions(tmp_path: Path, direction: tuple[int, int], velocity: list[float]) -> None:
    positions = published.simulated((5, 5), (2 * direction[0], 2 * direction[1]), 5)[None]
    video = video_bytes(published.rendered(positions[0][:, None], [1.0], 32), 5)
    clip = open_dataset(published.written(tmp_path / "x.hdf5", np.array([[1.0, 2.0]]), positions, [video]))[0]
    assert clip.bodies["velocity"][0].tolist() == [velocity]


def test_colours_and_shapes_are_stated(tmp_path: Path) -> None:
    positions = published.simulated((2, 5), (2, 0), 5)[None]
    videos = [video_bytes(published.rendered(positions[0][:, None], [1.0], 32, [published.BLUE], squares=True), 5)]
    clip = open_dataset(published.written(tmp_path / "c.hdf5", np.array([[1.0, 2.0, 1]]), positions, videos))[0]
    assert clip.bodies["color"][0].tolist() == [[0, 0, 255]]
    assert "shape" not in clip.bodies
    clip = open_dataset(published.written(tmp_path / "s.hdf5", np.array([[1.0, 2.0, 1, 1]]), positions, videos))[0]
    assert clip.bodies["shape"][:, 0].tolist() == [1] * 5
    assert clip.bodies["color"][0].tolist() == [[0, 0, 255]]
    other = published.written(tmp_path / "o.hdf5", np.array([[1.0, 1.0, 2.0]]), positions, videos)
    with pytest.raises(UserError, match=r"o\.hdf5: 00000: has rows of 3 numbers, but the last say no color"):
        open_dataset(other)


def test_a_layout_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    positions = published.simulated((2, 5), (2, 0), 8)
    positions[4:, 0] = positions[4, 0] - (positions[4:, 0] - positions[4, 0])
    video = video_bytes(published.rendered(positions[:, None], [1.0], 32), 5)
    path = published.written(tmp_path / "b.hdf5", np.array([[1.0, 2.0]]), positions[None], [video])
    with pytest.raises(UserError, match="neither evenly nor on a parabola: name the layout"):
        open_dataset(path)
    assert PhyWorldFile(str(path), layout="bounce")[0].meta["scenario"] == "bounce"
    with pytest.raises(UserError, match=r"has rows of 2 numbers .* rows of \[r1, r2, v1, v2\] were expected"):
        PhyWorldFile(str(path), layout="collision").check()
    with pytest.raises(UserError, match="no layout 'circle'; there are uniform"):
        PhyWorldFile(str(path), layout="circle")


def test_a_file_that_was_not_merged(tmp_path: Path) -> None:
    path = published.uniform(tmp_path / "7.hdf5", ROWS[:2], merged=False)
    assert [clip.meta["item"] for clip in open_dataset(path)] == ["7-00000", "7-00001"]


def test_it_travels_to_other_processes(uniform: Path) -> None:
    file = PhyWorldFile(str(uniform), bucket="id")
    first = file[0]
    copy = pickle.loads(pickle.dumps(file))
    assert set(copy.__dict__) == {"path", "layout", "bucket", "fields", "fps"}
    assert torch.equal(copy[0].rgb, first.rgb)
    assert copy == file


def test_only_what_is_wanted_is_read(uniform: Path) -> None:
    bare = open_dataset(uniform, fields=("bodies",))[0]
    assert not bare.has("rgb")
    assert bare.has("bodies")
    assert open_dataset(uniform, fps=10)[0].fps == 10.0
    with pytest.raises(UserError, match="states its own dt"):
        open_dataset(uniform, dt=0.2)
    with pytest.raises(UserError, match="has no field 'flow'; it has rgb"):
        open_dataset(uniform, fields=("flow",))


def test_mistakes_are_named(uniform: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder or file"):
        open_dataset(tmp_path / "absent.hdf5")
    text = tmp_path / "text.hdf5"
    text.write_text("no such thing")
    with pytest.raises(UserError, match=r"text\.hdf5: cannot be read as an HDF5 file"):
        open_dataset(text)
    text.write_bytes(uniform.read_bytes()[: uniform.stat().st_size // 2])
    with pytest.raises(UserError, match=r"text\.hdf5: cannot be read as an HDF5 file; it is damaged, cut short"):
        open_dataset(text)


def edited(source: Path, target: Path) -> h5py.File:
    target.write_bytes(source.read_bytes())
    return h5py.File(target, "r+")


def test_missing_parts_are_named(uniform: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with edited(uniform, path) as file:
        del file["position_streams"]
    with pytest.raises(UserError, match="holds init_streams, video_streams; PhyWorld's files hold init_streams, position_streams"):
        open_dataset(path)
    with edited(uniform, path) as file:
        del file["video_streams/00001"]
    with pytest.raises(UserError, match="video_streams and init_streams do not hold the same datasets: 00001"):
        open_dataset(path)
    with edited(uniform, path) as file:
        short = file["position_streams/00001"][:1]
        del file["position_streams/00001"]
        file["position_streams/00001"] = short
    assert open_dataset(path)[3].num_frames == 32
    with pytest.raises(UserError, match=r"position_streams/00001 holds 1 items; item 2 is not among them"):
        open_dataset(path)[5]


NOTES = ["no JSON", "[1]", '{"layout": ["uniform"]}', '{"pixel_convention": "hex"}', '{"first_frame_time": "soon"}']


@pytest.mark.parametrize("note", NOTES)
def test_a_note_that_is_not_understood_is_refused(uniform: Path, tmp_path: Path, note: str) -> None:
    with edited(uniform, tmp_path / "x.hdf5") as file:
        file.attrs["kinema"] = note
    with pytest.raises(UserError, match=r"x\.hdf5: (its attribute 'kinema' is no JSON object|says of itself what this kinema does not)"):
        open_dataset(tmp_path / "x.hdf5")


def test_damaged_items_are_named(uniform: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with edited(uniform, path) as file:
        file["video_streams/00000"][0] = np.frombuffer(b"no video at all", np.uint8)
        file["video_streams/00000"][1] = np.frombuffer(video_bytes(torch.zeros(5, 3, 16, 16, dtype=torch.uint8), 5), np.uint8)
        file["position_streams/00000"][2, 4, 1] = np.nan
        file["init_streams/00001"][1, 0] = np.inf
        file["kind"] = 0
    broken = PhyWorldFile(str(path), layout="uniform")
    for index, words in [
        (0, r"x\.hdf5: 00000-00000: video_streams: cannot be read as a video"),
        (1, r"x\.hdf5: 00000-00001: its video has 5 frames, its states are those of 32"),
        (2, r"x\.hdf5: 00000-00002: position_streams: holds NaN"),
        (4, r"x\.hdf5: 00001-00001: init_streams: holds NaN or infinite numbers"),
    ]:
        with pytest.raises(UserError, match=words):
            broken[index]


@pytest.mark.parametrize("radius", [0.0, -1.0])
def test_a_radius_that_is_none_is_named(uniform: Path, tmp_path: Path, radius: float) -> None:
    path = tmp_path / "x.hdf5"
    with edited(uniform, path) as file:
        file["init_streams/00001"][1, 0] = radius
    with pytest.raises(UserError, match=rf"x\.hdf5: 00001-00001: init_streams states r = {radius:g} m; a radius above 0"):
        open_dataset(path)[4]
    failed = {check.name: check.found for check in validate(open_dataset(path), clips=20) if not check.ok}
    assert set(failed) == {"clips read"}
    assert "00001-00001" in failed["clips read"]
    collision = published.collision(tmp_path / "c.hdf5")
    with h5py.File(collision, "r+") as file:
        file["init_streams/00000"][0, 1] = radius
    with pytest.raises(UserError, match="init_streams states r2 = "):
        open_dataset(collision)[0]


def verdicts(path: Path) -> dict[str, bool]:
    return {check.name: check.ok for check in validate(open_dataset(path), clips=20)}


def test_a_whole_file_passes_its_checks_and_a_wrong_one_does_not(uniform: Path, tmp_path: Path) -> None:
    everything = {"streams", "clips read", "pixels against states", "radii", "speeds"}
    for path in (uniform, published.collision(tmp_path / "c.hdf5"), published.uniform(tmp_path / "p.hdf5", ROWS[:2], gravity=-2.5)):
        assert verdicts(path) == dict.fromkeys(everything, True)
    path = tmp_path / "x.hdf5"
    with edited(uniform, path) as file:
        file["video_streams/00001"][0] = file["video_streams/00001"][1]
    assert {name for name, ok in verdicts(path).items() if not ok} == {"pixels against states", "radii"}
    for item, ball, wrong in ((0, 0, 0.95), (2, 0, 1.05)):  # of 1.0 and 1.4 m, in pixels of 0.16 m
        with edited(uniform, path) as file:
            file["init_streams/00000"][item, ball] *= wrong
        assert {name for name, ok in verdicts(path).items() if not ok} == {"radii"}
    with edited(uniform, path) as file:
        file["init_streams/00002"][0, 1] += 0.01
    assert {name for name, ok in verdicts(path).items() if not ok} == {"speeds"}
    with edited(uniform, path) as file:
        short = file["position_streams/00002"][:, :30]
        del file["position_streams/00002"]
        file["position_streams/00002"] = short
    assert {name for name, ok in verdicts(path).items() if not ok} == {"streams", "clips read"}
    with edited(uniform, path) as file:
        del file["video_streams/00002"]
        file["video_streams/00002"] = np.zeros(1, np.uint8)
    assert {name for name, ok in verdicts(path).items() if not ok} == {"streams", "clips read"}
