"""What a scene is made of: rigid and articulated bodies, cloth, soft bodies, ropes, balloons, particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...core.config import part
from ...core.errors import UserError
from .looks import Look
from .materials import material
from .shapes import (
    UPRIGHT,
    Box,
    Capsule,
    Compound,
    Cylinder,
    Hull,
    Quaternion,
    Sphere,
    Vector,
    at_least,
    finite,
    one_of,
    positive,
    unit,
)  # fmt: skip
from .substances import substance

EDGES = ("left", "right", "top", "bottom", "corners", "none")
FORMS = ("box", "ball", "cylinder")
JOINTS = ("hinge", "slide", "ball")

_PLAIN = Look()


@part
class Key:
    """Where a driven body is at `time` s: its frame's position in m and rotation (w, x, y, z)."""

    time: float
    position: Vector
    rotation: Quaternion = UPRIGHT

    def __post_init__(self) -> None:
        finite("a key's time and position", self.time, *self.position)
        unit("a key's rotation", self.rotation)


@part
class Joint:
    """How a body hangs on its `parent` (or the world): it turns about, or slides along, `axis` through `anchor`, both in the
    body's axes. A ball joint turns about all axes. `limits` in rad or m (a ball joint's from 0 on); `damping` N m s or N s/m;
    `stiffness` N m or N/m towards the first pose; `speed` rad/s or m/s it starts with."""

    kind: Literal["hinge", "slide", "ball"] = "hinge"
    axis: Vector = (0.0, 1.0, 0.0)
    anchor: Vector = (0.0, 0.0, 0.0)
    limits: tuple[float, float] | None = None
    damping: float = 0.0
    stiffness: float = 0.0
    speed: float = 0.0

    def __post_init__(self) -> None:
        one_of("a joint's kind", self.kind, JOINTS)
        finite("a joint's axis, anchor and speed", *self.axis, *self.anchor, self.speed)
        if not any(self.axis):
            raise UserError("a joint's axis must not be zero")
        at_least("a joint's damping and stiffness", 0, self.damping, self.stiffness)
        if self.limits is not None:
            finite("a joint's limits", *self.limits)
            if not self.limits[0] < self.limits[1]:
                raise UserError(f"a joint's limits must be the lower, then the higher, got {self.limits}")
            if self.kind == "ball" and self.limits[0] != 0:
                raise UserError(f"the lower limit of a ball joint must be 0, got {self.limits[0]:g}")


@dataclass(frozen=True, kw_only=True)
class Body:
    """What every body has: a name; the frame's `position` m and `rotation` (w, x, y, z) at the start, in the world's axes;
    `velocity` m/s of the centre of mass; a look."""

    name: str
    position: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion = UPRIGHT
    velocity: Vector = (0.0, 0.0, 0.0)
    look: Look = _PLAIN

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").replace(" ", "").isalnum():
            raise UserError(f"a body's name must be of letters, digits, blanks, - and _, got {self.name!r}")
        if self.name in ("world", "floor"):
            raise UserError(f"a body cannot be named {self.name!r}: every scene has that already")
        numbers = (*self.position, *self.rotation, *self.velocity)
        if not all(map(math.isfinite, numbers)):
            raise UserError(f"body {self.name!r}: position, rotation and velocity must be finite, got {numbers}")
        unit(f"body {self.name!r}: rotation", self.rotation)


