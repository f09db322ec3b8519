import itertools
import math

import pytest
import torch

import kinema.sampling as sampling
from kinema.core import EDM, Affine, Cosine, Linear, Prediction, ScaledLinear, UserError, from_json, to_json
from kinema.core.path import PREDICTIONS, Bounded
from kinema.sampling import DDIM, Euler, Heun, reader, times
from kinema.sampling.ode import Stop, Walk

PATHS = [cls() for cls in (*Affine.__subclasses__(), *Bounded.__subclasses__()) if cls is not Bounded]
SAMPLERS = [getattr(sampling, name) for name in sampling.__all__ if isinstance(getattr(sampling, name), type)]
SAMPLERS = [cls for cls in SAMPLERS if issubclass(cls, Walk)]  # a path or sampler is covered the day it is added
ORDERS = {Heun: 2}
paths = pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
samplers = pytest.mark.parametrize("sampler", SAMPLERS)
predictions = pytest.mark.parametrize("predict", PREDICTIONS)
MEAN, STD = 0.3, 1.2


class Gaussian:
    """The exact model of normal data, in closed form, answering in any prediction."""

    def __init__(self, path, predict="v"):
        self.path, self.predict, self.asked = path, predict, []

    def __call__(self, x, tau):
        self.asked.append(tau[0].item())
        at = self.path.coefficients(tau[0])
        share = (x - at.alpha * MEAN) / (at.alpha**2 * STD**2 + at.sigma**2)
        output = self.path.target(self.predict, MEAN + at.alpha * STD**2 * share, at.sigma * share, tau)
        return self.path.read(self.predict, output, x, tau)

    def flow(self, x, tau, to):
        """Where the exact flow carries x from tau to another time."""
        (a, s, _, _), (b, r, _, _) = (self.path.coefficients(torch.tensor(t, dtype=torch.float64)) for t in (tau, to))
        return b * MEAN + (x - a * MEAN) * torch.sqrt((b**2 * STD**2 + r**2) / (a**2 * STD**2 + s**2))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@paths
