"""What a tokeniser learns: the parts of its loss, an adversary that waits, runs that go on where they stopped."""

import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn

from kinema.codecs import FSQ, VQ
from kinema.core import Clip
from kinema.core.config import from_json, part, to_json
from kinema.core.contracts import Context
from kinema.core.errors import UserError
from kinema.core.rng import torch_stream
from kinema.objectives import PatchGAN, Tokenise
from kinema.objectives.tokenise import _use
from kinema.recipes import tokeniser
from kinema.training import run
from kinema.training.checkpoint import checkpoints, load_checkpoint
from kinema.training.estimate import estimate

SMALL = PatchGAN(width=4, layers=2)


def context(step=0):
    return Context(torch_stream("tokenise test", step), step, 100)


def clips(b=2, t=4, size=16):
    return Clip(rgb=torch.rand(b, t, 3, size, size, generator=torch_stream("tokenise clips")), fps=8.0, batched=True)


def codec():
    torch.manual_seed(0)
    return VQ(stride=4, codes=16, dim=4, widths=(8,)).build().train()


@part
class Third:
    """A perceptual distance: the mean squared difference of the red channel, in a network with weights."""

    def build(self):
        return Red()


class Red(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x, y):
        return self.weight * (x - y)[:, 0].square().flatten(1).mean(1)


def test_the_loss_is_the_sum_of_its_parts():
    model, batch = codec(), clips()
    objective = Tokenise(frames=0, perceptual=Third(), perceptual_weight=0.7).build()
    loss, *more = objective.losses(model, batch, context())
    assert not more
    made = codec()  # the same codes after the same first step
    first = made.quantise(made.embed(batch.rgb), update=context().rng)
    error = made.pixels(first.vectors) - batch.rgb
    red = 0.7 * error[:, :, 0].square().mean()
    torch.testing.assert_close(loss.value, error.abs().mean() + error.square().mean() + first.loss + red)
    assert {key: float(value) for key, value in loss.log.items()} == pytest.approx(
        {
            "l1": error.abs().mean().item(), "mse": error.square().mean().item(), "commitment": first.loss.item(),
            "perceptual": red.item() / 0.7, "revived": 16.0, "usage": float((made.usage > 0).float().mean()),
            "perplexity": float(_use(made.usage)["perplexity"]),
        }
    )  # fmt: skip


def test_a_grid_learns_by_the_same_objective():
    torch.manual_seed(0)
    model = VQ(stride=4, codes=15, widths=(8,), quantiser=FSQ((3, 5))).build().train()
    (loss,) = Tokenise(frames=2).build().losses(model, clips(), context())
    loss.value.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert float(loss.log["commitment"]) == 0


def test_frames_are_different_ones_of_every_clip():
    seen = []

    class Watch(VQ().build().__class__):
        def embed(self, rgb):
            seen.append(rgb)
            return super().embed(rgb)

    t = 6
    rgb = (torch.arange(3 * t) / (3 * t)).reshape(3, t, 1, 1, 1).expand(3, t, 3, 8, 8).contiguous()
    model = Watch(VQ(stride=4, codes=4, dim=2, widths=(4,)))
    objective = Tokenise(frames=4).build()
    for step in range(20):
        next(objective.losses(model, Clip(rgb=rgb, fps=8.0, batched=True), context(step)))
    numbers = [(3 * t * one[:, :, 0, 0, 0]).round().long() for one in seen]
    for drawn in numbers:
        assert drawn.shape == (3, 4)
        assert all(len(set(row.tolist())) == 4 for row in drawn)
        assert torch.equal(drawn // t, torch.arange(3)[:, None].expand(3, 4))
    assert set(torch.cat(numbers).flatten().tolist()) == set(range(3 * t))
    assert any(not torch.equal(drawn[0], drawn[1] - t) for drawn in numbers)


@pytest.mark.parametrize("codes", [4, 100])
def test_perplexity_and_usage_of_codes(codes):
    even = _use(torch.full((codes,), 0.3))
    assert float(even["perplexity"]) == pytest.approx(codes, rel=1e-4)
    assert float(even["usage"]) == 1
    one = _use(torch.eye(codes)[0])
    assert float(one["perplexity"]) == pytest.approx(1)
    assert float(one["usage"]) == pytest.approx(1 / codes)


# --- the adversary ---


def test_the_adversary_is_absent_until_its_time():
    objective = Tokenise(adversary=SMALL, warmup=3).build()
    model = codec()
    assert [[loss.group for loss in objective.losses(model, clips(), context(step))] for step in (0, 2, 3)] == [
        ["model"],
        ["model"],
        ["model", "discriminator"],
    ]
    assert set(objective.parameter_groups()) == {"discriminator"}
    assert Tokenise().build().parameter_groups() == {}
    assert not list(Tokenise().build().parameters())


def test_neither_leaves_gradients_on_the_other():
    objective, model = Tokenise(adversary=SMALL, warmup=0).build(), codec()
    losses = objective.losses(model, clips(), context())
    next(losses).value.backward()
    assert all(p.grad is None and p.requires_grad for p in objective.parameters())
    assert all(p.grad is not None for p in model.parameters())
    before = [p.grad.clone() for p in model.parameters()]
    next(losses).value.backward()
    # Of biases, that of the last layer has none where the hinge holds neither side.
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.parameters() if p.ndim > 1)
    assert all(torch.equal(p.grad, old) for p, old in zip(model.parameters(), before, strict=True))