@part
class Rigid(Body):
    """A rigid body. `material` names density, friction and restitution; `density` kg/m^3 or `mass` kg, `friction` and
    `restitution` stand in their place where given. `fixed` never moves; `path` drives it along keys (linear in between,
    pushing what is in its way); `parent` and `joint` make chains and mechanisms: a joint without parent hangs on the world.
    `ghost` bodies touch nothing and are not seen: carriers of cameras.

    Two bodies that touch do so with the geometric means of their frictions and restitutions; what rolls is held back by `rolling`
    times what it weighs. A parent and its child do not touch.

    Only free bodies start with a `velocity` and an `angular_velocity` rad/s, both in the world's axes: the others have their
    joint's speed, or their path."""

    shape: Sphere | Box | Capsule | Cylinder | Hull | Compound
    angular_velocity: Vector = (0.0, 0.0, 0.0)
    material: str = "wood"
    density: float | None = None
    mass: float | None = None
    friction: float | None = None
    restitution: float | None = None
    rolling: float = 0.0
    fixed: bool = False
    path: tuple[Key, ...] = ()
    parent: str | None = None
    joint: Joint | None = None
    ghost: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        material(self.material)
        for key in ("density", "mass"):
            if getattr(self, key) is not None:
                positive(f"body {self.name!r}: {key}", getattr(self, key))
        if self.mass is not None and self.density is not None:
            raise UserError(f"body {self.name!r}: has both mass and density; give one of them")
        finite(f"body {self.name!r}: angular_velocity", *self.angular_velocity)
        at_least(f"body {self.name!r}: rolling", 0, self.rolling)
        if self.friction is not None:
            at_least(f"body {self.name!r}: friction", 0, self.friction)
        if self.restitution is not None and not 0 <= self.restitution <= 1:
            raise UserError(f"body {self.name!r}: restitution must be from 0 to 1, got {self.restitution:g}")
        if self.parent is not None and self.joint is None:
            raise UserError(f"body {self.name!r}: has parent {self.parent!r} and no joint; give it one, or make both one compound")
        if sum((self.fixed, bool(self.path), self.joint is not None)) > 1:
            raise UserError(f"body {self.name!r}: is more than one of fixed, driven along a path and held by a joint")
        if any(b.time <= a.time for a, b in zip(self.path, self.path[1:], strict=False)):
            raise UserError(f"body {self.name!r}: the times of its path must rise")
        if not self.free and (any(self.velocity) or any(self.angular_velocity)):
            raise UserError(f"body {self.name!r}: only free bodies start with a velocity; give a joint its speed, a driven body its path")

    @property
    def drive(self) -> bool:
        """Whether the body moves as told, whatever pushes it."""
        return bool(self.path)

    @property
    def static(self) -> bool:
        """Whether the body never moves."""
        return self.fixed

    @property
    def free(self) -> bool:
        """Whether nothing holds or drives the body."""
        return not self.fixed and not self.drive and self.joint is None

    def property_of(self, key: str) -> float:
        """`friction`, `restitution` or `density`, its own or its material's."""
        own = getattr(self, key)
        return float(getattr(material(self.material), key) if own is None else own)


def elastic(what: str, young: float, poisson: float) -> None:
    """Raise UserError unless these are an elastic solid's Young's modulus [Pa] and Poisson's ratio."""
    positive(f"{what}: Young's modulus", young)
    if not 0 <= poisson < 0.5:
        raise UserError(f"{what}: Poisson's ratio must be from 0 to below 0.5 (0.5 keeps its volume exactly), got {poisson:g}")


@part
class Cloth(Body):
    """A sheet of `size` m in the body's x and y, of `count` vertices along each; `density` kg/m^2, Young's modulus Pa of its
    `thickness` m; `damping` s of its stretching. `pinned` holds edges or corners where they start."""

    size: tuple[float, float] = (1.0, 1.0)
    count: tuple[int, int] = (21, 21)
    density: float = 0.3
    young: float = 3e4
    poisson: float = 0.3
    thickness: float = 0.008
    damping: float = 0.01
    friction: float = 0.5
    pinned: Literal["left", "right", "top", "bottom", "corners", "none"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(f"body {self.name!r}: size, density and thickness", *self.size, self.density, self.thickness)
        at_least(f"body {self.name!r}: damping and friction", 0, self.damping, self.friction)
        one_of(f"body {self.name!r}: pinned", self.pinned, EDGES)
        elastic(f"body {self.name!r}", self.young, self.poisson)
        if min(self.count) < 2:
            raise UserError(f"body {self.name!r}: count must be at least 2 along each side, got {self.count}")


@part
class Soft(Body):
    """An elastic block or ball of `size` m of `count` vertices along each axis, meshed by tetrahedra."""

    form: Literal["box", "ball", "cylinder"] = "box"
    size: Vector = (0.3, 0.3, 0.3)
    count: tuple[int, int, int] = (6, 6, 6)
    density: float = 1000.0
    young: float = 5e4
    poisson: float = 0.3
    damping: float = 0.01
    friction: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"body {self.name!r}: form", self.form, FORMS)
        positive(f"body {self.name!r}: size and density", *self.size, self.density)
        at_least(f"body {self.name!r}: damping and friction", 0, self.damping, self.friction)
        elastic(f"body {self.name!r}", self.young, self.poisson)
        if min(self.count) < 2:
            raise UserError(f"body {self.name!r}: count must be at least 2 along each axis, got {self.count}")


@part
class Rope(Body):
    """A rope of `length` m and `density` kg/m^3 from the body's origin along its x, of `segments` capsules of `radius` m. `bend`
    and `twist` Pa are its moduli, `damping` s that of its bending. With a `span` m shorter than `length` it starts as a catenary
    that hangs (-z) between the origin and (span, 0, 0). `start` and `end` name what its ends hang on, free to turn: a rigid body,
    "world" or None. A body hung on it swings with it."""

    length: float = 1.0
    span: float | None = None
    segments: int = 24
    radius: float = 0.012
    density: float = 800.0
    bend: float = 2e5
    twist: float = 2e5
    damping: float = 0.03
    friction: float = 0.5
    start: str | None = None
    end: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(f"body {self.name!r}: length, radius and density", self.length, self.radius, self.density)
        positive(f"body {self.name!r}: bend and twist", self.bend, self.twist)
        if self.span is not None and not 0.1 * self.length <= self.span <= self.length:
            raise UserError(
                f"body {self.name!r}: span must be from a tenth of its length to its length, got {self.span:g} of {self.length:g} m"
            )
        at_least(f"body {self.name!r}: damping and friction", 0, self.damping, self.friction)
        if self.segments < 2:
            raise UserError(f"body {self.name!r}: a rope needs at least 2 segments, got {self.segments}")


