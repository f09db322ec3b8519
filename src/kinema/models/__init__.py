"""Models: (x_tau, tau, conditions) -> prediction."""

from .dit import SIZES, DiT, DiTNetwork
from .stpt import STPT, STPTNetwork

__all__ = ["SIZES", "STPT", "DiT", "DiTNetwork", "STPTNetwork"]
