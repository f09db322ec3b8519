"""Metrics of sets in benchmarks: streamed, shared truths, in tables beside the figures of clips; PHYRE's protocol."""

import json
import math
from dataclasses import dataclass

import pytest
import torch

from kinema.benchmarks import Model, Phyre, PhyWorld, score, sets, write_result
from kinema.benchmarks.phyre import PAPER, usable
from kinema.benchmarks.systems import Folder
from kinema.benchmarks.table import Column, Figure, Sample, Table
from kinema.core import Clip, UserError, from_json, to_json
from kinema.core.registry import MissingWeights
from kinema.core.video import write_video
from kinema.data import Simulated
from kinema.metrics import FVD, Abnormal
from kinema.simulators import scenario

from .fake import Lawful

WORLD = scenario("uniform", size=48, num_frames=12)
SCENES = scenario("phyre", size=64, num_frames=10)


@dataclass(frozen=True)
class Colours:
    """Mean colours of the halves of a clip: a real encoder of no training, in I3D's place."""

    weights: str = "mean colours"
    pretrained: bool = False
    width: int = 6
    size: int = 16
    shortest: int = 2

    def __call__(self, clip):
        return torch.cat([half.mean((1, 3, 4)) for half in torch.tensor_split(clip.rgb, 2, 1)], 1)


@pytest.fixture
def colours(monkeypatch):
    """Set metrics with features that need no weights."""
    monkeypatch.setattr(sets, "I3D", Colours)
    monkeypatch.setattr(sets, "find", lambda name: None)
    monkeypatch.setattr("kinema.benchmarks.phyre.find", lambda name: None)


def test_a_table_shows_what_sets_have_beside_what_clips_have():
    samples = tuple(Sample("a", "id", i, "dream", {"psnr": 20.0 + i}) for i in range(3))
    columns = (Column("psnr", "dB", True), Column("fvd", "1", False))
    found = {("a", "id", "dream", "fvd"): Figure(12.5, math.nan, math.nan, 3)}
    table = Table(columns, samples, sets=found)
    assert str(table.figure("a", "id", "dream", "fvd")) == "12.5"
    assert table.figure("a", "id", "repeat", "fvd").count == 0
    assert table.to_json()["rows"][0]["figures"]["fvd"] == {"mean": 12.5, "low": None, "high": None, "count": 3, "undefined": 0}
    assert table.to_csv().splitlines()[0] == "case,split,index,source,psnr [dB]"


def test_scored_videos_are_the_set_that_is_compared(colours, tmp_path):
    truth = Simulated(WORLD, seed=4, length=5)
    for i in range(5):
        write_video(tmp_path / f"clip{i}.mp4", truth[i].rgb.flip(-1), 10)
    result = score([tmp_path], truth, metrics=["psnr", "fvd"], given=3)
    alone = FVD(Colours())
    alone.update((c.only("rgb").replace(rgb=c.rgb.flip(-1)) for c in truth), truth)
    name = "frechet_distance[mean colours]"
    assert [c.name for c in result.table.columns] == ["psnr", name]
    figure = result.table.figure("uniform", "id", "dream", name)
    assert (figure.mean, figure.count) == (pytest.approx(alone.compute(), rel=1e-9), 5)
    assert result.table.figure("uniform", "id", "repeat", name).mean > 0
    assert any("convention original" in note and "5 dreams against 5" in note for note in result.table.notes)
    report = write_result(result, tmp_path / "out", model="m", lede=[], notes=[])
    assert name in report.read_text()


def test_sets_alone_may_be_asked_for(colours, tmp_path):
    truth = Simulated(WORLD, seed=4, length=2)
    for i in range(2):
        write_video(tmp_path / f"clip{i}.mp4", truth[i].rgb, 10)
    result = score([tmp_path], truth, metrics=["fvd", "fvd-videogpt"], given=3)
    assert len(result.scenes) == 2
    assert all(abs(f.mean) < 1e-6 for key, f in result.table.sets.items() if key[2] == "dream")
    with pytest.raises(UserError, match="fvd need a truth"):
        score([tmp_path], metrics=["fvd"])
    (tmp_path / "clip1.mp4").unlink()
    with pytest.raises(UserError, match="at least 2 dreams, got 1"):
        score([tmp_path], Simulated(WORLD, seed=4, length=1), metrics=["fvd"])


def test_phyworld_with_a_set_metric(colours):
    table = PhyWorld(num=2, laws=("uniform",), metrics=("velocity", "fvd")).run(Model(Lawful(speed=0.5))).table
    name = table.columns[-1].name
    assert {key[:3] for key in table.sets} == {("uniform", s, source) for s in ("id", "ood") for source in ("dream", "repeat")}
    assert table.figure("uniform", "id", "dream", name).mean < table.figure("uniform", "id", "repeat", name).mean


