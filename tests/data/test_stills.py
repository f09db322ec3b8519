"""Pictures as clips: which are drawn, how they stack with videos, how Fitted keeps what moves a camera."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from kinema.core import Camera, Clip, UserError, from_json, to_json
from kinema.core.video import write_png, write_video
from kinema.data import Dataset, Fitted, Mixture, Prompted, Simulated, Stills, Subset, Videos, open_dataset
from kinema.data.fitted import fitted
from kinema.simulators import scenario


def pictures(folder: Path, count: int = 5) -> Dataset:
    """Picture k has the shade 40 k and the caption "picture k"; the last one has no caption."""
    folder.mkdir()
    for k in range(count):
        write_png(folder / f"{k}.png", torch.full((3, 12, 20), 40 * k, dtype=torch.uint8))
        if k < count - 1:
            (folder / f"{k}.txt").write_text(f"picture {k}")
    return open_dataset(folder)


def test_pictures_of_a_folder_are_samples(tmp_path: Path) -> None:
    stills = Stills(pictures(tmp_path / "p"), num_frames=4, size=8, fps=8.0)
    seen = set()
    for i in range(20):
        clip = stills[i]
        assert (tuple(clip.rgb.shape), clip.fps, clip.text, clip.meta["images"]) == ((4, 3, 8, 8), 8.0, "", True)
        shades = [int(frame[0, 0, 0]) // 40 for frame in clip.rgb]
        assert len(set(shades)) == 4  # different pictures
        assert clip.meta["captions"] == tuple("" if k == 4 else f"picture {k}" for k in shades)
        seen |= set(shades)
    assert seen == set(range(5))
    assert torch.equal(from_json(to_json(stills))[7].rgb, stills[7].rgb)


def test_frames_of_videos_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for k in range(3):
        frames = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 3, 16, 16) + 50 * k
        write_video(tmp_path / f"v/{k}.mp4", frames.contiguous(), 10)
        (tmp_path / f"v/{k}.txt").write_text(str(k))
    stills = Stills(Videos(str(tmp_path / "v")), num_frames=3, size=16)
    samples = [stills[i] for i in range(12)]
    shades = [(int(x[0, 0, 0]), said) for clip in samples for x, said in zip(clip.rgb, clip.meta["captions"], strict=True)]
    assert {divmod(shade, 50)[0] == int(caption) for shade, caption in shades} == {True}
    assert len({shade for shade, _ in shades}) == 12  # every frame of every video, sooner or later
    few = Stills(Videos(str(tmp_path / "v")), num_frames=5, size=16)[0]
    assert few.num_frames == 5
    endless = Stills(Simulated(scenario("uniform", size=16, num_frames=3)), num_frames=2, size=16)
    assert endless.length is None
    assert not torch.equal(endless[0].rgb, endless[1].rgb)


def test_of_a_video_the_drawn_frame_alone_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v").mkdir()
    for k in range(2):
        frames = torch.arange(9, dtype=torch.uint8)[:, None, None, None].expand(9, 3, 16, 16) + 50 * k
        write_video(tmp_path / f"v/{k}.mp4", frames.contiguous(), 10, text=f"film {k}")
    (tmp_path / "w").mkdir()
    Clip(rgb=torch.full((3, 3, 16, 16), 90, dtype=torch.uint8), fps=10).save(tmp_path / "w/2.safetensors")
    for folder, count in (("v", 2), ("w", 1)):
        videos = Videos(str(tmp_path / folder))
        alone = Stills(videos, num_frames=count, size=16)
        whole = Stills(Subset(videos, indices=tuple(range(count))), num_frames=count, size=16)
        expected = [whole[i] for i in range(4)]
        with monkeypatch.context() as patch:
            patch.setattr(Videos, "read", None)
            for i, clip in enumerate(expected):
                assert torch.equal(alone[i].rgb, clip.rgb)
                assert alone[i].meta == clip.meta
    videos = Videos(str(tmp_path / "v"))
    assert videos.num_frames(1) == 9
    assert videos.excerpt(1, 3, 5).rgb[:, 0, 0, 0].tolist() == [53, 54]


def test_pictures_stack_with_videos(tmp_path: Path) -> None:
    world = Simulated(scenario("uniform", size=16, num_frames=4), length=3)
    stills = Stills(pictures(tmp_path / "p"), num_frames=4, size=16)
    mixed = Prompted(Mixture((stills, world), weights=(1, 1), length=30), fps=8.0, dt=0.125)
    batch = Clip.stack([mixed[i] for i in range(30)])
    images = [bool(clip.get("images")) for clip in batch.meta["clips"]]
    assert 5 < sum(images) < 25
    assert batch.actions.isnan().all()
    for clip, image in zip(batch.meta["clips"], images, strict=True):
        assert len(clip.get("captions", ())) == (4 if image else 0)


def test_bad_stills(tmp_path: Path) -> None:
    world = Simulated(scenario("uniform", size=16, num_frames=3))
    for fields, words in [({"num_frames": 0}, "num_frames"), ({"size": 0}, "size"), ({"length": -1}, "length")]:
        with pytest.raises(UserError, match=words):
            Stills(world, **fields)
    with pytest.raises(UserError, match="empty"):
        Stills(Simulated(world.scenario, length=0))[0]


def filmed(frames: int = 12, fps: float = 12.0, size: tuple[int, int] = (20, 32)) -> Clip:
    """Row k of the actions: speed k, yaw rate 10 k, steps k / fps and 10 k / fps."""
    row = torch.arange(frames, dtype=torch.float64)
    actions = torch.stack([row, 10 * row, row / fps, 10 * row / fps], 1)
    k = torch.tensor([[20.0, 0, 16], [0, 20, 10], [0, 0, 1]], dtype=torch.float64).expand(frames, 3, 3)
    pose = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    pose[:, 0, 3] = row
    rgb = (torch.arange(frames)[:, None, None, None] * 10).expand(frames, 3, *size).to(torch.uint8)
    return Clip(rgb=rgb, actions=actions, camera=Camera(k, pose), fps=fps, text="a drive")


class One(Dataset):
    """A dataset of one clip."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    @property
    def length(self) -> int:
        return 1

    def read(self, index: int) -> Clip:
        return self.clip


