"""Plans: a street, what the ego car does there, and who else is on the road."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .ego import slowed
from .paths import Path, bend
from .street import AHEAD, BEHIND, Road, Street, crossing, reach, road, turning
from .traffic import ACCELERATION, AXLE, Car, Town, Walker

MANOEUVRES = ("left", "right", "straight", "accelerate", "brake", "change")
SHARES = (0.22, 0.22, 0.2, 0.12, 0.16, 0.08)
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


def plan(rng: np.random.Generator, manoeuvre: str, ranges: Ranges) -> Plan:
    """A plan for a manoeuvre."""
    cause = str(rng.choice(["light", "lead", "walker"])) if manoeuvre == "brake" else ""
    place = _place(rng, manoeuvre, cause)
    lanes = 2 if manoeuvre == "change" else int(rng.choice([1, 1, 2]))
    width, parking = _draw(rng, 3.1, 3.6), bool(rng.random() < 0.4) and place != "curve"
    shoulder = 2.3 if parking else 0.4
    speed = _draw(rng, *ranges.speed)
    lane = lanes - 1 if manoeuvre == "right" else 0 if manoeuvre == "left" else int(rng.integers(lanes))
    side = {"left": 1, "right": -1}.get(manoeuvre, 0)
    if place == "curve":
        street, path = _curved(rng, side, lane, lanes, width, shoulder, ranges)
    elif place == "junction":
        street, path = _junction(rng, side, lane, lanes, width, shoulder, ranges, speed, cause, parking)
    else:
        zebra = round(speed**2 / 5 + 9.0, 2) if cause == "walker" else _draw(rng, 20.0, 50.0) if rng.random() < 0.3 else None
        street = Street(road([], 60.0, lanes, width, shoulder), zebra=zebra, pavement=_draw(rng, 2.5, 4.0), parking=parking)
        path = street.main.lane(lane)
    ego = _ego(rng, manoeuvre, cause, street, path, lane, speed, ranges)
    town = Town([ego], [])
    _traffic(rng, street, town, lane, side, place, cause, ranges)
    _people(rng, street, town, cause)
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
        inner, angle = _draw(rng, *ranges.bend), side * math.radians(_draw(rng, 55.0, 95.0))
        radius = max(inner, 9.0 + lanes * width + shoulder)
    else:
        radius, angle = _draw(rng, 120.0, 250.0), float(rng.choice([-1, 1])) * math.radians(_draw(rng, 12.0, 25.0))
    main = road(bend(angle, radius), round(_draw(rng, 6.0, 12.0)), lanes, width, shoulder)
    return Street(main, pavement=_draw(rng, 2.5, 4.0)), main.lane(lane)


def _junction(
    rng: np.random.Generator, side: int, lane: int, lanes: int, width: float, shoulder: float, ranges: Ranges, speed: float, cause: str,
    parking: bool,
) -> tuple[Street, Path]:  # fmt: skip
    wide = 1 if lanes == 1 else int(rng.choice([1, 2]))
    wide = max(wide, lane + 1) if side else wide
    other = Road(road([], 10.0, wide, width, 0.4).center, wide, width, 0.4)
    corner = _draw(rng, 4.5, 6.0)
    radius = _draw(rng, *(ranges.left if side > 0 else ranges.right))
    if side < 0:
        radius = max(radius, corner - 0.5 + width / 2 + 0.4 if ranges is not UNUSUAL else corner - 0.8 + width / 2)
    if side:
        at = _draw(rng, 3.0, 7.0) + reach(side * math.pi / 2, radius) - side * (lane + 0.5) * width
    elif cause == "light":
        at = speed**2 / 5.0 + _draw(rng, 6.0, 11.0) + other.half + 4.5
    else:
        at = _draw(rng, 24.0, 40.0)
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
    street = Street(main, cross, at, arms, corner, _draw(rng, 2.5, 4.0), parking=parking)
    return street, turning(main, cross, at, lane, side, radius) if side else main.lane(lane)


def _ego(
    rng: np.random.Generator, manoeuvre: str, cause: str, street: Street, path: Path, lane: int, speed: float, ranges: Ranges
) -> Car:
    start, wish, acceleration = speed, speed, ACCELERATION
    if manoeuvre in ("left", "right"):
        start = wish = min(speed, 8.0) if ranges is USUAL else speed * 0.75
    if manoeuvre == "accelerate":
        start, wish = _draw(rng, 0.0, 0.5 * speed), 1.4 * speed + 3.0
        acceleration = _draw(rng, 2.5, 3.5)
    if manoeuvre == "change":
        lanes = street.main.lanes
        to = 1 if lane == lanes - 1 else -1
        path = path.change(BEHIND + _draw(rng, 0.3, 0.6) * speed, 2.3 * speed, to * street.main.width)
    s = float(path.nearest(np.array([[0.0, path.at(BEHIND)[1]]]))[0][0])
    car = Car("ego", path, s, start, wish, length=4.4, sideways=ranges.sideways, role="ego", acceleration=acceleration)
    if cause == "light":
        car.stop = s + street.halt
    car.v = round(min(car.v, slowed(path, s, car.v, ranges.sideways, 2.5)), 3)
    return car


def _traffic(
    rng: np.random.Generator, street: Street, town: Town, lane: int, side: int, place: str, cause: str, ranges: Ranges
) -> None:
    ego, main = town.cars[0], street.main
    count, colors = int(rng.integers(ranges.others[0], ranges.others[1] + 1)), rng.permutation(COLORS)

    def add(
        role: str, path: Path, s: float, v: float, wish: float, stop: float = math.inf, then: tuple[float, float] = (math.inf, 0.0)
    ) -> None:
        k = sum(car.role != "parked" for car in town.cars)
        van = bool(rng.random() < 0.18)
        style, length = ("van", 5.2) if van else ("car", _draw(rng, 4.0, 4.7))
        car = Car(
            f"car {k}", path, s, round(v, 3), wish, str(colors[k % len(colors)]), length, 1.95 if van else 1.8, role=role, stop=stop,
            then=then, style=style,
        )  # fmt: skip
        near = [other for other in town.cars if math.dist(other.pose[:2], car.pose[:2]) < 7.0]
        same = [other for other in near if abs(math.cos(other.pose[2] - car.pose[2])) > 0.9]
        if 0 <= s <= path.length - 8 and not any(abs(path.nearest(np.array([o.pose[:2]]))[1][0]) < 2.2 for o in same):
            town.cars.append(car)

    halt = BEHIND + street.halt if cause == "light" else math.inf
    follows = ego.path if place != "straight" or len(town.cars) == 0 else main.lane(lane)
    gap = 6.0 + 0.9 * ego.v
    if cause == "lead" or (cause != "walker" and rng.random() < 0.55):
        brakes = (_draw(rng, 0.3, 0.8), _draw(rng, 0.5, 2.0)) if cause == "lead" else (math.inf, 0.0)
        wish = ego.wish if cause == "lead" else ego.wish * _draw(rng, 0.9, 1.1)
        away = _draw(rng, 1.0, 1.25 if cause == "lead" else 1.8) * gap + 4.4
        add("lead", follows, ego.s + away, ego.v, wish, ego.stop, brakes)
    if rng.random() < 0.75:
        add("follower", ego.path, ego.s - 4.4 - gap * _draw(rng, 1.0, 1.5), ego.v, ego.wish * 1.05)
    if main.lanes == 2 and ego.role == "ego" and rng.random() < 0.7 and not side:
        beside = main.lane(1 - lane)
        off = _draw(rng, 9.0, 14.0)
        keeps = place == "straight" and cause == "" and abs(ego.path.at(ego.s + 60)[1] - ego.pose[1]) < 1
        if keeps and rng.random() < 0.5:
            s = BEHIND + off
            to = 1 if lane == 0 else -1
            add("cutter", beside.change(s + 3.0, 2.2 * ego.v + 6.0, to * main.width), s, ego.v, ego.wish)
        else:
            add("beside", beside, BEHIND - off - 4.0, ego.v, ego.wish, halt)
    if "ahead" in street.arms:
        _oncoming(rng, street, add, side, cause, count)
    if street.cross is not None:
        _across(rng, street, add, cause)
    if street.parking:
        _parked(rng, street, town)


def _oncoming(rng: np.random.Generator, street: Street, add: Callable[..., None], side: int, cause: str, count: int) -> None:
    main = street.main
    held = street.cross is not None and (side > 0 or cause == "light")
    for k in range(main.lanes):
        path = main.lane(k, back=True)
        stop = path.length - BEHIND - street.beyond() if held else math.inf
        along = path.length - BEHIND - _draw(rng, 14.0, 30.0) if not held else stop - AXLE - 2.7
        if cause == "walker" and street.zebra is not None:  # far enough to stop
            along = path.length - BEHIND - street.zebra - _draw(rng, 26.0, 36.0)
        for _ in range(max(1, (count - 1) // main.lanes)):
            add("oncoming", path, along, 0.0 if held else _draw(rng, 6.0, 9.0), 9.0, stop)
            along -= _draw(rng, 6.8, 9.0) if held else _draw(rng, 15.0, 28.0)


def _across(rng: np.random.Generator, street: Street, add: Callable[..., None], cause: str) -> None:
    cross = street.cross
    assert cross is not None
    both = "left" in street.arms and "right" in street.arms
    for arm, back in (("right", False), ("left", True)):
        if arm not in street.arms:
            continue
        for k in range(cross.lanes):
            path = cross.lane(k, back)
            middle = float(path.nearest(np.array([[street.at, 0.0]]))[0][0])
            line = middle - street.main.half - 4.5
            if cause == "light" and both:
                for away in (_draw(rng, -6.0, 6.0), _draw(rng, 14.0, 30.0)):
                    add("crossing", path, line - away, _draw(rng, 6.0, 9.0), 9.0)
            elif rng.random() < 0.8:
                add("waiting", path, line - AXLE - 2.7, 0.0, 8.0, line)


def _parked(rng: np.random.Generator, street: Street, town: Town) -> None:
    main = street.main
    for offset, heading in ((-(main.half - 1.05), 0.0), (main.half - 1.05, math.pi)):
        x = _draw(rng, 7.0, 16.0)
        for _ in range(3):
            junction = street.halt - 8 < x < street.at + 25
            if junction or (street.zebra is not None and abs(x - street.zebra) < 8) or x > AHEAD:
                break
            path = main.center.beside(offset)
            path = path if heading == 0.0 else path.back()
            s = float(path.nearest(np.array([[x, offset]]))[0][0])
            color = str(rng.choice(COLORS))
            car = Car(f"parked {sum(c.role == 'parked' for c in town.cars)}", path, round(s, 3), 0.0, 0.0, color, role="parked", width=1.8)
            if not any(math.dist(o.pose[:2], car.pose[:2]) < 2.2 for o in town.cars):
                town.cars.append(car)
            x += _draw(rng, 6.5, 14.0)


def _people(rng: np.random.Generator, street: Street, town: Town, cause: str) -> None:
    main, names = street.main, ("blue", "red", "green", "yellow", "purple", "pink", "white", "orange", "brown")

    def add(start: tuple[float, float], goal: tuple[float, float], speed: float, kerb: float | None = None, patient: bool = True) -> None:
        colors = (str(rng.choice(names)), str(rng.choice(["black", "blue", "grey", "brown"])))
        name = f"person {len(town.walkers) + 1}"
        town.walkers.append(Walker(name, start, goal, speed, kerb, 2 * main.half, patient, colors=colors))

    for _ in range(int(rng.integers(1, 4))):
        side, along = float(rng.choice([-1, 1])), _draw(rng, 8.0, 35.0)
        s, forth = BEHIND + along, float(rng.choice([-1, 1]))
        first = main.center.beside(side * (main.half + _draw(rng, 1.0, street.pavement - 0.4))).at(s)
        if abs(first[0] - street.at) < 22 + (street.cross.half if street.cross else 0) or s > main.center.length - 10:
            continue
        ahead = first[2] if forth > 0 else first[2] + math.pi
        goal = (first[0] + 8 * math.cos(ahead), first[1] + 8 * math.sin(ahead))
        add((round(float(first[0]), 3), round(float(first[1]), 3)), (round(goal[0], 3), round(goal[1], 3)), _draw(rng, 0.9, 1.6))
    if street.zebra is not None:
        side = float(rng.choice([-1, 1]))
        far = main.half + 1.5
        kerb = 1.5 if cause != "walker" else _draw(rng, 0.3, 0.9)
        begin = main.half + kerb if cause == "walker" else far
        goal = (street.zebra, round(-side * far, 3))
        add((street.zebra, round(side * begin, 3)), goal, _draw(rng, 1.1, 1.6), kerb, patient=cause != "walker")


def _draw(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 3)
