"""What drives are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLORS = ("white", "grey", "black", "red", "blue", "yellow", "green", "orange", "brown")


@dataclass(frozen=True)
class Ranges:
    """What a split draws from: `speed` m/s of the ego car, `turn` and `bend` radius m of junctions and curved roads, `sideways`
    acceleration m/s^2 in them, `others` on the road."""

    speed: tuple[float, float] = (6.0, 10.5)
    left: tuple[float, float] = (9.0, 12.0)
    right: tuple[float, float] = (6.5, 8.5)
    bend: tuple[float, float] = (16.0, 35.0)
    sideways: float = 2.6
    others: tuple[int, int] = (3, 6)


USUAL = Ranges()
UNUSUAL = Ranges(speed=(11.5, 15.0), left=(7.0, 8.5), right=(5.2, 6.2), bend=(10.0, 14.0), sideways=3.5, others=(7, 10))


def draw(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from low to high, to the thousandth."""
    return round(float(rng.uniform(low, high)), 3)
