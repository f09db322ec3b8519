"""Who else is on the road: cars and people drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .paths import Path
from .ranges import COLORS, Ranges, draw
from .street import AHEAD, BEHIND, Street
from .traffic import AXLE, Car, Town, Walker


def traffic(
    rng: np.random.Generator, street: Street, town: Town, lane: int, side: int, place: str, cause: str, ranges: Ranges
) -> None:
    """Add the cars of a town: ahead of the ego car and behind it, beside it, coming towards it, crossing and parked."""
    ego, main = town.cars[0], street.main
    count, colors = int(rng.integers(ranges.others[0], ranges.others[1] + 1)), rng.permutation(COLORS)

    def add(
        role: str, path: Path, s: float, v: float, wish: float, stop: float = math.inf, then: tuple[float, float] = (math.inf, 0.0)
    ) -> None:
        k = sum(car.role != "parked" for car in town.cars)
        van = bool(rng.random() < 0.18)
        style, length = ("van", 5.2) if van else ("car", draw(rng, 4.0, 4.7))
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
        brakes = (draw(rng, 0.3, 0.8), draw(rng, 0.5, 2.0)) if cause == "lead" else (math.inf, 0.0)
        wish = ego.wish if cause == "lead" else ego.wish * draw(rng, 0.9, 1.1)
        away = draw(rng, 1.0, 1.25 if cause == "lead" else 1.8) * gap + 4.4
        can_stop = ego.s + away + AXLE + 2.5 + ego.v**2 / 5 < ego.stop
    else:
        away, can_stop, wish, brakes = 0.0, False, 0.0, (math.inf, 0.0)
    if can_stop:
        add("lead", follows, ego.s + away, ego.v, wish, ego.stop, brakes)
    if rng.random() < 0.75:
        add("follower", ego.path, ego.s - 4.4 - gap * draw(rng, 1.0, 1.5), ego.v, ego.wish * 1.05)
    if main.lanes == 2 and ego.role == "ego" and rng.random() < 0.7 and not side:
        beside = main.lane(1 - lane)
        off = draw(rng, 9.0, 14.0)
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
        along = path.length - BEHIND - draw(rng, 14.0, 30.0) if not held else stop - AXLE - 2.7
        if cause == "walker" and street.zebra is not None:  # far enough to stop
            along = path.length - BEHIND - street.zebra - draw(rng, 26.0, 36.0)
        for _ in range(max(1, (count - 1) // main.lanes)):
            add("oncoming", path, along, 0.0 if held else draw(rng, 6.0, 9.0), 9.0, stop)
            along -= draw(rng, 6.8, 9.0) if held else draw(rng, 15.0, 28.0)


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
                for away in (draw(rng, -6.0, 6.0), draw(rng, 14.0, 30.0)):
                    add("crossing", path, line - away, draw(rng, 6.0, 9.0), 9.0)
            elif rng.random() < 0.8:
                add("waiting", path, line - AXLE - 2.7, 0.0, 8.0, line)


def _parked(rng: np.random.Generator, street: Street, town: Town) -> None:
    main = street.main
    for offset, heading in ((-(main.half - 1.05), 0.0), (main.half - 1.05, math.pi)):
        x = draw(rng, 7.0, 16.0)
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
            x += draw(rng, 6.5, 14.0)


def people(rng: np.random.Generator, street: Street, town: Town, cause: str) -> None:
    """Add people who walk along the road, and one who crosses it where there is a zebra crossing."""
    main, names = street.main, ("blue", "red", "green", "yellow", "purple", "pink", "white", "orange", "brown")

    def add(start: tuple[float, float], goal: tuple[float, float], speed: float, kerb: float | None = None, patient: bool = True) -> None:
        colors = (str(rng.choice(names)), str(rng.choice(["black", "blue", "grey", "brown"])))
        name = f"person {len(town.walkers) + 1}"
        town.walkers.append(Walker(name, start, goal, speed, kerb, 2 * main.half, patient, colors=colors))

    for _ in range(int(rng.integers(1, 4))):
        side, along = float(rng.choice([-1, 1])), draw(rng, 8.0, 35.0)
        s, forth = BEHIND + along, float(rng.choice([-1, 1]))
        first = main.center.beside(side * (main.half + draw(rng, 1.0, street.pavement - 0.4))).at(s)
        if abs(first[0] - street.at) < 22 + (street.cross.half if street.cross else 0) or s > main.center.length - 10:
            continue
        ahead = first[2] if forth > 0 else first[2] + math.pi
        goal = (first[0] + 8 * math.cos(ahead), first[1] + 8 * math.sin(ahead))
        add((round(float(first[0]), 3), round(float(first[1]), 3)), (round(goal[0], 3), round(goal[1], 3)), draw(rng, 0.9, 1.6))
    if street.zebra is not None:
        side = float(rng.choice([-1, 1]))
        far = main.half + 1.5
        kerb = 1.5 if cause != "walker" else draw(rng, 0.3, 0.9)
        begin = main.half + kerb if cause == "walker" else far
        goal = (street.zebra, round(-side * far, 3))
        add((street.zebra, round(side * begin, 3)), goal, draw(rng, 1.1, 1.6), kerb, patient=cause != "walker")
