"""Grids of exact parameters, and what one clip is asked to be: some parameters given, some outside their range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...core.config import part
from ...core.errors import UserError


@part
class Grid:
    """Evenly spaced values of some parameters, all against all; what it does not name is drawn as ever.

    An axis is (parameter, first, last, count), the last one runs fastest; clip i of a stream stands in cell i modulo the
    length.

    >>> grid = Grid((("speed", 1.0, 4.0, 4), ("radius", 0.7, 1.4, 2)))
    >>> len(grid), grid.cell(5)
    (8, {'speed': 3.0, 'radius': 1.4})
    """

    axes: tuple[tuple[str, float, float, int], ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        names = [axis[0] for axis in self.axes]
        if not names or len(set(names)) < len(names):
            raise UserError(f"a grid needs axes, each of another parameter, got {', '.join(names) or 'none'}")
        for name, first, last, count in self.axes:
            if not (math.isfinite(first) and math.isfinite(last) and count >= 1):
                raise UserError(f"a grid's axis is (parameter, first, last, count >= 1), got {(name, first, last, count)}")

    def __len__(self) -> int:
        return math.prod(axis[3] for axis in self.axes)

    def cell(self, index: int) -> dict[str, float]:
        """The parameters of clip `index`."""
        found, rest = {}, index % len(self)
        for name, first, last, count in reversed(self.axes):
            rest, step = divmod(rest, count)
            found[name] = float(first + (last - first) * step / max(count - 1, 1))
        return {axis[0]: found[axis[0]] for axis in self.axes}


@dataclass(frozen=True)
class Level:
    """What one clip is asked to be: parameters `outside` their training range (`key in level`), others `at` a value.

    `asked` collects the parameters that were drawn.
    """

    outside: tuple[str, ...] = ()
    at: Mapping[str, float] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self.outside
