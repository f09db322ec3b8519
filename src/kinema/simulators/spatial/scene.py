"""Scene: everything that decides a run and its pictures. Registered scenarios and a user's scene.json are both this."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field
from typing import Literal

from ...core.config import part
from ...core.errors import UserError
from .bodies import AnyBody, Balloon, Cloth, Particles, Rigid, Rope, Soft
from .looks import Color, Look, channels
from .shapes import Vector, at_least, finite, one_of, positive
from .views import AnyView, Crane, Dolly, FirstPerson, Orbit, Still, Tracking


@part
class Floor:
    """The plane z = 0."""

    friction: float = 0.6
    restitution: float = 0.5
    look: Look = Look(color=(200, 200, 200), second=(165, 165, 165), texture="checker", scale=0.5, gloss=0.05)

    def __post_init__(self) -> None:
        at_least("the floor's friction", 0, self.friction)
        if not 0 <= self.restitution <= 1:
            raise UserError(f"the floor's restitution must be from 0 to 1, got {self.restitution:g}")


@part
class Light:
    """A distant sun that shines along `direction`, of `color`, and light from all sides of strength `ambient`. `size`, the
    degrees it spans, softens its shadows where there is supersampling."""

    direction: Vector = (-0.4, 0.5, -1.0)
    color: Color = (255, 250, 240)
    strength: float = 0.75
    ambient: float = 0.4
    size: float = 2.0

    def __post_init__(self) -> None:
        finite("a light's direction", *self.direction)
        if not any(self.direction):
            raise UserError("a light's direction must not be zero")
        channels("a light's color", self.color)
        at_least("a light's strength and ambient", 0, self.strength, self.ambient)
        if not 0 <= self.size <= 60:
            raise UserError(f"a light's size must be from 0 to 60 degrees, got {self.size:g}")


Scenery = Literal["open", "hills", "skyline", "room", "studio"]
SCENERIES: tuple[Scenery, ...] = ("open", "hills", "skyline", "room", "studio")


@part
class Sky:
    """What is behind everything, infinitely far: colours at the `zenith` and the `horizon`, `clouds` 0 to 1 over them, and
    `scenery`: open, hills or a skyline in the colour `ground`, the walls and ceiling of a room (colours horizon and zenith), a
    studio's paper. `haze` 1/m: at 1/haze m two thirds of what is seen has faded into the horizon. `seed` shifts clouds and hills."""

    zenith: Color = (110, 150, 205)
    horizon: Color = (215, 225, 235)
    ground: Color = (110, 115, 105)
    clouds: float = 0.0
    scenery: Scenery = "open"
    haze: float = 0.015
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("a sky's scenery", self.scenery, SCENERIES)
        for key in ("zenith", "horizon", "ground"):
            channels(f"a sky's {key}", getattr(self, key))
        if not 0 <= self.clouds <= 1:
            raise UserError(f"a sky's clouds must be from 0 to 1, got {self.clouds:g}")
        at_least("a sky's haze", 0, self.haze)


@part
class Wind:
    """Air that moves at `velocity` m/s, with gusts of relative strength `gusts` and period `period` s; `density` kg/m^3. It
    acts on cloth, balloons, ropes and rigid bodies."""

    velocity: Vector = (3.0, 0.0, 0.0)
    gusts: float = 0.0
    period: float = 1.0
    density: float = 1.2

    def __post_init__(self) -> None:
        finite("the wind's velocity", *self.velocity)
        at_least("the wind's gusts", 0, self.gusts)
        positive("the wind's period and density", self.period, self.density)


@part
class Push:
    """A force of `force` N on a body's centre of mass from `time` s for `duration` s; `torque` N m as well.

    What bends takes both as a rigid body would, every part of it by its mass. Particles, and what is fixed or driven, cannot be
    pushed."""

    body: str
    force: Vector = (0.0, 0.0, 0.0)
    torque: Vector = (0.0, 0.0, 0.0)
    time: float = 0.0
    duration: float = 0.05

    def __post_init__(self) -> None:
        finite("a push's force and torque", *self.force, *self.torque)
        at_least("a push's time", 0, self.time)
        positive("a push's duration", self.duration)


@part
class Heater:
    """What warms (or cools) particles towards `temperature` C: dT/dt = `rate` (temperature - T) exp(-d / `reach`), d m from it.

    It is a disc of `radius` m about (x, y) at z = `height`, a hot plate that warms what is above it; or, where `body` names a
    rigid one, that body's surface. A disc as wide as the scene with a long reach is warm air."""

    position: tuple[float, float] = (0.0, 0.0)
    radius: float = 1.0
    height: float = 0.0
    body: str | None = None
    temperature: float = 200.0
    rate: float = 1.0
    reach: float = 0.1

    def __post_init__(self) -> None:
        finite("a heater's position and height", *self.position, self.height)
        positive("a heater's radius, rate and reach", self.radius, self.rate, self.reach)
        if not -273.15 <= self.temperature < math.inf:
            raise UserError(f"a heater's temperature must be -273.15 C or more, got {self.temperature:g}")


