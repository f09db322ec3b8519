"""Phys4D's nine categories of matter, each in several base scenes."""

from .articulated import Articulated
from .base import Category
from .cloth import Cloths
from .fluid import Fluids
from .granular import Granular
from .inflatable import Inflatables
from .melting import Melting
from .rigid import RigidBodies
from .rope import Ropes
from .soft import SoftBodies

__all__ = ["Articulated", "Category", "Cloths", "Fluids", "Granular", "Inflatables", "Melting", "RigidBodies", "Ropes", "SoftBodies"]
