"""What PHYRE's scenes share as worlds: objects let go at rest in a box of 85.3 m, filmed from the side, with all truth."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch

from ....core.camera import Camera
from ....core.clip import Clip
from ....core.config import part
from ....core.errors import UserError
from ...world import World
from ..render import DENSE, render_bodies
from ..scenario import DEFAULT_DENSE
from ..shapes import Disc, Polygon, Union
from .engine import GRAVITY, MAX_STEPS, RATE, Meddle, Run, mass_of, moment_of, simulate
from .objects import CODES, KINDS, Object
from .scene import Action, Pair, red_ball
from .shapes import SHAPES, SIDE, UNITS, shape

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")


@part
class Scenes(World):
    """Rigid bodies in PHYRE's scene of 512 x 512 units, 6 to the metre: 85.3 x 85.3 m, y up, gravity 9.8 m/s^2, four walls
    just outside the image. Frame k shows time k dt, and dt is a whole number of steps of 1/60 s: 20 as published.

    Bodies carry `position`, `velocity`, `radius` (of a ball, or of the circle about the centre of mass that holds the body),
    `mass`, `color`, `angle`, `angular_velocity`, `moment` kg m^2, `length` m (a ball's diameter, a bar's length, a jar's
    height, sticks' width), `kind` (code in `KINDS`), `shape` (in `SHAPES`) and `static`; the red ball comes last.
    `actions` repeats the red ball's PHYRE action (x, y, r) in every frame. `energy` is that of the bodies that can move.
    """

    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DEFAULT_DENSE
    needed: ClassVar[tuple[str, ...]]

    num_frames: int = 33
    dt: float = 20 / RATE
    fps: float = 5.0
    flip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stride < 1 or abs(self.dt * RATE - self.stride) > 1e-6:
            raise UserError(f"{self.name}: dt must be a whole number of steps of 1/{RATE} s, got {self.dt} s")
        steps = (self.num_frames - 1) * self.stride
        if steps > MAX_STEPS:
            raise UserError(f"{self.name}: {self.num_frames} frames are {steps} steps of 1/{RATE} s; {MAX_STEPS} is the most")

    @property
    def stride(self) -> int:
        """Steps of 1/60 s between two frames."""
        return round(self.dt * RATE)

    def simulate(
        self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None, meddle: Meddle | None = None
    ) -> Clip:
        """The Clip of these parameters with `fields` of its dense truth (all but backward flow unless said otherwise); `meddle`
        lets happen what cannot (see `engine.simulate`).

        Raises UserError where a parameter is missing or wrong or a field unknown.
        """
        del rng  # what is left to chance is in the parameters
        objects, action, goal = self._read(params)
        run = simulate(objects, self.num_frames, self.stride, goal, meddle)
        bodies = _bodies(objects, run)
        dense: dict[str, Any] = self.render(bodies, DEFAULT_DENSE if fields is None else fields)
        return Clip(
            fps=self.fps,
            dt=self.dt,
            meta={"scenario": json.loads(self.as_json), "params": dict(params), "world_width": SIDE},
            bodies=bodies,
            contacts=_contacts(run),
            energy=energy(bodies),
            camera=Camera.planar(self.size, self.size, SIDE, self.num_frames),
            actions=torch.tensor(action, dtype=torch.float64).expand(self.num_frames, 3).clone(),
            outcome=self._outcome(objects, run, goal),
            text=self._caption(objects, run),
            **dense,
        )

    @property
    def alike(self) -> int:
        """One: every clip has draws of its own."""
        return 1

    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, torch.Tensor]:
        """Dense truth of a clip's bodies."""
        return self.render(clip.bodies, fields)

    def render(self, bodies: Mapping[str, torch.Tensor], fields: Sequence[str] = DEFAULT_DENSE) -> dict[str, torch.Tensor]:
        """Dense truth of these bodies (`position`, `angle`, `color`, `shape`, `length`, and `cut` [t,n] where one is not the body
        it was a frame before) as this scenario's camera sees it."""
        self.check_dense(fields)
        if not fields:
            return {}
        looks = torch.stack([bodies["shape"].double(), bodies["length"]], -1)
        frames = looks[:1] if bool((looks == looks[:1]).all()) else looks
        outlines = [[outline(int(code), length) for code, length in body] for body in frames.transpose(0, 1).tolist()]
        position, angle, color = (bodies[key].numpy() for key in ("position", "angle", "color"))
        cut = bodies["cut"][1:].numpy() if "cut" in bodies else None
        still = [body[0] for body in outlines] if len(frames) == 1 else outlines
        dense = render_bodies(still, position, angle, color, size=self.size, world_width=SIDE, fields=fields, cut=cut)
        return {name: torch.from_numpy(array) for name, array in dense.items()}

    @abstractmethod
    def _outcome(self, objects: Sequence[Object], run: Run, goal: Pair | None) -> dict[str, torch.Tensor]:
        """What came of it."""

    @abstractmethod
    def _caption(self, objects: Sequence[Object], run: Run) -> str:
        """What happens, in a sentence."""

    def _read(self, params: Mapping[str, Any]) -> tuple[list[Object], Action, Pair | None]:
        for key in self.needed:
            if key not in params:
                raise UserError(f"{self.name}: the parameters lack {key!r}; there are {', '.join(params) or 'none'}")
        try:
            objects = [Object(**values) for values in params["objects"]]
            sizes = [item.shape.radius for item in objects]
            x, y, r = params["action"]
            ball = red_ball((x, y, r))
            goal = None if params.get("goal") is None else (int(params["goal"][0]), int(params["goal"][1]))
            numbers = [x, y, r, *sizes, *(value for item in objects for value in (item.x, item.y, item.angle))]
            if not (np.isfinite(numbers).all() and min(ball.length, *sizes) > 0 and max(goal or (0,)) <= len(objects)):
                raise ValueError("a number is out of its range")
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(f"{self.name}: the parameters describe no scene ({error!r})") from None
        if params["mirrored"]:
            objects, ball, x = [item.mirrored() for item in objects], ball.mirrored(), UNITS / (UNITS - 1) - x
        return [*objects, ball], (x, y, r), goal


@lru_cache(maxsize=4096)
def outline(code: int, length: float) -> Disc | Polygon | Union:
    """The outline in m of a body of shape `SHAPES[code]` and `length` m."""
    it = shape(SHAPES[code], length / SIDE)
    if not it.parts:
        return Disc(length / 2)
    parts = tuple(Polygon(tuple((x * SIDE, y * SIDE) for x, y in points)) for points in it.parts)
    return parts[0] if len(parts) == 1 else Union(parts)


def energy(bodies: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Kinetic (of turning too) plus potential energy [t] in J of the bodies that are there and can move; height above the floor."""
    free = (~bodies["static"]).double()
    moving = bodies["mass"] * bodies["velocity"].square().sum(-1) + bodies["moment"] * bodies["angular_velocity"].square()
    return (free * (moving / 2 - bodies["mass"] * GRAVITY * bodies["position"][..., 1])).nansum(-1)


def first_touch(objects: Sequence[Object], run: Run) -> tuple[float, int] | None:
    """When the red ball first touches another object, in s, and which one; None where it never does."""
    red = len(objects) - 1
    met = ((touch.time, min(touch.bodies)) for touch in run.touches if red in touch.bodies and min(touch.bodies) >= 0)
    return next(met, None)


def listed(objects: Sequence[Object]) -> str:
    """Objects in words: "two grey balls, a jar and a standing bar"; "nothing" where there is none."""
    count = Counter(KINDS[item.kind].called for item in objects)
    words = [f"a {name}" if k == 1 else f"{NUMBERS[k] if k < len(NUMBERS) else k} {plural(name)}" for name, k in count.items()]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "nothing"


def plural(name: str) -> str:
    """The plural of what a kind is called."""
    return name.replace("pair", "pairs") if name.startswith("pair") else f"{name}s"


def _bodies(objects: Sequence[Object], run: Run) -> dict[str, torch.Tensor]:
    kinds = [KINDS[item.kind] for item in objects]
    still: dict[str, Any] = {
        "radius": np.array([item.shape.radius for item in objects]) * SIDE,
        "mass": np.array([mass_of(item) for item in objects]),
        "moment": np.array([moment_of(item) for item in objects]),
        "length": np.array([item.length for item in objects]) * SIDE,
        "color": np.array([kind.color for kind in kinds], np.uint8),
        "kind": np.array([CODES[item.kind] for item in objects], np.uint8),
        "shape": np.array([SHAPES.index(kind.shape) for kind in kinds], np.uint8),
        "static": np.array([kind.static for kind in kinds]),
    }
    grown = {key: np.broadcast_to(value, (len(run.angle), *value.shape)).copy() for key, value in still.items()}
    moving = {"position": run.position, "velocity": run.velocity, "angle": run.angle, "angular_velocity": run.spin}
    return {key: torch.from_numpy(value) for key, value in {**moving, **grown}.items()}


def _contacts(run: Run) -> dict[str, torch.Tensor]:
    return {
        "time": torch.tensor([touch.time for touch in run.touches], dtype=torch.float64),
        "bodies": torch.tensor([touch.bodies for touch in run.touches], dtype=torch.int64).reshape(-1, 2),
        "point": torch.tensor([touch.point for touch in run.touches], dtype=torch.float64).reshape(-1, 2),
        "impulse": torch.tensor([touch.impulse for touch in run.touches], dtype=torch.float64),
    }
