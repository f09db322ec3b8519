"""Training: one loop for every objective, with exact resume."""

from .config import Train
from .loop import Run, train
from .stage import Stage, run, write_codec

__all__ = ["Run", "Stage", "Train", "run", "train", "write_codec"]
