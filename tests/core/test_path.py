import math

import numpy as np
import pytest
import torch

from kinema.core import EDM, Affine, Cosine, Linear, ScaledLinear, from_json, to_json
from kinema.core.path import PREDICTIONS, Bounded

PATHS = [
    cls() for cls in (*Affine.__subclasses__(), *Bounded.__subclasses__()) if cls is not Bounded
]  # a path is covered the day it is added
EXACT = [path for path in PATHS if not isinstance(path, EDM)]  # from clean data to pure noise
paths = pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
predictions = pytest.mark.parametrize("predict", PREDICTIONS)


def pair(b, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return (torch.randn(b, 2, 3, 4, 4, generator=rng, dtype=dtype) for _ in range(2))


@paths
@predictions
def test_read_inverts_target(path, predict):
    tau = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    x0, eps = pair(25)
    x = path.corrupt(x0, eps, tau)
    got = path.read(predict, path.target(predict, x0, eps, tau), x, tau)
    torch.testing.assert_close(got, (x0, eps), rtol=0, atol=1e-8)


@paths
@predictions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ends_are_finite_and_compose_x(path, predict, dtype):
    tau = torch.tensor([0.0, 1e-7, 1e-4, 1 - 1e-4, 1 - 1e-7, 1.0], dtype=dtype)
    x0, eps = pair(6, dtype)
    x = path.corrupt(x0, eps, tau)
    got = path.read(predict, path.target(predict, x0, eps, tau), x, tau)
    assert all(part.isfinite().all() for part in got)
    torch.testing.assert_close(path.corrupt(*got, tau), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", EXACT, ids=lambda path: type(path).__name__)
@pytest.mark.parametrize(("predict", "tau"), [("x0", 1.0), ("v", 1.0), ("velocity", 1.0), ("eps", 0.0), ("v", 0.0)])
def test_predictions_that_are_not_singular_read_both_at_the_ends(path, predict, tau):
    x0, eps = pair(2)
    tau = torch.full((2,), tau, dtype=torch.float64)
    x = path.corrupt(x0, eps, tau)
    got = path.read(predict, path.target(predict, x0, eps, tau), x, tau)
    torch.testing.assert_close(got, (x0, eps), rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", EXACT, ids=lambda path: type(path).__name__)
def test_what_is_unknown_is_zero(path):
    x = torch.ones(1, 1, 1, 1, 1)
    assert path.read("eps", x, x, torch.ones(1))[0].item() == 0
    assert path.read("x0", x, x, torch.zeros(1))[1].item() == 0


@pytest.mark.parametrize("path", EXACT, ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_signal_is_exactly_zero_at_the_noise_end(path, dtype):
    at = path.coefficients(torch.tensor([0.0, 1.0], dtype=dtype))
    assert at.alpha.tolist() == [1, 0]
    assert at.sigma.tolist() == [0, 1]
    assert path.start_std == 1


@paths
def test_noise_grows(path):
    at = path.coefficients(torch.linspace(0, 1, 1001, dtype=torch.float64))
    angle = torch.atan2(at.sigma, at.alpha)
    assert (angle.diff() > 0).all()
    assert angle[0] < 0.01
    assert angle[-1] > math.pi / 2 - 0.02


@paths
def test_derivatives_are_derivatives(path):
    # half-way between the knots of a table, where a table has a derivative
    tau, h = (torch.arange(2, 998, 7, dtype=torch.float64) + 0.5) / 1000, 1e-6
    before, at, after = (path.coefficients(tau + d) for d in (-h, 0, h))
    torch.testing.assert_close((after.alpha - before.alpha) / (2 * h), at.d_alpha, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close((after.sigma - before.sigma) / (2 * h), at.d_sigma, rtol=1e-5, atol=1e-6)


def test_scaled_linear_derivative_near_the_data():
    # alpha falls from 1 with slope -s, so sigma = sqrt(2 s tau) to first order, and its derivative sqrt(s / (2 tau))
    slope = (1 - math.sqrt(1 - 0.00085)) * 1000
    tau = torch.logspace(-7, -5, 9, dtype=torch.float64)
    want = torch.sqrt(slope / (2 * tau))
    torch.testing.assert_close(ScaledLinear().coefficients(tau).d_sigma, want, rtol=1e-4, atol=0)
    assert ScaledLinear().coefficients(torch.zeros(1)).d_sigma.isfinite().all()


@paths
def test_tau_per_frame(path):
    x0, eps = pair(3)
    tau = torch.rand(3, 2, dtype=torch.float64)
    x = path.corrupt(x0, eps, tau)
    for frame in range(2):
        torch.testing.assert_close(x[:, frame], path.corrupt(x0[:, frame], eps[:, frame], tau[:, frame]))


@paths
@predictions
def test_weight_is_the_ratio_of_squared_errors(path, predict):
    tau = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    x0, eps = pair(9)
    x = path.corrupt(x0, eps, tau)
    wrong = x0 + 0.1
    wrong_eps = path.read("x0", wrong, x, tau)[1]
    error = path.target(predict, wrong, wrong_eps, tau) - path.target(predict, x0, eps, tau)
    torch.testing.assert_close(error.square().mean((1, 2, 3, 4)), 0.01 * path.weight(predict, tau), rtol=1e-6, atol=1e-9)


@paths
def test_half_precision_loses_no_coefficients(path):
    tau = torch.tensor([0.9973])
    x0, eps = pair(1, torch.float32)
    x = path.corrupt(x0.bfloat16(), eps.bfloat16(), tau)
    assert x.dtype == torch.bfloat16
    torch.testing.assert_close(x.float(), path.corrupt(x0, eps, tau), rtol=0.02, atol=0.02)
    assert path.read("v", x, x, tau)[0].dtype == torch.float32


@paths
def test_json(path):
    assert from_json(to_json(path)) == path


def test_unknown_prediction_is_named():
    with pytest.raises(ValueError, match=r"score.*x0, eps, v, velocity"):
        Linear().target("score", torch.zeros(1), torch.zeros(1), torch.zeros(1))


def test_v_is_salimans_and_ho():
    x0, eps = pair(5)
    tau = torch.linspace(0, 1, 5, dtype=torch.float64)
    for path in (Cosine(), ScaledLinear()):
        alpha, sigma = (c.view(5, 1, 1, 1, 1) for c in path.coefficients(tau)[:2])
        torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
        torch.testing.assert_close(path.target("v", x0, eps, tau), alpha * eps - sigma * x0)
    torch.testing.assert_close(Linear().target("velocity", x0, eps, tau), eps - x0)


def test_scaled_linear_table_against_lin_et_al():
    # Lin et al. (2024), algorithm 1, in plain numpy over Stable Diffusion's betas
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    root = np.exp(0.5 * np.cumsum(np.log1p(-betas)))
    assert root[-1] ** 2 == pytest.approx(0.00466, abs=1e-5)  # the published terminal alpha_bar of Stable Diffusion
    want = (root - root[-1]) * root[0] / (root[0] - root[-1])
    table = ScaledLinear().table().numpy()
    assert table[0] == 1
    np.testing.assert_allclose(table[1:], want, rtol=0, atol=1e-12)
    k = torch.tensor([0, 1, 500, 998])
    got = ScaledLinear().coefficients((k + 1).double() / 1000).alpha
    np.testing.assert_allclose(got, want[k], rtol=0, atol=1e-12)


def test_a_table_made_while_dreaming_serves_training():
    path = ScaledLinear(steps=321)
    with torch.inference_mode():
        path.coefficients(torch.rand(2))
    x0 = torch.rand(2, 1, 1, 1, 1, requires_grad=True)
    path.corrupt(x0, torch.rand_like(x0), torch.rand(2)).sum().backward()
    assert x0.grad is not None


def test_edm_is_karras_et_al():
    n, low, high, rho = 18, 0.002, 80.0, 7
    sigma = [(high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho for i in range(n)]
    tau = 1 - torch.arange(n, dtype=torch.float64) / (n - 1)
    torch.testing.assert_close(EDM().coefficients(tau).sigma, torch.tensor(sigma, dtype=torch.float64), rtol=1e-9, atol=0)
    assert EDM().start_std == pytest.approx(80)
    torch.testing.assert_close(EDM().network_time(tau), torch.tensor(sigma, dtype=torch.float64).log() / 4)


def test_edm_reads_v_as_svd_does():
    x, output = pair(7)
    tau = torch.linspace(0, 1, 7, dtype=torch.float64)
    sigma = EDM().coefficients(tau).sigma.view(7, 1, 1, 1, 1)
    want = x / (1 + sigma**2) - sigma / torch.sqrt(1 + sigma**2) * output
    torch.testing.assert_close(EDM().read("v", output, x, tau)[0], want)


def test_edm_shows_the_network_unit_variance():
    x0, eps = (torch.randn(3, 1, 1, 100, 100, generator=torch.Generator().manual_seed(i)) for i in range(2))
    tau = torch.tensor([0.0, 0.5, 1.0])
    seen = EDM().network_input(EDM().corrupt(x0, eps, tau), tau)
    torch.testing.assert_close(seen.std((1, 2, 3, 4)), torch.ones(3), rtol=0.02, atol=0)
