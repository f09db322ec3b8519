"""Training: one loop for every objective, with exact resume."""

from .config import Train
from .loop import Run, train

__all__ = ["Run", "Train", "train"]
