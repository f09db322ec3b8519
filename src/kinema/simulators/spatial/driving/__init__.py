"""A road seen from a car that is driven."""

from .driving import Driving
from .ego import accelerate, brake, drive, keep, left, right

__all__ = ["Driving", "accelerate", "brake", "drive", "keep", "left", "right"]
