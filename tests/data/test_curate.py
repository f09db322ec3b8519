"""Raw videos become clips: cuts at the exact frames, slow clips dropped, captions carried, nothing done twice or lost."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from kinema.cli import main
from kinema.core import Clip, UserError, from_json, to_json
from kinema.core.video import Reel, read_video, write_video
from kinema.data import Curation, Simulated, curate, open_dataset
from kinema.data.captions import Span, caption, read_captions
from kinema.data.shots import flow, motion, scan, shots
from kinema.simulators import scenario


def texture(seed: int, tint: tuple[float, float, float]) -> Tensor:
    """A picture [3,128,256] of waves of random direction, that repeats at its right edge."""
    rng = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(256.0), indexing="ij")
    waves = sum(
        torch.sin(2 * math.pi * (int(torch.randint(1, 9, (), generator=rng)) * x / 256 + float(torch.rand((), generator=rng)) * y / 20))
        for _ in range(6)
    )
    assert isinstance(waves, Tensor)
    return (0.5 + waves / 12)[None] * torch.tensor(tint)[:, None, None]


def pan(picture: Tensor, frames: int, speed: float) -> Tensor:
    """A window [t,3,64,96] that moves over the picture at `speed` px/frame."""
    rolled = [torch.roll(picture, -round(k * speed), 2)[:, 32:96, :96] for k in range(frames)]
    return (torch.stack(rolled) * 255).to(torch.uint8)


SCENES = (texture(0, (1.0, 0.3, 0.2)), texture(1, (0.2, 0.9, 0.4)), texture(2, (0.3, 0.4, 1.0)))


def raw(path: Path, *parts: Tensor, fps: float = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, torch.cat(parts), fps, lossless=False)
    return path


def three(path: Path) -> Path:
    """Scenes of 13, 20 and 9 frames: the first and the last move, the second stands still."""
    return raw(path, pan(SCENES[0], 13, 2), pan(SCENES[1], 20, 0), pan(SCENES[2], 9, 3))


HOW = Curation(num_frames=4)


def test_cuts_are_found_at_their_frames(tmp_path: Path) -> None:
    assert shots(scan(Reel(three(tmp_path / "a.mp4")))) == [(0, 13), (13, 33), (33, 42)]
    # Neither a fast pan, nor shaking, nor a flash is a cut; black frames part what lies around them.
    fast = raw(tmp_path / "b.mp4", pan(SCENES[0], 30, 16))
    shaking = raw(tmp_path / "c.mp4", torch.cat([pan(SCENES[0], 1, 0).roll(9 * (k % 3), 3) for k in range(30)]))
    flash = pan(SCENES[1], 30, 1)
    flash[12] = 255
    for path in (fast, shaking, raw(tmp_path / "d.mp4", flash)):
        assert shots(scan(Reel(path))) == [(0, 30)], path
    dark = torch.zeros(5, 3, 64, 96, dtype=torch.uint8)
    assert shots(scan(Reel(raw(tmp_path / "e.mp4", pan(SCENES[0], 10, 1), dark, pan(SCENES[0], 10, 1))))) == [(0, 10), (15, 25)]
    assert shots(scan(Reel(raw(tmp_path / "f.mp4", dark)))) == []


def test_a_reel_gives_the_frames_that_are_read_at_once(tmp_path: Path) -> None:
    path = three(tmp_path / "a.mp4")
    reel, whole = Reel(path), read_video(path)
    assert (reel.fps, reel.num_frames, reel.size) == (whole.fps, whole.num_frames, whole.size)
    assert torch.equal(torch.stack(list(reel.frames())), whole.rgb)
    small = torch.stack(list(reel.frames(16)))
    assert small.shape[1:] == (3, 16, 24)
    mean = torch.nn.functional.avg_pool2d(whole.rgb.float(), 4)
    assert float((small.float() - mean).abs().mean()) < 4  # swscale averages before it converts the colours
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"a\.mp4"):
        list(Reel(path).frames())


@pytest.mark.parametrize("speed", [0.0, 0.25, 1.0, 3.0])
def test_flow_of_a_shift(speed: float) -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")

    def at(k: float) -> Tensor:
        return 127 + 50 * torch.sin((x - k * speed) / 5 + y / 11) + 50 * torch.cos((x - k * speed) / 9 - y / 6)

    found = flow(at(0)[None], at(1)[None])[0, :, 8:-8, 8:-8]
    assert float((found - torch.tensor([speed, 0.0])[:, None, None]).norm(dim=0).mean()) < 0.02 + 0.15 * speed


def test_noise_is_no_motion() -> None:
    rng = torch.Generator().manual_seed(0)
    still = torch.full((8, 64, 64), 120.0) + 2 * torch.randn(8, 64, 64, generator=rng)
    assert motion(still) < HOW.min_flow
    assert motion(still[:1]) == 0.0


def test_motion_ranks_clips_as_their_true_flow_does() -> None:
    truth, found = [], []
    for name in ("uniform", "collision", "parabola"):
        for clip in Simulated(scenario(name, size=64, num_frames=8), fields=("rgb", "flow"), length=8):
            truth.append(float(clip.flow.norm(dim=1).mean()))
            found.append(motion(clip.rgb.float().mean(1)))
    assert spearmanr(truth, found)[0] > 0.8


def test_clips_are_cut_out(tmp_path: Path) -> None:
    three(tmp_path / "raw/sub/a.mp4")
    (tmp_path / "raw/sub/a.txt").write_text("three scenes")
    raw(tmp_path / "raw/b.mp4", pan(SCENES[1], 3, 2))
    (tmp_path / "raw/broken.mp4").write_bytes(b"no video")
    told: list[tuple[str, int, int]] = []
    result = curate(tmp_path / "raw", tmp_path / "new", HOW, report=lambda *args: told.append(args))
    assert told == [("b.mp4", 1, 3), ("broken.mp4", 2, 3), ("sub/a.mp4", 3, 3)]
    assert (result["kept"], result["dropped"], list(result["failed"])) == (5, {"slow": 5, "short": 1, "failed": 1}, ["broken.mp4"])
    assert {entry["source"] for entry in result["left out"] if entry["why"] == "slow"} == {"sub/a.mp4"}
    assert json.loads((tmp_path / "new/report.json").read_text()) == json.loads(json.dumps(result))
    data = open_dataset(tmp_path / "new")
    whole = read_video(tmp_path / "raw/sub/a.mp4")
    assert [clip.meta["start"] for clip in data] == [0.0, 0.4, 0.8, 3.3, 3.7]
    for clip in data:
        assert isinstance(clip, Clip)
        first = round(clip.meta["start"] * 10)
        assert (clip.num_frames, clip.fps, clip.dt, clip.text, clip.meta["source"]) == (4, 10.0, 0.1, "three scenes", "sub/a.mp4")
        assert float((clip.rgb.float() - whole.rgb[first : first + 4].float()).abs().mean()) < 4  # H.264 twice
        assert clip.meta["flow"] == pytest.approx(2 if first < 13 else 3, rel=0.3)


def test_clips_at_another_rate_and_size(tmp_path: Path) -> None:
    raw(tmp_path / "raw/a.mp4", pan(SCENES[0], 20, 2))
    curate(tmp_path / "raw", tmp_path / "new", Curation(num_frames=3, fps=5.0, short_side=32, lossless=True))
    data = open_dataset(tmp_path / "new")
    assert (len(data), data[1].fps, data[1].size, data[1].meta["start"]) == (3, 5.0, (32, 48), 0.6)
    small = list(Reel(tmp_path / "raw/a.mp4").frames(32))
    assert torch.equal(data[1].rgb, torch.stack([small[k] for k in (6, 8, 10)]))


@pytest.mark.parametrize("times", [2, 5])
def test_clips_at_a_rate_above_the_video_s_repeat_its_frames(tmp_path: Path, times: int) -> None:
    raw(tmp_path / "raw/a.mp4", pan(SCENES[0], 8, 3))
    curate(tmp_path / "raw", tmp_path / "new", Curation(num_frames=4, fps=10.0 * times, lossless=True, min_flow=0))
    data, whole = open_dataset(tmp_path / "new"), read_video(tmp_path / "raw/a.mp4").rgb
    shown = torch.cat([clip.rgb for clip in data])
    assert (len(data), data[0].fps) == (8 * times // 4, 10 * times)
    assert torch.equal(shown, whole[[min(math.floor(k / times + 0.5), 7) for k in range(8 * times)]])


def test_the_table_is_written_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(5):
        raw(tmp_path / f"raw/{k}.mp4", pan(SCENES[0], 4, 3))
    rows: list[int] = []

    def stopped(name: str, done: int, total: int) -> None:
        rows.append((tmp_path / "new/metadata.jsonl").read_text().count("\n"))
        if done == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[Curation.__module__], "WRITE_EVERY", 2)
    with pytest.raises(KeyboardInterrupt):
        curate(tmp_path / "raw", tmp_path / "new", HOW, report=stopped)
    assert rows == [0, 2, 2, 4, 4]
    assert len(open_dataset(tmp_path / "new")) == 5  # what was done until then


def test_captions_of_time_spans(tmp_path: Path) -> None:
    three(tmp_path / "raw/a.mp4")
    raw(tmp_path / "raw/b.mp4", pan(SCENES[1], 8, 2))
    table = tmp_path / "said.csv"
    table.write_text('file,start,end,caption\na,0,1.2,"red, moving"\na.mp4,1.2,3.5,then\na.mp4,,,a film\nb.mp4,0,9,green\n')
    curate(tmp_path / "raw", tmp_path / "new", HOW, table)
    texts = [clip.text for clip in open_dataset(tmp_path / "new")]
    assert texts == ["red, moving", "red, moving", "red, moving", "then", "a film", "green", "green"]
    (tmp_path / "said.txt").write_text("a.mp4\t0\t1.2\tred\nb\tgreen\n")
    spans = read_captions(tmp_path / "said.txt", ["a.mp4", "b.mp4"])
    assert (caption(spans["a.mp4"], (0, 1, 2)), caption(spans["b.mp4"], (0, 1, 2))) == ("red", "green")
    assert caption([Span(0, 1, "x"), Span(1, 3, "y"), Span(2, 3, "z")], (0.5, 1.5, 2.5)) == "x y z"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", "file,text\nzebra.mp4,hi\n", "row 1 names zebra.mp4, which is not among the videos"),
        ("x.csv", "file,text\nc,hi\n", r"row 1 names c, which may be c\.mkv or c\.mp4"),
        ("x.csv", "file\nc\n", "row 1 needs a video"),
        ("x.csv", "file,start,text\nc.mp4,soon,hi\n", "row 1 has start 'soon'"),
        ("x.jsonl", '{"file": "c.mp4", "start": 3, "end": 2, "text": "hi"}', "ends at 2 s, before it starts at 3 s"),
        ("x.jsonl", "hi", "line 1 is no JSON object"),
        ("x.txt", "c.mp4 hi\n", "row 1 has 1 columns"),
        ("x.srt", "hi", r"a table is a \.csv or a \.jsonl"),
    ],
)
def test_bad_captions_are_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        read_captions(tmp_path / name, ["c.mkv", "c.mp4"])


def program(path: Path, body: str) -> str:
    path.write_text(f"import sys, time\nfrom pathlib import Path\n{body}\n")
    return f"{sys.executable} {path}"


def test_a_captioner_is_asked(tmp_path: Path) -> None:
    three(tmp_path / "raw/a.mp4")
    raw(tmp_path / "raw/b.mp4", pan(SCENES[1], 4, 2))
    (tmp_path / "raw/b.txt").write_text("said before")
    body = "print(len(sys.argv[1:]), all(Path(p).read_bytes()[:4] == b'\\x89PNG' for p in sys.argv[1:]), '\\n pictures')"
    curate(tmp_path / "raw", tmp_path / "new", Curation(num_frames=4, captioner=program(tmp_path / "say.py", body)))
    assert [clip.text for clip in open_dataset(tmp_path / "new")] == ["3 True pictures"] * 5 + ["said before"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('no model here')", "ended with status 1: no model here"),
        ("pass", "printed no caption"),
        ("time.sleep(20)", "took longer than 0.5 s"),
    ],
)
def test_a_captioner_that_fails_is_named(tmp_path: Path, body: str, words: str) -> None:
    raw(tmp_path / "raw/a.mp4", pan(SCENES[0], 4, 2))
    how = Curation(num_frames=4, captioner=program(tmp_path / "say.py", body), timeout=0.5 if "sleep" in body else 60)
    with pytest.raises(UserError, match=rf"a\.mp4, clip at 0\.00 s: the captioner .*{words}"):
        curate(tmp_path / "raw", tmp_path / "new", how)
    for command, said in [("no-such-program", "cannot be started"), ("'", "is no command"), (" ", "a command was expected")]:
        with pytest.raises(UserError, match=said):
            curate(tmp_path / "raw", tmp_path / "other", Curation(num_frames=4, captioner=command), overwrite=True)


def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    three(tmp_path / "raw/a.mp4")
    count = tmp_path / "count"
    count.write_text("0")
    body = f"p = Path({str(count)!r}); n = int(p.read_text()) + 1; p.write_text(str(n)); print('clip', n) if n != 3 else sys.exit(1)"
    how = Curation(num_frames=4, captioner=program(tmp_path / "say.py", body))
    with pytest.raises(UserError, match=r"clip at 0\.80 s"):
        curate(tmp_path / "raw", tmp_path / "new", how)
    assert (tmp_path / "new/metadata.jsonl").read_text() == ""  # nothing half done is read as data
    first = (tmp_path / "new/clips/a/000000.mp4").stat().st_mtime_ns
    curate(tmp_path / "raw", tmp_path / "new", how)
    texts = [clip.text for clip in open_dataset(tmp_path / "new")]
    assert texts == ["clip 1", "clip 2", "clip 4", "clip 5", "clip 6"]
    assert (tmp_path / "new/clips/a/000000.mp4").stat().st_mtime_ns == first
    curate(tmp_path / "raw", tmp_path / "new", how)
    assert count.read_text() == "6"  # done is done
    (tmp_path / "new/clips/a/000004.mp4").unlink()
    raw(tmp_path / "raw/b.mp4", pan(SCENES[1], 4, 2))  # and what came since is added
    assert curate(tmp_path / "raw", tmp_path / "new", how)["kept"] == 6
    assert (count.read_text(), len(open_dataset(tmp_path / "new"))) == ("8", 6)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    raw(tmp_path / "raw/a.mp4", pan(SCENES[0], 8, 2))
    curate(tmp_path / "raw", tmp_path / "new", HOW)
    other = Curation(num_frames=8)
    with pytest.raises(UserError, match=r"made otherwise .*num_frames was 4, now 8"):
        curate(tmp_path / "raw", tmp_path / "new", other)
    assert curate(tmp_path / "raw", tmp_path / "new", other, overwrite=True)["kept"] == 1
    assert len(list((tmp_path / "new/clips").rglob("*.mp4"))) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    for out, words in [("mine", "holds other files"), ("raw", "lies in"), ("raw/new", "lies in"), ("mine/thesis.tex", "is a file")]:
        with pytest.raises(UserError, match=words):
            curate(tmp_path / "raw", tmp_path / out, HOW, overwrite=True)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        curate(tmp_path / "nowhere", tmp_path / "new", HOW)
    raw(tmp_path / "raw/a.mp4", pan(SCENES[0], 20, 0))
    with pytest.raises(UserError, match=r"no clip was kept \(5 slow\)"):
        curate(tmp_path / "raw", tmp_path / "new", HOW)
    for fields in ({"num_frames": 1}, {"short_side": 4}, {"cut": -1.0}, {"min_flow": math.nan}, {"fps": 0.0}, {"timeout": 0.0}):
        with pytest.raises(UserError, match=next(iter(fields))):
            Curation(**fields)  # type: ignore[arg-type]
    assert from_json(to_json(HOW)) == HOW


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three(tmp_path / "raw/a.mp4")
    command = ["data", "curate", str(tmp_path / "raw"), "--out", str(tmp_path / "new"), "--frames", "4"]
    assert main(command) == 0
    assert "5 clips of 1 videos kept (5 without a caption), 5 slow" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 5
    assert main([*command, "--cut", "20"]) == 2
    assert "say --overwrite" in capsys.readouterr().err
