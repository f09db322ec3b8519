"""Traffic: cars that follow the intelligent driver model, people on foot who wait for them, and the ego car among them.

Car following is the IDM of Treiber, Hennecke and Helbing (2000): exponent 4, jam distance 2 m and comfortable braking 1.67 m/s^2
are theirs; acceleration 1.5 m/s^2 and time gap 1.2 s (theirs: 0.73 and 1.6, for motorways) are project defaults for towns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .ego import HARDEST, Pose, advance, slowed, steer
from .paths import Path

Floats = NDArray[np.float64]

ACCELERATION, COMFORT, GAP, JAM, EXPONENT = 1.5, 1.67, 1.2, 2.0, 4.0
SIGHT = 70.0  # m that a driver looks ahead
STEP = 0.13  # s: the longest that everybody but the ego car, whose arcs are exact, goes without a new decision
FORESIGHT = (0.0, 0.8, 1.6)  # s ahead at which others' places are foreseen
AXLE = 1.3  # m from a car's middle back to its rear axle


@dataclass
class Car:
    """A car whose rear axle is `s` m along its `path` at `v` m/s. It would like `wish` m/s, and from time `then[0]` s on `then[1]`;
    it stops before `stop` m. The ego car is one, too, which steers instead of gliding along its path."""

    name: str
    path: Path
    s: float
    v: float
    wish: float
    color: str = "white"
    length: float = 4.4
    width: float = 1.8
    acceleration: float = ACCELERATION
    sideways: float = 2.5
    then: tuple[float, float] = (math.inf, 0.0)
    stop: float = math.inf
    role: str = ""
    style: str = "car"
    pose: Pose = (0.0, 0.0, 0.0)
    rate: float | None = None

    def __post_init__(self) -> None:
        self.glide()

    def glide(self) -> None:
        """Stand where the path is."""
        x, y, angle = (float(c) for c in self.path.at(self.s))
        self.pose = (x, y, angle)


@dataclass
class Walker:
    """Somebody on foot who goes from `start` to `goal` m at `speed` m/s. Where a `kerb` m along the way is given, the road is
    `width` m wide from there on, and is not entered while a car comes."""

    name: str
    start: tuple[float, float]
    goal: tuple[float, float]
    speed: float = 1.3
    kerb: float | None = None
    width: float = 7.0
    patient: bool = True
    gone: float = 0.0
    moving: bool = True
    colors: tuple[str, str] = ("blue", "black")

    @property
    def ahead(self) -> Floats:
        """The direction [2] that it walks in."""
        way = np.array(self.goal) - self.start
        return np.asarray(way / np.linalg.norm(way))

    @property
    def place(self) -> Floats:
        """Where it is [2] m."""
        return np.asarray(np.array(self.start) + self.gone * self.ahead)

    @property
    def crossing(self) -> bool:
        """Whether it is on the road, or about to be."""
        return self.kerb is not None and self.kerb - 0.3 <= self.gone <= self.kerb + self.width and self.moving


@dataclass
class Town:
    """Everybody on the road: `cars`, the first of which is the ego car, and `walkers`; `times` [t] s and what each did: car poses
    `tracks` [t,n,3] and `speeds` [t,n], walkers' places `steps` [t,m,3]."""

    cars: list[Car]
    walkers: list[Walker]
    tracks: Floats = field(default_factory=lambda: np.zeros((0, 0, 3)))
    speeds: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    steps: Floats = field(default_factory=lambda: np.zeros((0, 0, 3)))


def wanted(car: Car, wish: float, gap: float, closing: float) -> float:
    """The acceleration m/s^2 of the intelligent driver model at `gap` m behind what it closes in on at `closing` m/s."""
    wish = max(wish, 0.05)
    if car.v <= wish:
        free = car.acceleration * (1 - (car.v / wish) ** EXPONENT)
    else:  # Treiber and Kesting's improvement: brake comfortably from above the wish
        free = -2 * COMFORT * (1 - (wish / car.v) ** (car.acceleration * EXPONENT / COMFORT))
    room = JAM + max(0.0, car.v * GAP + car.v * closing / (2 * math.sqrt(car.acceleration * COMFORT)))
    return max(-HARDEST, free - car.acceleration * (room / max(gap, 0.1)) ** 2)


class Sighting(NamedTuple):
    """All that may be in somebody's way, as points: where they are now and at each time of `FORESIGHT` [f,k,2] m, their velocities
    there [f,k,2] m/s, half widths [k] m, and whose they are [k]: places among the cars, -1 for people."""

    place: Floats
    velocity: Floats
    radius: Floats
    owner: NDArray[np.int64]


def sight(town: Town) -> Sighting:
    """What everybody sees: five points along every car, rear to front, as they go on along their paths (the ego car: as it turns
    now), and people who want to cross."""
    later = np.array(FORESIGHT)
    reach = np.linspace(-0.5, 0.5, 5)
    places, velocities, radii, owners = [], [], [], []
    for n, car in enumerate(town.cars):
        if car.rate is None:
            poses = car.path.at(car.s + car.v * later)
        else:
            poses = np.array([advance(car.pose, car.v, car.rate, time) for time in FORESIGHT])
        ahead = np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], 1)
        places.append(poses[:, None, :2] + (reach * car.length + AXLE)[None, :, None] * ahead[:, None])
        velocities.append(np.repeat(car.v * ahead[:, None], 5, 1))
        radii += [car.width / 2] * 5
        owners += [n] * 5
    for walker in town.walkers:
        if walker.kerb is not None:
            pace = walker.ahead * walker.speed * walker.crossing
            places.append((walker.place + later[:, None] * pace)[:, None])
            velocities.append(np.tile(pace, (len(later), 1, 1)))
            radii.append(0.5)
            owners.append(-1)
    return Sighting(np.concatenate(places, 1), np.concatenate(velocities, 1), np.array(radii), np.array(owners))


