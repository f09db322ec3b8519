"""Laws of the masked objective: what is masked, what it costs, what is known."""

import math

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from kinema.core import MASK, Context, Latents, Masked, Prediction, UserError, Value, from_json, part, to_json, torch_stream
from kinema.objectives import Encoded, MaskedTokens

CODES = 13
SHAPE = (12, 3, 4, 5)  # b, t, h, w


def context(*key):
    return Context(torch_stream("tokens test", *key), 0, 100)


def batch(shape=SHAPE, drop=None, first=True):
    """Clips whose first frame is known, unless training drops it."""
    data = torch.randint(CODES, shape, generator=torch.Generator().manual_seed(3))
    where = torch.zeros(shape[0], shape[1], 1, 1, dtype=torch.long)
    where[:, 0] = 1
    frames = Value(data * where, torch.ones(shape[0], dtype=torch.bool), where)
    return Encoded(Latents(data), {"frames": frames} if first else {}, {} if drop is None else {"frames": drop})


class Network(nn.Module):
    """Logits that depend on nothing, with a memory of what was seen."""

    def __init__(self, shape=SHAPE, codes=CODES, scale=1.0):
        super().__init__()
        self.logits = nn.Parameter(scale * torch.randn(*shape, codes, generator=torch.Generator().manual_seed(5)))

    def forward(self, x, tau, conditions):
        self.x, self.tau, self.conditions = x, tau, conditions
        return Prediction(self.logits)


def learn(objective, network, given, key="a"):
    (loss,) = objective.build().losses(network, given, context(key))
    assert loss.group == "model"
    return loss


@part
class At:
    """Always the same tau."""

    tau: float

    def draw(self, n, rng):
        return torch.full((n,), self.tau)


