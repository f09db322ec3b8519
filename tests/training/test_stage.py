"""Stages: what is refused before training, what a run leaves, how one stage stands on another."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kinema import WorldModel, recipes
from kinema.codecs import VAE, Pixels
from kinema.conditions import Frames, Images, Text
from kinema.core.config import from_json, part, to_json
from kinema.core.errors import UserError
from kinema.core.files import read_json, write_json
from kinema.data import Simulated, Subset
from kinema.experts import Words
from kinema.metrics import LPIPS, PSNR
from kinema.objectives import Reconstruct
from kinema.simulators import Uniform
from kinema.training import run
from kinema.training.checkpoint import checkpoints
from kinema.training.stage import _OnceInFull
from kinema.world_model import load_blueprint

WEIGHTS = Path(os.environ.get("KINEMA_WEIGHTS") or Path(__file__).parents[3] / "shared" / "weights")
with_lpips = pytest.mark.skipif(not (WEIGHTS / "lpips-alex.safetensors").exists(), reason="the weights lpips-alex are not here")


def changed(stage, where, **fields):
    return replace(stage, **{where: replace(getattr(stage, where), **fields)})


@pytest.fixture
def tiny():
    return recipes.planar.tiny()


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    return run(recipes.codec.tiny(), tmp_path_factory.mktemp("codec") / "run")


def test_a_run_leaves_what_it_promises(tiny, tmp_path):
    out = tmp_path / "deep" / "run"
    model = run(tiny, out)
    assert model == out / "model"
    assert sorted(path.name for path in model.iterdir()) == ["blueprint.json", "codec.safetensors", "model.safetensors"]
    assert from_json(read_json(out / "stage.json")) == tiny
    assert [path.name for path in checkpoints(out / "checkpoints")] == ["step-000000002", "step-000000004"]
    assert [path.name for path in (out / "dreams").iterdir()] == ["step-000000004.mp4"]
    assert not list(out.rglob(".*"))
    average = load_file(out / "checkpoints" / "step-000000004" / "average.safetensors")
    stored = load_file(model / "model.safetensors")
    assert average.keys() == stored.keys()
    assert all(torch.equal(average[key], stored[key]) for key in stored)


def test_the_same_stage_gives_the_same_bytes(tiny, tmp_path):
    models = [run(tiny, tmp_path / name) for name in "ab"]
    assert len({(model / "model.safetensors").read_bytes() for model in models}) == 1
    other = run(changed(tiny, "train", seed=1), tmp_path / "c")
    assert (other / "model.safetensors").read_bytes() != (models[0] / "model.safetensors").read_bytes()


def test_going_on_with_a_finished_run_changes_nothing(tiny, tmp_path):
    run(tiny, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(tiny, tmp_path, resume=True) == tmp_path / "model"
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_run_whose_last_step_is_done_but_whose_model_is_not_written(tiny, tmp_path):
    model = run(tiny, tmp_path)
    written = (model / "model.safetensors").read_bytes()
    model.rename(tmp_path / ".tmp-model")
    (tmp_path / ".tmp-model" / "blueprint.json").unlink()
    assert (run(tiny, tmp_path, resume=True) / "model.safetensors").read_bytes() == written
    assert not list(tmp_path.rglob(".*"))


def test_folders_are_claimed_and_stages_compared(tiny, tmp_path):
    with pytest.raises(UserError, match=r"there is no run to resume in .*run: it has no stage.json"):
        run(tiny, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()
    (tmp_path / "other" / "model").mkdir(parents=True)
    with pytest.raises(UserError, match=r"model exists, but no stage.json beside it"):
        run(tiny, tmp_path / "other")
    run(tiny, tmp_path / "run")
    with pytest.raises(UserError, match="already holds a training run; use --resume"):
        run(tiny, tmp_path / "run")
    with pytest.raises(UserError, match=r"holds a run with other settings \(at stage.train.lr\)"):
        run(changed(tiny, "train", lr=0.5), tmp_path / "run", resume=True)
    data = read_json(tmp_path / "run" / "stage.json")
    del data["cache"], data["train"]["compile"]  # a run of a version that did not know them yet
    write_json(tmp_path / "run" / "stage.json", data)
    run(tiny, tmp_path / "run", resume=True)
    (tmp_path / "run" / "stage.json").write_text('{"part": "trai')
    with pytest.raises(UserError, match=r"stage.json: cannot be read as JSON"):
        run(tiny, tmp_path / "run", resume=True)


def test_a_stage_that_does_not_fit_together_is_refused_before_a_folder_is_made(tiny, codec, tmp_path):
    data = recipes.codec.worlds(16, 9, 3)
    wrong_count = changed(replace(tiny, codec=str(codec), data=data, held_out=data), "blueprint", num_frames=9, conditions=(Frames(2),))
    refused = {
        r"data: the blueprint is made for 9 frames of 16 x 16 px, the clips have 8 frames": changed(tiny, "blueprint", num_frames=9),
        r"held_out: the blueprint is made for 8 frames of 16 x 16 px, the clips have 8 frames of 24 x 24 px": replace(
            tiny, held_out=recipes.planar.worlds(24, 8, 1)
        ),
        r"data: the blueprint is made for a time step of 0.2 s, the clips have 0.1 s": changed(tiny, "blueprint", dt=0.2),
        r"data: there is no clip": replace(tiny, data=Subset(tiny.data, indices=())),
        r"held_out: there is no clip": replace(tiny, held_out=Subset(tiny.data, indices=())),
        r"a codec that has to be trained first: name it with --codec": changed(tiny, "blueprint", codec=VAE()),
        r"nothing to train: its codec holds no weights": changed(recipes.codec.tiny(), "blueprint", codec=Pixels()),
        r"there is no model 'nowhere'": replace(tiny, start="nowhere"),
        r"there is no model 'nobody'": replace(tiny, codec="nobody"),
        r"the data needs a length": replace(tiny, cache=True),
        r"Frames\(2\): the codec takes 1 \+ k x 4 frames": wrong_count,
    }  # fmt: skip
    for sentence, stage in refused.items():
        with pytest.raises(UserError, match=sentence):
            run(stage, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_settings_that_make_no_stage_are_refused(tiny):
    with pytest.raises(UserError, match="probes must be at least 1, got 0"):
        replace(tiny, probes=0)
    with pytest.raises(UserError, match="cache keeps latents for a network"):
        replace(recipes.codec.tiny(), cache=True)


def test_little_data_is_enough(tmp_path):
    for name, recipe in recipes.RECIPES.items():
        stage = recipe.tiny()
        few = Subset(stage.data, indices=(0, 1, 2))
        run(replace(stage, data=few, held_out=few, probes=50), tmp_path / name)


def test_a_network_stands_on_a_trained_codec(tiny, codec, tmp_path):
    data = recipes.codec.worlds(16, 9, 3)
    stage = changed(replace(tiny, codec=str(codec), data=data, held_out=data), "blueprint", num_frames=9, conditions=())
    stage = changed(stage, "blueprint", conditions=(Frames(5),), model=replace(tiny.blueprint.model, patch=2))
    model = run(stage, tmp_path / "run")
    assert load_blueprint(model).codec == load_blueprint(codec).codec
    ours, theirs = (load_file(folder / "codec.safetensors") for folder in (model, codec))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)  # frozen to the last bit
    assert (ours["std"] != 1).all()


def test_kept_latents_change_only_their_precision(tiny, tmp_path):
    stage = changed(replace(tiny, data=Subset(tiny.data, indices=tuple(range(5)))), "train", steps=6)
    plain = load_file(run(stage, tmp_path / "plain") / "model.safetensors")
    kept = load_file(run(replace(stage, cache=True), tmp_path / "kept") / "model.safetensors")
    for key, value in plain.items():
        torch.testing.assert_close(kept[key], value, rtol=0, atol=2e-3)


def test_training_can_begin_from_a_model(tiny, tmp_path):
    first = run(tiny, tmp_path / "first")
    still = changed(replace(tiny, start=str(first)), "train", lr=1e-30, weight_decay=0.0)
    a, b = (load_file(folder / "model.safetensors") for folder in (first, run(still, tmp_path / "second")))
    for key, value in a.items():
        torch.testing.assert_close(b[key], value)
    with pytest.raises(UserError, match=r"model.safetensors: these are the weights of another network"):
        run(changed(replace(tiny, start=str(first)), "blueprint", model=replace(tiny.blueprint.model, hidden=48)), tmp_path / "third")


def told(codec, **fields):
    """A network on a trained codec."""
    tiny, data = recipes.planar.tiny(), recipes.codec.worlds(16, 9, 3)
    made = replace(tiny, codec=str(codec), data=data, held_out=data, **fields)
    return changed(made, "blueprint", num_frames=9, conditions=(Frames(5),))


def test_a_world_is_not_started_on_another_codec(codec, tmp_path):
    first = run(told(codec), tmp_path / "first")
    other = run(changed(recipes.codec.tiny(), "train", seed=1), tmp_path / "other")
    with pytest.raises(UserError, match=rf"start: {first} was trained with another codec than this stage's, {other}"):
        run(told(other, start=str(first)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    weights = load_file(first / "model.safetensors")
    save_file(weights, first / "model.safetensors")  # of a version that did not say
    run(told(other, start=str(first)), tmp_path / "run")


def test_a_run_does_not_go_on_when_its_codec_was_trained_again(codec, tmp_path):
    mine = tmp_path / "codec"
    shutil.copytree(codec, mine)
    out = tmp_path / "run"
    model = run(told(mine), out)
    shutil.rmtree(model)
    shutil.copy(run(changed(recipes.codec.tiny(), "train", seed=1), tmp_path / "other") / "codec.safetensors", mine)
    with pytest.raises(UserError, match="learnt from the latents of a codec whose weights have changed since"):
        run(told(mine), out, resume=True)
    assert not model.exists()
    for path in checkpoints(out / "checkpoints"):  # of a version that did not say
        state = read_json(path / "state.json")
        del state["stands_on"]
        write_json(path / "state.json", state)
    assert run(told(mine), out, resume=True) == model


class Listed(list):
    length = 1


@pytest.mark.parametrize("condition", [Text(Words(8), describe="caption"), Images()])
def test_kept_latents_come_with_what_any_condition_reads(tiny, condition):
    """Also where it is the only one."""
    clip = tiny.data[0].only("rgb").replace(text="A ball.", meta={"images": True})
    for conditions in ((condition,), (Frames(3), condition)):
        kept = _OnceInFull(Listed([clip]), changed(tiny, "blueprint", conditions=conditions).blueprint)[0]
        assert kept.text == "A ball."
        assert kept.meta["images"]
    assert not _OnceInFull(Listed([clip]), tiny.blueprint)[0].has("text")


# --- a perceptual distance ---


def perceptual():
    stage = recipes.codec.tiny()
    objective = Reconstruct(window=5, perceptual=LPIPS(), perceptual_weight=0.5)
    data = Subset(recipes.codec.worlds(32, 9, 0), indices=(0, 1, 2))
    made = changed(replace(stage, data=data, held_out=data), "blueprint", objective=objective, size=32)
    return changed(made, "train", steps=2)


def test_a_perceptual_distance_without_weights_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="lpips-alex is not on this machine"):
        run(perceptual(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@with_lpips
def test_a_codec_learns_from_a_perceptual_distance(tmp_path, monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(WEIGHTS))
    stage = from_json(to_json(perceptual()))
    assert stage == perceptual()
    model = run(stage, tmp_path / "run")
    assert '"perceptual": ' in (tmp_path / "run" / "log.jsonl").read_text()
    assert "features" not in " ".join(load_file(model / "codec.safetensors"))  # the judge is not part of what is learnt

    from kinema.core.contracts import Context
    from kinema.core.rng import torch_stream

    network = stage.blueprint.codec.build()
    clip = type(stage.data[0]).stack([stage.data[0]])
    (loss,) = stage.blueprint.objective.build().losses(network, clip, Context(torch_stream("lpips"), 0, 1))
    (gradient,) = torch.autograd.grad(loss.value, network.encoder[1].conv.weight, retain_graph=True)
    (without,) = Reconstruct(window=5).build().losses(network, clip, Context(torch_stream("lpips"), 0, 1))
    (other,) = torch.autograd.grad(without.value, network.encoder[1].conv.weight)
    assert torch.isfinite(gradient).all()
    assert not torch.allclose(gradient, other)


# --- a stage as JSON ---


def test_an_edited_stage_is_refused_naming_file_and_field(tiny, tmp_path):
    run(tiny, tmp_path)
    data = read_json(tmp_path / "stage.json")
    for edit, sentence in (
        ({"part": "os.system"}, "kinema has no part named 'os.system'"),
        ({"probes": "many"}, "stage.json.probes: expected int, got 'many'"),
        ({"colour": 1}, "has no field 'colour'"),
    ):
        write_json(tmp_path / "stage.json", {**data, **edit})
        with pytest.raises(UserError, match=f"stage.json.*{sentence}|{sentence}"):
            run(tiny, tmp_path, resume=True)


def test_a_metric_that_is_better_when_higher_marks_no_best(tiny, tmp_path):
    run(replace(tiny, metrics=(PSNR(),)), tmp_path)
    assert not (tmp_path / "best").exists()
    assert WorldModel.from_pretrained(tmp_path / "model").num_frames == 8


def test_half_written_files_of_a_killed_run_are_taken_away(tiny, tmp_path):
    model = run(tiny, tmp_path)
    for leftover in (".tmp-abc.jsonl", "dreams/.tmp-def.mp4", "checkpoints/.tmp-000000009/state.json", "best/.tmp-000000009/state.json"):
        (tmp_path / leftover).parent.mkdir(exist_ok=True)
        (tmp_path / leftover).write_text("half")
    model.rename(tmp_path / ".tmp-model")
    run(tiny, tmp_path, resume=True)
    assert not list(tmp_path.rglob(".*"))


def test_without_an_average_the_weights_themselves_are_stored(tiny, tmp_path):
    model = run(changed(tiny, "train", ema=0.0), tmp_path)
    newest = checkpoints(tmp_path / "checkpoints")[-1]
    assert not (newest / "average.safetensors").exists()
    kept, stored = (load_file(folder / "model.safetensors") for folder in (newest, model))
    assert kept.keys() == stored.keys()
    assert all(torch.equal(value, stored[name]) for name, value in kept.items())


def test_one_part_may_be_trained_alone(codec, tmp_path):
    stage = replace(recipes.codec.tiny(), codec=str(codec), start=str(codec), only="decoder")
    ours, theirs = (load_file(folder / "codec.safetensors") for folder in (run(stage, tmp_path / "run"), codec))
    for key, value in theirs.items():
        assert torch.equal(ours[key], value) == (not key.startswith("decoder.")), key
    with pytest.raises(UserError, match="only: the model has no part named 'head'; it has encoder, decoder"):
        run(replace(stage, only="head"), tmp_path / "other")


def test_a_run_on_a_users_own_world_goes_on_too(tiny, tmp_path):
    """What a user's own file defines cannot be rebuilt from JSON, and need not be to see that the stage is the same."""

    @part
    class Mine(Uniform):
        name = "mine"

    def fed(**fields):
        return replace(tiny, data=Simulated(Mine(size=16, num_frames=8, **fields)))

    out = tmp_path / "run"
    model = run(fed(), out)
    assert run(fed(), out, resume=True) == model
    with pytest.raises(UserError, match=r"run with other settings \(at stage.data.scenario.speed\)"):
        run(fed(speed=((1.0, 2.0),)), out, resume=True)
