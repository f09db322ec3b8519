"""`kinema score`, `bench` and `demo` from the command line: what they print, what they write, how they refuse."""

import json

import pytest

from kinema.cli import main
from kinema.core.video import write_video
from kinema.simulators import make, scenario


@pytest.fixture(autouse=True)
def one_model(monkeypatch):
    """The test double of tests/benchmarks in place of the shipped model."""
    import importlib.util
    from pathlib import Path

    from kinema.world_model import WorldModel

    spec = importlib.util.spec_from_file_location("fake", Path(__file__).parents[1] / "benchmarks" / "fake.py")
    fake = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "fake", fake)
    spec.loader.exec_module(fake)
    monkeypatch.setattr(WorldModel, "from_pretrained", classmethod(lambda cls, name="planar": fake.Lawful(speed=0.9)))


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for i in range(2):
        clip = make(scenario("uniform", size=48, num_frames=12), 4, i, ("rgb",))
        write_video(folder / f"clip{i}.mp4", clip.rgb, clip.fps)
    return folder


def test_demo(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--num", "1"]) == 0
    said = capsys.readouterr()
    for word in ("velocity", "momentum", "energy", "dream", "textbook", "repeat", "floor", "in distribution", "out of distribution"):
        assert word in said.out
    assert "dream: collision" in said.err
    assert {"report.html", "results.json", "samples.csv", "collision-id-0-dream.mp4", "parabola-ood-0-truth.mp4"} <= {
        f.name for f in out.iterdir()
    }


def test_demo_as_json(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--num", "1", "--json"]) == 0
    assert {row["source"] for row in json.loads(capsys.readouterr().out)["rows"]} == {"dream", "textbook", "repeat", "floor"}


def test_score_beside_a_truth(videos, tmp_path, capsys):
    assert main(["score", str(videos), "--truth", str(videos), "--out", str(tmp_path / "out"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert next(r for r in data["rows"] if r["source"] == "dream")["figures"]["velocity"]["mean"] == 0.0
    assert (tmp_path / "out" / "report.html").exists()


def test_score_of_chosen_metrics(videos, tmp_path, capsys):
    files = [str(f) for f in sorted(videos.iterdir())]
    assert main(["score", *files, "--metrics", "lost", "new", "--out", str(tmp_path / "out")]) == 0
    assert "lost" in capsys.readouterr().out


def test_bench(tmp_path, capsys):
    assert main(["bench", "phyworld", "planar", "--num", "2", "--laws", "uniform", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "DiT-B 3M" in said
    assert "0.0138" in said
    assert json.loads((tmp_path / "out" / "results.json").read_text())["interval"]["level"] == 0.95


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["score", "nothing.mp4"], "nothing.mp4: there is no such file"),
        (["bench", "physworld", "planar"], "has no verb 'physworld' (did you mean 'phyworld'?)"),
        (["bench", "phyworld", "planar", "--num", "0"], "at least 1 clip"),
        (["demo", "--seed", "3"], "belong to training"),
        (["demo", "--num", "0"], "at least 1 clip"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, sentence, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_written(videos, capsys):
    assert main(["score", str(videos), "--out", "/proc/nowhere"]) == 2
    assert "/proc/nowhere" in capsys.readouterr().err
