"""Composition: events that are trained apart and tested together, side by side in space or one after the other in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from .grid import Level
from .motion import elastic
from .scenario import WORLD, Planar, Ranges, Splits, Start, as_array, between, check_ranges, to_wall

_TRIES = 1000
_MARGIN, _APART = 0.3, 0.2  # m, from the edge of the image and between two bodies on lines of their own
_SOON = 2  # frames from a collision to the rebound that follows it


@part
class Spatial(Planar):
    """A red ball that bounces off a wall while a blue square rests, or a blue square in uniform motion while the ball
    rests; in "ood" both move (PhyWorld sec. 5.4, spatial composition; its ranges are not published).

    Splits "ball" and "square" draw one of the parts. Ball and square have lines of their own and never touch. The ball
    reaches the wall between `before` frames after the start and `after` frames before the end, as far as the room allows;
    the square, at one of the speeds in `drift`, stays inside the walls for `span` frames, as far as the room allows.
    """

    name = "spatial"
    splits: ClassVar[Splits] = {
        "id": ((),), "ood": (("combined",),), "combined": (("combined",),), "ball": (("ball",),), "square": (("square",),),
    }  # fmt: skip
    levels = ("ball", "square", "combined")
    events = ("ball", "square")
    walls = (0.0, WORLD, 0.0, WORLD)
    abreast = 2

    radius: Ranges = ((0.7, 1.4),)
    speed: Ranges = ((1.0, 4.0),)
    drift: Ranges = ((1.0, 2.2),)
    before: int = 8
    after: int = 8
    span: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(f"{self.name}: drift", self.drift, low=0.0)
        if two_lines_room(*2 * (max(high for _, high in self.radius),)) < 0:
            raise UserError(f"{self.name}: radius must leave room for two bodies on lines of their own, got {self.radius}")

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        event = level.outside[0] if level.outside else self.events[int(rng.integers(2))]
        r1, r2 = self._range(rng, "radius1", level), self._range(rng, "radius2", level)
        v1, v2 = self._range(rng, "speed1", level), self._range(rng, "speed2", level, self.drift)
        if event == "square":
            v1, x1 = 0.0, between(rng, r1, WORLD - r1)
        else:
            x1 = WORLD - r1 - to_wall(rng, r1, v1, self.before, self.span - 1 - self.after, self.dt)
        if event == "ball":
            v2 = 0.0
        level.asked.difference_update({"ball": ("speed2",), "square": ("speed1",)}.get(event, ()))  # of what rests
        x2 = between(rng, r2, WORLD - r2 - v2 * (self.span - 1) * self.dt)
        return {"event": event, "radius": [r1, r2], "speed": [v1, v2], "x": [x1, x2], "y": two_lines(rng, r1, r2)}

    def _start(self, params: Mapping[str, Any]) -> Start:
        speed = np.array([params["speed"], [0.0, 0.0]]).T
        return Start(np.array([params["x"], params["y"]]).T, speed, as_array(*params["radius"]), shape=("ball", "square"))

    def _caption(self, params: Mapping[str, Any]) -> str:
        side = "left" if params["mirrored"] else "right"
        v1, v2 = params["speed"]
        ball, square = f"A red ball bounces off the {side} wall at {v1:.1f} m/s", f"moves to the {side} at a constant {v2:.1f} m/s"
        return {
            "ball": f"{ball} while a blue square rests.",
            "square": f"A blue square {square} while a red ball rests.",
            "combined": f"{ball} while a blue square {square}.",
        }[str(params["event"])]


@part
class Temporal(Planar):
    """Two balls that collide and do not reach a wall, or one ball that bounces off a wall; in "ood" two balls collide near a
    wall and one of them then bounces off it (PhyWorld sec. 5.4, temporal composition; its ranges are not published).

    Splits "collision" and "bounce" draw one of the parts. `bouncer` is the colour of the lone ball, `rebound` of the one
    that bounces after the collision: a model that has never seen it bounce loses it. The first event comes `before` frames
    after the start or later, the last one `after` frames before frame `span` or earlier; draws that do not fit are drawn
    again. A clip longer than `span` frames goes on by the same law.
    """

    name = "temporal"
    splits: ClassVar[Splits] = {
        "id": ((),), "ood": (("combined",),), "combined": (("combined",),), "collision": (("collision",),), "bounce": (("bounce",),),
    }  # fmt: skip
    levels = ("collision", "bounce", "combined")
    events = ("collision", "bounce")
    walls = (0.0, WORLD, 0.0, WORLD)
    abreast = 2

    radius: Ranges = ((0.7, 1.4),)
    speed: Ranges = ((1.0, 4.0),)
    bouncer: Literal["red", "blue", "either"] = "red"
    rebound: Literal["red", "blue"] = "blue"
    before: int = 8
    after: int = 8
    span: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bouncer not in ("red", "blue", "either") or self.rebound not in ("red", "blue"):
            raise UserError(
                f"{self.name}: bouncer must be red, blue or either and rebound red or blue, got {self.bouncer!r}, {self.rebound!r}"
            )
        if self.before + _SOON + self.after >= self.span:
            raise UserError(f"{self.name}: before and after leave no frame for an event among {self.span}")

    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        event = level.outside[0] if level.outside else self.events[int(rng.integers(2))]
        if event == "bounce":
            return {"event": event, **self._bounce(rng, level)}
        for _ in range(_TRIES):
            radius = self._range(rng, "radius1", level), self._range(rng, "radius2", level)
            speed = self._range(rng, "speed1", level), self._range(rng, "speed2", level)
            x = self._collision(rng, radius, speed) if event == "collision" else self._rebound(rng, radius, speed)
            if x is not None:
                most = max(radius) + 0.5
                y = between(rng, most, WORLD - most)
                return {"event": event, "radius": list(radius), "speed": list(speed), "x": x, "y": y, "color": ["red", "blue"]}
        raise UserError(
            f"{self.name}: no {event} of these radii and speeds fits into {self.span} frames of {self.dt:g} s, {self.before} of them"
            f" before and {self.after} after"
        )

    def _bounce(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        radius, speed = self._range(rng, "radius1", level), self._range(rng, "speed1", level)
        gap = to_wall(rng, radius, speed, self.before, self.span - 1 - self.after, self.dt)
        y = between(rng, radius + 0.5, WORLD - 0.5 - radius)
        color = ("red", "blue")[int(rng.integers(2))] if self.bouncer == "either" else self.bouncer
        return {"radius": [radius], "speed": [speed], "x": [WORLD - radius - gap], "y": y, "color": [color]}

    def _collision(self, rng: np.random.Generator, radius: tuple[float, float], speed: tuple[float, float]) -> list[float] | None:
        """Where both balls start, so that they collide and stay inside; None where these radii and speeds leave no place."""
        (r1, r2), (v1, v2) = radius, speed
        u1, u2 = elastic(r1**2, r2**2, v1, -v2)
        end = (self.span - 1) * self.dt
        # The place of contact c, as lines a + b t over the time of impact t: red's centre is at c - r1 and blue's at c + r2
        # on impact, and each must lie inside at the start and at the end.
        least = [(2 * r1, v1), (2 * r1 - u1 * end, u1), (-u2 * end, u2)]
        most = [(WORLD - 2 * r2, -v2), (WORLD - 2 * r2 - u2 * end, u2), (WORLD - u1 * end, u1)]
        soonest, latest = self.before * self.dt, end - self.after * self.dt
        for a, b in [(low[0] - high[0], low[1] - high[1]) for low in least for high in most]:  # a + b t <= 0
            if b > 0:
                latest = min(latest, -a / b)
            elif b < 0:
                soonest = max(soonest, -a / b)
            elif a > 0:
                return None
        if soonest > latest:
            return None
        impact = between(rng, soonest, latest)
        place = between(rng, max(a + b * impact for a, b in least), min(a + b * impact for a, b in most))
        return [place - r1 - v1 * impact, place + r2 + v2 * impact]

    def _rebound(self, rng: np.random.Generator, radius: tuple[float, float], speed: tuple[float, float]) -> list[float] | None:
        """Where both balls start, so that they collide and one then reaches the wall that it came from."""
        if self.rebound == "red":  # the same thing seen in a mirror, colours exchanged
            x = self._blue_rebound(rng, radius[::-1], speed[::-1])
            return None if x is None else [WORLD - x[1], WORLD - x[0]]
        return self._blue_rebound(rng, radius, speed)

    def _blue_rebound(self, rng: np.random.Generator, radius: tuple[float, ...], speed: tuple[float, ...]) -> list[float] | None:
        (r1, r2), (v1, v2) = radius, speed
        u1, u2 = elastic(r1**2, r2**2, v1, -v2)
        if u2 <= 0:
            return None
        room, last, soon = WORLD - 2 * (r1 + r2), (self.span - 1 - self.after) * self.dt, _SOON * self.dt
        latest = [last * u2 / (u2 + v2), last - soon]  # blue must come from inside, and have time to go back
        latest += [room / (v1 + v2)] if v1 + v2 > 0 else []
        latest += [(room - u2 * soon) / v1] if v1 > 0 else []
        alone = room / (v1 + v2) if u1 < 0 else math.inf  # by then red is at the other wall
        latest += [alone * u2 / v2] if v2 > 0 else []
        soonest = self.before * self.dt
        if soonest > min(latest) or soon > alone:
            return None
        impact = between(rng, soonest, min(latest))
        back = between(rng, max(soon, v2 * impact / u2), min(last - impact, (room - v1 * impact) / u2, alone))
        place = WORLD - 2 * r2 - u2 * back
        return [place - r1 - v1 * impact, place + r2 + v2 * impact]

    def _start(self, params: Mapping[str, Any]) -> Start:
        x, y, speed = params["x"], params["y"], params["speed"]
        velocity = np.array([[v * sign, 0.0] for v, sign in zip(speed, (1, -1), strict=False)])
        return Start(np.array([[place, y] for place in x]), velocity, as_array(*params["radius"]), params["color"])

    def _caption(self, params: Mapping[str, Any]) -> str:
        speed = params["speed"]
        if params["event"] == "bounce":
            side = "left" if params["mirrored"] else "right"
            return f"A {params['color'][0]} ball bounces off the {side} wall at {speed[0]:.1f} m/s."
        met = f"A red ball at {speed[0]:.1f} m/s and a blue ball at {speed[1]:.1f} m/s collide"
        if params["event"] == "collision":
            return f"{met}."
        side = "left" if params["mirrored"] == (self.rebound == "blue") else "right"
        return f"{met}, then the {self.rebound} one bounces off the {side} wall."


def two_lines_room(r1: float, r2: float) -> float:
    """What two bodies on lines of their own leave of the world's height, m."""
    return WORLD - 2 * _MARGIN - _APART - 2 * (r1 + r2)


def two_lines(rng: np.random.Generator, r1: float, r2: float) -> list[float]:
    """Heights in m of two bodies that never touch, either of them above."""
    free = two_lines_room(r1, r2)
    below = between(rng, 0.0, free)
    above = between(rng, 0.0, free - below)
    swap = bool(rng.random() < 0.5)
    low, high = (r2, r1) if swap else (r1, r2)
    heights = [_MARGIN + below + low, WORLD - _MARGIN - above - high]
    return heights[::-1] if swap else heights
