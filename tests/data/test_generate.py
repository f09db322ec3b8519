"""Dataset folders: the same bytes whoever does the work and however often it is killed; damage is named."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import kinema
from kinema import cli
from kinema.core import UserError
from kinema.core.video import read_video_bytes
from kinema.data import generate, open_dataset, shards
from kinema.data.card import command, read_card
from kinema.data.engine import run
from kinema.data.validate import difference
from kinema.simulators import make, scenario

from ..worlds import FLAT


def small(name: str = "collision", **fields: Any) -> Any:
    return scenario(name, **{"size": 32, "num_frames": 6, **fields})


def hashes(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("store", ["bodies", "all"])
def test_clips_come_back_bit_for_bit(tmp_path: Path, name: str, store: Any) -> None:
    world = small(name, fps=5.0, dt=0.1, flip=True)
    generate(tmp_path / "d", world, num=3, seed=7, store=store)
    dataset = open_dataset(tmp_path / "d")
    assert len(dataset) == 3
    for i, clip in enumerate(dataset):
        assert difference(clip, make(world, 7, i)) == ""
        assert (clip.fps, clip.dt) == (5.0, 0.1)


def test_fields_are_read_as_asked(tmp_path: Path) -> None:
    generate(tmp_path / "d", small(), num=2)
    assert not open_dataset(tmp_path / "d", ("rgb",))[0].has("flow")
    clip = open_dataset(tmp_path / "d", ("backward_flow",))[0]
    assert clip.has("backward_flow", "bodies", "text")
    assert not clip.has("rgb")
    with pytest.raises(UserError, match="warmth"):
        open_dataset(tmp_path / "d", ("warmth",))
    dataset = open_dataset(tmp_path / "d")
    assert difference(dataset[1], pickle.loads(pickle.dumps(dataset))[1]) == ""


def test_a_split_is_drawn_from(tmp_path: Path) -> None:
    generate(tmp_path / "d", small("uniform"), num=20, split="r")
    radii = torch.stack([clip.bodies["radius"][0, 0] for clip in open_dataset(tmp_path / "d", ())])
    assert not ((radii > 0.7) & (radii < 1.4)).any()
    assert {clip.meta["params"]["outside"][0] for clip in open_dataset(tmp_path / "d", ())} == {"radius"}


def test_shards_are_tar_files_as_webdataset_reads_them(tmp_path: Path) -> None:
    generate(tmp_path / "d", small(), num=5, shard_size=2, seed=3)
    card = json.loads((tmp_path / "d/card.json").read_text())
    assert [s["clips"] for s in card["shards"]] == [2, 2, 1]
    seen = []
    for entry in card["shards"]:
        path = tmp_path / "d" / entry["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        with tarfile.open(path) as tar:
            for info in tar:
                assert (info.mtime, info.uid, info.gid, info.uname) == (0, 0, 0, "")
                key, extension = info.name.split(".", 1)  # WebDataset: the key ends at the first dot
                data = tar.extractfile(info)
                assert data is not None
                if extension == "mp4":
                    seen.append(key)
                    assert torch.equal(read_video_bytes(data.read()).rgb, make(small(), 3, int(key)).rgb)
    assert seen == [f"{i:08d}" for i in range(5)]
    assert "kinema simulate collision --num 5 --seed 3" in (tmp_path / "d/README.md").read_text()


def test_worker_count_changes_no_byte(tmp_path: Path) -> None:
    generate(tmp_path / "one", small(), num=12, shard_size=4, workers=1)
    generate(tmp_path / "two", small(), num=12, shard_size=4, workers=2)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_killed_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    num, killed = 96, tmp_path / "killed"
    flags = ["--num", str(num), "--size", "64", "--frames", "32", "--shard-size", "8", "--workers", "2", "--out", str(killed)]
    process = subprocess.Popen([sys.executable, "-m", "kinema", "simulate", "bounce", *flags], stdout=subprocess.DEVNULL)
    finished: list[Path] = []
    deadline = time.monotonic() + 60
    while len(finished) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
        finished = sorted((killed / "shards").glob("0*.tar"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = children.read_text().split() if children.exists() else []
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(finished) >= 2
    assert not (killed / "index.safetensors").exists(), "it was to be killed before its end"
    with pytest.raises(UserError, match="not complete"):
        open_dataset(killed)
    while any(_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if _alive(worker)], "workers outlived their parent"
    written = {path: path.stat().st_mtime_ns for path in finished}
    world = scenario("bounce", size=64)
    generate(killed, world, num=num, shard_size=8)
    assert written == {path: path.stat().st_mtime_ns for path in finished}, "finished shards are kept"
    generate(tmp_path / "whole", world, num=num, shard_size=8)
    assert hashes(killed) == hashes(tmp_path / "whole")


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_another_dataset_is_not_overwritten(tmp_path: Path) -> None:
    generate(tmp_path / "d", small(), num=4)
    before = hashes(tmp_path / "d")
    for change, word in [
        ({"num": 5}, "num"), ({"seed": 1}, "seed"), ({"split": "ood"}, "split"), ({"store": "all"}, "store"),
        ({"shard_size": 3}, "shard_size"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=word):
            generate(tmp_path / "d", small(), **{"num": 4, **change})  # type: ignore[arg-type]
    with pytest.raises(UserError, match="size is 32 there, 16 here"):
        generate(tmp_path / "d", small(size=16), num=4)
    assert hashes(tmp_path / "d") == before
    generate(tmp_path / "d", small(), num=4)
    assert hashes(tmp_path / "d") == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        generate(tmp_path / "notes", small(), num=4)
    with pytest.raises(UserError, match="is a file"):
        generate(tmp_path / "notes/mine.txt", small(), num=4)


def test_a_dataset_begun_by_other_versions_is_not_gone_on_with(tmp_path: Path) -> None:
    generate(tmp_path / "d", small(), num=4)
    card = json.loads((tmp_path / "d/card.json").read_text())
    (tmp_path / "d/card.json").write_text(json.dumps({**card, "complete": False, "versions": {**card["versions"], "av": "1.0"}}))
    with pytest.raises(UserError, match=r"av is 1\.0 there"):
        generate(tmp_path / "d", small(), num=4)


def test_bad_requests(tmp_path: Path) -> None:
    for words, request in {
        "num": {"num": 0}, "shard size": {"num": 2, "shard_size": -1}, "split": {"num": 2, "split": "sideways"},
        "engine": {"num": 2, "on": "moon"}, "workers": {"num": 2, "workers": -1}, "store": {"num": 2, "store": "some"},
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=words):
            generate(tmp_path / "d", small(), **request)  # type: ignore[arg-type]


# --- damage -------------------------------------------------------------------------------------------------------------


def damaged(folder: Path, how: str) -> Path:
    """A dataset whose shard 1 (clips 2 and 3) has come to harm."""
    generate(folder, small(), num=6, shard_size=2)
    path = folder / "shards/000001.tar"
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:1500])
    else:
        data[700] ^= 1
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["missing", "cut", "flipped"])
def test_damage_is_named_and_repaired(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "d"
    path = damaged(folder, how)
    dataset = open_dataset(folder)
    assert dataset[0].num_frames == 6
    with pytest.raises(UserError, match=r"000001\.tar.*(missing|damaged)"):
        [dataset[2], dataset[3]]
    if how != "flipped":
        with pytest.raises(UserError, match=r"000001\.tar"):
            shards.scan(path)
    generate(folder, small(), num=6, shard_size=2)
    generate(tmp_path / "new", small(), num=6, shard_size=2)
    assert hashes(folder) == hashes(tmp_path / "new")


def test_the_card_says_how_to_make_the_dataset_again(tmp_path: Path) -> None:
    generate(tmp_path / "flags", small("uniform", fps=29.97002997, dt=0.1), num=2, split="v")
    said = command(read_card(tmp_path / "flags"))
    assert cli.main([*said.replace("FOLDER", str(tmp_path / "again")).split()[1:]]) == 0
    assert hashes(tmp_path / "again") == hashes(tmp_path / "flags")
    generate(tmp_path / "fields", small("uniform", flip=True, speed=((1.0, 2.0),)), num=2)
    said = command(read_card(tmp_path / "fields"))
    eval(said.replace("FOLDER", str(tmp_path / "fields again")), {"kinema": kinema})
    assert hashes(tmp_path / "fields again") == hashes(tmp_path / "fields")


def test_a_damaged_index_or_card_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    generate(folder, small(), num=2)
    (folder / "index.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="index"):
        open_dataset(folder)
    generate(folder, small(), num=2)
    assert len(open_dataset(folder)) == 2
    (folder / "card.json").write_text("{")
    with pytest.raises(UserError, match=r"card\.json"):
        open_dataset(folder)
    start = {"kind": "kinema dataset", "format": 1}
    names = ("complete", "name", "shared", "fps", "dt", "size", "frames", "members", "counts", "shards", "versions")
    whole = dict.fromkeys(names, True)
    for content in ([], start, {**start, **whole, "job": {}}, {**start, **whole, "job": {"scenario": "uniform"}}):
        (folder / "card.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"card\.json"):
            open_dataset(folder)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", full)
        with pytest.raises(UserError, match=r"000000\.tar.*disk is full"):
            generate(tmp_path / "d", small(), num=4)
    assert list((tmp_path / "d/shards").iterdir()) == []
    generate(tmp_path / "d", small(), num=4)
    assert len(open_dataset(tmp_path / "d")) == 4


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    generate(tmp_path / "d", small(), num=2)
    with (tmp_path / "d/.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            generate(tmp_path / "d", small(), num=2)


def test_the_engine_hands_on_errors() -> None:
    with pytest.raises(UserError, match="engine"):
        run(divmod, [(1, 2)], on="moon")
    assert list(run(divmod, [(7, 2), (9, 4)])) == [(3, 1), (2, 1)]
    with pytest.raises(ZeroDivisionError):
        list(run(divmod, [(7, 2), (1, 0)], workers=2))
    with pytest.raises(UserError, match="worker process died"):
        list(run(os._exit, [(3,), (3,)], workers=2))


def test_a_split_that_needs_a_field_is_written_and_said(tmp_path: Path) -> None:
    """The split lies in the scenario's own holes, so no command line can make it: the card gives a line of Python."""
    world = scenario("collision", size=16, num_frames=4, speed_holes=(((2.0, 3.0), (2.0, 3.0)),))
    generate(tmp_path / "d", world, num=2, split="speed_hole")
    assert all(2 <= v <= 3 for clip in open_dataset(tmp_path / "d") for v in clip.meta["params"]["speed"])
    assert "kinema.data.generate(" in (tmp_path / "d/README.md").read_text(encoding="utf-8")
