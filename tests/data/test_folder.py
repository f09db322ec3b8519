"""Folders of videos, in the layouts that people have: each is recognised, captions and time steps are found, mistakes are named."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from kinema.core import Clip, UserError
from kinema.core.video import write_png, write_video
from kinema.data import Videos, generate, open_dataset
from kinema.simulators import scenario


def video(path: Path, shade: int, fps: float = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, torch.full((3, 3, 16, 16), shade, dtype=torch.uint8), fps)
    return path


def shades(folder: Path) -> list[tuple[int, str | None]]:
    return [(int(clip.rgb[0, 0, 0, 0]), clip.fields.get("text")) for clip in open_dataset(folder)]


def test_videos_with_texts_beside_them(tmp_path: Path) -> None:
    video(tmp_path / "b.mp4", 20)
    video(tmp_path / "a.mkv", 10)
    video(tmp_path / "sub/c.mp4", 30)
    (tmp_path / "b.txt").write_text("a blue ball\n")
    (tmp_path / "sub/c.txt").write_text("a cube")
    (tmp_path / "README.md").write_text("not a caption")
    assert shades(tmp_path) == [(10, None), (20, "a blue ball"), (30, "a cube")]
    clip = open_dataset(tmp_path)[1]
    assert (clip.fps, clip.dt) == (10.0, 0.1)
    assert clip.meta["file"] == str(tmp_path / "b.mp4")
    assert open_dataset(tmp_path, dt=0.5)[0].dt == 0.5


@pytest.mark.parametrize("column", ["file_name", "video", "path"])
@pytest.mark.parametrize("caption", ["text", "caption", "prompt"])
def test_metadata_csv(tmp_path: Path, column: str, caption: str) -> None:
    video(tmp_path / "clips/x.mp4", 40)
    video(tmp_path / "y.mp4", 50, fps=5)
    (tmp_path / "metadata.csv").write_text(f'{column},{caption},dt,author\nclips/x.mp4,"red, then blue",,ann\ny.mp4,fast,0.02,bob\n')
    assert shades(tmp_path) == [(40, "red, then blue"), (50, "fast")]
    first, second = open_dataset(tmp_path)
    assert (first.dt, second.fps, second.dt) == (0.1, 5.0, 0.02)
    assert second.meta["author"] == "bob"


def test_metadata_jsonl(tmp_path: Path) -> None:
    video(tmp_path / "x.mp4", 60)
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "x.mp4", "text": "ein Würfel", "dt": 0.04}) + "\n\n")
    assert shades(tmp_path) == [(60, "ein Würfel")]
    assert open_dataset(tmp_path)[0].dt == 0.04


def test_prompts_and_videos(tmp_path: Path) -> None:
    video(tmp_path / "videos/1.mp4", 70)
    video(tmp_path / "videos/2.mp4", 80)
    (tmp_path / "videos.txt").write_text("videos/2.mp4\nvideos/1.mp4\n")
    (tmp_path / "prompts.txt").write_text("second\nfirst\n")
    assert shades(tmp_path) == [(80, "second"), (70, "first")]
    (tmp_path / "prompts.txt").write_text("second\n")
    with pytest.raises(UserError, match="line by line"):
        open_dataset(tmp_path)


def test_one_file_saved_clips_and_pictures(tmp_path: Path) -> None:
    assert len(open_dataset(video(tmp_path / "one/x.mp4", 90))) == 1
    (tmp_path / "two").mkdir()
    Clip(rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), fps=4, dt=0.5, text="dark").save(tmp_path / "two/dream.safetensors")
    clip = open_dataset(tmp_path / "two")[0]
    assert (clip.dt, clip.text) == (0.5, "dark")
    (tmp_path / "three").mkdir()
    write_png(tmp_path / "three/x.png", torch.zeros(3, 8, 8))
    assert open_dataset(tmp_path / "three")[0].num_frames == 1


def test_shards_are_recognised(tmp_path: Path) -> None:
    generate(tmp_path, scenario("uniform", size=16, num_frames=3), num=2)
    assert open_dataset(tmp_path)[1].text.startswith("A red ball")
    with pytest.raises(UserError, match="its own fps and dt"):
        open_dataset(tmp_path, dt=1.0)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"looked for card\.json.*metadata\.jsonl.*\.mp4"):
        open_dataset(tmp_path)
    table = tmp_path / "metadata.csv"
    for content, words in [
        ("file_name,text\nabsent.mp4,x\n", "row 1 names absent.mp4"),
        ("name,text\na.mp4,x\n", "names no video"),
        ("file_name,text\n", "nothing to read"),
        ("file_name,text\ntests.mp4,red, then blue\n", "row 1 has more cells"),
    ]:
        table.write_text(content)
        with pytest.raises(UserError, match=words):
            open_dataset(tmp_path)
    video(tmp_path / "x.mp4", 1)
    table.write_text("file_name,dt\nx.mp4,soon\n")
    with pytest.raises(UserError, match="row 1 has dt 'soon'"):
        open_dataset(tmp_path)
    table.unlink()
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "x.mp4"}\n{"file_name"\n')
    with pytest.raises(UserError, match="line 2"):
        open_dataset(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes(b'{"file_name": "x.mp4", "text": "\xff"}')
    with pytest.raises(UserError, match=r"metadata\.jsonl: is no UTF-8"):
        open_dataset(tmp_path)
    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "videos.txt").write_text("x.mp4\n")
    (tmp_path / "prompts.txt").write_bytes(b"\xff\n")
    with pytest.raises(UserError, match=r"prompts\.txt: is no UTF-8"):
        open_dataset(tmp_path)


def test_a_bad_video_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video")
    dataset = open_dataset(tmp_path)
    with pytest.raises(UserError, match=r"x\.mp4"):
        dataset[0]


def test_a_dataset_travels_to_a_worker(tmp_path: Path) -> None:
    video(tmp_path / "x.mp4", 5)
    dataset = open_dataset(tmp_path)
    copy = pickle.loads(pickle.dumps(dataset))
    assert isinstance(copy, Videos)
    assert torch.equal(copy[0].rgb, dataset[0].rgb)
