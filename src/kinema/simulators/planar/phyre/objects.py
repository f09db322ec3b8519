"""The eight types of object of PhyWorld's templates: how each is drawn, in fractions of the scene's side and degrees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .shapes import THICKNESS, Shape, bounds, shape

RED, GREEN, BLUE, PURPLE, GRAY, BLACK = COLORS = (
    (243, 79, 70), (107, 206, 187), (24, 119, 242), (75, 74, 164), (185, 202, 210), (0, 0, 0),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What all objects of one kind share; `called` is what a caption calls one."""

    shape: str
    static: bool
    color: tuple[int, int, int]
    called: str


KINDS = {  # the eight types of the templates, the ball of the action, and what the ambiguity tasks add
    "ball_1": Kind("ball", False, GRAY, "grey ball"),
    "ball_2": Kind("ball", False, GRAY, "grey ball"),
    "static_balls": Kind("ball", True, BLACK, "fixed black ball"),
    "bar": Kind("bar", False, GRAY, "grey bar"),
    "standing_bars": Kind("bar", False, GRAY, "standing bar"),
    "static_bar": Kind("bar", True, BLACK, "fixed black bar"),
    "jar": Kind("jar", False, GRAY, "jar"),
    "standing_sticks": Kind("sticks", False, GRAY, "pair of crossed sticks"),
    "red_ball": Kind("ball", False, RED, "red ball"),
    "floor": Kind("bar", True, PURPLE, "purple floor"),
    "green_ball": Kind("ball", False, GREEN, "green ball"),
}
CODES = {name: code for code, name in enumerate(KINDS)}  # of `bodies["kind"]`


@dataclass(frozen=True)
class Object:
    """One object: its centre of mass (x, y) and `length` in fractions of the scene's side, `angle` in rad, counter-clockwise."""

    kind: str
    length: float
    x: float
    y: float
    angle: float = 0.0

    @property
    def shape(self) -> Shape:
        """Its shape, in fractions of the scene's side."""
        return shape(KINDS[self.kind].shape, self.length)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, right, bottom, top) in the scene."""
        left, right, bottom, top = bounds(KINDS[self.kind].shape, self.length, self.angle)
        return self.x + left, self.x + right, self.y + bottom, self.y + top

    @property
    def static(self) -> bool:
        """Whether it never moves."""
        return KINDS[self.kind].static

    def mirrored(self) -> Object:
        """The same object in the scene seen from behind; every shape is its own mirror image."""
        return Object(self.kind, self.length, 1.0 - self.x, self.y, -self.angle)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `Object(**values)` takes them back."""
        return dict(vars(self))


Draw = Callable[[np.random.Generator], list[Object]]


def ball(kind: str) -> Draw:
    """A grey ball in the air: diameter .06 to .12, x .3 to .6, its bottom at .4 to .85."""

    def draw(rng: np.random.Generator) -> list[Object]:
        length = rng.uniform(0.06, 0.12)
        return [standing(kind, length, rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.85))]

    return draw


def static_balls(rng: np.random.Generator) -> list[Object]:
    """A chain of balls of diameter .04 that bends and branches from (.4, .55); its 2 to 6 others lie below y .5."""
    count, length = int(rng.integers(2, 7)), 0.04
    chain = [(0.4, 0.55)]
    heading, bend, run = _heading(rng)
    for _ in range(200):
        if len(chain) > count:
            break
        x, y = chain[-1]
        if run >= 3 and rng.uniform() < 0.2:  # another branch
            x, y = chain[int(rng.integers(len(chain)))]
            heading, bend, run = _heading(rng)
        run += 1
        heading += bend
        step = rng.uniform(0.05, 0.2)
        x, y = x + step * math.cos(heading), y + step * math.sin(heading)
        free = all(math.hypot(x - a, y - b) >= length for a, b in chain)
        if length / 2 <= x <= 1 - length / 2 and length / 2 <= y < 0.5 and free:
            chain.append((x, y))
    return [Object("static_balls", length, x, y) for x, y in chain] if len(chain) > count else []


def bar(rng: np.random.Generator) -> list[Object]:
    """A grey bar in the air: length .15 to .5, any angle, centre x .3 to .6, lower edge (before it is turned) .2 to .8."""
    length, x, y, angle = rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.8), rng.uniform(-90, 90)
    return [Object("bar", length, x, y + THICKNESS / 2, math.radians(angle))]


def standing_bars(rng: np.random.Generator) -> list[Object]:
    """1 to 4 upright bars on the floor, .15 apart, each .05 longer than the last from .2 on, rising to either side."""
    offset, apart, count = rng.uniform(0.45, 0.6), 0.15, int(rng.integers(1, 5))
    if rng.uniform() < 0.5:
        offset, apart = 1 - offset, -apart
    lefts = [offset + apart * (i + (-count // 2)) for i in range(count)]
    return [Object("standing_bars", 0.2 + 0.05 * i, x + THICKNESS / 2, 0.1 + 0.025 * i, math.pi / 2) for i, x in enumerate(lefts)]


def static_bar(rng: np.random.Generator) -> list[Object]:
    """A black bar: length .2 to .5, its right end (before it is turned) at x .3 to .4, lower edge .1 to .5, up to 60 degrees either way."""
    length, y, angle, right = rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.5), rng.uniform(-60, 60), rng.uniform(0.3, 0.4)
    return [Object("static_bar", length, right - length / 2, y + THICKNESS / 2, math.radians(angle))]


def jar(rng: np.random.Generator) -> list[Object]:
    """A jar of height .08 to .3, middle at x .3 to .6: 70 % in the air, lowest point .2 to .8, up to 45 degrees either way; else
    on the floor."""
    length, x, y, angle = rng.uniform(0.08, 0.3), rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.8), rng.uniform(-45, 45)
    air = rng.uniform() < 0.7
    return [standing("jar", length, x, y if air else 0.0, math.radians(angle) if air else 0.0)]


def standing_sticks(rng: np.random.Generator) -> list[Object]:
    """Two crossed sticks of width .3 to .6, middle at x .3 to .6: 30 % on the floor, else lowest point .2 to .5, any angle."""
    length, x, y, angle = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.5), rng.uniform(-90, 90)
    air = rng.uniform() >= 0.3
    return [standing("standing_sticks", length, x, y if air else 0.0, math.radians(angle) if air else 0.0)]


COMPONENTS: dict[str, Draw] = {
    "ball_1": ball("ball_1"),
    "ball_2": ball("ball_2"),
    "static_balls": static_balls,
    "bar": bar,
    "standing_bars": standing_bars,
    "static_bar": static_bar,
    "jar": jar,
    "standing_sticks": standing_sticks,
}


def standing(kind: str, length: float, x: float, bottom: float, angle: float = 0.0) -> Object:
    """An object whose box has its middle at x and its lower side at `bottom`."""
    left, right, low, _ = bounds(KINDS[kind].shape, length, angle)
    return Object(kind, length, x - (left + right) / 2, bottom - low, angle)


def _heading(rng: np.random.Generator) -> tuple[float, float, int]:
    """A direction, how much it turns at each step (up to a tenth of a turn), and that the run has one ball."""
    return rng.uniform() * 2 * math.pi, rng.uniform() * 2 * math.pi / 10, 1
