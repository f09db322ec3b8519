"""Planar worlds: discs in closed form, drawn with exact truth."""

from .bounce import Bounce
from .collision import Collision
from .grid import Grid
from .motion import Contacts, Motion, motion
from .parabola import Parabola
from .render import DENSE, render
from .scenario import DEFAULT_DENSE, WORLD, Planar
from .uniform import Uniform

__all__ = [
    "DEFAULT_DENSE", "DENSE", "WORLD", "Bounce", "Collision", "Contacts", "Grid", "Motion", "Parabola", "Planar", "Uniform",
    "motion", "render",
]  # fmt: skip
