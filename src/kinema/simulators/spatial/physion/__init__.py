"""Physion's eight scenarios: does the agent touch the patient?"""

from .base import SUBSETS, Physion
from .collide import Collide
from .contain import Contain
from .dominoes import Dominoes
from .drape import Drape
from .drop import Drop
from .link import Link
from .ranges import RANGES, Range
from .roll import Roll
from .support import Support

PHYSION: tuple[type[Physion], ...] = (Dominoes, Support, Collide, Contain, Drop, Roll, Link, Drape)

__all__ = [
    "PHYSION", "RANGES", "SUBSETS", "Collide", "Contain", "Dominoes", "Drape", "Drop", "Link", "Physion", "Range", "Roll", "Support",
]  # fmt: skip
