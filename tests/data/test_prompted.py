"""What a prompted model is fed: words and actions of every world or their absence, pictures beside videos, kept or encoded anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kinema.cli.train import _fed
from kinema.conditions import Actions
from kinema.core import Clip, UserError
from kinema.core.video import write_png, write_video
from kinema.data import Prompted, generate
from kinema.recipes import dreamer
from kinema.simulators import scenario
from kinema.training import Stage
from kinema.training.stage import _Encoder, _OnceInFull


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Six videos, one without a caption; four captioned pictures."""
    for k in range(6):
        (tmp_path / "v").mkdir(exist_ok=True)
        write_video(tmp_path / f"v/{k}.mp4", torch.randint(0, 255, (7, 3, 20, 24), dtype=torch.uint8), 10)
        if k:
            (tmp_path / f"v/{k}.txt").write_text(f"video {k}")
    (tmp_path / "p").mkdir()
    for k in range(4):
        write_png(tmp_path / f"p/{k}.png", torch.full((3, 24, 32), 60 * k, dtype=torch.uint8))
        (tmp_path / f"p/{k}.txt").write_text(f"picture {k}")
    return str(tmp_path / "v"), str(tmp_path / "p")


def test_a_folder_of_videos_gives_words_and_no_actions(folders: tuple[str, str]) -> None:
    stage = _fed(replace(dreamer.tiny(), probes=1), folders[0])
    assert isinstance(stage.data, Prompted)
    texts = {clip.text for clip in [*stage.data, *stage.held_out]}
    assert texts == {"", *(f"video {k}" for k in range(1, 6))}
    assert all(clip.actions.isnan().all() and clip.actions.shape == (5, 4) for clip in stage.data)


def test_a_dataset_of_ours_keeps_its_words(tmp_path: Path) -> None:
    generate(tmp_path, scenario("uniform", size=16, num_frames=5), num=3)
    clip = _fed(replace(dreamer.tiny(), probes=1), str(tmp_path)).data[0]
    assert clip.text.startswith("A red ball")
    assert set(clip.fields) == {"rgb", "text", "actions"}


def test_several_folders_are_learnt_from_together(folders: tuple[str, str], tmp_path: Path) -> None:
    generate(tmp_path / "ours", scenario("uniform", size=16, num_frames=5), num=3)
    stage = _fed(replace(dreamer.tiny(), probes=2), (folders[0], str(tmp_path / "ours")))
    texts = [clip.text for clip in [*stage.data, *stage.held_out]]
    assert len(texts) == 9
    assert sum(text.startswith("A red ball") for text in texts) == 3
    Clip.stack([stage.data[i] for i in range(7)])
    pictures = replace(dreamer.tiny(), probes=1, cache=False)
    pictures = replace(pictures, blueprint=replace(pictures.blueprint, conditions=()))
    assert set(_fed(pictures, (folders[0], str(tmp_path / "ours"))).data[0].fields) == {"rgb"}


@pytest.mark.parametrize("cache", [True, False])
def test_pictures_and_videos_become_one_batch(folders: tuple[str, str], cache: bool) -> None:
    stage = _fed(replace(dreamer.tiny(), probes=1), *folders, share=0.4)
    b = stage.blueprint
    assert len(stage.data) == 5 + 3  # the videos that are not held out, and 40 % pictures
    clips = _OnceInFull(stage.data, b) if cache else stage.data
    torch.manual_seed(0)
    codec, _ = b.build()
    encode = _Encoder(b, codec.eval(), cache)

    def batch() -> Clip:
        return Clip.stack([clip.replace(meta={**clip.meta, "place": i}) for i, clip in ((i, clips[i]) for i in range(8))])

    for _ in range(2):  # the second time from what was kept
        made = encode(batch())
        assert made.conditions["images"].present.tolist() == [False] * 5 + [True] * 3
        words = made.conditions["text"]
        assert (words.data.ndim, words.data.shape[:2]) == (4, (8, 5))
        assert not torch.equal(words.data[5, 0], words.data[5, 1])  # each picture has a caption of its own
        assert torch.equal(words.data[1, 0], words.data[1, 1])
        assert not made.conditions["actions"].present.any()
    alone = codec.encode(Clip.stack([stage.data[6].only("rgb")]))
    assert torch.equal(made.latents.data[6], alone.data[0])


def driven(path: Path, speed: float, count: int = 6) -> str:
    """Clips of a car at about so many m/s, and one without actions."""
    path.mkdir()
    for k in range(count):
        table = torch.rand(5, 4, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        rgb = torch.randint(0, 255, (5, 3, 16, 16), dtype=torch.uint8)
        clip = Clip(rgb=rgb, fps=10, dt=0.1, text=f"drive {k}")
        (clip if k == 0 else clip.replace(actions=table + torch.tensor([speed, 0.0, 0.0, 0.0]))).save(path / f"{k}.safetensors")
    return str(path)


def test_actions_are_standardised_by_the_clips_that_are_learnt_from(tmp_path: Path, folders: tuple[str, str]) -> None:
    recipe = replace(dreamer.tiny(), probes=1)
    theirs = {c.name: c for c in recipe.blueprint.conditions}["actions"]

    def fitted(stage: Stage) -> Actions:
        (found,) = (c for c in stage.blueprint.conditions if isinstance(c, Actions))
        return found

    folder = driven(tmp_path / "drives", 30.0)
    stage = _fed(recipe, folder)
    rows = torch.cat([clip.actions[:, :2] for clip in stage.data if clip.actions.isfinite().all()])
    assert fitted(stage).mean == pytest.approx(rows.mean(0).tolist(), rel=1e-5)
    assert fitted(stage).std == pytest.approx(rows.std(0, correction=0).tolist(), rel=1e-5)
    assert fitted(stage) == fitted(_fed(recipe, folder))
    assert (fitted(stage).dt, fitted(stage).drop) == (theirs.dt, theirs.drop)
    assert fitted(_fed(replace(recipe, start="some/model"), folder)) == theirs
    assert fitted(_fed(recipe, folders[0])) == theirs  # no clip there has actions


def test_pictures_need_a_model_that_knows_them(folders: tuple[str, str]) -> None:
    stage = replace(dreamer.tiny(), probes=1)
    plain = tuple(c for c in stage.blueprint.conditions if c.name != "images")
    with pytest.raises(UserError, match="--images: this model would take pictures for videos; it has no Images condition"):
        _fed(replace(stage, blueprint=replace(stage.blueprint, conditions=plain)), *folders)


def test_bad_shares(folders: tuple[str, str]) -> None:
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(UserError, match="--image-share"):
            _fed(replace(dreamer.tiny(), probes=1), *folders, share=share)
