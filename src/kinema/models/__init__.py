"""Models: (x_tau, tau, conditions) -> prediction."""

from .dit import SIZES, DiT, DiTNetwork

__all__ = ["SIZES", "DiT", "DiTNetwork"]
