"""Paths: how clean data becomes noise, and how a network's prediction is read back.

Time tau runs from 0 (data) to 1 (noise); `t` always means frames. All tensors are [b, ...], tau is [b] or [b, t].
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .config import part

Predict = Literal["x0", "eps", "v", "velocity", "codes"]
PREDICTIONS: tuple[Predict, ...] = ("x0", "eps", "v", "velocity")  # of an affine path
_SINGULAR = 1e-6


class Coefficients(NamedTuple):
    """x_tau = alpha x0 + sigma eps, with the derivatives of both by tau; each shaped as tau."""

    alpha: Tensor
    sigma: Tensor
    d_alpha: Tensor
    d_sigma: Tensor


class Path(ABC):
    """How data becomes noise, and how a network's prediction is read back: `Affine` for numbers, `Masked` for tokens."""

    @abstractmethod
    def corrupt(self, x0: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
        """x_tau from data and noise."""

    @abstractmethod
    def read(self, predict: Predict, output: Tensor, x_tau: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """What a prediction says: (of the data, of the noise)."""

    @abstractmethod
    def network_input(self, x_tau: Tensor, tau: Tensor) -> Tensor:
        """x_tau as the network sees it."""

    @abstractmethod
    def network_time(self, tau: Tensor) -> Tensor:
        """tau as the network's time embedding takes it: of the order of 1."""


class Affine(Path, ABC):
    """x_tau = alpha(tau) x0 + sigma(tau) eps. x0, eps, v and velocity are rows (p, q) of one 2x2 linear system."""

    @abstractmethod
    def coefficients(self, tau: Tensor) -> Coefficients:
        """alpha, sigma and their derivatives by tau."""

    @property
    def start_std(self) -> float:
        """Standard deviation of pure noise at tau = 1, where a sampler starts."""
        return float(self.coefficients(torch.ones((), dtype=torch.float64)).sigma)

    def corrupt(self, x0: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
        at = self.coefficients(_precise(tau, x0))
        return (_wide(at.alpha, x0) * x0 + _wide(at.sigma, x0) * noise).to(x0.dtype)

    def target(self, predict: Predict, x0: Tensor, eps: Tensor, tau: Tensor) -> Tensor:
        """What the network is asked for: x0, eps, v (Salimans & Ho 2022) or velocity dx/dtau (Lipman et al. 2023)."""
        p, q = self._row(predict, _precise(tau, x0))
        return (_wide(p, x0) * x0 + _wide(q, x0) * eps).to(x0.dtype)

    def read(self, predict: Predict, output: Tensor, x_tau: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """(x0, eps) from a prediction: solves {alpha x0 + sigma eps = x_tau, p x0 + q eps = output}.

        At a singular end (eps at tau = 1, x0 at tau = 0) the two equations say the same thing; the solution of smallest
        norm is given: the part that nothing is known of is 0, the mean of standardised latents. Both come back in single
        precision at least, since half precision loses the data under the noise.
        """
        tau = _precise(tau, x_tau)
        at = self.coefficients(tau)
        p, q = self._row(predict, tau)
        det = at.alpha * q - at.sigma * p
        scale = torch.sqrt((at.alpha**2 + at.sigma**2) * (p**2 + q**2))
        singular = det.abs() <= _SINGULAR * scale
        safe = torch.where(singular, torch.ones_like(det), det)
        a, s, p, q, safe, singular = (_wide(c, x_tau) for c in (at.alpha, at.sigma, p, q, safe, singular))
        x0 = (q * x_tau - s * output) / safe
        eps = (a * output - p * x_tau) / safe
        if singular.any():
            norm = a**2 + s**2
            x0 = torch.where(singular, a * x_tau / norm, x0)
            eps = torch.where(singular, s * x_tau / norm, eps)
        return x0, eps

    def weight(self, predict: Predict, tau: Tensor) -> Tensor:
        """Squared error in the prediction per squared error in x0, at fixed x_tau: turns one weighting into another."""
        at = self.coefficients(tau)
        p, q = self._row(predict, tau)
        slope = p - q * at.alpha / at.sigma.clamp_min(_SINGULAR)
        return slope**2

    def _row(self, predict: Predict, tau: Tensor) -> tuple[Tensor, Tensor]:
        at = self.coefficients(tau)
        r = torch.sqrt(at.alpha**2 + at.sigma**2)
        zero, one = torch.zeros_like(tau), torch.ones_like(tau)
        if predict == "x0":
            return one, zero
        if predict == "eps":
            return zero, one
        if predict == "v":
            return -at.sigma / r, at.alpha / r
        if predict == "velocity":
            return at.d_alpha, at.d_sigma
        raise ValueError(f"unknown prediction {predict!r}: one of {', '.join(PREDICTIONS)}")


def _precise(tau: Tensor, x: Tensor) -> Tensor:
    return tau.to(torch.promote_types(x.dtype, torch.float32))


def _wide(coefficient: Tensor, x: Tensor) -> Tensor:
    return coefficient.reshape(*coefficient.shape, *([1] * (x.ndim - coefficient.ndim)))


class Bounded(Affine, ABC):
    """A path on which x stays of the order of 1: the network sees x and tau as they are."""

    def network_input(self, x_tau: Tensor, tau: Tensor) -> Tensor:
        return x_tau

    def network_time(self, tau: Tensor) -> Tensor:
        return tau


@part
class Linear(Bounded):
    """Rectified flow, x = (1 - tau) x0 + tau eps (Liu et al. 2023; Phys4D eq. 3)."""

    def coefficients(self, tau: Tensor) -> Coefficients:
        one = torch.ones_like(tau)
        return Coefficients(1 - tau, tau, -one, one)


@part
class Cosine(Bounded):
    """Angular, variance preserving: alpha = cos(pi tau / 2), sigma = sin(pi tau / 2) (Nichol & Dhariwal 2021)."""

    def coefficients(self, tau: Tensor) -> Coefficients:
        h = math.pi / 2
        # cos(pi/2) is 6e-17 in floating point: exactly 0 is meant.
        alpha = torch.where(tau >= 1, torch.zeros_like(tau), torch.cos(h * tau))
        sigma = torch.sin(h * tau)
        return Coefficients(alpha, sigma, -h * sigma, h * alpha)


@part
class ScaledLinear(Bounded):
    """DDPM with scaled-linear betas, rescaled to zero terminal SNR (Lin et al. 2024): PhyWorld, CogVideoX.

    sqrt(beta) is linear from `beta_start` to `beta_end` over `steps`; sqrt(alpha_bar) is then shifted and scaled so that
    it is 0 at the last step and unchanged at the first. tau interpolates the table: training step k (from 0) lies at
    tau = (k + 1) / steps, and tau = 0 is clean data.
    """

    beta_start: float = 0.00085
    beta_end: float = 0.012
    steps: int = 1000

    def table(self) -> Tensor:
        """sqrt(alpha_bar) at tau = 0, 1/steps, ..., 1: [steps + 1], float64."""
        return _table(self, torch.device("cpu")).clone()

    def coefficients(self, tau: Tensor) -> Coefficients:
        table = _table(self, tau.device)
        place = tau.double().clamp(0, 1) * self.steps
        low = place.floor().clamp(max=self.steps - 1).long()
        slope = (table[low + 1] - table[low]) * self.steps
        alpha = (table[low] + slope * (place - low) / self.steps).clamp(0, 1)
        sigma = torch.sqrt((1 - alpha) * (1 + alpha))
        d_sigma = -alpha * slope / sigma.clamp_min(1e-4)
        return Coefficients(*(c.to(tau.dtype) for c in (alpha, sigma, slope, d_sigma)))


@lru_cache(maxsize=16)
def _table(path: ScaledLinear, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # else the first dream's table could not be used in training
        betas = torch.linspace(path.beta_start**0.5, path.beta_end**0.5, path.steps, dtype=torch.float64) ** 2
        root = torch.cumprod(1 - betas, 0).sqrt()
        first, last = root[0].clone(), root[-1].clone()
        root = (root - last) * first / (first - last)
        return torch.cat([torch.ones(1, dtype=torch.float64), root]).to(device)


@part
class EDM(Affine):
    """Variance exploding, x = x0 + sigma eps with Karras spacing of sigma over tau (Karras et al. 2022, eq. 5): SVD's path.

    At tau = 0 sigma is `sigma_min`, not 0. The network sees x / sqrt(1 + sigma^2) and ln(sigma) / 4.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0

    def coefficients(self, tau: Tensor) -> Coefficients:
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        root = low + tau * (high - low)
        one = torch.ones_like(tau)
        return Coefficients(one, root**self.rho, 0 * one, self.rho * (high - low) * root ** (self.rho - 1))

    def network_input(self, x_tau: Tensor, tau: Tensor) -> Tensor:
        sigma = _wide(self.coefficients(tau).sigma, x_tau)
        return x_tau / torch.sqrt(1 + sigma**2)

    def network_time(self, tau: Tensor) -> Tensor:
        return torch.log(self.coefficients(tau).sigma) / 4
