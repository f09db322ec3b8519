"""Walking a path back, from noise to data: samplers, guidance, rollout."""

from .denoise import Denoise, Reader, reader
from .ode import DDIM, Euler, Heun, Spacing, times

__all__ = ["DDIM", "Denoise", "Euler", "Heun", "Reader", "Spacing", "reader", "times"]