def obstacle(car: Car, town: Town, seen: Sighting) -> tuple[float, float]:
    """The gap m to the nearest that is, or is about to be, in the car's way, and its speed m/s along the way."""
    front = car.s + AXLE + car.length / 2
    near = seen.owner != next(n for n, other in enumerate(town.cars) if other is car)
    near &= (np.abs(seen.place[0] - car.pose[:2]) < SIGHT).all(1)
    if not near.any():
        return math.inf, 0.0
    place, velocity, radius = seen.place[:, near], seen.velocity[:, near], seen.radius[near]
    flat = place.reshape(-1, 2)
    s, side = (found.reshape(place.shape[:2]) for found in car.path.nearest(flat, car.s, front + SIGHT, every=2))
    heading = car.path.at(s)[..., 2]
    along = velocity[..., 0] * np.cos(heading) + velocity[..., 1] * np.sin(heading)
    # What is foreseen lies as far ahead as it does now: it is where it enters the lane that counts.
    room = s - np.maximum(along, 0.0) * np.array(FORESIGHT)[:, None] - front
    met = (np.abs(side) < radius + car.width / 2 + 0.15) & (s > car.s + AXLE) & (room > -car.length / 2) & (s < front + SIGHT)
    if not met.any():
        return math.inf, 0.0
    k = int(np.where(met, room, np.inf).argmin())
    return float(room.flat[k]), float(along.flat[k])


def decision(car: Car, town: Town, time: float, seen: Sighting) -> float:
    """The acceleration m/s^2 that a car chooses: for its wish, the bends ahead, what is in its way, and where it must stop."""
    most = slowed(car.path, car.s, car.v, car.sideways, 2.0)
    gap, speed = obstacle(car, town, seen)
    wish = min(car.then[1] if time >= car.then[0] else car.wish, most)
    found = wanted(car, wish, gap, car.v - speed)
    found = min(found, max(-HARDEST, (most - car.v) / 0.25))  # a bend does not wait
    left = car.stop - (car.s + AXLE + car.length / 2)
    if left > -1.0:
        found = min(found, wanted(car, wish, left + JAM, car.v))
    return found


def clear(walker: Walker, town: Town) -> bool:
    """Whether nobody comes too near while the walker crosses."""
    begin = np.array(walker.start) + (walker.kerb or 0.0) * walker.ahead
    stay = walker.width / walker.speed
    for car in town.cars:
        s, side = car.path.nearest((begin + walker.ahead * walker.width / 2)[None], car.s)
        ahead = float(s[0]) - (car.s + AXLE + car.length / 2)
        if abs(side[0]) < walker.width / 2 + 1 and -car.length - 2 < ahead < 3 + car.v * (stay + 0.5) and (car.v > 0.3 or ahead < 0.5):
            return False
    return True


def go(town: Town, times: Floats, actions: Floats | None = None) -> None:
    """Let everybody go through `times` [t] s; the ego car by its own driver, or by `actions` [t,2], speed m/s and yaw rate rad/s."""
    ego, dt = town.cars[0], float(times[1] - times[0])
    parts = math.ceil(dt / STEP)
    tracks, speeds, steps = [], [], []
    for k, time in enumerate(times):
        if actions is not None:
            ego.v = float(actions[k, 0])
        rate = float(actions[k, 1]) if actions is not None else steer(ego.pose, ego.path, ego.s, ego.v)
        ego.rate = rate
        tracks.append([car.pose for car in town.cars])
        speeds.append([car.v for car in town.cars])
        steps.append([(*w.place, math.atan2(w.ahead[1], w.ahead[0])) for w in town.walkers])
        seen = sight(town)
        choice = decision(ego, town, float(time), seen)
        start = ego.pose
        for j in range(parts):
            others(town, float(time) + j * dt / parts, dt / parts, seen if j == 0 else sight(town))
            ego.pose = advance(start, ego.v, rate, dt * (j + 1) / parts)
            ego.s = float(ego.path.nearest(np.array([ego.pose[:2]]), ego.s - 2, ego.s + 10)[0][0])
        ego.v = max(0.0, ego.v + choice * dt)
    town.tracks, town.speeds = np.array(tracks), np.array(speeds)
    town.steps = np.array(steps).reshape(len(times), len(town.walkers), 3)


def others(town: Town, time: float, dt: float, seen: Sighting) -> None:
    """Move everybody but the ego car by `dt` s."""
    choices = [0.0 if car.role == "parked" else decision(car, town, time, seen) for car in town.cars[1:]]
    for car, chosen in zip(town.cars[1:], choices, strict=True):
        until = dt if car.v + chosen * dt >= 0 else car.v / -chosen  # it stops, and stands
        car.s += car.v * until + 0.5 * chosen * until**2
        car.v = max(0.0, car.v + chosen * dt)
        car.glide()
    for walker in town.walkers:
        waits = walker.kerb is not None and walker.patient and walker.kerb - 0.6 <= walker.gone < walker.kerb and not clear(walker, town)
        walker.moving = not waits
        walker.gone += walker.speed * dt * walker.moving
