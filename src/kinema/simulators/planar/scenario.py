"""What the planar scenarios share: ranges and splits, sampling, motion, truth. A scenario itself is one small file."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.camera import Camera
from ...core.clip import Clip
from ...core.config import part
from ...core.errors import UserError
from ...core.rng import stream
from ..world import World
from .grid import Grid, Level
from .motion import Array, Motion, Walls, motion
from .render import DENSE, render
from .shapes import SHAPES, outline

Ranges = tuple[tuple[float, float], ...]
Holes = tuple[tuple[tuple[float, float], tuple[float, float]], ...]  # each (range of the first, range of the second)

WORLD = 10.0  # m, width and height
DEFAULT_DENSE = ("rgb", "segmentation", "flow", "occlusion")
BOX2D_STEP, BOX2D_THRESHOLD = 0.01, 1.0  # s; m/s, the closing speed up to which its impacts are inelastic
COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
Splits = Mapping[str, tuple[tuple[str, ...], ...]]
ONE_BALL: Splits = {  # PhyWorld's levels of a scenario with one ball
    "id": ((),),
    "ood": (("radius",), ("speed",), ("radius", "speed")),
    "r": (("radius",),),
    "v": (("speed",),),
    "both": (("radius", "speed"),),
}


class Start(NamedTuple):
    """Bodies at time 0: position [n,2] m, velocity [n,2] m/s, radius [n] m, names of their colours (red, blue, ... by
    order unless given) and, in a world where not all are balls, of their shapes (`radius` is a square's half side)."""

    position: Array
    velocity: Array
    radius: Array
    color: Sequence[str] = tuple(COLORS)
    shape: Sequence[str] | None = None


@part
class Planar(World):
    """A 10 x 10 m world of discs on white ground, y up, density 1 kg/m^2; frame k shows time k dt.

    `outside` lists the alternatives a clip is drawn from, each naming the parameters that leave their training range;
    `split` sets it. `grid` gives some parameters exact values, clip by clip, instead of draws. `flip` mirrors half of the
    clips, by chance: PhyWorld's one augmentation.

    `box2d_compatible` gives what PhyWorld published (simulated by Box2D in steps of 0.01 s, read off after the first):
    two bodies run on into each other up to the first step after they touch (at most 0.01 s, and `dt` must be a multiple of
    it), impacts that close at no more than 1 m/s are perfectly inelastic, frame k shows time 0.01 s + k dt (times of
    contacts count from the first frame), gravity acts as that engine sums it up, and pixels follow the released renderer
    (meta "pixel_convention", "render_width", "first_frame_time").
    """

    splits: ClassVar[Splits]
    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DEFAULT_DENSE
    gravity: ClassVar[tuple[float, float]] = (0.0, 0.0)
    walls: ClassVar[Walls | None] = None
    abreast: ClassVar[int] = 1  # balls that must fit side by side
    levels: ClassVar[tuple[str, ...]] = ()  # what `outside` may name beside the parameters with a range
    events: ClassVar[tuple[str, ...]] = ()  # the levels of which one is drawn where `outside` names none

    flip: bool = False
    outside: tuple[tuple[str, ...], ...] = ((),)
    grid: Grid | None = None
    box2d_compatible: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("before", "after", "visible_frames", "span"):
            if getattr(self, key, 0) < 0:
                raise UserError(f"{self.name}: {key} must not be negative, got {getattr(self, key)}")
        for family, (low, high) in self._limits().items():
            for key in (family, f"{family}_outside"):
                if hasattr(self, key):
                    check_ranges(f"{self.name}: {key}", getattr(self, key), low=low, high=high)
        if self.box2d_compatible and abs(self.dt / BOX2D_STEP - round(self.dt / BOX2D_STEP)) > 1e-6:
            raise UserError(f"{self.name}: with box2d_compatible, dt must be a multiple of {BOX2D_STEP} s, got {self.dt}")
        if not self.outside:
            raise UserError(f"{self.name}: outside names no alternative; ((),) means inside every range")
        for alternative in self.outside:
            for key in alternative:
                if not self._can_leave(key):
                    raise UserError(f"{self.name}: outside names {key!r}, which is no parameter with a range of its own")
            self._check_alternative(alternative)
        if self.grid is not None:
            self._check_grid(self.grid)

    def split(self, name: str) -> Self:
        """The same scenario drawing from a named split: "id", "ood" (any level below), or one of PhyWorld's levels; or from
        where the parameters named, joined by "+", have left their training range ("radius+speed")."""
        if name in self.splits:
            return replace(self, outside=self.splits[name])
        keys = tuple(name.split("+"))
        if not all(self._can_leave(key) for key in keys):
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        world = replace(self, outside=(keys,))
        world.sample(stream("split"))
        return world

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of one clip, plain JSON values in m, m/s and s; `index` is its place in the stream, for the grid."""
        outside = self.outside[int(rng.integers(len(self.outside)))]
        drawn = self._drawn(rng, outside, index)
        return {"outside": list(outside), **drawn, "mirrored": bool(self.flip and rng.random() < 0.5)}

    def _drawn(self, rng: np.random.Generator, outside: tuple[str, ...], index: int) -> dict[str, Any]:
        """Parameters of one clip, drawn from an alternative. Raises UserError where that or the grid names what is not drawn."""
        level = Level(outside, {} if self.grid is None else self.grid.cell(index))
        drawn = self._draw(rng, level)
        for key in (*level.at, *outside):
            if key not in level.asked and key not in self.levels:
                named = "the grid" if key in level.at else "outside"
                raise UserError(f"{self.name}: {named} names {key!r}, which it does not draw; it draws {', '.join(sorted(level.asked))}")
        return drawn

    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """The Clip of these parameters with `fields` of its dense truth (all but backward flow unless said otherwise).

        Raises UserError where a parameter is missing or a field unknown.
        """
        del rng  # closed form: nothing is left to chance
        try:
            start, text, mirrored = Start(*self._start(params)), self._caption(params), params["mirrored"]
        except KeyError as error:
            raise UserError(f"{self.name}: the parameters lack {error}; there are {', '.join(params) or 'none'}") from None
        if mirrored:
            start = start._replace(position=start.position * [-1.0, 1.0] + [WORLD, 0.0], velocity=start.velocity * [-1.0, 1.0])
        mass = _mass(start)
        times = np.arange(self.num_frames, dtype=np.float64) * self.dt
        run = self._published(start, mass, times) if self.box2d_compatible else self.move(*start[:3], mass, times)
        bodies = _bodies(run, start, mass)
        dense: dict[str, Any] = self.render(bodies, DEFAULT_DENSE if fields is None else fields)
        return Clip(
            fps=self.fps,
            dt=self.dt,
            meta={"scenario": json.loads(self.as_json), "params": dict(params), "world_width": WORLD, **self._conventions()},
            bodies=bodies,
            contacts=_contacts(run),
            energy=energy(bodies, self.gravity),
            camera=Camera.planar(self.size, self.size, WORLD, self.num_frames, linspace=self.box2d_compatible),
            text=text,
            **dense,
        )

    def move(
        self,
        position: Array,
        velocity: Array,
        radius: Array,
        mass: Array,
        times: Array,
        ignore: Collection[tuple[int, int]] = (),
        start: float = 0.0,
    ) -> Motion:
        """The motion by this world's law of bodies that are at `position` [n,2] m with `velocity` [n,2] m/s at time `start` s;
        pairs in `ignore` pass through each other."""
        law: dict[str, Any] = {"gravity": self.gravity, "walls": self.walls}
        if self.box2d_compatible:
            law |= {"threshold": BOX2D_THRESHOLD, "step": BOX2D_STEP}
        return motion(position, velocity, radius, mass, times, **law, start=start, ignore=ignore)

    def _published(self, start: Start, mass: Array, times: Array) -> Motion:
        """The same as Box2D shows it, contacts from the first frame on."""
        # Box2D adds gravity to the velocity before it moves a body: n steps of h give v t + g t (t + h) / 2.
        velocity = start.velocity + np.multiply(self.gravity, BOX2D_STEP / 2)
        run = self.move(start.position, velocity, start.radius, mass, times, start=-BOX2D_STEP)
        return replace(run, contacts=run.contacts.since(0.0))

    def _conventions(self) -> dict[str, Any]:
        if not self.box2d_compatible:
            return {}
        return {"pixel_convention": "linspace", "render_width": self.size, "first_frame_time": BOX2D_STEP}

    @property
    def alike(self) -> int:
        """One: every clip has draws of its own."""
        return 1

    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, torch.Tensor]:
        """Dense truth of a clip's bodies."""
        return self.render(clip.bodies, fields)

    def render(self, bodies: Mapping[str, torch.Tensor], fields: Sequence[str] = DEFAULT_DENSE) -> dict[str, torch.Tensor]:
        """Dense truth of these bodies (`position` [t,n,2] m, `radius` [t,n] m, `color` [t,n,3], `shape` [t,n] where they are not
        all balls, `cut` [t,n] where one is not the body it was a frame before) as this scenario's camera sees it."""
        self.check_dense(fields)
        if not fields:
            return {}
        position, radius, color = (bodies[key].numpy() for key in ("position", "radius", "color"))
        shape = bodies["shape"].numpy() if "shape" in bodies else None
        cut = bodies["cut"][1:].numpy() if "cut" in bodies else None
        style = "published" if self.box2d_compatible else "smooth"
        dense = render(position, radius, color, size=self.size, world_width=WORLD, fields=fields, shape=shape, cut=cut, style=style)
        return {name: torch.from_numpy(array) for name, array in dense.items()}

    @abstractmethod
    def _draw(self, rng: np.random.Generator, level: Level) -> dict[str, Any]:
        """Parameters with those named by `level` outside their training range."""

    @abstractmethod
    def _start(self, params: Mapping[str, Any]) -> Start:
        """The bodies at time 0, before mirroring; a tuple (position, velocity, radius) will do where they are balls."""

    @abstractmethod
    def _caption(self, params: Mapping[str, Any]) -> str:
        """What happens, in a sentence."""

    def _range(self, rng: np.random.Generator, key: str, level: Level, ranges: Ranges | None = None) -> float:
        """Parameter `key` ("speed", "radius2", ...): as `level` gives it, else drawn from `ranges` or the field of that name, or
        from outside of it if `level` says so."""
        level.asked.add(key)
        if key in level.at:
            return level.at[key]
        family = key.rstrip("12")
        return draw(rng, getattr(self, f"{family}_outside" if key in level else family) if ranges is None else ranges)

    def _can_leave(self, key: str) -> bool:
        """Whether `outside` may name `key`: it has a range outside, or is a level of the scenario's own with anything in it."""
        return hasattr(self, f"{key.rstrip('12')}_outside") or (key in self.levels and bool(getattr(self, f"{key}s", True)))

    def _check_alternative(self, keys: tuple[str, ...]) -> None:
        """Raise UserError where of what these ask for something would be passed over."""
        holes = [key for key in keys if key in self.levels and key.endswith("_hole")]
        if sum(key in self.levels for key in keys) - len(holes) > 1:
            raise UserError(f"{self.name}: outside names {'+'.join(keys)!r}; of {', '.join(self.levels)} it may name one")
        for hole in holes:
            for key in keys:
                if key.rstrip("12") == hole.removesuffix("_hole"):
                    raise UserError(f"{self.name}: outside names {'+'.join(keys)!r}, but {hole} gives what {key} would give")

    def _check_grid(self, grid: Grid) -> None:
        for key, first, last, _ in grid.axes:
            for family, (low, high) in self._limits().items():
                if key.rstrip("12") == family:
                    check_ranges(f"{self.name}: grid axis {key}", ((min(first, last), max(first, last)),), low=low, high=high)
        drawn = [(event,) for event in self.events] if () in self.outside else []
        for outside in (*self.outside, *drawn):
            self._drawn(stream("grid"), outside, 0)

    def _limits(self) -> dict[str, tuple[float, float]]:
        """What radii and speeds can be, in m and m/s."""
        return {"radius": (1e-3, WORLD / 2 / self.abreast), "speed": (0.0, math.inf)}


def draw(rng: np.random.Generator, ranges: Ranges) -> float:
    """A uniform draw from a union of intervals."""
    if len(ranges) == 1 and ranges[0][0] < ranges[0][1]:
        rng.random()  # the choice among several, which takes twenty times as long to make
        return float(rng.uniform(*ranges[0]))
    lengths = np.array([high - low for low, high in ranges])
    if lengths.sum() == 0.0:
        return float(ranges[int(rng.integers(len(ranges)))][0])
    low, high = ranges[int(rng.choice(len(ranges), p=lengths / lengths.sum()))]
    return float(rng.uniform(low, high))


def draw_in(rng: np.random.Generator, holes: Holes) -> tuple[float, float]:
    """A uniform draw of two values from a union of rectangles that do not overlap."""
    areas = np.array([(high1 - low1) * (high2 - low2) for (low1, high1), (low2, high2) in holes])
    first, second = holes[int(rng.choice(len(holes), p=areas / areas.sum()))]
    return float(rng.uniform(*first)), float(rng.uniform(*second))


def in_any(holes: Holes, first: float, second: float) -> bool:
    """Whether two values lie in one of the rectangles, rims included."""
    return any(low1 <= first <= high1 and low2 <= second <= high2 for (low1, high1), (low2, high2) in holes)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform draw between `low` and `high`; `low` where the interval is empty."""
    return float(rng.uniform(low, high)) if high > low else float(low)


def along(rng: np.random.Generator, radius: float, speed: float, visible: float) -> float:
    """Start of a disc that moves right and is fully visible for `visible` s (PhyWorld's rule): near the left edge if it is too fast."""
    high = WORLD - (visible * speed + radius)
    return float(rng.uniform(radius, high)) if high > radius else float(radius + rng.uniform(0.0, 0.5))


def to_wall(rng: np.random.Generator, radius: float, speed: float, first: int, last: int, dt: float) -> float:
    """Distance in m from a disc to the wall ahead, which it reaches between two frames, as far as the room allows."""
    room = WORLD - 2 * radius
    return between(rng, min(speed * first * dt, room), min(speed * last * dt, room))


def check_ranges(where: str, ranges: Ranges, *, low: float, high: float = math.inf) -> None:
    """Raise UserError unless there are intervals and all lie in low..high."""
    if not ranges:
        raise UserError(f"{where} holds no interval")
    for first, last in ranges:
        if not (low <= first <= last <= high and math.isfinite(last)):
            most = f" <= {high:g}" if math.isfinite(high) else ""
            raise UserError(f"{where} must hold intervals {low:g} <= low <= high{most}, got ({first}, {last})")


def _mass(start: Start) -> Array:
    """Of density 1, [n] kg."""
    if start.shape is None:
        return as_array(*(math.pi * start.radius**2))
    return as_array(*(outline(SHAPES[name], r).area for name, r in zip(start.shape, start.radius.tolist(), strict=True)))


def _bodies(run: Motion, start: Start, mass: Array) -> dict[str, torch.Tensor]:
    frames, count = run.position.shape[:2]
    color = np.array([COLORS[name] for name in start.color[:count]], np.uint8)
    shared: dict[str, NDArray[Any]] = {"radius": start.radius, "mass": mass, "color": color}
    if start.shape is not None:
        shared["shape"] = np.array([SHAPES[name] for name in start.shape], np.int64)
    grown = {key: np.broadcast_to(value, (frames, *value.shape)).copy() for key, value in shared.items()}
    return {key: torch.from_numpy(v) for key, v in {"position": run.position, "velocity": run.velocity, **grown}.items()}


def _contacts(run: Motion) -> dict[str, torch.Tensor]:
    c = run.contacts
    return {
        "time": torch.tensor(c.time, dtype=torch.float64),
        "bodies": torch.tensor(c.bodies, dtype=torch.int64).reshape(-1, 2),
        "point": torch.from_numpy(np.array(c.point, float).reshape(-1, 2)),
        "impulse": torch.tensor(c.impulse, dtype=torch.float64),
    }


def energy(bodies: Mapping[str, torch.Tensor], gravity: tuple[float, float]) -> torch.Tensor:
    """Kinetic plus potential energy [t] in J (height above the lower edge of the image) of the bodies that are there."""
    kinetic = 0.5 * bodies["mass"] * bodies["velocity"].square().sum(-1)
    potential = -bodies["mass"] * (bodies["position"] @ torch.tensor(gravity, dtype=torch.float64))
    return (kinetic + potential).nansum(-1)


def as_array(*values: float) -> NDArray[np.float64]:
    """Numbers of the bodies as an array."""
    return np.array(values, float)
