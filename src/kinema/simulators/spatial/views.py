"""Cameras, still and moving: each says where it is and looks at every time of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.camera import Camera
from ...core.config import part
from ...core.errors import UserError
from .shapes import Vector, finite, positive

Array = NDArray[np.float64]
# A body's positions [t,3] m (of its frame for a FirstPerson, else of its centre of mass) and rotations [t,4] through the run.
Course = Callable[[str], tuple[Array, Array]]


@dataclass(frozen=True, kw_only=True)
class View:
    """What every camera has: `fov`, the angle in degrees that the image's height spans."""

    fov: float = 45.0

    def __post_init__(self) -> None:
        if not 1 <= self.fov <= 170:
            raise UserError(f"a camera's fov must be from 1 to 170 degrees, got {self.fov:g}")
        fields = vars(self)
        for key, value in fields.items():
            if key != "body":
                finite(f"a camera's {key}", *(value if isinstance(value, tuple | list) else (value,)))
        if "eye" in fields and tuple(fields["eye"]) == tuple(fields["target"]):
            raise UserError(f"a camera stands on what it looks at, {fields['eye']}; move its eye or its target")
        if fields.get("body") == "":
            raise UserError("a camera that follows a body, or rides on one, needs its name: body must not be empty")

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names of the bodies it follows."""
        return tuple(name for name in (getattr(self, "body", None),) if name)


@part
class Still(View):
    """A camera that stands at `eye` and looks at `target`, both m."""

    eye: Vector = (0.0, -3.0, 1.4)
    target: Vector = (0.0, 0.0, 0.3)


@part
class Orbit(View):
    """A camera that circles `target` at `radius` m, `height` m above it, from `start` degrees on at `rate` degrees/s."""

    target: Vector = (0.0, 0.0, 0.3)
    radius: float = 3.0
    height: float = 1.1
    start: float = -90.0
    rate: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("a camera's radius", self.radius)


@part
class Dolly(View):
    """A camera that moves at `velocity` m/s from `eye`; it keeps its direction, towards `target` at first."""

    eye: Vector = (0.0, -3.0, 1.4)
    target: Vector = (0.0, 0.0, 0.3)
    velocity: Vector = (0.3, 0.0, 0.0)


@part
class Crane(View):
    """A camera that rises from `eye` at `rate` m/s and keeps looking at `target`."""

    eye: Vector = (0.0, -3.0, 0.5)
    target: Vector = (0.0, 0.0, 0.3)
    rate: float = 0.5


@part
class Tracking(View):
    """A camera that keeps `offset` m, in the world's axes, from a body's centre of mass and looks at that."""

    body: str
    offset: Vector = (0.0, -3.0, 1.2)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not any(self.offset):
            raise UserError("a camera's offset from the body it looks at must not be zero")


@part
class FirstPerson(View):
    """A camera that rides on a body, at `offset` m from its frame's origin in its axes, looking along its x axis, turned `yaw`
    degrees to the left and then `pitch` degrees down."""

    body: str
    offset: Vector = (0.0, 0.0, 0.0)
    pitch: float = 0.0
    yaw: float = 0.0


AnyView = Still | Orbit | Dolly | Crane | Tracking | FirstPerson


def camera(view: AnyView, times: Array, course: Course, size: int) -> Camera:
    """The Camera of a view at `times` s: square images of `size` px, the optical axis through the middle."""
    poses = _PLACES[type(view)](view, times, course)
    focal = 0.5 * size / math.tan(math.radians(view.fov) / 2)
    k = torch.tensor([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]], dtype=torch.float64)
    return Camera(k.expand(len(times), 3, 3).clone(), torch.from_numpy(poses))


def look_at(eye: Array, target: Array) -> Array:
    """World-to-camera poses [t,4,4] (x right, y down, z forward) of cameras at `eye` [t,3] that look at `target` [t,3], upright.

    Straight up or down, the image's top points along y.
    """
    ahead = target - eye
    length = np.linalg.norm(ahead, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise UserError("a camera stands on what it looks at; move its eye or its target")
    ahead = ahead / length
    up = np.where(np.abs(ahead[:, 2:]) > 1 - 1e-9, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    right = np.cross(ahead, up)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    return _pose(eye, np.stack([right, np.cross(ahead, right), ahead], 1))


def _pose(eye: Array, axes: Array) -> Array:
    pose = np.zeros((len(eye), 4, 4))
    pose[:, :3, :3], pose[:, 3, 3] = axes, 1.0
    pose[:, :3, 3] = -np.einsum("tij,tj->ti", axes, eye)
    return pose


def _still(view: Still, times: Array, course: Course) -> Array:
    return look_at(np.tile(view.eye, (len(times), 1)), np.tile(view.target, (len(times), 1)))


def _orbit(view: Orbit, times: Array, course: Course) -> Array:
    angle = np.radians(view.start + view.rate * times)
    target = np.tile(view.target, (len(times), 1))
    around = np.stack([view.radius * np.cos(angle), view.radius * np.sin(angle), np.full_like(angle, view.height)], -1)
    return look_at(target + around, target)


def _dolly(view: Dolly, times: Array, course: Course) -> Array:
    moved = times[:, None] * np.array(view.velocity)
    return look_at(view.eye + moved, view.target + moved)


def _crane(view: Crane, times: Array, course: Course) -> Array:
    return look_at(np.array(view.eye) + times[:, None] * [0.0, 0.0, view.rate], np.tile(view.target, (len(times), 1)))


def _tracking(view: Tracking, times: Array, course: Course) -> Array:
    position, _ = course(view.body)
    return look_at(position + view.offset, position)


def _first_person(view: FirstPerson, times: Array, course: Course) -> Array:
    from scipy.spatial.transform import Rotation

    position, rotation = course(view.body)
    turn = Rotation.from_quat(rotation, scalar_first=True)
    look = turn * Rotation.from_euler("ZY", [view.yaw, view.pitch], degrees=True)
    ahead = look.apply(np.tile([1.0, 0.0, 0.0], (len(times), 1)))
    down = look.apply(np.tile([0.0, 0.0, -1.0], (len(times), 1)))
    axes = np.stack([np.cross(down, ahead), down, ahead], 1)
    return _pose(position + turn.apply(np.tile(view.offset, (len(times), 1))), axes)


_PLACES: dict[type, Callable[[Any, Array, Course], Array]] = {
    Still: _still, Orbit: _orbit, Dolly: _dolly, Crane: _crane, Tracking: _tracking, FirstPerson: _first_person,
}  # fmt: skip
