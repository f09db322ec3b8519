"""Run: what an engine makes of a scene, at the times of the frames. Pictures and all truth follow from it and the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import UserError
from .bodies import KINDS, Rigid
from .scene import Scene

Floats = NDArray[np.float64]


class Failed(UserError):
    """A scene that could not be simulated to its end: it exploded, or what must stay inside got out."""


@dataclass(frozen=True)
class Contacts:
    """Every pair of bodies that touches between two frames, one row each.

    `time` [k] s at which it first touches there, `duration` [k] s for which it does, `bodies` [k,2] places in the scene (-1:
    the floor), `point` [k,3] m and `normal` [k,3] (from the first to the second) where it first does, `impulse` [k] N s along
    the normals."""

    time: Floats
    duration: Floats
    bodies: NDArray[np.int64]
    point: Floats
    normal: Floats
    impulse: Floats

    @classmethod
    def none(cls) -> Contacts:
        """No contacts."""
        return cls(np.zeros(0), np.zeros(0), np.zeros((0, 2), np.int64), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))


@dataclass(frozen=True)
class Run:
    """States of a scene's n bodies at t times, in the world's axes and SI units.

    `position` [t,n,3] and `rotation` [t,n,4] (w, x, y, z) of their frames, `center` [t,n,3] and `velocity` [t,n,3] of their
    centres of mass, `angular_velocity` [t,n,3], `mass` [n], `kinetic` and `potential` [t,n] J (height above z = 0), `elastic`
    [t,n] J; `vertices` [t,m,3] float32: mesh vertices and particles of the bodies that have them, in the scene's order
    (deformable bodies have their centre of mass as position, and no rotation). `work` [t] J is what drives, pushes, wind and
    motors have done since the first frame. `visible` and `cut` [t,n]: whether a body is there, and whether it is not the one
    it was a frame before (twins). `temperature` [t,n] C is the mean of a body's particles (NaN: it has none), `strays` how many
    particles got into solids or under the floor and were put back."""

    times: Floats
    position: Floats
    rotation: Floats
    center: Floats
    velocity: Floats
    angular_velocity: Floats
    mass: Floats
    kinetic: Floats
    potential: Floats
    elastic: Floats
    vertices: NDArray[np.float32]
    contacts: Contacts = field(default_factory=Contacts.none)
    work: Floats | None = None
    visible: NDArray[np.bool_] | None = None
    cut: NDArray[np.bool_] | None = None
    temperature: Floats | None = None
    strays: int = 0

    @property
    def energy(self) -> Floats:
        """Kinetic, potential and elastic energy of all bodies [t] J."""
        total: Floats = (self.kinetic + self.potential + self.elastic).sum(1)
        return total

    def check(self) -> None:
        """Raise Failed where a number is not finite, or a body that moves is further away or faster than anything in a clip is."""
        bounds = dict.fromkeys(("position", "rotation", "center", "velocity", "angular_velocity", "vertices"), 1e4)
        bounds |= dict.fromkeys(("kinetic", "potential", "elastic"), np.inf)
        for name, bound in bounds.items():
            array = getattr(self, name)
            bad = ~np.isfinite(array) | (np.abs(array) > bound)
            if bad.any():
                frame = int(np.argwhere(bad)[0, 0])
                raise Failed(f"the scene explodes: {name} is not finite, or beyond all bounds, at {self.times[frame]:.3f} s")


def bodies_of(scene: Scene, run: Run) -> dict[str, Tensor]:
    """A run's states as a clip's bodies [t,n,...]; `size` [t,n,3] m is the first extent along the body's axes, `static` says
    what never moves, `kind` is the place in `KINDS`."""
    from .matter import extent

    frames = len(run.times)
    still: dict[str, Any] = {
        "mass": run.mass,
        "size": np.stack([extent(body) for body in scene.bodies]),
        "color": np.array([body.look.color for body in scene.bodies], np.uint8),
        "kind": np.array([KINDS.index(type(body)) for body in scene.bodies], np.int64),
        "static": np.array([isinstance(body, Rigid) and body.static for body in scene.bodies]),
    }
    moving = {
        "position": run.position, "rotation": run.rotation, "center": run.center, "velocity": run.velocity,
        "angular_velocity": run.angular_velocity, "kinetic_energy": run.kinetic, "potential_energy": run.potential,
        "elastic_energy": run.elastic,
    }  # fmt: skip
    marks = {key: array for key in ("visible", "cut", "temperature") if (array := getattr(run, key)) is not None}
    still = {key: np.broadcast_to(array, (frames, *array.shape)) for key, array in still.items()}
    # Copies: a run is kept for its other cameras, and a clip is its owner's to change.
    return {key: torch.tensor(array) for key, array in {**moving, **still, **marks}.items()}


def contacts_of(run: Run) -> dict[str, Tensor]:
    """A run's contacts as a clip's."""
    return {key: torch.tensor(value) for key, value in vars(run.contacts).items()}


def run_of(bodies: Mapping[str, Tensor], vertices: Tensor | None, times: Floats) -> Run:
    """The run again, contacts aside, from a clip's bodies and vertices."""
    array = {key: value.numpy() for key, value in bodies.items()}
    return Run(
        times=times, position=array["position"], rotation=array["rotation"], center=array["center"], velocity=array["velocity"],
        angular_velocity=array["angular_velocity"], mass=array["mass"][0], kinetic=array["kinetic_energy"],
        potential=array["potential_energy"], elastic=array["elastic_energy"],
        vertices=np.zeros((len(times), 0, 3), np.float32) if vertices is None else vertices.numpy(),
        visible=array.get("visible"), cut=array.get("cut"), temperature=array.get("temperature"),
    )  # fmt: skip
