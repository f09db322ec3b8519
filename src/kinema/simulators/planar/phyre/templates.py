"""PhyWorld's 70 templates: every choice of four of the eight types of object, in the published order."""

from __future__ import annotations

import random
from itertools import combinations

from .objects import COMPONENTS

FIRST = 10000


def _in_published_order() -> tuple[tuple[str, ...], ...]:
    chosen = list(combinations(COMPONENTS, 4))
    random.Random(4).shuffle(chosen)
    return tuple(chosen)


TEMPLATES: dict[int, tuple[str, ...]] = dict(enumerate(_in_published_order(), FIRST))
SIX = (10003, 10005, 10016, 10023, 10024, 10053)
THIRTY = tuple(FIRST + 10 * tens + ones for tens in range(6) for ones in range(0, 10, 2))
SIXTY = tuple(range(FIRST, FIRST + 60))
HELD_OUT = tuple(range(FIRST + 60, FIRST + 70))