@samplers
@predictions
def test_every_sampler_lands_on_the_data(path, sampler, predict):
    shape = (32, 1, 1, 1, 1)
    model = Gaussian(path, predict)
    x = sampler(400)(model, shape, seeded(), dtype=torch.float64)
    noise = path.start_std * torch.randn(shape, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(x, model.flow(noise, 1.0, 0.0), rtol=0.06, atol=0.04)


@paths
@samplers
@predictions
def test_order_of_convergence(path, sampler, predict):
    # from 0.9 to 0.2, away from the ends: at the noise end eps says nothing of x0, and sigma may begin as a root at 0
    model = Gaussian(path, predict)
    first = torch.linspace(-2, 2, 5, dtype=torch.float64).view(5, 1, 1, 1, 1) * path.coefficients(torch.tensor(0.9)).sigma
    errors = []
    for steps in (35, 70):
        x, stops = first, torch.linspace(0.9, 0.2, steps + 1).tolist()
        for tau, to in itertools.pairwise(stops):
            x = sampler(steps).step(model, Stop(x, *model(x, x.new_full((5,), tau)), tau, to), seeded())
        errors.append((x - model.flow(first, 0.9, 0.2)).abs().max().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDERS.get(sampler, 1), abs=0.25)


@paths
@samplers
@predictions
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_any_output_is_survived_from_the_singular_start(path, sampler, predict, steps):
    def model(x, tau, conditions):
        assert x.isfinite().all()
        assert tau.isfinite().all()
        return Prediction(torch.ones_like(x))

    assert sampler(steps)(reader(model, path, predict), (2, 1, 1, 2, 2), seeded()).isfinite().all()


@paths
@samplers
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
def test_walks_end_on_x0(path, sampler, spacing):
    x = sampler(3, spacing=spacing)(reader(lambda x, tau, c: Prediction(torch.full_like(x, 0.7)), path, "x0"), (1, 1, 1, 1, 1), seeded())
    assert x.item() == pytest.approx(0.7, rel=1e-6)


@samplers
def test_a_model_is_never_asked_at_the_data_end(sampler):
    model = Gaussian(Linear())
    sampler(10)(model, (1, 1, 1, 1, 1), seeded())
    assert model.asked[0] == 1
    assert min(model.asked) > 0
    assert sorted(model.asked, reverse=True) == model.asked


@samplers
def test_the_seed_decides(sampler):
    draw = [sampler(4)(Gaussian(Cosine()), (2, 1, 1, 2, 2), seeded(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])


@samplers
def test_json(sampler):
    part = sampler(7, spacing="linspace", shift=3.0)
    assert from_json(to_json(part)) == part


@samplers
def test_wrong_fields_are_refused(sampler):
    for fields, named in (({"steps": 0}, "1 step"), ({"spacing": "even"}, "trailing"), ({"shift": 0.0}, "shift")):
        with pytest.raises(UserError, match=named):
            sampler(**fields)


def test_eta_is_a_share():
    with pytest.raises(UserError, match="eta"):
        DDIM(4, eta=2.0)(Gaussian(Linear()), (1, 1, 1, 1, 1), seeded())


@samplers
def test_no_gradient_is_kept(sampler):
    scale = torch.ones((), requires_grad=True)
    x = sampler(2)(reader(lambda x, tau, c: Prediction(scale * x), Linear(), "velocity"), (1, 1, 1, 1, 1), seeded())
    assert not x.requires_grad


def test_ddim_is_euler_on_a_straight_path():
    got = [cls(9)(Gaussian(Linear()), (8, 1, 1, 1, 1), seeded(), dtype=torch.float64) for cls in (DDIM, Euler)]
    torch.testing.assert_close(*got, rtol=0, atol=1e-12)


def test_ddim_is_the_textbook_on_its_table():
    # Song et al. (2021), eq. 12, over training steps 999, 979, ..., 19 (trailing), with v read in closed form
    path, steps, x = ScaledLinear(), 50, torch.randn(4, generator=seeded(), dtype=torch.float64)
    model = Gaussian(path)
    got = DDIM(steps)(model, (4, 1, 1, 1, 1), seeded(), dtype=torch.float64).flatten()
    bar = path.table()[1:] ** 2
    for k in range(999, 0, -20):
        x0, eps = (part.flatten() for part in model(x.view(4, 1, 1, 1, 1), torch.full((4,), (k + 1) / 1000, dtype=torch.float64)))
        before = bar[k - 20] if k >= 20 else torch.ones(())
        x = before.sqrt() * x0 + (1 - before).sqrt() * eps
    torch.testing.assert_close(got, x, rtol=0, atol=1e-6)


@paths
def test_ancestral_steps_keep_the_marginals(path):
    x = DDIM(150, eta=1.0)(Gaussian(path), (20_000, 1, 1, 1, 1), seeded())
    assert x.mean().item() == pytest.approx(MEAN, abs=0.05)
    assert x.std().item() == pytest.approx(STD, rel=0.04)


def test_heun_is_karras_algorithm_1():
    path, stops = EDM(), times(12)
    model = Gaussian(path)
    x = 80 * torch.randn(4, generator=seeded(), dtype=torch.float64)
    sigma = [path.coefficients(torch.tensor(tau, dtype=torch.float64)).sigma.item() for tau in stops[:-1]] + [0.0]

    def slope(x, s):  # (x - D(x; sigma)) / sigma, D the closed-form denoiser
        return (x - (MEAN + STD**2 / (STD**2 + s**2) * (x - MEAN))) / s

    for s, to in itertools.pairwise(sigma):
        d = slope(x, s)
        guess = x + (to - s) * d
        x = guess if to == 0 else x + (to - s) * (d + slope(guess, to)) / 2
    got = Heun(12)(model, (4, 1, 1, 1, 1), seeded(), dtype=torch.float64)
    torch.testing.assert_close(got.flatten(), x, rtol=0, atol=1e-8)


def test_spacings_are_diffusers():
    # training steps k of 1000 lie at tau = (k + 1) / 1000
    steps = {name: [round(1000 * tau - 1) for tau in times(50, name)[:-1]] for name in ("trailing", "leading", "linspace")}
    assert steps["trailing"] == list(range(999, 0, -20))
    assert steps["leading"] == list(range(980, -1, -20))
    assert [steps["linspace"][i] for i in (0, -1)] == [999, 0]


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0, 5.0])
def test_shift(shift):
    for tau, moved in zip(times(11), times(11, shift=shift), strict=True):
        assert moved == pytest.approx(shift * tau / (1 + (shift - 1) * tau))
    assert times(11, shift=shift)[0] == 1
    assert times(11, shift=shift)[-1] == 0


def test_the_reader_scales_as_the_path_says():
    seen = []

    def model(x, tau, conditions):
        seen.append((x, tau, conditions))
        return Prediction(torch.zeros_like(x))

    x, tau = torch.ones(2, 1, 1, 1, 1), torch.tensor([0.5, 1.0])
    x0, _ = reader(model, EDM(), "v", {"a": "b"})(x, tau)
    sigma = EDM().coefficients(tau).sigma
    torch.testing.assert_close(seen[0][0].flatten(), 1 / torch.sqrt(1 + sigma**2))
    torch.testing.assert_close(seen[0][1], sigma.log() / 4)
    torch.testing.assert_close(x0.flatten(), 1 / (1 + sigma**2))
    assert seen[0][2] == {"a": "b"}
