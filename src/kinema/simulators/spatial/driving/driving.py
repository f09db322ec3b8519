"""Driving: a street seen from a car that is driven, with others who react to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from ....core.config import part, to_json
from ....core.errors import UserError
from ..scene import Scene
from ..views import AnyView, FirstPerson, Tracking
from ..world import SpatialWorld
from .build import beside, ground
from .ego import Floats, checked
from .movers import movers
from .plan import MANOEUVRES, SHARES, Plan, plan
from .ranges import UNUSUAL, USUAL
from .traffic import go
from .weather import surroundings
from .words import told

TRIES = 60


@part
class Driving(SpatialWorld):
    """A street seen from a car: lanes, kerbs, buildings, cars that follow, brake and react, people on foot.

    A clip's actions [t,4] are speed m/s, yaw rate rad/s (left positive), and the camera's forward step m and yaw step rad from a
    frame to the next. Cameras: front, left, right, rear, from above. Cars drive on the right; the ego car is a unicycle (its rear
    axle), the others follow the intelligent driver model.
    """

    name = "driving"
    violations: ClassVar[tuple[str, ...]] = ("vanish", "teleport", "swap", "reverse")
    why: ClassVar[str] = "everything moves as it is told"
    splits: ClassVar[Mapping[str, Any]] = {
        "id": None, "ood": "faster, sharper turns, denser traffic", **{name: f"the manoeuvre {name}" for name in MANOEUVRES}
    }  # fmt: skip

    dt: float = 1 / 8
    fps: float = 8.0
    draws: str = "id"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws not in self.splits:
            raise UserError(f"{self.name}: draws must be one of {', '.join(self.splits)}, got {self.draws!r}")

    def split(self, name: str) -> Self:
        """The same scenario drawing from a named split."""
        if name not in self.splits:
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return replace(self, draws=name)

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene of run `index` of the stream."""
        for _ in range(TRIES):
            seed = int(rng.integers(2**31))
            drawn = self._plan(seed, self.draws)
            go(drawn.town, self._times(self.num_frames))
            if fits(drawn, self.dt):
                return self._scene_of(drawn, seed, self.draws)
        raise UserError(f"{self.name}: no {self.draws} scene of {self.num_frames} frames and dt {self.dt:g} s shows its manoeuvre")

    def with_actions(self, params: Mapping[str, Any], actions: Floats | Sequence[Sequence[float]]) -> dict[str, Any]:
        """The parameters of the same scene with the ego car driven by `actions` [t,2], speed m/s and yaw rate rad/s per frame;
        everybody else reacts. Raises UserError for another number of frames, and for parameters of another scenario."""
        rows = checked(actions)
        if len(rows) != self.num_frames:
            raise UserError(f"{self.name}: actions for {self.num_frames} frames were expected, got {len(rows)}")
        tags = self.scene(params).tags
        if "seed" not in tags or "split" not in tags:
            raise UserError(f"{self.name}: these parameters do not come from this scenario: the scene's tags lack seed and split")
        drawn = self._plan(int(tags["seed"]), tags["split"])
        go(drawn.town, self._times(self.num_frames), rows)
        return {**params, "scene": to_json(self._scene_of(drawn, int(tags["seed"]), tags["split"], told_to=True))}

    def _plan(self, seed: int, split: str) -> Plan:
        rng = np.random.default_rng(seed)
        manoeuvre = split if split in MANOEUVRES else str(rng.choice(MANOEUVRES, p=SHARES))
        return plan(rng, manoeuvre, UNUSUAL if split == "ood" else USUAL, self.num_frames * self.dt)

    def _scene_of(self, drawn: Plan, seed: int, split: str, told_to: bool = False) -> Scene:
        rng = np.random.default_rng([seed, 1])  # what stands beside the road is the same whatever the ego car does
        floor, light, sky, time = surroundings(rng)
        around = beside(rng, drawn)
        moving = movers(drawn, self._times(self.num_frames))
        manoeuvre = "told" if told_to else drawn.manoeuvre
        tags = {"category": "driving", "manoeuvre": manoeuvre, "place": drawn.place, "split": split, "seed": str(seed)}
        return Scene(
            (*moving, *ground(drawn.street), *around), views=views(), floor=floor, light=light, sky=sky, ego="ego",
            text=told(drawn, around, time, self.dt), tags=tags,
        )  # fmt: skip


