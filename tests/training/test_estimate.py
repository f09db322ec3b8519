from dataclasses import replace

import pytest
import torch

from kinema import recipes
from kinema.conditions import Frames
from kinema.core import Clip
from kinema.core.path import ScaledLinear
from kinema.models import DiT
from kinema.objectives import Denoise
from kinema.training import Stage
from kinema.training import estimate as estimation
from kinema.training.estimate import _context, _descend, _Saved, estimate
from kinema.training.stage import assemble


@pytest.fixture(scope="module", params=recipes.RECIPES)
def stage(request) -> Stage:
    return recipes.RECIPES[request.param].tiny()


def test_what_is_counted_is_what_there_is(stage, tmp_path):
    made = estimate(stage)
    run = assemble(replace(stage, metrics=()), tmp_path)
    whole = sum(p.numel() for p in run.model.parameters())
    learnt = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    assert (made.parameters, made.frozen_parameters) == (learnt, whole - learnt)
    assert (made.weights, made.gradients, made.optimizer, made.average) == (4 * whole, 4 * learnt, 8 * learnt, 4 * whole)
    assert made.memory == made.weights + made.gradients + made.optimizer + made.average + made.activations + made.cache
    clips = [run.clips[i] for i in range(stage.train.batch)]
    batch = Clip.stack([clip.replace(meta={**clip.meta, "place": i}) for i, clip in enumerate(clips)])
    given = batch if run.prepare is None else run.prepare(batch)
    saved = _Saved(run.model)
    with saved.counting():
        _descend(stage, run.objective.losses(run.model.train(), given, _context(stage)), "cpu")
    assert made.activations == pytest.approx(saved.bytes, rel=0.01)
    assert not list(tmp_path.iterdir())


def test_nothing_else_is_changed(stage):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    estimate(stage)
    assert torch.equal(torch.rand(3), expected)


def test_arithmetic_of_a_transformer():
    stage = recipes.planar.tiny()
    made = estimate(replace(stage, train=replace(stage.train, batch=4, accumulate=3)))
    tokens, width, layers = 8 * 16, 32, 2  # 8 frames of 4 x 4 cells
    inner = layers * (3 + 1 + 4 + 4) * width**2 + (48 + 49) * width + width * 48
    attention = layers * 2 * tokens * width  # q k^T and its product with v, per token
    forward = 2 * 4 * tokens * (inner + attention)
    assert made.flops == pytest.approx(3 * 3 * forward, rel=0.15)  # backward twice; the modulation and the first layer's input are small
    assert made.clips_per_step == 12
    assert made.timed == 4


def test_recomputed_activations_take_less():
    stage = recipes.planar.tiny()
    deep = replace(stage, blueprint=replace(stage.blueprint, model=DiT(layers=6, hidden=32, heads=2, patch=1)))
    lean = replace(deep, blueprint=replace(deep.blueprint, model=replace(deep.blueprint.model, checkpoint=True)))
    full, less = estimate(deep), estimate(lean)
    assert 0 < less.activations < full.activations / 4
    assert less.flops > 1.2 * full.flops


def test_half_precision_takes_less():
    stage = recipes.planar.tiny()
    half = replace(stage, train=replace(stage.train, precision="bf16"))
    assert estimate(half).activations < estimate(stage).activations


def test_latents_that_are_kept_are_counted():
    stage = recipes.planar.tiny()
    stage = replace(stage, cache=True, data=replace(stage.data, length=100))
    assert estimate(stage).cache == 100 * (8 * 48 * 4 * 4) * 2


def test_a_model_that_is_too_large_is_not_built(monkeypatch):
    stage = recipes.planar.tiny()
    huge = DiT(layers=48, hidden=4096, heads=32, patch=1)  # 10 billion numbers
    made = estimate(replace(stage, blueprint=replace(stage.blueprint, model=huge)))
    assert made.parameters > 9e9
    assert made.timed == 0
    assert made.memory > 16 * 9e9
    monkeypatch.setattr(estimation, "_memory", lambda device: 10**9)
    made = estimate(stage=replace(stage, blueprint=replace(stage.blueprint, model=huge)))
    assert made.warning.startswith("this run needs at least")
    assert "has 1 GB" in made.table().splitlines()[-1]
    assert "extrapolated: FLOPs at" in made.table()


def test_a_path_with_a_table_still_works_afterwards():
    path = ScaledLinear(steps=777)  # nobody else has asked for this one
    stage = recipes.planar.tiny()
    blueprint = replace(stage.blueprint, objective=Denoise(path=path, predict="v"), conditions=(Frames(1),))
    estimate(replace(stage, blueprint=blueprint))
    assert float(path.table()[0]) == 1.0


def test_the_table_says_what_is_measured_and_what_is_not():
    made = estimate(recipes.codec.tiny())
    assert made.warning is None
    assert made.seconds == pytest.approx(4 * made.step_seconds)
    table = made.table()
    assert all(word in table for word in ("counted", "extrapolated", "timed here"))
    assert {"memory", "step_seconds", "seconds", "warning"} <= made.to_json().keys()