def test_without_weights_the_set_metric_is_refused_before_anything_is_judged(monkeypatch, tmp_path):
    for name in ("KINEMA_WEIGHTS", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(MissingWeights, match="i3d-kinetics400"):
        PhyWorld(num=1, laws=("uniform",), metrics=("fvd",)).run(Model(Lawful()))


@dataclass(frozen=True)
class Still:
    """A system that repeats the first frame, and notes what it was asked for."""

    asked: list
    condition_frames: int = 1
    num_frames: int = 10
    size: int = 64
    codec: None = None
    first: int = 0

    def at(self, first):
        return Still(self.asked, first=first)

    def dreams(self, truths, names, progress):
        self.asked.append((self.first, list(names)))
        return [t.only("rgb").replace(rgb=t.rgb[:1].expand(t.num_frames, -1, -1, -1), meta={"condition_frames": 1}) for t in truths]


def groups(num=5):
    return {s: Simulated(SCENES.split(t), seed=900_000_000, fields=("rgb",), length=num) for s, t in (("in", "6"), ("out", "ood"))}


def test_phyre_in_portions(colours, tmp_path):
    asked = []
    result = Phyre(metrics=("abnormal", "ssim", "fvd"), batch=2, keep=2).run(Still(asked), groups())
    assert [a[0] for a in asked] == [0, 2, 4, 0, 2, 4]
    assert asked[2][1] == ["phyre-in-0004"]
    table = result.table
    assert table.groups() == [("phyre", "in"), ("phyre", "out")]
    assert len(table.samples) == 2 * 2 * 5
    for split in ("in", "out"):
        dream, repeat = (table.figure("phyre", split, s, "ssim").mean for s in ("dream", "repeat"))
        assert dream == repeat
    assert len(result.scenes) == 4
    assert result.protocol["paper"]["rows"]["ssim"]["DiT-XL, 60"] == (0.972, 0.951)
    assert "64 px, 10 frames, 1 given (the paper: 256 px, 1 given)" in table.notes[0]
    page = write_result(result, tmp_path / "out", model="still", lede=[], notes=[]).read_text()
    shown = json.loads(page.split('type="application/json" id="data">')[1].split("</script>")[0])
    assert [len(r["values"]) for r in shown["paper"]["rows"]] == [2 * 3] * 4


def test_portions_change_no_figure(colours):
    one, many = (Phyre(metrics=("ssim", "abnormal", "fvd"), batch=b).run(Still([]), groups(4)).table for b in (1, 16))
    assert one.to_csv() == many.to_csv()
    for key, figure in one.sets.items():
        assert figure.mean == pytest.approx(many.sets[key].mean, rel=1e-9)


def test_the_true_clips_of_phyre_are_normal():
    truths = groups(4)["out"]
    shown, known = (Clip.stack([t.only(*fields) for t in truths]) for fields in (("rgb",), ("rgb", "bodies")))
    assert Abnormal(first_frame=1)(shown, known).tolist() == [0.0] * 4


def test_metrics_without_weights_are_left_out_by_name(monkeypatch, tmp_path):
    for name in ("KINEMA_WEIGHTS", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    kept, said = usable(("abnormal", "lpips", "fvd", "psnr"))
    assert kept == ["abnormal", "psnr"]
    assert [s.partition(" is left out")[0] for s in said] == ["lpips", "fvd"]
    table = Phyre(metrics=("psnr", "lpips", "fvd")).run(Still([]), {"in": groups(2)["in"]}).table
    assert [c.name for c in table.columns] == ["psnr"]
    assert any(note.startswith("fvd is left out: i3d-kinetics400 is not on this machine") for note in table.notes)
    with pytest.raises(MissingWeights, match="fvd is left out"):
        usable(("fvd",))


def test_a_folder_of_videos_is_judged_too(tmp_path):
    benchmark, truths = Phyre(metrics=("ssim", "psnr")), groups(2)
    benchmark.write_inputs(tmp_path / "in", truths)
    assert len(list((tmp_path / "in").iterdir())) == 4
    with pytest.raises(UserError, match="already there"):
        benchmark.write_inputs(tmp_path / "in", truths)
    for split, clips in truths.items():
        for i, name in enumerate(benchmark.names(split, 2)):
            (tmp_path / "done").mkdir(exist_ok=True)
            write_video(tmp_path / "done" / f"{name}.mp4", clips[i].rgb, 5)
    table = benchmark.run(Folder.open(tmp_path / "done", 1), truths).table
    assert table.figure("phyre", "out", "dream", "psnr").mean == 100.0


def test_phyre_refuses():
    with pytest.raises(UserError, match="no metric named fid"):
        Phyre(metrics=("fid",))
    with pytest.raises(UserError, match="'in' or 'out' or both, got 'seen'"):
        Phyre(metrics=("ssim",)).run(Still([]), {"seen": []})
    with pytest.raises(UserError, match="at least 1 true clip"):
        Phyre(metrics=("ssim",)).run(Still([]), {"in": []})
    with pytest.raises(UserError, match="no end"):
        Phyre(metrics=("ssim",)).run(Still([]), {"in": Simulated(SCENES)})
    with pytest.raises(UserError, match=r"clip 0 of 'in' has 12 frames of 48 x 48 px, and the system makes 10 of 64 x 64"):
        Phyre(metrics=("ssim",)).run(Still([]), {"in": Simulated(WORLD, length=1)})
    assert from_json(to_json(Phyre())) == Phyre()


def test_the_papers_table_is_whole():
    assert {len(rows) for rows in PAPER.values()} == {4}
    assert all(row[0] <= row[1] for name in ("fvd", "lpips", "abnormal") for row in PAPER[name].values())
    assert all(row[0] >= row[1] for name in ("ssim", "psnr") for row in PAPER[name].values())
