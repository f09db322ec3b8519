"""Laws of what is learnt: times, denoising, reconstruction."""

from itertools import product

import pytest
import torch
from torch import nn

from kinema.codecs import VAE
from kinema.core import Clip
from kinema.core.config import from_json, part, to_json
from kinema.core.contracts import Context, Latents, Prediction, Value
from kinema.core.errors import UserError
from kinema.core.path import EDM, PREDICTIONS, Cosine, Linear, ScaledLinear
from kinema.core.rng import torch_stream
from kinema.objectives import Denoise, Encoded, HighNoise, LogitNormal, Reconstruct, UniformTimes

PATHS = (Linear(), Cosine(), ScaledLinear(), EDM())
N = 40_000


def context(*key, step=0):
    return Context(torch_stream("objectives test", *key), step, 100)


# --- times ---


@pytest.mark.parametrize(
    ("times", "mean"),
    [
        (UniformTimes(), 0.5),
        (LogitNormal(), 0.5),
        (LogitNormal(mean=1.0, std=1e-3), 0.7311),
        (HighNoise(shift=1.0), 0.5),
        (HighNoise(shift=3.0), 1.5 - 0.75 * 1.0986),  # s / (s - 1) - s ln s / (s - 1)^2
        (HighNoise(shift=3.0, terminal=0.5), 0.5 + 0.5 * (1.5 - 0.75 * 1.0986)),
        (HighNoise(terminal=1.0), 1.0),
    ],
)
def test_times_lie_in_their_interval_and_have_their_mean(times, mean):
    tau = times.draw(N, torch_stream("times"))
    assert tau.shape == (N,)
    assert tau.min() >= 0
    assert tau.max() <= 1
    assert float(tau.mean()) == pytest.approx(mean, abs=0.01)
    assert torch.equal(tau, times.draw(N, torch_stream("times")))
    assert from_json(to_json(times)) == times


