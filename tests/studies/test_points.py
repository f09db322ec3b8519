"""What the later five studies train and ask: who shares what, what is told, what is left out where weights are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinema.core import Clip, UserError
from kinema.core.registry import MissingWeights
from kinema.experts import T5, TextEncoder
from kinema.experts.text import encoder
from kinema.simulators import Phyre, make
from kinema.studies import STUDIES, Budget, Found, Pictures, Store, found, run, write_page
from kinema.studies import pictures as module
from kinema.studies.conditioning import FRAMES, NUMBERS, TEXT
from kinema.studies.run import plan
from kinema.studies.strips import FILE, keep, read

TOY = Budget(size=("toy",), num=4)


def test_ambiguity_asks_the_model_of_most_templates() -> None:
    keys = {p.name: p.key for p in STUDIES["templates"].plan(TOY)}
    (point,) = STUDIES["ambiguity"].plan(TOY)
    assert point.key == keys[point.name]


def test_scaling_and_conditioning_share_the_model_of_frames_alone() -> None:
    alone = next(p for p in STUDIES["conditioning"].plan(TOY) if p.name == FRAMES)
    assert alone.key in {p.key for p in STUDIES["scaling"].plan(TOY)}


@pytest.mark.parametrize("name", ["templates", "ambiguity"])
def test_scenes_are_continued_from_one_frame_on_their_own_clock(name: str) -> None:
    for point in STUDIES[name].plan(TOY):
        b = point.stage.blueprint
        assert [c.count for c in b.conditions] == [1]
        assert (b.fps, b.dt) == (5.0, pytest.approx(1 / 3))


def test_templates_have_videos_equal_in_number_or_in_proportion() -> None:
    assert [p.stage.data.length for p in STUDIES["templates"].plan(TOY)] == [8, 8, 8]
    each = Budget(size=("toy",), num=4, per_template=2)
    assert [p.stage.data.length for p in STUDIES["templates"].plan(each)] == [12, 60, 120]
    with pytest.raises(UserError, match="--per-template"):
        Budget(per_template=0)


@pytest.mark.parametrize("name", ["attributes", "composition", "templates", "ambiguity"])
def test_small_networks_stand_on_the_codec_that_shows_more_than_balls(name: str) -> None:
    assert {p.stage.codec for p in STUDIES[name].plan(Budget())} == {"scenes-codec"}


@pytest.mark.parametrize("name", ["attributes", "composition", "conditioning", "ambiguity", "templates"])
def test_tests_are_drawn_apart_from_training_and_have_names_of_their_own(name: str) -> None:
    points = STUDIES[name].plan(TOY)
    names = {t.name: t.key for p in points for t in p.tests}
    assert all(names[t.name] == t.key for p in points for t in p.tests)
    for p in points:
        for t in p.tests:
            scenario = t.data.scenario if hasattr(t.data, "scenario") else t.data.dataset.scenario
            seed = t.data.seed if hasattr(t.data, "seed") else t.data.dataset.seed
            assert seed != p.stage.data.seed
            assert not scenario.flip


# --- words --------------------------------------------------------------------------------------------------------------


def test_without_the_weights_the_text_point_is_left_out_by_name_and_the_rest_runs(
    tiny_t5: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "t5-of-nobody"
    empty.mkdir()
    (empty / "config.json").write_bytes((tiny_t5 / "config.json").read_bytes())
    study, budget = STUDIES["conditioning"], Budget(size=("toy",), num=10, text_encoder=str(empty))
    store, points = Store.open(tmp_path / "out"), study.plan(budget)
    assert next(p.state for p in plan(points, store) if p.point.name == TEXT).startswith("refused: ")
    run(points, store)
    said = capsys.readouterr().err
    assert f"{TEXT}: left out: " in said
    assert "t5-of-nobody" in said
    there = found(study, budget, store)
    assert [p.name for p in there.missing] == [TEXT]
    assert {p.name for p in there.present} == {FRAMES, NUMBERS}
    assert TEXT in write_page(study, there, tmp_path / "page").read_text()


def test_a_folder_that_is_not_there_is_refused_before_anything() -> None:
    with pytest.raises(UserError, match="there is no folder"):
        STUDIES["conditioning"].plan(Budget(size=("toy",), text_encoder="./nowhere"))


def test_words_are_told_where_an_encoder_is_there(tiny_t5: Path, tmp_path: Path) -> None:
    """The encoder is tiny and its weights are random: what is tested is that words reach the network and rows come back."""
    study, budget = STUDIES["conditioning"], Budget(size=("toy",), num=10, text_encoder=str(tiny_t5))
    store = Store.open(tmp_path)
    point = next(p for p in study.plan(budget) if p.name == TEXT)
    run([point], store)
    assert store.done(point)
    assert len(found(study, budget, store).dreams(TEXT)) == 8


def test_which_encoder_weights_are_is_read_off_their_folder_or_name(tiny_t5: Path, tmp_path: Path) -> None:
    assert encoder(str(tiny_t5)) == T5(str(tiny_t5))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert encoder(str(tmp_path)) == TextEncoder(str(tmp_path))
    assert encoder("google/flan-t5-base") == T5("google/flan-t5-base")
    assert encoder("sentence-transformers/all-MiniLM-L6-v2") == TextEncoder("sentence-transformers/all-MiniLM-L6-v2")


# --- pictures -----------------------------------------------------------------------------------------------------------


def scenes() -> list[Clip]:
    return [make(Phyre(size=48, num_frames=10), 0, i, ("rgb",)) for i in range(2)]


def test_a_true_scene_is_alike_and_normal() -> None:
    for truth in scenes():
        figures = Pictures(lpips=False, fvd=False)(truth.only("rgb"), truth, 1)
        assert figures == {"ssim": pytest.approx(1.0), "psnr": 100.0, "abnormal": 0.0}


def test_given_frames_do_not_count() -> None:
    truth, other = scenes()
    mixed = truth.rgb.clone()
    mixed[1:] = other.rgb[1:]
    a = Pictures(lpips=False, fvd=False)(truth.only("rgb").replace(rgb=mixed), truth, 1)
    b = Pictures(lpips=False, fvd=False)(other.only("rgb"), truth, 1)
    assert {k: a[k] for k in ("ssim", "psnr")} == {k: b[k] for k in ("ssim", "psnr")}
    assert a["abnormal"] == 1.0


def test_what_lacks_its_weights_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Path:
        raise MissingWeights(name)

    monkeypatch.setattr(module, "find", none)
    judge = module.pictures(64, 33, fvd=True)
    assert judge == Pictures(lpips=False, fvd=False)
    assert "LPIPS is left out: the weights lpips-alex are not here" in module.left_out(judge)
    assert "FVD is left out: the weights i3d-kinetics400 are not here" in module.left_out(judge)
    monkeypatch.setattr(module, "find", lambda name: Path(name))
    assert module.pictures(64, 33, fvd=True) == Pictures()
    assert module.left_out(Pictures()) == ""
    assert module.pictures(16, 8, fvd=True) == Pictures(lpips=False, fvd=False)


# --- strips -------------------------------------------------------------------------------------------------------------


def test_strips_hold_the_last_given_frame_and_the_last(tmp_path: Path) -> None:
    truths = [make(Phyre(size=16, num_frames=12), 0, i, ("rgb",)) for i in range(4)]
    dreams = [t.replace(rgb=255 - t.rgb) for t in truths]
    keep(tmp_path, truths, dreams, given=3)
    pairs = read(tmp_path / FILE)
    assert len(pairs) == 3
    for clip, (truth, dream) in zip(truths, pairs, strict=False):
        assert (truth[:, :16] == clip.rgb[2].permute(1, 2, 0).numpy()).all()
        assert (truth[:, -16:] == clip.rgb[-1].permute(1, 2, 0).numpy()).all()
        assert (np.asarray(dream[:, :16]) == 255 - truth[:, :16]).all()


def test_a_damaged_strip_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("not a strip")
    save_file({"other": torch.zeros(1)}, tmp_path / "b")
    assert read(tmp_path / "a") == read(tmp_path / "b") == []


def test_a_page_shows_the_strips_that_are_there(tmp_path: Path) -> None:
    study = STUDIES["ambiguity"]
    truths = [make(Phyre(size=16, num_frames=8), 0, 0, ("rgb",))]
    keep(tmp_path, truths, truths, given=1)
    (point,) = study.plan(TOY)
    from .test_claims import walks

    rows = walks("right", 1.0).rows
    shown = {(point.name, point.tests[0].name): tmp_path / FILE}
    with_strips, without = (study.figures(Found(budget=TOY, points=(point,), rows=rows, shown=s)) for s in (shown, {}))
    assert [d.name for d in with_strips] == ["walks", "strips"]
    assert [d.name for d in without] == ["walks"]
    assert "<image" in with_strips[1].svg
