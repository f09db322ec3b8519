"""Plans: a street, what the ego car does there, and who else is on the road."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .ego import slowed
from .others import people, traffic
from .paths import Path, bend
from .ranges import UNUSUAL, USUAL, Ranges, draw
from .street import BEHIND, Road, Street, crossing, reach, road, turning
from .traffic import ACCELERATION, Car, Town

MANOEUVRES = ("left", "right", "straight", "accelerate", "brake", "change")
SHARES = (0.22, 0.22, 0.2, 0.12, 0.16, 0.08)


@dataclass
class Plan:
    """A `street`, its `town`, the ego car's `manoeuvre` and where it does it (`place`), why it brakes (`cause`), and which of the
    traffic lights are green for the main road."""

    street: Street
    town: Town
    manoeuvre: str
    place: str
    cause: str = ""
    green: bool = True


def plan(rng: np.random.Generator, manoeuvre: str, ranges: Ranges, lasts: float = 4.0) -> Plan:
    """A plan for a manoeuvre in a drive that `lasts` so many s."""
    cause = str(rng.choice(["light", "lead", "walker"])) if manoeuvre == "brake" else ""
    place = _place(rng, manoeuvre, cause)
    lanes = 2 if manoeuvre == "change" else int(rng.choice([1, 1, 2]))
    width, parking = draw(rng, 3.1, 3.6), bool(rng.random() < 0.4) and place != "curve"
    shoulder = 2.3 if parking else 0.4
    speed = draw(rng, *ranges.speed)
    lane = lanes - 1 if manoeuvre == "right" else 0 if manoeuvre == "left" else int(rng.integers(lanes))
    side = {"left": 1, "right": -1}.get(manoeuvre, 0)
    if place == "curve":
        street, path = _curved(rng, side, lane, lanes, width, shoulder, ranges)
    elif place == "junction":
        street, path = _junction(rng, side, lane, lanes, width, shoulder, ranges, speed, cause, parking)
    else:
        zebra = round(speed**2 / 5 + 9.0, 2) if cause == "walker" else draw(rng, 20.0, 50.0) if rng.random() < 0.3 else None
        street = Street(road([], 60.0, lanes, width, shoulder), zebra=zebra, pavement=draw(rng, 2.5, 4.0), parking=parking)
        path = street.main.lane(lane)
    ego = _ego(rng, manoeuvre, cause, street, path, lane, speed, ranges, lasts)
    town = Town([ego], [])
    traffic(rng, street, town, lane, side, place, cause, ranges)
    people(rng, street, town, cause)
    return Plan(street, town, manoeuvre, place, cause, green=cause != "light")


def _place(rng: np.random.Generator, manoeuvre: str, cause: str) -> str:
    if manoeuvre in ("left", "right"):
        return "junction" if rng.random() < 0.7 else "curve"
    if manoeuvre == "brake":
        return "junction" if cause == "light" else "straight"
    if manoeuvre == "straight":
        return str(rng.choice(["straight", "junction", "curve"], p=[0.5, 0.35, 0.15]))
    return "straight" if manoeuvre == "change" or rng.random() < 0.6 else "junction"


def _curved(
    rng: np.random.Generator, side: int, lane: int, lanes: int, width: float, shoulder: float, ranges: Ranges
) -> tuple[Street, Path]:
    if side:
        inner, angle = draw(rng, *ranges.bend), side * math.radians(draw(rng, 55.0, 95.0))
        radius = max(inner, 9.0 + lanes * width + shoulder)
    else:
        radius, angle = draw(rng, 120.0, 250.0), float(rng.choice([-1, 1])) * math.radians(draw(rng, 12.0, 25.0))
    main = road(bend(angle, radius), round(draw(rng, 6.0, 12.0)), lanes, width, shoulder)
    return Street(main, pavement=draw(rng, 2.5, 4.0)), main.lane(lane)


def _junction(
    rng: np.random.Generator, side: int, lane: int, lanes: int, width: float, shoulder: float, ranges: Ranges, speed: float, cause: str,
    parking: bool,
) -> tuple[Street, Path]:  # fmt: skip
    wide = 1 if lanes == 1 else int(rng.choice([1, 2]))
    wide = max(wide, lane + 1) if side else wide
    other = Road(road([], 10.0, wide, width, 0.4).center, wide, width, 0.4)
    corner = draw(rng, 4.5, 6.0)
    radius = draw(rng, *(ranges.left if side > 0 else ranges.right))
    if side < 0:
        radius = max(radius, corner - 0.5 + width / 2 + 0.4 if ranges is not UNUSUAL else corner - 0.8 + width / 2)
    if side:
        at = draw(rng, 3.0, 7.0) + reach(side * math.pi / 2, radius) - side * (lane + 0.5) * width
    elif cause == "light":
        at = speed**2 / 5.0 + draw(rng, 6.0, 11.0) + other.half + 4.5
    else:
        at = draw(rng, 24.0, 40.0)
    at = round(at, 3)
    arms: tuple[str, ...] = ("ahead", "left", "right")
    if rng.random() < 0.4:
        gone = str(rng.choice([arm for arm in arms if arm != {1: "left", -1: "right", 0: "ahead"}[side]]))
        arms = tuple(arm for arm in arms if arm != gone)
    cross = crossing(at, arms, wide, width, 0.4)
    main = road([], 60.0, lanes, width, shoulder)
    if "ahead" not in arms:
        count = int((BEHIND + at) * 4)
        main = Road(Path(main.center.points[:count], main.center.heading[:count]), lanes, width, shoulder)
    street = Street(main, cross, at, arms, corner, draw(rng, 2.5, 4.0), parking=parking)
    return street, turning(main, cross, at, lane, side, radius) if side else main.lane(lane)


def _ego(
    rng: np.random.Generator, manoeuvre: str, cause: str, street: Street, path: Path, lane: int, speed: float, ranges: Ranges, lasts: float
) -> Car:
    start, wish, acceleration = speed, speed, ACCELERATION
    if manoeuvre in ("left", "right"):
        start = wish = min(speed, 8.0) if ranges is USUAL else speed * 0.75
    if manoeuvre == "accelerate":
        start, wish = draw(rng, 0.0, 0.5 * speed), 1.4 * speed + 3.0
        acceleration = draw(rng, 2.5, 3.5)
    if manoeuvre == "change":
        lanes = street.main.lanes
        to = 1 if lane == lanes - 1 else -1
        path = path.change(BEHIND + draw(rng, 0.03, 0.12) * lasts * speed, 2.3 * speed, to * street.main.width)
    s = float(path.nearest(np.array([[0.0, path.at(BEHIND)[1]]]))[0][0])
    car = Car("ego", path, s, start, wish, length=4.4, sideways=ranges.sideways, role="ego", acceleration=acceleration)
    if cause == "light":
        car.stop = s + street.halt
    car.v = round(min(car.v, slowed(path, s, car.v, ranges.sideways, 2.5)), 3)
    return car