def test_the_share_at_pure_noise_is_exact_noise():
    tau = HighNoise(shift=3.0, terminal=0.3).draw(N, torch_stream("times"))
    assert float((tau == 1).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert not (HighNoise(shift=3.0).draw(N, torch_stream("times")) == 1).any()


@pytest.mark.parametrize("fields", [{"shift": 0.0}, {"shift": -1.0}, {"terminal": 1.5}, {"terminal": -0.1}])
def test_impossible_times_are_refused(fields):
    with pytest.raises(UserError, match="HighNoise: shift must be above 0"):
        HighNoise(**fields)


# --- denoising ---


def batch(b=6):
    data = torch.randn(b, 3, 2, 4, 4, generator=torch.Generator().manual_seed(3))
    return Encoded(Latents(data), {"frames": Value(data, torch.ones(b, dtype=torch.bool))})


class Oracle:
    """Knows the data, so it predicts without error but for `miss` in its idea of x0; float64, to stand at every tau."""

    def __init__(self, objective, data, miss=0.0):
        self.objective, self.data, self.miss, self.seen = objective, data, miss, []

    def __call__(self, x, tau, conditions):
        path = self.objective.path
        if isinstance(path, EDM):  # undo what the network sees
            sigma = torch.exp(4 * tau.double())
            low, high = path.sigma_min ** (1 / path.rho), path.sigma_max ** (1 / path.rho)
            tau = (sigma ** (1 / path.rho) - low) / (high - low)
            x = x.double() * torch.sqrt(1 + sigma**2).reshape(-1, 1, 1, 1, 1)
        self.seen.append(tau)
        at = path.coefficients(tau.double())
        alpha, sigma = (c.reshape(-1, 1, 1, 1, 1) for c in (at.alpha, at.sigma))
        x0 = self.data.double() + self.miss
        eps = (x.double() - alpha * x0) / sigma
        return Prediction(path.target(self.objective.predict, x0, eps, tau.double()).float())


@pytest.mark.parametrize(("path", "predict"), list(product(PATHS, PREDICTIONS)), ids=str)
def test_the_exact_prediction_costs_nothing(path, predict):
    objective = Denoise(path=path, predict=predict, times=HighNoise(shift=2.0)).build()
    given = batch()
    (loss,) = objective.losses(Oracle(objective, given.latents.data), given, context())
    assert loss.group == "model"
    scale = float(path.target(predict, torch.ones(1), torch.ones(1), torch.ones(1)).square()) + 1
    assert float(loss.value) < 1e-5 * scale
    assert {"mse_high", "mse_low"} <= loss.log.keys()


@pytest.mark.parametrize(("path", "predict", "weighting"), list(product(PATHS, PREDICTIONS, PREDICTIONS)), ids=str)
def test_a_weighting_makes_one_prediction_cost_what_the_other_does(path, predict, weighting):
    """The same wrong idea of x0 costs the same, whatever the network is asked for, once errors are weighed alike."""

    def cost(asked):
        made = Denoise(path=path, predict=asked, weighting=weighting, times=LogitNormal(), max_weight=1e9).build()
        given = batch()
        (loss,) = made.losses(Oracle(made, given.latents.data, miss=0.5), given, context())
        return float(loss.value)

    assert cost(predict) == pytest.approx(cost(weighting), rel=5e-3)


def test_weights_are_bounded():
    objective = Denoise(path=Linear(), predict="x0", weighting="eps", max_weight=7.0)
    tau = torch.linspace(0, 1, 11)
    weight = objective.weight(tau)
    assert weight.max() == 7
    torch.testing.assert_close(weight[5:], ((1 - tau) / tau)[5:] ** 2)
    assert torch.equal(Denoise(predict="v").weight(tau), torch.ones(11))
    assert torch.equal(Denoise(predict="v", weighting="v").weight(tau), torch.ones(11))


def test_the_noise_depends_on_the_step_alone_and_the_conditions_arrive():
    seen = []

    def network(x, tau, conditions):
        seen.append((x.clone(), tau.clone()))
        assert set(conditions) == {"frames"}
        return Prediction(torch.zeros_like(x))

    objective = Denoise(times=UniformTimes())
    values = [float(next(objective.losses(network, batch(), context("a"))).value) for _ in range(2)]
    assert values[0] == values[1] != float(next(objective.losses(network, batch(), context("b"))).value)
    assert torch.equal(seen[0][0], seen[1][0])


def heard(given, key="drop"):
    """The conditions as they reach the network in a step, and what else it sees."""
    seen = {}

    def network(x, tau, conditions):
        seen.update(conditions, x=x, tau=tau)
        return Prediction(torch.zeros_like(x))

    next(Denoise().losses(network, given, context(key)))
    return seen


def told(drop, b=N):
    data = torch.zeros(b, 1, 1, 1, 1)
    given = {name: Value(torch.ones(b, 1), torch.arange(b) % 4 > 0) for name in ("state", "text")}
    return Encoded(Latents(data), given, drop)


def test_conditions_are_dropped_as_often_as_asked_each_by_itself():
    kept = {name: heard(told({"state": 0.1, "text": 0.3}))[name].present for name in ("state", "text")}
    there = torch.arange(N) % 4 > 0
    assert not any(present[~there].any() for present in kept.values())  # what is absent stays so
    state, text = (kept[name][there] for name in ("state", "text"))
    assert float(state.float().mean()) == pytest.approx(0.9, abs=0.01)
    assert float(text.float().mean()) == pytest.approx(0.7, abs=0.01)
    assert float((state & text).float().mean()) == pytest.approx(0.63, abs=0.01)
    assert torch.equal(heard(told({}))["state"].present, there)


def test_what_is_dropped_depends_on_the_step_alone_and_leaves_the_noise_as_it_is():
    whole, thinned, again, other = (heard(told({"text": d}, b=64), key) for d, key in ((0, "a"), (0.5, "a"), (0.5, "a"), (0.5, "b")))
    assert torch.equal(thinned["text"].present, again["text"].present)
    assert not torch.equal(thinned["text"].present, other["text"].present)
    assert torch.equal(thinned["x"], whole["x"])
    assert torch.equal(thinned["tau"], whole["tau"])
    assert torch.equal(thinned["state"].present, whole["state"].present)


def test_the_error_is_told_apart_by_time():
    objective = Denoise(path=Linear(), predict="x0", times=HighNoise(terminal=1.0))
    (loss,) = objective.losses(lambda x, tau, c: Prediction(torch.zeros_like(x)), batch(), context())
    assert float(loss.log["mse_high"]) == pytest.approx(float(loss.value))
    assert float(loss.log["mse_high"]) == pytest.approx(float(batch().latents.data.square().mean()), rel=1e-5)


# --- reconstruction ---


class Perfect:
    """An autoencoder that hides the pixels in its latents."""

    def __init__(self, log_variance=-60.0, miss=0.0):
        self.log_variance, self.miss = log_variance, miss

    def moments(self, rgb):
        self.seen = rgb
        mean = rgb.transpose(1, 2)
        return mean, torch.full_like(mean, self.log_variance)

    def pixels(self, z):
        return z.transpose(1, 2) + self.miss


def clips(frames=9, size=8, b=2):
    rgb = torch.rand(b, frames, 3, size, size, generator=torch.Generator().manual_seed(4))
    return Clip(rgb=rgb, fps=10.0, batched=True)


def test_a_perfect_reconstruction_costs_its_divergence_alone():
    objective = Reconstruct(kl=0.0).build()
    (loss,) = objective.losses(Perfect(), clips(), context())
    assert float(loss.value) == pytest.approx(0, abs=1e-6)
    (missed,) = objective.losses(Perfect(miss=0.2), clips(), context())
    assert float(missed.value) == pytest.approx(0.2 + 0.04, rel=1e-4)


def test_the_divergence_is_that_of_two_normal_distributions():
    rgb = clips().rgb
    (loss,) = Reconstruct(kl=3.0).build().losses(Perfect(log_variance=0.5), clips(), context())
    posterior = torch.distributions.Normal(rgb, torch.tensor(0.5).exp().sqrt())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).mean()
    assert float(loss.log["kl"]) == pytest.approx(float(divergence), rel=1e-5)
    assert float(loss.value) == pytest.approx(float(loss.log["l1"] + loss.log["mse"] + 3 * divergence), rel=1e-5)


