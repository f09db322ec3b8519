"""Phys4D's nine categories of matter, each in several base scenes."""

from .articulated import Articulated
from .base import Category
from .rigid import RigidBodies
from .rope import Ropes

__all__ = ["Articulated", "Category", "RigidBodies", "Ropes"]
