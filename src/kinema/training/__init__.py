"""Training: one loop for every objective, with exact resume."""

from .config import Train
from .estimate import Estimate, estimate
from .loop import Run, train
from .stage import Stage, run, standardise, write_codec

__all__ = ["Estimate", "Run", "Stage", "Train", "estimate", "run", "standardise", "train", "write_codec"]
