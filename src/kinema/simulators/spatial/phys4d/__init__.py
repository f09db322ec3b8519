"""Phys4D's nine categories of matter, each in several base scenes."""

from .base import Category
from .rope import Ropes

__all__ = ["Category", "Ropes"]