FULLEST = 100.0  # times the air's pressure


@part
class Balloon(Body):
    """A closed elastic skin, of `radius` m at rest, under gas: its pressure is `pressure` times the air's in that volume, and
    falls as the volume grows (p V constant); it starts where the skin holds it. `lift` N buoys it; `inflation` 1/s adds gas."""

    radius: float = 0.25
    subdivisions: int = 3
    mass: float = 0.05
    young: float = 1e5
    poisson: float = 0.3
    thickness: float = 0.003
    pressure: float = 1.02
    inflation: float = 0.0
    lift: float = 0.0
    damping: float = 0.01
    friction: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(f"body {self.name!r}: radius, mass, thickness and pressure", self.radius, self.mass, self.thickness, self.pressure)
        at_least(f"body {self.name!r}: inflation, lift, damping and friction", 0, self.inflation, self.lift, self.damping, self.friction)
        elastic(f"body {self.name!r}", self.young, self.poisson)
        if not 1 <= self.pressure <= FULLEST:
            raise UserError(
                f"body {self.name!r}: pressure must be from 1 (the air's: below it the skin is slack and collapses) to {FULLEST:g} times "
                f"the air's, got {self.pressure:g}"
            )
        if not 1 <= self.subdivisions <= 4:
            raise UserError(f"body {self.name!r}: subdivisions must be from 1 to 4, got {self.subdivisions}")


@part
class Particles(Body):
    """Matter that flows: a `form` of `size` m filled with particles `spacing` m apart (drawn as balls of `radius`, spacing/2
    if None).

    `substance` sets what is not given: `density` kg/m^3, `viscosity` Pa s, `friction` (of grains against each other), `young`
    Pa, `poisson`, `yield_stress` Pa. At `temperature` C it starts; from `melting` C on it flows, where heat comes from the
    scene's heaters and spreads inside with `diffusivity` m^2/s (a clip is short: the default is a time lapse, some thousand
    times the diffusivity of wax)."""

    form: Literal["box", "ball", "cylinder"] = "box"
    size: Vector = (0.3, 0.3, 0.3)
    spacing: float = 0.03
    radius: float | None = None
    substance: Literal["water", "honey", "sand", "snow", "mud", "wax", "ice", "jelly"] = "water"
    density: float | None = None
    viscosity: float | None = None
    friction: float | None = None
    young: float | None = None
    poisson: float | None = None
    yield_stress: float | None = None
    temperature: float = 20.0
    melting: float | None = None
    diffusivity: float = 3e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"body {self.name!r}: form", self.form, FORMS)
        positive(f"body {self.name!r}: size and spacing", *self.size, self.spacing)
        substance(self.substance)
        for key in ("density", "young", "radius"):
            if getattr(self, key) is not None:
                positive(f"body {self.name!r}: {key}", getattr(self, key))
        for key in ("viscosity", "friction", "yield_stress", "diffusivity"):
            if getattr(self, key) is not None:
                at_least(f"body {self.name!r}: {key}", 0, getattr(self, key))
        for key in ("temperature", "melting"):
            if getattr(self, key) is not None and not -273.15 <= getattr(self, key) < math.inf:
                raise UserError(f"body {self.name!r}: {key} must be -273.15 C or more, got {getattr(self, key):g}")
        if self.poisson is not None and not 0 <= self.poisson < 0.5:
            raise UserError(f"body {self.name!r}: Poisson's ratio must be from 0 to below 0.5, got {self.poisson:g}")
        if min(self.size) < self.spacing:
            raise UserError(f"body {self.name!r}: spacing must be at most its smallest size, got {self.spacing:g} for {min(self.size):g} m")

    def property_of(self, key: str) -> float:
        """`density`, `viscosity`, `friction`, `young`, `poisson` or `yield_stress`, its own or its substance's."""
        own = getattr(self, key)
        return float(getattr(substance(self.substance), key) if own is None else own)

    @property
    def melts(self) -> float | None:
        """The temperature in C at which it melts, its own or its substance's (None: it does not)."""
        return substance(self.substance).melting if self.melting is None else self.melting


AnyBody = Rigid | Cloth | Soft | Rope | Balloon | Particles
KINDS: tuple[type[Body], ...] = (Rigid, Cloth, Soft, Rope, Balloon, Particles)  # a clip's `kind` is the place in here