# --- what it costs ---


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("regions", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("shared", [True, False])
def test_the_loss_is_the_cross_entropy_of_the_masked_tokens(smoothing, regions, shared):
    network, given = Network(), batch(drop=0.5)
    objective = MaskedTokens(path=Masked(shared=shared), label_smoothing=smoothing, regions=regions)
    loss = learn(objective, network, given)
    masked, x0 = network.x == MASK, given.latents.data
    assert torch.equal(network.x[~masked], x0[~masked])
    logits = network.logits.detach()[masked]
    assert loss.value.item() == pytest.approx(float(F.cross_entropy(logits, x0[masked], label_smoothing=smoothing)))
    plain = F.cross_entropy(logits, x0[masked], reduction="none")
    late = (network.tau >= 0.5)[:, None, None, None].expand_as(masked)[masked]
    right = logits.argmax(-1) == x0[masked]
    for name, want in {
        "ce": plain.mean(), "ce_high": plain[late].mean(), "ce_low": plain[~late].mean(),
        "accuracy": right.float().mean(), "masked": masked.float().mean(),
    }.items():  # fmt: skip
        assert float(loss.log[name]) == pytest.approx(float(want), rel=1e-5)
        assert not torch.as_tensor(loss.log[name]).requires_grad


def test_what_is_not_masked_teaches_nothing():
    network, given = Network(), batch(drop=0.5)
    learn(MaskedTokens(), network, given).value.backward()
    taught = network.logits.grad.abs().sum(-1) > 0
    assert torch.equal(taught, network.x == MASK)
    assert taught.any()
    assert not taught.all()


def test_the_gradient_is_that_of_torch_s_own_loss():
    network, given = Network(), batch(drop=0.5)
    (mine,) = torch.autograd.grad(learn(MaskedTokens(label_smoothing=0.2), network, given).value, network.logits)
    target = torch.where(network.x == MASK, given.latents.data, -100)
    loss = F.cross_entropy(network.logits.flatten(0, 3), target.flatten(), ignore_index=-100, label_smoothing=0.2)
    (torchs,) = torch.autograd.grad(loss, network.logits)
    torch.testing.assert_close(mine, torchs, atol=1e-7, rtol=1e-4)


def test_knowing_nothing_costs_the_logarithm_of_the_codes():
    loss = learn(MaskedTokens(), Network(scale=0.0), batch())
    assert loss.value.item() == pytest.approx(math.log(CODES))
    assert float(loss.log["ce"]) == pytest.approx(math.log(CODES))


def test_a_model_that_knows_the_codes_is_always_right():
    given = batch(drop=0.5)
    logits = 50 * F.one_hot(given.latents.data, CODES).float()
    loss = learn(MaskedTokens(label_smoothing=0.0), lambda x, tau, conditions: Prediction(logits), given)
    assert loss.value.item() == pytest.approx(0, abs=1e-6)
    assert float(loss.log["accuracy"]) == 1
    # Smoothing asks for less than certainty: its floor is the entropy of the smoothed target.
    soft = torch.full((CODES,), 0.1 / CODES)
    soft[0] += 0.9
    best = soft.log()[(torch.arange(CODES) - given.latents.data[..., None]) % CODES]
    loss = learn(MaskedTokens(), lambda x, tau, conditions: Prediction(best), given)
    assert loss.value.item() == pytest.approx(float(-(soft * soft.log()).sum()), rel=1e-5)


class Table(nn.Module):
    """A row of logits for each token of two and each state of the other: code 0, 1, 2 or masked."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2, 4, 3))

    def forward(self, x, tau, conditions):
        other = x.flatten(1).flip(1) % 4  # MASK is 3
        return Prediction(torch.stack([self.rows[0, other[:, 0]], self.rows[1, other[:, 1]]], 1).reshape(*x.shape, 3))


def test_what_is_learnt_are_the_conditional_distributions():
    p = torch.tensor([[0.3, 0.02, 0.08], [0.05, 0.2, 0.05], [0.1, 0.05, 0.15]])
    data = torch.multinomial(p.flatten(), 8_000, replacement=True, generator=torch.Generator().manual_seed(1))
    seen = torch.bincount(data, minlength=9).reshape(3, 3) / len(data)
    given = Encoded(Latents(torch.stack([data // 3, data % 3], 1).reshape(-1, 1, 1, 2)), {})
    table, objective = Table(), MaskedTokens(label_smoothing=0.0, regions=0.0)
    optimizer = torch.optim.Adam(table.parameters(), 0.1)
    for step in range(50):
        loss = learn(objective, table, given, step)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
    learnt = table.rows.detach().softmax(-1)
    want = torch.stack([torch.cat([(seen / seen.sum(0)).T, seen.sum(1)[None]]), torch.cat([(seen.T / seen.sum(1)).T, seen.sum(0)[None]])])
    torch.testing.assert_close(learnt, want, atol=0.03, rtol=0)


def test_a_half_of_time_without_clips_has_no_figure():
    loss = learn(MaskedTokens(times=At(tau=0.8)), Network(), batch())
    assert math.isnan(loss.log["ce_low"])
    assert float(loss.log["ce_high"]) == pytest.approx(float(loss.log["ce"]))


# --- what is masked ---


def test_first_frames_are_known_in_their_share_of_the_clips_and_the_others_share_a_mask():
    shape = (4000, 3, 2, 4)
    network = Network(shape, 2)
    given = batch(shape, drop=0.85)
    given.latents.data.clamp_(max=1)
    learn(MaskedTokens(), network, given)
    masked, there = network.x == MASK, network.conditions["frames"].present
    assert float(there.float().mean()) == pytest.approx(0.15, abs=4 * math.sqrt(0.15 * 0.85 / 4000))
    assert not masked[there, 0].any()
    assert torch.equal(masked[~there, 0], masked[~there, 1])
    assert torch.equal(masked[:, 1], masked[:, 2])
    count = torch.ceil(torch.sin(math.pi / 2 * network.tau.double()) * 8 - 1e-5).clamp_min(1)
    assert torch.equal(masked[:, 1].sum((1, 2)), count.long())
    assert float(network.tau.mean()) == pytest.approx(0.5, abs=4 / math.sqrt(12 * 4000))


def test_at_least_one_token_is_masked_whatever_is_known():
    shape = (400, 2, 3, 3)
    data = torch.zeros(shape, dtype=torch.long)
    where = torch.ones(shape, dtype=torch.bool)
    where[torch.arange(400), 1, torch.arange(400) % 3, torch.arange(400) // 3 % 3] = False  # one cell of the last frame is not
    given = Encoded(Latents(data), {"frames": Value(data, torch.ones(400, dtype=torch.bool), where)})
    for objective in (MaskedTokens(), MaskedTokens(regions=1.0), MaskedTokens(path=Masked(shared=False))):
        network = Network(shape, 2)
        learn(objective, network, given)
        assert torch.equal(network.x == MASK, ~where)


def test_at_least_one_token_of_every_frame_is_masked_where_frames_differ():
    shape = (200, 2, 3, 3)
    data, where = torch.zeros(shape, dtype=torch.long), torch.ones(shape, dtype=torch.bool)
    where[:, 0, 0, 1] = where[:, 1, 2, 2] = False
    network = Network(shape, 2)
    given = Encoded(Latents(data), {"frames": Value(data, torch.ones(200, dtype=torch.bool), where)})
    learn(MaskedTokens(path=Masked(shared=False), regions=0.5), network, given)
    assert torch.equal(network.x == MASK, ~where)


def test_known_cells_do_not_change_which_others_are_masked():
    """But for the one that is masked in any case."""
    bare, told = Network(), Network()
    learn(MaskedTokens(), bare, batch(first=False))
    learn(MaskedTokens(), told, batch())
    assert torch.equal(bare.x[:, 1:], told.x[:, 1:])


def test_clips_that_are_known_whole_cost_nothing():
    network, data = Network(), batch().latents.data
    loss = learn(MaskedTokens(), network, Encoded(Latents(data), {"frames": Value(data, torch.ones(12, dtype=torch.bool))}))
    loss.value.backward()
    assert loss.value.item() == 0
    assert not network.logits.grad.any()


def lie_in_a_box(masked):
    """Whether the masked cells [b,h,w] fill their bounding box but for a part of one side, [b]."""
    rows, columns = masked.any(2).float(), masked.any(1).float()
    high, wide = ((side.cumsum(1) * side.flip(1).cumsum(1).flip(1) > 0).sum(1) for side in (rows, columns))
    gapless = (high == rows.sum(1)) & (wide == columns.sum(1))
    return gapless & (high * wide - masked.sum((1, 2)) < torch.maximum(high, wide))


@pytest.mark.parametrize("shared", [True, False])
def test_regions_are_boxes_of_the_scheduled_size_everywhere(shared):
    shape = (2000, 2, 6, 8)
    network = Network(shape, 1)
    given = Encoded(Latents(torch.zeros(shape, dtype=torch.long)), {})
    learn(MaskedTokens(regions=1.0, path=Masked(shared=shared)), network, given)
    masked = network.x == MASK
    assert torch.equal(masked[:, 0], masked[:, 1])
    assert lie_in_a_box(masked[:, 0]).all()
    assert torch.equal(masked[:, 0].sum((1, 2)), Masked().count(network.tau, 48))
    assert masked.float().mean((0, 1)).min() > 0.3  # corners too
    high, wide = masked[:, 0].any(2).sum(1), masked[:, 0].any(1).sum(1)
    assert ((high > wide).float().mean() > 0.1) & ((wide > high).float().mean() > 0.3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_regions_come_as_often_as_asked(share):
    shape = (3000, 1, 8, 8)
    network = Network(shape, 1)
    learn(MaskedTokens(regions=share, times=At(tau=1 / 3)), network, Encoded(Latents(torch.zeros(shape, dtype=torch.long)), {}))
    found = lie_in_a_box((network.x == MASK)[:, 0])  # 32 cells that are scattered never do
    assert float(found.float().mean()) == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 3000))


# --- how it runs ---


def test_masks_depend_on_the_step_alone():
    networks = [Network() for _ in range(3)]
    values = [learn(MaskedTokens(), n, batch(drop=0.5), key).value.item() for n, key in zip(networks, "aab", strict=True)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(networks[0].x, networks[1].x)


def test_logits_in_half_precision_are_read_in_single():
    given, network = batch(), Network()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = learn(MaskedTokens(), lambda *a: Prediction(network(*a).output.bfloat16()), given)
    assert rounded.value.dtype == torch.float32
    assert rounded.value.item() == pytest.approx(learn(MaskedTokens(), network, given).value.item(), rel=5e-3)


class WithoutGenerators(TorchFunctionMode):
    """Tensors without memory draw nothing."""

    def __torch_function__(self, function, kinds, args=(), kwargs=None):
        return function(*args, **{key: value for key, value in (kwargs or {}).items() if key != "generator"})


@pytest.mark.parametrize("shared", [True, False])
def test_a_step_runs_on_shapes_alone(shared):
    with FakeTensorMode(allow_non_fake_inputs=False), WithoutGenerators():
        data = torch.zeros(SHAPE, dtype=torch.long)
        frames = Value(data, torch.ones(12, dtype=torch.bool), torch.ones(12, 3, 1, 1, dtype=torch.long))
        given = Encoded(Latents(data), {"frames": frames}, {"frames": 0.5})
        logits = torch.zeros(*SHAPE, CODES, requires_grad=True)
        network = lambda x, tau, conditions: Prediction(logits)  # noqa: E731
        objective = MaskedTokens(path=Masked(shared=shared))
        (loss,) = objective.losses(network, given, context())
        loss.value.backward()
    assert loss.value.shape == ()
    assert logits.grad.shape == logits.shape


def test_parts_and_their_fields():
    objective = MaskedTokens(path=Masked(shared=False), label_smoothing=0.0, regions=0.3)
    assert from_json(to_json(objective)) == objective
    assert objective.predict == "codes"
    for fields, says in [({"label_smoothing": 1.0}, "label_smoothing must lie in"), ({"label_smoothing": -0.1}, "label_smoothing"),
                         ({"regions": 1.5}, "regions must lie in"), ({"regions": math.nan}, "regions")]:  # fmt: skip
        with pytest.raises(UserError, match=f"MaskedTokens: {says}"):
            MaskedTokens(**fields)