@part
class Scene:
    """Bodies, ground, light, air and cameras of one run, in SI units, z up.

    `agent` and `patient` name the two bodies of Physion's question, "does the agent touch the patient?". `text` opens the
    caption. `ego` names the driven body that carries the camera: its motion gives the clip's actions. `tags` are labels that
    outcomes and tables may group by ("category", "complexity"), `drawn` the parameters that were drawn from named ranges. `step`
    is the longest step of physics in s (None: the engine's choice).
    """

    bodies: tuple[Rigid | Cloth | Soft | Rope | Balloon | Particles, ...] = field(kw_only=False)
    views: tuple[Still | Orbit | Dolly | Crane | Tracking | FirstPerson, ...] = (Still(),)
    floor: Floor | None = Floor()
    light: Light = Light()
    sky: Sky = Sky()
    gravity: Vector = (0.0, 0.0, -9.81)
    wind: Wind | None = None
    pushes: tuple[Push, ...] = ()
    heaters: tuple[Heater, ...] = ()
    agent: str | None = None
    patient: str | None = None
    ego: str | None = None
    text: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, float] = field(default_factory=dict)
    step: float | None = None

    def __post_init__(self) -> None:
        names = [body.name for body in self.bodies]
        if not names:
            raise UserError("a scene needs at least one body")
        if len(set(names)) < len(names):
            raise UserError(f"two bodies of a scene have one name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
        if not self.views:
            raise UserError("a scene needs at least one view")
        for who, name in self._named():
            if name is not None and name not in names:
                raise UserError(f"{who} names body {name!r}, which the scene does not have; it has {', '.join(names)}")
        if self.agent is not None and self.agent == self.patient:
            raise UserError(f"agent and patient must be two bodies, both are {self.agent!r}")
        finite("the scene's gravity", *self.gravity)
        self._check_parents()
        self._check_pushes()
        self._check_heaters()
        if self.step is not None:
            positive("the scene's step", self.step)

    def _named(self) -> Iterator[tuple[str, str | None]]:
        """Who names which body."""
        yield from (("agent", self.agent), ("patient", self.patient), ("ego", self.ego))
        yield from (("a push", push.body) for push in self.pushes)
        yield from (("a view", name) for view in self.views for name in view.bodies)
        yield from (("a heater", heater.body) for heater in self.heaters)
        for body in self.bodies:
            ends = (body.parent,) if isinstance(body, Rigid) else (body.start, body.end) if isinstance(body, Rope) else ()
            yield from ((f"body {body.name!r}", end) for end in ends if end != "world" or isinstance(body, Rigid))

    def _check_parents(self) -> None:
        before: set[str] = set()
        for body in self.bodies:
            if not isinstance(body, Rigid):
                continue
            if body.parent is not None and body.parent not in before:
                raise UserError(f"body {body.name!r}: its parent {body.parent!r} must be a rigid body that comes before it in the scene")
            before.add(body.name)

    def _check_pushes(self) -> None:
        for body in (self.body(push.body) for push in self.pushes):
            kind = "consists of particles" if isinstance(body, Particles) else ""
            if isinstance(body, Rigid) and (body.fixed or body.drive):
                kind = "is fixed" if body.fixed else "is driven along a path"
            if kind:
                raise UserError(f"body {body.name!r} {kind}: it cannot be pushed")

    def _check_heaters(self) -> None:
        for heater in self.heaters:
            if heater.body is not None and not isinstance(self.body(heater.body), Rigid):
                raise UserError(f"a heater's body must be rigid, {heater.body!r} is not")
        if self.heaters and not any(isinstance(body, Particles) for body in self.bodies):
            raise UserError("heaters warm particles, and the scene has none")

    def index(self, name: str) -> int:
        """The place of the body `name`."""
        return [body.name for body in self.bodies].index(name)

    def body(self, name: str) -> AnyBody:
        """The body `name`."""
        return self.bodies[self.index(name)]

    def view(self, k: int) -> AnyView:
        """Camera k of the run. Raises UserError where k is no whole number from 0 to below their count."""
        if not isinstance(k, int) or not 0 <= k < len(self.views):
            raise UserError(f"camera must be a whole number from 0 to {len(self.views) - 1}, the scene's views, got {k!r}")
        return self.views[k]
