"""`kinema simulate` and `kinema data`, as they are typed."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kinema.cli import main
from kinema.cli.train import _fed
from kinema.core.video import read_video, write_video
from kinema.data import Simulated, open_dataset, to_phyworld
from kinema.recipes import codec
from kinema.simulators import scenario

SMALL = ["--num", "4", "--size", "32", "--frames", "5"]


def simulate(out: Path, *flags: str) -> int:
    return main(["simulate", "collision", *SMALL, "--out", str(out), *flags])


def test_simulate_inspect_preview_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, picture = str(tmp_path / "d"), str(tmp_path / "sheet.png")
    assert simulate(tmp_path / "d", "--fps", "5", "--dt", "0.1", "--split", "ood", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["counts"]["clips"], card["fps"], card["dt"], card["job"]["split"]) == (4, 5.0, 0.1, "ood")
    assert main(["data", "inspect", folder, "--json"]) == 0
    assert "rendered when read" in json.loads(capsys.readouterr().out)["fields"]["flow"]
    assert main(["data", "inspect", folder]) == 0
    assert "collision, split ood" in capsys.readouterr().out
    assert main(["data", "preview", folder, "--out", picture, "--clips", "2"]) == 0
    assert read_video(picture).num_frames == 1
    capsys.readouterr()
    assert main(["data", "validate", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    next((tmp_path / "d/shards").glob("*.tar")).unlink()
    assert main(["data", "validate", folder]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_the_time_step_follows_fps_unless_it_is_given(tmp_path: Path) -> None:
    assert simulate(tmp_path / "a", "--fps", "20") == 0
    assert simulate(tmp_path / "b", "--fps", "20", "--dt", "0.3") == 0
    assert [open_dataset(tmp_path / name)[0].dt for name in "ab"] == [0.05, 0.3]


def test_plain_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "x.mp4", torch.zeros(3, 3, 20, 30, dtype=torch.uint8), 12)
    assert main(["data", "inspect", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["first clip"] == "3 frames of 30 x 20 px"
    assert main(["data", "preview", str(tmp_path), "--out", str(tmp_path / "p.png")]) == 0
    assert main(["data", "validate", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--num", "0"], "num"), (["--num", "-3"], "num"), (["--size", "0"], "size"), (["--frames", "1"], "frames"),
        (["--fps", "0"], "fps"), (["--fps", "nan"], "fps"),
        (["--dt", "-1"], "dt"), (["--split", "up"], "split"), (["--shard-size", "0"], "shard-size"),
        (["--workers", "0"], "workers"), (["--on", "moon"], "moon"), (["--out", "/dev/null/x"], "/dev/null/x"),
    ],
)  # fmt: skip
def test_bad_flags_are_named(tmp_path: Path, flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path / "d", *flags) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1


def test_bad_folders_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("inspect", "preview", "validate"):
        for folder in (tmp_path / "nowhere", tmp_path):
            assert main(["data", verb, str(folder)]) == 2
            assert str(folder) in capsys.readouterr().err
    simulate(tmp_path / "d")
    assert main(["data", "preview", str(tmp_path / "d"), "--out", str(tmp_path / "x.gif")]) == 2
    assert ".png" in capsys.readouterr().err


def test_ctrl_c_leaves_a_folder_to_go_on_with(tmp_path: Path) -> None:
    out = tmp_path / "d"
    flags = ["--num", "400", "--size", "64", "--shard-size", "2", "--workers", "1", "--out", str(out)]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a suite that runs in the background has it ignored
    command = [sys.executable, "-m", "kinema", "simulate", "uniform", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    while process.poll() is None and not list((out / "shards").glob("0*.tar")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert len(err.splitlines()) == 1
    assert not list((out / "shards").glob(".tmp-*"))


def test_a_dataset_is_written_for_others_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = str(tmp_path / "d"), str(tmp_path / "x.hdf5")
    assert simulate(tmp_path / "d", "--frames", "6") == 0
    capsys.readouterr()
    flags = ["--to", "phyworld", "--out", file, "--size", "48", "--frames", "5", "--num", "3"]
    assert main(["data", "convert", folder, *flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": file, "to": "phyworld", "clips": 3, "layout": "collision", "bytes": Path(file).stat().st_size,
    }  # fmt: skip
    assert main(["data", "inspect", file, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["scenario"], facts["clips"], facts["first clip"]) == ("collision", 3, "5 frames of 48 x 48 px")
    assert (facts["states"], sum(facts["buckets"].values()), facts["dt"]) == ("r1, r2, v1, v2", 3, "0.1 s")
    assert main(["data", "preview", file, "--out", str(tmp_path / "p.png")]) == 0
    assert main(["data", "validate", file]) == 0
    assert "pixels against states" in capsys.readouterr().out


def test_converting_refuses_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path / "d") == 0
    (tmp_path / "there.hdf5").write_text("mine")
    for flags, words in [
        (["--out", str(tmp_path / "x.hdf5")], "clip 0: has 5 frames, 32 are to be written; --frames says how many"),
        (["--out", str(tmp_path / "there.hdf5"), "--frames", "5"], "exists; --overwrite replaces it"),
        (["--out", str(tmp_path / "x.mp4")], "written as .hdf5"),
        (["--out", str(tmp_path / "x.hdf5"), "--size", "-1"], "--size must be 0 or more"),
        (["--out", str(tmp_path / "x.hdf5"), "--num", "5"], "5 clips cannot be written of a dataset of 4"),
    ]:
        capsys.readouterr()
        assert main(["data", "convert", str(tmp_path / "d"), *flags]) == 2
        assert words in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "there.hdf5"]
    assert (tmp_path / "there.hdf5").read_text() == "mine"


def test_training_on_published_files_goes_by_their_time_step(tmp_path: Path) -> None:
    """Their videos play at 5 fps, the model's clips at 10; both have 0.1 s between frames, so no frame is shown twice."""
    to_phyworld(Simulated(scenario("uniform", size=32), fields=("rgb",), length=4), tmp_path / "x.hdf5", size=None)
    stage = replace(codec.tiny(), probes=1)
    assert (stage.blueprint.fps, stage.blueprint.dt) == (10.0, 0.1)
    clip = _fed(stage, str(tmp_path / "x.hdf5")).data[0]
    assert (clip.fps, clip.dt, clip.num_frames) == (10.0, 0.1, stage.blueprint.num_frames)
    assert (clip.rgb[1:] != clip.rgb[:-1]).flatten(1).any(1).all()