class Brightness(nn.Module):
    """Judges a picture by its mean, times a weight."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return self.weight * x.mean((1, 2, 3))


def test_the_hinge_is_that_of_the_paper():
    objective, model, batch = Tokenise(frames=0, adversary=SMALL, adversary_weight=0.5, adaptive=False, warmup=0).build(), codec(), clips()
    objective.adversary = Brightness(0.9)
    plain = next(Tokenise(frames=0).build().losses(codec(), batch, context()))
    of_codec, of_adversary = objective.losses(model, batch, context())
    with torch.no_grad():
        made = codec()
        fake = made.pixels(made.quantise(made.embed(batch.rgb), update=context().rng).vectors).mean((2, 3, 4)).flatten() * 0.9
        real = batch.rgb.mean((2, 3, 4)).flatten() * 0.9
    torch.testing.assert_close(of_codec.value, plain.value - 0.5 * fake.mean())
    torch.testing.assert_close(of_adversary.value, ((1 - real).clamp_min(0).mean() + (1 + fake).clamp_min(0).mean()) / 2)
    assert float(of_adversary.log["real"]) == pytest.approx(float(real.mean()))


@pytest.mark.parametrize("strength", [0.01, 3.0])
def test_an_adaptive_weight_makes_the_adversary_as_strong_as_it_is_set_to_be(strength):
    """VQGAN eq. 7: at the last layer its gradient is `adversary_weight` times the picture's, however loudly it judges."""

    def gradients(objective):
        model = codec()
        next(objective.losses(model, clips(), context())).value.backward()
        return model.last.conv.weight.grad

    objective = Tokenise(frames=0, adversary=SMALL, adversary_weight=0.2, warmup=0).build()
    objective.adversary = Brightness(strength)
    picture = gradients(Tokenise(frames=0).build())
    ours = gradients(objective) - picture
    assert float(ours.norm() / picture.norm()) == pytest.approx(0.2, rel=0.05)


def test_a_discriminator_judges_patches_and_cannot_outrun():
    torch.manual_seed(0)
    network = PatchGAN(width=8, layers=3).build()
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 1, 8, 8)
    for _ in range(30):
        network(torch.rand(2, 3, 64, 64))
    for layer in network.body:
        if isinstance(layer, nn.Conv2d):
            assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.1)
    with pytest.raises(UserError, match="PatchGAN: width and layers"):
        PatchGAN(layers=0)


def test_a_frozen_distance_is_in_no_checkpoint_and_is_not_trained():
    objective = Tokenise(perceptual=Third(), perceptual_weight=1.0, adversary=SMALL).build()
    assert objective.state_dict().keys() == Tokenise(adversary=SMALL).build().state_dict().keys()
    assert not any(p.shape == (1,) and not p.requires_grad for p in objective.parameters())