def views() -> tuple[AnyView, ...]:
    """Front, left, right, rear, and from above; none sees a part of the own car but the last."""
    return (
        FirstPerson(body="ego", offset=(3.6, 0.0, 1.5), pitch=3.0, fov=60.0),
        FirstPerson(body="ego", offset=(1.3, 1.0, 1.5), pitch=3.0, yaw=90.0, fov=60.0),
        FirstPerson(body="ego", offset=(1.3, -1.0, 1.5), pitch=3.0, yaw=-90.0, fov=60.0),
        FirstPerson(body="ego", offset=(-1.0, 0.0, 1.5), pitch=3.0, yaw=180.0, fov=60.0),
        Tracking(body="ego", offset=(-16.0, 0.0, 22.0), fov=60.0),
    )


def fits(drawn: Plan, dt: float) -> bool:
    """Whether the drive shows its manoeuvre, and nobody touches anybody."""
    tracks, speeds = drawn.town.tracks[:, 0], drawn.town.speeds[:, 0]
    turn, gain, moved = math.degrees(tracks[-1, 2] - tracks[0, 2]), speeds[-1] - speeds[0], float(np.abs(tracks[-1, 1] - tracks[0, 1]))
    long = len(tracks) * dt >= 3.5
    enough = 35.0 if long else max(17.0, 10.0 * len(tracks) * dt)
    shown = {
        "left": turn > enough,
        "right": turn < -enough,
        "straight": abs(turn) < 30 and speeds.min() > 0.6 * speeds[0],
        "accelerate": gain > 0.7 * len(tracks) * dt,
        "brake": gain < -0.6 * len(tracks) * dt and speeds[0] > 4,
        "change": moved > (0.8 if long else 0.4) * drawn.street.main.width and abs(turn) < (4 if long else 15),
    }[drawn.manoeuvre]
    return shown and not touching(drawn)


def touching(drawn: Plan, margin: float = 0.1) -> bool:
    """Whether two cars, or a car and somebody on foot, come closer than `margin` m at any frame."""
    cars = drawn.town.cars
    boxes = [corners(drawn.town.tracks[:, n], car.length + margin, car.width + margin) for n, car in enumerate(cars)]
    boxes += [corners(drawn.town.steps[:, m], 0.5, 0.5, 0.0) for m in range(len(drawn.town.walkers))]
    for a in range(len(cars)):
        for b in range(a + 1, len(boxes)):
            if overlap(boxes[a], boxes[b]).any():
                return True
    return False


def corners(track: Floats, length: float, width: float, middle: float = 1.3) -> Floats:
    """Corners [t,4,2] m of rectangles at poses [t,3], their middles `middle` m ahead of them."""
    ahead = np.stack([np.cos(track[:, 2]), np.sin(track[:, 2])], -1)
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], -1)
    center = track[:, :2] + middle * ahead
    return np.stack([center + a * length / 2 * ahead + b * width / 2 * aside for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))], 1)


def overlap(a: Floats, b: Floats) -> np.ndarray:
    """Whether rectangles [t,4,2] overlap [t]: no side of either has all of the other beyond it."""
    apart = np.zeros(len(a), bool)
    for box in (a, b):
        for k in (0, 1):
            axis = box[:, k + 1] - box[:, k]
            p, q = (np.einsum("tci,ti->tc", corner, axis) for corner in (a, b))
            apart |= (p.max(1) < q.min(1)) | (q.max(1) < p.min(1))
    return ~apart
