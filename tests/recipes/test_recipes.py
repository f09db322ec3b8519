"""Every recipe that is registered: a complete stage that can be written down, and a tiny one that runs to its end."""

import json
from dataclasses import replace

import pytest
import torch

from kinema import WorldModel
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.data import Joined, Prompted, Simulated
from kinema.recipes import RECIPES
from kinema.simulators import scenario
from kinema.training import Stage, run
from kinema.world_model import Blueprint, load_blueprint

NAMES = list(RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_a_module_with_a_stage_a_tiny_one_and_sources(name):
    recipe = RECIPES[name]
    assert recipe.__name__.endswith(f".{name}")
    assert recipe.__doc__
    assert isinstance(getattr(recipe, name)(), Stage)
    assert all(isinstance(source, str) and ("arXiv" in source or "doi" in source) for source in recipe.SOURCES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", ["full", "tiny"])
def test_a_stage_comes_back_from_json(name, size):
    stage = getattr(RECIPES[name], name)() if size == "full" else RECIPES[name].tiny()
    back = from_json(json.loads(json.dumps(to_json(stage))))
    assert back == stage
    assert isinstance(back.blueprint, Blueprint)
    assert to_json(back) == to_json(stage)
    assert from_json(json.loads(json.dumps(to_json(stage.blueprint)))) == stage.blueprint


@pytest.mark.parametrize("name", NAMES)
def test_the_tiny_recipe_is_the_same_composition(name):
    """The same kinds of parts in the same places, so that what is tested is what is run; only the codec may be simpler."""

    def kinds(stage):
        b = stage.blueprint
        parts = [b.objective, b.model, *b.conditions, *b.sources, b.sampler, stage.data, stage.held_out]
        return [type(part) for part in parts]

    assert kinds(RECIPES[name].tiny()) == kinds(getattr(RECIPES[name], name)())


@pytest.mark.parametrize("name", NAMES)
def test_held_out_clips_are_in_no_training_stream(name):
    stage = RECIPES[name].tiny()
    learnt = {stage.data[i].rgb.numpy().tobytes() for i in range(40)}
    judged = {stage.held_out[i].rgb.numpy().tobytes() for i in range(40)}
    assert not learnt & judged


@pytest.mark.parametrize("name", NAMES)
def test_the_clips_are_what_the_blueprint_is_made_for(name):
    for stage in (getattr(RECIPES[name], name)(), RECIPES[name].tiny()):
        b, clip = stage.blueprint, stage.data[0]
        assert (clip.num_frames, *clip.size, clip.dt) == (b.num_frames, b.size, b.size, b.dt)


@pytest.mark.parametrize("name", NAMES)
def test_the_tiny_recipe_trains_is_saved_loaded_and_dreams(name, tmp_path):
    stage = RECIPES[name].tiny()
    model = run(stage, tmp_path)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "loss" in row] == list(range(1, stage.train.steps + 1))
    assert load_blueprint(model) == stage.blueprint
    if stage.blueprint.model is None:
        return
    world = WorldModel.from_pretrained(model)
    clip = stage.held_out[0]
    dream = world.dream(clip)
    assert dream.rgb.shape == clip.rgb.shape
    assert dream.rgb.dtype == torch.uint8
    known = world.condition_frames
    assert torch.equal(dream.rgb[:known], clip.rgb[:known])
    assert (dream.fps, dream.dt) == (clip.fps, clip.dt)


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss(name, tmp_path):
    stage = RECIPES[name].tiny()
    stage = replace(stage, train=replace(stage.train, steps=60, probe_every=60, save_every=60, lr=3e-3, batch=4, log_every=1), metrics=())
    run(stage, tmp_path)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_the_second_part_of_world_dreamer_starts_from_the_first(tmp_path):
    """From fewer frames; at toy size, with the recipe's ratio of frames."""
    parts = [RECIPES["world_dreamer"].world_dreamer(part=part) for part in (1, 2)]
    longest = max(part.blueprint.num_frames for part in parts)
    assert all(part.blueprint.model.frames == longest for part in parts)
    tiny = RECIPES["world_dreamer"].tiny()
    model = replace(tiny.blueprint.model, frames=6)

    def of(num_frames, **fields):
        clips = Prompted(Joined((Simulated(scenario("uniform", size=16, num_frames=num_frames), length=4),)))
        return replace(tiny, blueprint=replace(tiny.blueprint, model=model, num_frames=num_frames), data=clips, held_out=clips, **fields)

    first = run(of(4), tmp_path / "1")
    second = run(of(6, start=str(first)), tmp_path / "2")
    assert WorldModel.from_pretrained(second).num_frames == 6
    with pytest.raises(UserError, match="these are the weights of another network"):
        run(replace(of(6, start=str(first)), blueprint=replace(of(6).blueprint, model=replace(model, frames=7))), tmp_path / "3")


@pytest.mark.parametrize(("videos", "cache"), [(30_000, True), (3_000_000, False)])
def test_a_learner_keeps_no_more_latents_than_memory_holds(videos, cache):
    """The paper's largest sets would take hundreds of GB."""
    data = Simulated(scenario("uniform", size=128, num_frames=31), length=videos)
    stage = RECIPES["phyworld"].learner(data, data, "S", 100_000, codec="mine", size=128, num_frames=31)
    assert stage.cache is cache
    assert stage.train.workers == (0 if cache else RECIPES["phyworld"].phyworld().train.workers)
    b = stage.blueprint
    shape = b.codec.build().latent_shape(b.num_frames, b.size, b.size)
    assert cache == (videos * torch.Size(shape).numel() * 2 < 14e9)