@pytest.mark.parametrize(
    "fields", [{"frames": -1}, {"warmup": -1}, {"perceptual_weight": -1.0}, {"adversary_weight": float("nan")}, {"perceptual_weight": 1.0}]
)
def test_impossible_settings_are_refused(fields):
    with pytest.raises(UserError, match="Tokenise: "):
        Tokenise(**fields)


def test_it_comes_back_from_json():
    config = Tokenise(frames=2, adversary=SMALL, adaptive=False)
    assert from_json(to_json(config)) == config


# --- whole runs ---


def stage(**train):
    tiny = tokeniser.tiny()
    objective = Tokenise(frames=2, adversary=SMALL, warmup=3)
    settings = replace(tiny.train, steps=6, save_every=2, keep=9, ema=0.9, **train)
    return replace(tiny, blueprint=replace(tiny.blueprint, objective=objective), train=settings, metrics=())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run."""
    place = tmp_path_factory.mktemp("run") / "whole"
    run(stage(), place)
    return place


def test_the_adversary_stays_put_until_its_time_and_then_learns(whole):
    at = {int(path.name[-4:]): load_checkpoint(path)[0]["objective"] for path in checkpoints(whole / "checkpoints")}
    learnt = [key for key in at[0] if key.endswith(("bias", "original"))]
    assert all(torch.equal(at[0][key], at[2][key]) for key in learnt)
    assert all(not torch.equal(at[2][key], at[6][key]) for key in learnt)


def test_a_stopped_run_goes_on_to_the_same_bits(whole, tmp_path):
    """Codec, codes, record of use, adversary, and both optimisers."""
    shutil.copytree(whole, tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "model")
    for path in checkpoints(tmp_path / "stopped" / "checkpoints")[-1:]:
        shutil.rmtree(path)
    run(stage(), tmp_path / "stopped", resume=True)
    ends = [load_checkpoint(checkpoints(place / "checkpoints")[-1])[0] for place in (whole, tmp_path / "stopped")]
    assert {"model", "objective", "average", "optimizer-model", "optimizer-discriminator"} <= ends[0].keys()
    for name, tensors in ends[0].items():
        assert all(torch.equal(value, ends[1][name][key]) for key, value in tensors.items()), name
    assert "quantiser.codebook" in ends[0]["model"]


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_run_is_estimated_before_it_starts(precision):
    """With the adversary, which joins after half of it."""
    made = stage(precision=precision)
    plain = replace(made, blueprint=replace(made.blueprint, objective=replace(made.blueprint.objective, adversary=None)))
    codec, adversary = made.blueprint.codec.build(), SMALL.build()
    ours, theirs = (sum(p.numel() for p in network.parameters()) for network in (codec, adversary))
    with_it, without = estimate(made), estimate(plain)
    assert with_it.parameters == without.parameters == ours
    assert (without.weights, without.gradients, without.optimizer) == (4 * ours, 4 * ours, 8 * ours)
    assert (with_it.weights, with_it.gradients, with_it.optimizer) == (4 * (ours + theirs), 4 * (ours + theirs), 8 * (ours + theirs))
    assert with_it.average == without.average == 4 * ours
    assert with_it.flops > without.flops
    judged = made.train.batch * made.blueprint.objective.frames * made.blueprint.size**2 * 3 * 4  # bytes of the pictures
    assert with_it.activations > without.activations + judged


def test_a_decoder_that_goes_on_alone_leaves_the_codes_in_their_places():
    """Models that stand on the tokens stay valid."""
    model, batch = codec(), clips()
    objective = Tokenise(frames=0, adversary=SMALL, warmup=0).build()
    list(objective.losses(model, batch, context()))  # places the codes
    model.requires_grad_(False).decoder.requires_grad_(True)
    before = {name: value.clone() for name, value in model.quantiser.state_dict().items()}
    loss, judge = objective.losses(model, batch, context(1))
    loss.value.backward()
    assert all(torch.equal(value, before[name]) for name, value in model.quantiser.state_dict().items())
    assert torch.isfinite(judge.value)
    assert all(p.grad is not None for p in model.decoder.parameters())
    assert all(p.grad is None for p in model.encoder.parameters())
