"""Planar worlds: discs in closed form, drawn with exact truth."""

from .attributes import Attributes
from .bounce import Bounce
from .collision import Collision
from .composition import Spatial, Temporal
from .grid import Grid
from .motion import Contacts, Motion, motion
from .parabola import Parabola
from .render import DENSE, render
from .scenario import DEFAULT_DENSE, WORLD, Planar
from .uniform import Uniform

__all__ = [
    "DEFAULT_DENSE", "DENSE", "WORLD", "Attributes", "Bounce", "Collision", "Contacts", "Grid", "Motion", "Parabola", "Planar",
    "Spatial", "Temporal", "Uniform", "motion", "render",
]  # fmt: skip