@pytest.mark.parametrize("ratio", [1, 2, 3, 1.5])
def test_fitted_actions_are_what_happens_between_the_frames_that_stay(ratio: float) -> None:
    clip = filmed()
    small = fitted(clip, 10, clip.fps / ratio)
    kept = [int(frame[0, 0, 0]) // 10 for frame in small.rgb]
    assert kept == [int(x) for x in small.camera.pose[:, 0, 3]]  # the poses of those very frames
    for k, (a, b) in enumerate(pairwise(kept)):
        rows = clip.actions[a:b]
        wanted = torch.cat([rows[:, :2].mean(0), rows[:, 2:].sum(0)])
        torch.testing.assert_close(small.actions[k], wanted)
    assert small.text == "a drive"


def test_fitted_camera_sees_points_where_the_picture_shows_them() -> None:
    clip = filmed()
    small = Fitted(One(clip), size=10, num_frames=5, fps=12.0, anywhere=False)[0]
    point = torch.tensor([[[0.7, -0.4, 3.0]]], dtype=torch.float64).expand(12, 1, 3)
    before, after = clip.camera.project(point)[:5, 0], small.camera.project(point[:5])[:, 0]
    side, left = 20, 6  # the central square of 20 x 32 px
    torch.testing.assert_close(after, (before - torch.tensor([left, 0.0])) * 10 / side)


def test_what_fitted_leaves_out() -> None:
    clip = filmed()
    assert not fitted(clip, 10, 24.0).has("actions")  # more frames than there are
    assert not fitted(clip.replace(actions=torch.zeros(12, 3)), 10, 6.0).has("actions")  # PHYRE's, which are no motion
    assert fitted(clip.replace(actions=torch.zeros(12, 3)), 10, 12.0).has("actions")