@pytest.mark.parametrize(("window", "frames"), [(5, 5), (9, 9), (0, 9), (20, 9)])
def test_a_window_is_cut_from_every_place(window, frames):
    model, starts = Perfect(), set()
    for step in range(60):
        list(Reconstruct(window=window).build().losses(model, clips(), context(step)))
        assert model.seen.shape[1] == frames
        starts.add(next(k for k in range(9) if torch.equal(model.seen[:, 0], clips().rgb[:, k])))
    assert starts == set(range(9 - frames + 1))


def test_a_weight_without_a_distance_is_refused():
    with pytest.raises(UserError, match="perceptual_weight is set but no perceptual distance is named"):
        Reconstruct(perceptual_weight=0.1)


@pytest.mark.parametrize("fields", [{"window": -1}, {"kl": -0.1}, {"kl": float("nan")}, {"perceptual_weight": -1.0}])
def test_what_cannot_be_weighed_or_cut_is_refused(fields):
    with pytest.raises(UserError, match="Reconstruct: window, kl and perceptual_weight must be 0 or more"):
        Reconstruct(**fields)


@part
class Darkness:
    def build(self):
        return lambda x, y: (x - y).square().mean((1, 2, 3))


def test_a_perceptual_distance_is_added():
    plain = Reconstruct(kl=0.0).build()
    more = Reconstruct(kl=0.0, perceptual=Darkness(), perceptual_weight=2.0).build()
    (a,), (b,) = (made.losses(Perfect(miss=0.1), clips(), context()) for made in (plain, more))
    assert float(b.log["perceptual"]) == pytest.approx(0.01, rel=1e-4)
    assert float(b.value - a.value) == pytest.approx(0.02, rel=1e-4)


class Judge(nn.Module):
    """A perceptual network with a weight that must lie where the pictures do."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, x, y):
        return (self.weight * (x - y)).square().mean((1, 2, 3))


@part
class Judged:
    def build(self):
        return Judge()


def test_a_perceptual_network_follows_the_pictures_to_their_device():
    objective = Reconstruct(perceptual=Judged(), perceptual_weight=1.0).build()
    far = Clip(rgb=clips().rgb.to("meta"), fps=10.0, batched=True)  # a device that every machine has
    (loss,) = objective.losses(Perfect(), far, context())
    assert loss.value.device.type == "meta"


def test_gradients_reach_every_weight_of_a_codec():
    torch.manual_seed(0)
    codec = VAE(channels=4, widths=(8, 8), time_stride=2).build()
    (loss,) = Reconstruct(kl=0.1, window=5).build().losses(codec, clips(size=16), context())
    loss.value.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in codec.parameters())
