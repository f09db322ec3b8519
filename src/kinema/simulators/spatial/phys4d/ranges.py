"""Everything that Phys4D's categories draw at random, in one table: units, ranges, ranges outside, where they come from."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ....core.errors import UserError

Scale = Literal["linear", "log"]
MOST = {"restitution": 1.0, "gloss": 1.0, "gusts": 1.0, "elevation": 90.0}  # what a quantity cannot exceed


@dataclass(frozen=True)
class Range:
    """A parameter `name` ("rope.density") in `unit`, drawn from [low, high]; out of distribution from [ood_low, low) and
    (high, ood_high]; evenly, or evenly in its logarithm. `source` says where the range comes from.

    Raises UserError where it is empty or holds what the quantity cannot be.
    """

    name: str
    unit: str
    low: float
    high: float
    ood_low: float
    ood_high: float
    scale: Scale = "linear"
    source: str = "project default"

    def __post_init__(self) -> None:
        for low, high in ((self.low, self.high), (self.ood_low, self.ood_high)):
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise UserError(f"range {self.name}: low must be a number no larger than high, got {low:g} to {high:g}")
        if not self.ood_low <= self.low <= self.high <= self.ood_high:
            raise UserError(f"range {self.name}: the range outside must hold the range inside")
        self._check_physics()

    def _check_physics(self) -> None:
        quantity = self.name.rpartition(".")[2]
        if quantity == "temperature":
            least, above = -273.15, False
        else:
            least, above = 0.0, quantity not in FROM_ZERO
        if self.ood_low < least or (above and self.ood_low == least):
            raise UserError(f"range {self.name}: must be {'above' if above else 'at least'} {least:g} {self.unit}, got {self.ood_low:g}")
        if quantity == "poisson" and self.ood_high >= 0.5:
            raise UserError(f"range {self.name}: Poisson's ratio must stay below 0.5, got {self.ood_high:g}")
        if self.ood_high > MOST.get(quantity, math.inf):
            raise UserError(f"range {self.name}: must be at most {MOST[quantity]:g}, got {self.ood_high:g}")

    @property
    def widens(self) -> bool:
        """Whether there is anything outside."""
        return self.ood_low < self.low or self.high < self.ood_high

    def contains(self, value: float) -> bool:
        """Whether `value` is inside."""
        return self.low <= value <= self.high

    def at(self, share: float, outside: bool) -> float:
        """The value at `share` (0 to 1) of the range, or of what is outside of it, to four digits."""
        a, b, c, d = (self._scaled(x) for x in (self.ood_low, self.low, self.high, self.ood_high))
        if not outside:
            return min(max(_rounded(self._unscaled(b + share * (c - b))), self.low), self.high)
        along = share * ((b - a) + (d - c))
        if along < b - a:
            exact = min(max(self._unscaled(a + along), self.ood_low), self.low)
        else:
            exact = min(max(self._unscaled(c + along - (b - a)), self.high), self.ood_high)
        rounded = _rounded(exact)
        return exact if self.contains(rounded) or not self.ood_low <= rounded <= self.ood_high else rounded

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.scale == "log" else value

    def _unscaled(self, value: float) -> float:
        return math.exp(value) if self.scale == "log" else value


FROM_ZERO = (
    "friction", "restitution", "viscosity", "yield_stress", "gloss", "gusts", "spin", "damping", "ambient", "speed", "turn", "lift",
    "poisson", "inflation",
)  # fmt: skip
_REPO = "Phys4D repository"
_EARTH = "Earth; outside: Mars 3.7 to 1.4 g"
_HANDBOOK = "handbook values"

RANGES: dict[str, Range] = {
    row.name: row
    for row in (
        # environment
        Range("gravity", "m/s²", 9.4, 10.2, 3.7, 14.0, source=_EARTH),
        Range("light.elevation", "°", 35.0, 70.0, 18.0, 85.0),
        Range("light.strength", "", 0.6, 0.9, 0.4, 1.1),
        Range("light.ambient", "", 0.3, 0.5, 0.2, 0.6),
        Range("wind.speed", "m/s", 2.0, 6.0, 0.5, 12.0),
        Range("wind.gusts", "", 0.0, 0.4, 0.0, 0.8),
        Range("wind.density", "kg/m³", 1.1, 1.3, 0.9, 1.5, source="air, 0 to 45 °C; outside: 2500 m up, cold"),
        Range("air.temperature", "°C", 15.0, 28.0, -10.0, 45.0),
        Range("heater.temperature", "°C", 120.0, 220.0, 80.0, 400.0),
        Range("floor.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("floor.restitution", "", 0.3, 0.6, 0.0, 0.9),
        # appearance
        Range("look.scale", "m", 0.03, 0.12, 0.015, 0.25, "log"),
        Range("look.gloss", "", 0.0, 0.6, 0.0, 1.0),
        # rigid
        Range("rigid.density", "kg/m³", 300.0, 2700.0, 60.0, 8000.0, "log", _HANDBOOK + ": pine to stone; outside: foam, steel"),
        Range("rigid.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("rigid.restitution", "", 0.0, 0.8, 0.0, 0.95, source=_REPO),
        Range("rigid.size", "m", 0.12, 0.25, 0.08, 0.35),
        Range("rigid.height", "m", 0.4, 1.0, 0.2, 1.5),
        Range("rigid.speed", "m/s", 0.5, 2.5, 0.0, 4.0),
        Range("rigid.spin", "rad/s", 0.0, 6.0, 0.0, 15.0),
        Range("rigid.slope", "°", 20.0, 32.0, 12.0, 40.0),
        # articulated
        Range("articulated.density", "kg/m³", 300.0, 2700.0, 60.0, 8000.0, "log", _HANDBOOK + ": pine to stone; outside: foam, steel"),
        Range("articulated.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("articulated.restitution", "", 0.0, 0.8, 0.0, 0.95, source=_REPO),
        Range("articulated.damping", "N m s", 0.001, 0.02, 0.0, 0.1),
        Range("articulated.size", "m", 0.2, 0.4, 0.12, 0.6),
        Range("articulated.spin", "rad/s", 1.0, 5.0, 0.0, 10.0),
        Range("articulated.speed", "m/s", 0.5, 2.5, 0.0, 4.0),
        Range("articulated.angle", "°", 30.0, 70.0, 15.0, 100.0),
        # cloth
        Range("cloth.density", "kg/m²", 0.15, 0.5, 0.08, 1.0, "log", _HANDBOOK + ": shirt to denim; outside: silk, canvas"),
        Range("cloth.young", "Pa", 1e4, 6e4, 5e3, 1.2e5, "log"),
        Range("cloth.poisson", "", 0.2, 0.35, 0.05, 0.45),
        Range("cloth.thickness", "m", 0.006, 0.01, 0.004, 0.014),
        Range("cloth.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("cloth.size", "m", 0.8, 1.2, 0.6, 1.5),
        Range("cloth.height", "m", 0.6, 1.0, 0.4, 1.3),
        Range("cloth.speed", "m/s", 1.0, 3.0, 0.5, 5.0),
        # soft
        Range("soft.density", "kg/m³", 500.0, 1200.0, 250.0, 2000.0, "log", _HANDBOOK + ": foam rubber to silicone"),
        Range("soft.young", "Pa", 2e4, 2e5, 1e4, 1e6, "log", "project default; the Phys4D repository's 5e6 hardly bends"),
        Range("soft.poisson", "", 0.2, 0.35, 0.05, 0.45, source=_REPO + ": 0.25"),
        Range("soft.damping", "s", 0.01, 0.03, 0.005, 0.06, source=_REPO + ": 0.02"),
        Range("soft.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("soft.size", "m", 0.2, 0.35, 0.15, 0.45),
        Range("soft.height", "m", 0.4, 0.8, 0.2, 1.2),
        Range("soft.speed", "m/s", 0.5, 2.0, 0.0, 3.0),
        # rope
        Range("rope.density", "kg/m³", 600.0, 1300.0, 300.0, 2500.0, "log", _HANDBOOK + ": hemp to polyester; outside: cork, chain"),
        Range("rope.bend", "Pa", 8e4, 3e5, 4e4, 5e5, "log"),
        Range("rope.damping", "s", 0.02, 0.06, 0.01, 0.12, "log"),
        Range("rope.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("rope.length", "m", 0.8, 1.2, 0.6, 1.5),
        Range("rope.radius", "m", 0.012, 0.02, 0.009, 0.026),
        Range("rope.slack", "", 1.08, 1.3, 1.04, 1.6),
        Range("rope.angle", "°", 30.0, 60.0, 15.0, 80.0),
        Range("rope.load", "kg/m³", 300.0, 2700.0, 60.0, 8000.0, "log", _HANDBOOK + ": pine to stone; outside: foam, steel"),
        Range("rope.size", "m", 0.08, 0.13, 0.06, 0.17),
        Range("rope.height", "m", 0.3, 0.6, 0.15, 0.9),
        Range("rope.speed", "m/s", 0.5, 1.5, 0.0, 3.0),
        # inflatable
        Range("inflatable.radius", "m", 0.18, 0.28, 0.14, 0.35),
        Range("inflatable.mass", "kg", 0.03, 0.08, 0.02, 0.15, "log"),
        Range("inflatable.young", "Pa", 5e4, 2e5, 3e4, 4e5, "log"),
        Range("inflatable.poisson", "", 0.25, 0.4, 0.1, 0.45),
        Range("inflatable.pressure", "air's", 1.01, 1.03, 1.005, 1.05),
        Range("inflatable.lift", "N", 0.0, 0.3, 0.0, 1.0),
        Range("inflatable.inflation", "1/s", 0.0, 0.02, 0.0, 0.05),
        Range("inflatable.friction", "", 0.4, 0.6, 0.1, 0.9, source=_REPO),
        Range("inflatable.height", "m", 0.4, 0.9, 0.2, 1.3),
        Range("inflatable.speed", "m/s", 0.5, 2.0, 0.0, 4.0),
        # fluid
        Range("fluid.density", "kg/m³", 900.0, 1100.0, 700.0, 1400.0, source=_HANDBOOK + ": oil to sea water; outside: petrol, honey"),
        Range("fluid.viscosity", "Pa s", 1e-3, 1.0, 5e-4, 20.0, "log", _HANDBOOK + ": water to castor oil; outside: honey, syrup"),
        Range("fluid.friction", "", 0.0, 0.1, 0.0, 0.4),
        Range("fluid.size", "m", 0.25, 0.4, 0.2, 0.5),
        Range("fluid.height", "m", 0.2, 0.5, 0.1, 0.8),
        Range("fluid.speed", "m/s", 0.5, 2.0, 0.0, 3.0),
        # granular
        Range("granular.density", "kg/m³", 1400.0, 1800.0, 800.0, 2400.0, source=_HANDBOOK + ": dry to wet sand; outside: grain, gravel"),
        Range("granular.friction", "", 0.55, 0.75, 0.3, 0.95, source=_HANDBOOK + ": angle of repose 29 to 37°"),
        Range("granular.size", "m", 0.2, 0.35, 0.15, 0.45),
        Range("granular.height", "m", 0.2, 0.5, 0.1, 0.8),
        Range("granular.speed", "m/s", 0.5, 2.0, 0.0, 3.0),
        # melting
        Range("melting.density", "kg/m³", 850.0, 950.0, 700.0, 1200.0, source=_HANDBOOK + ": paraffin to ice; outside: fat, glycerine"),
        Range("melting.viscosity", "Pa s", 0.01, 1.0, 0.002, 10.0, "log"),
        Range("melting.yield_stress", "Pa", 2e3, 2e4, 5e2, 1e5, "log"),
        Range("melting.melting", "°C", 45.0, 65.0, 30.0, 90.0, source=_HANDBOOK + ": paraffin 46 to 68 °C"),
        Range("melting.rate", "1/s", 1.0, 4.0, 0.5, 8.0),
        Range("melting.size", "m", 0.2, 0.35, 0.15, 0.45),
        Range("melting.height", "m", 0.05, 0.3, 0.01, 0.6),
    )
}


@dataclass
class Ranges:
    """Draws parameters by name and keeps what it drew: `drawn[name]`, of several of one name `name`, `name/2`, `name/3`.

    `rows` are the ranges (the table's, or a user's in their place); the names in `outside` are drawn out of range.
    """

    rows: Mapping[str, Range] = field(default_factory=lambda: RANGES)
    outside: Collection[str] = ()
    drawn: dict[str, float] = field(default_factory=dict)

    def draw(self, rng: np.random.Generator, name: str) -> float:
        """A value of `name`; one number is taken from `rng`, inside or outside. Raises UserError where no range has that name."""
        row = self.rows.get(name)
        if row is None:
            raise unknown(name)
        value = row.at(float(rng.random()), name in self.outside)
        count = sum(key == name or key.startswith(f"{name}/") for key in self.drawn)
        self.drawn[name if not count else f"{name}/{count + 1}"] = value
        return value


def overridden(ranges: Mapping[str, tuple[float, float]]) -> dict[str, Range]:
    """The table with a user's `ranges` in place of its own; what is outside stays, where that is wider.

    Raises UserError where a name is unknown, an interval empty or a value impossible (a density of 0, Poisson's ratio 0.5).
    """
    rows = dict(RANGES)
    for name, (low, high) in ranges.items():
        if name not in rows:
            raise unknown(name)
        row = rows[name]
        rows[name] = replace(row, low=low, high=high, ood_low=min(low, row.ood_low), ood_high=max(high, row.ood_high), source="the user's")
    return rows


def unknown(name: str) -> UserError:
    """What to say of a name that no range has."""
    near = difflib.get_close_matches(name, RANGES, 3)
    kin = [key for key in RANGES if key.startswith(name.partition(".")[0] + ".")]
    return UserError(f"there is no range {name!r}; there are {', '.join(near or kin or RANGES)}")


def table() -> str:
    """Phys4D's part of the page docs/spatial-ranges.md."""
    lines = [
        "## Phys4D's categories",
        "",
        "What Phys4D's nine categories draw for every clip. `id` draws inside; `ood` moves at least one of a clip's parameters to the",
        "range outside (below or above). Phys4D's own table is lost: sources say where a range comes from instead. The drawn values",
        "are in each clip's `params` (`scene.drawn`).",
        "",
        "| parameter | unit | inside | outside, down to and up to | drawn | source |",
        "|---|---|---|---|---|---|",
    ]
    for row in RANGES.values():
        outside = f"{row.ood_low:g} – {row.ood_high:g}" if row.widens else "as inside"
        lines.append(f"| `{row.name}` | {row.unit or '1'} | {row.low:g} – {row.high:g} | {outside} | {_EVENLY[row.scale]} | {row.source} |")
    return "\n".join(lines) + "\n"


_EVENLY = {"linear": "evenly", "log": "evenly in the logarithm"}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
