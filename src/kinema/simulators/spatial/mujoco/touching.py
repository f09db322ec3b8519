"""Which geoms touch at a step, and where their rows are: looked up again only when that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Bounces = Callable[[Any], Any]  # the restitution [k] between geoms [k,2], NaN where one is not rigid (-1: none)
_DIRECTIONS = np.arange(1, 6)[:, None]  # of friction: two of sliding, one of turning, two of rolling


class Touch:
    """One set of contacts: `geom` [k,2], `flex` [k,2] or None, first `rows` [k] (-1: none) of all of them; of those of rigid pairs
    `first` [n] rows, restitution `bounce` [n], `slide` [d,n] rows and `friction` [d,n] of the directions of friction (where a
    contact has none: its own first row, and 0), the largest friction squared, `stop` [n], and which trees of joints `meet`
    (-1: what stands still)."""

    def __init__(self, model: Any, found: Any, rows: Any, bounces: Bounces) -> None:
        self.geom, self.flex, self.rows = found.geom.copy(), found.flex.copy() if model.nflex else None, rows.copy()
        there = rows >= 0
        self.held = there.nonzero()[0]
        self.held_rows = rows[self.held]
        bounce = bounces(self.geom)
        live = (there & (bounce == bounce)).nonzero()[0]
        self.first, self.bounce = rows[live], bounce[live]
        dims, friction = found.dim[live], found.friction[live]
        directions = _DIRECTIONS[: max(dims.tolist(), default=1) - 1]
        there = directions < dims
        self.slide = self.first + directions * there
        self.friction = friction.T[: len(directions)] * there
        self.stop = (self.friction**2).max(0, initial=0.0)
        self.meet = [(one, other) for one, other in model.body_treeid[model.geom_bodyid[self.geom[live]]].tolist()]


class Touching:
    """The contacts of the step at hand."""

    def __init__(self, model: Any, bounces: Bounces) -> None:
        self._model = model
        self._key: tuple[bytes, ...] = ()
        self._touch: Touch | None = None
        self._known: dict[tuple[bytes, ...], Touch] = {}
        self._bounces = bounces

    def look(self, data: Any) -> Touch | None:
        """The contacts of a step whose positions are known; None where there are none."""
        if not data.ncon:
            return None
        found = data.contact
        rows = found.efc_address
        key: tuple[bytes, ...] = (found.geom.tobytes(), rows.tobytes())
        if self._model.nflex:
            key = (*key, found.flex.tobytes())
        if key != self._key:
            self._key, self._touch = key, self._known.get(key)
            if self._touch is None:
                self._touch = self._known[key] = Touch(self._model, found, rows, self._bounces)
        return self._touch


def bounces(model: Any) -> Bounces:
    """The restitutions that a model's pairs have."""
    table = np.full((model.ngeom + 1, model.ngeom + 1), np.nan)  # the last row and column: no geom
    one, other = model.pair_geom1, model.pair_geom2
    table[one, other] = table[other, one] = np.maximum(-model.pair_solref[:, 1] * model.opt.timestep - 1, 0.0)
    return lambda geom: table[geom[:, 0], geom[:, 1]]
