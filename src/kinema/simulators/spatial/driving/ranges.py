"""What drives are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, fields

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


_MEANING = {
    "speed": ("m/s", "of the ego car"),
    "left": ("m", "radius of a turn left"),
    "right": ("m", "radius of a turn right"),
    "bend": ("m", "radius of a curved road's inner edge"),
    "sideways": ("m/s²", "most acceleration sideways in them"),
    "others": ("count", "others on the road"),
}


def table() -> str:
    """Driving's part of the page docs/spatial-ranges.md."""
    lines = [
        "## Driving",
        "",
        "`ood` draws all of these from outside at once. All are project defaults.",
        "",
        "| parameter | unit | inside | outside | meaning |",
        "|---|---|---|---|---|",
    ]
    for field in fields(Ranges):
        unit, meaning = _MEANING[field.name]
        inside, outside = (_written(getattr(ranges, field.name)) for ranges in (USUAL, UNUSUAL))
        lines.append(f"| `driving.{field.name}` | {unit} | {inside} | {outside} | {meaning} |")
    return "\n".join(lines) + "\n"


def _written(value: float | tuple[float, float]) -> str:
    return " – ".join(f"{number:g}" for number in (value if isinstance(value, tuple) else (value,)))
