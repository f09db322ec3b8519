"""The street: its roads, where lanes run, and how the ways through a junction turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .paths import Path, bend, curve

BEHIND, AHEAD, ASIDE = 60.0, 150.0, 90.0  # m of road behind the ego car, ahead, and of the arms of a junction
HEIGHT = 0.03  # m of the road's surface above the ground
KERB = 0.13  # m of the pavement above the road


@dataclass(frozen=True)
class Road:
    """A road along `center`, with `lanes` of `width` m each way and `shoulder` m beside them."""

    center: Path
    lanes: int
    width: float
    shoulder: float

    @property
    def half(self) -> float:
        """From the middle to the kerb, m."""
        return self.lanes * self.width + self.shoulder

    def lane(self, k: int, back: bool = False) -> Path:
        """The middle of lane k from the inside, driven on the right; `back`: of the other direction."""
        offset = (k + 0.5) * self.width
        return self.center.beside(offset).back() if back else self.center.beside(-offset)


@dataclass(frozen=True)
class Street:
    """A `main` road that the ego car starts on, at x = 0 along x, and the one that may cross it at x = `at` m. `arms` names the
    arms of the junction that there are besides the one it comes from. `corner` m rounds its kerbs; pavements are `pavement` m wide.
    `zebra` m is where people cross the main road."""

    main: Road
    cross: Road | None = None
    at: float = math.inf
    arms: tuple[str, ...] = ("ahead",)
    corner: float = 5.0
    pavement: float = 3.0
    zebra: float | None = None
    parking: bool = False

    @property
    def roads(self) -> tuple[Road, ...]:
        """All roads."""
        return (self.main,) if self.cross is None else (self.main, self.cross)

    @property
    def halt(self) -> float:
        """Where the ego car's direction stops before the junction: x in m of the line."""
        return self.at - (self.cross.half if self.cross else 0.0) - 4.5

    def beyond(self) -> float:
        """Where the oncoming direction's line is: x in m."""
        return self.at + (self.cross.half if self.cross else 0.0) + 4.5


def road(bends: list[tuple[float, float, float]], lead: float, lanes: int, width: float, shoulder: float) -> Road:
    """A road along x that bends after `lead` m."""
    rest = AHEAD - lead - sum(section[0] for section in bends)
    return Road(curve((-BEHIND, 0.0, 0.0), [(BEHIND + lead, 0.0, 0.0), *bends, (max(rest, 30.0), 0.0, 0.0)]), lanes, width, shoulder)


def crossing(at: float, arms: tuple[str, ...], lanes: int, width: float, shoulder: float) -> Road:
    """A road along y at x = `at` m, with the arms there are."""
    low, high = -ASIDE * ("right" in arms), ASIDE * ("left" in arms)
    return Road(curve((at, low, math.pi / 2), [(high - low, 0.0, 0.0)]), lanes, width, shoulder)


def reach(angle: float, radius: float) -> float:
    """How far before the corner of two lanes a turn between them begins, m."""
    shape = curve((0.0, 0.0, 0.0), bend(angle, radius)).points[-1]
    return float(shape[0])


def turning(main: Road, cross: Road, at: float, lane: int, side: int, radius: float) -> Path:
    """The way from `lane` of the main road into the same lane of the cross road, to the left (`side` 1) or right (-1)."""
    angle = side * math.pi / 2
    begins = at + side * (lane + 0.5) * cross.width - reach(angle, radius)
    back = math.ceil((begins + BEHIND) * 4) / 4
    return curve((begins - back, -(lane + 0.5) * main.width, 0.0), [(back, 0.0, 0.0), *bend(angle, radius), (ASIDE, 0.0, 0.0)])


def clear_of(street: Street, points: np.ndarray, margin: float) -> bool:
    """Whether points [k,2] m are all at least `margin` m off every road's kerb."""
    for way in street.roads:
        s, side = way.center.nearest(points)
        if ((np.abs(side) < way.half + margin) & (s > 0) & (s < way.center.length)).any():
            return False
    return True
