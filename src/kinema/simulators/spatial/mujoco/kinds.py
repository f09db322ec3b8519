"""What the loop asks of each kind of body: to add it to the model, to push on it, and to read its states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, Protocol
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ..bodies import AnyBody, Rigid, Rope
from ..scene import Scene

Floats = NDArray[np.float64]


class Settings(NamedTuple):
    """What bodies of a kind need of the engine: the longest `step` in s, and attributes of MuJoCo's <option> (those of flexible bodies
    win over those of rigid ones)."""

    step: float
    option: dict[str, str]


class Law(NamedTuple):
    """A force that MuJoCo does not know. `apply(model, data, time)` ADDS generalised forces to `data.qfrc_applied` (which is
    zero before every substep; `mujoco.mj_applyFT` does it for a force at a point). Positions and velocities in `data` are those of
    `time`. What a `source` does counts as work from
    outside; a gas under pressure, say, is none: its energy is the body's `elastic`."""

    apply: Callable[[Any, Any, float], None]
    source: bool = True


class States(NamedTuple):
    """States of the n bodies of a kind at one time, in the world's axes, as `Run` has them: `position` [n,3], `rotation` [n,4],
    `center` [n,3], `velocity` [n,3], `angular_velocity` [n,3], `kinetic` [n] and `elastic` [n] J, and per body its `vertices`
    float32 [m,3] (rigid: [0,3])."""

    position: Floats
    rotation: Floats
    center: Floats
    velocity: Floats
    angular_velocity: Floats
    kinetic: Floats
    elastic: Floats
    vertices: Sequence[NDArray[np.float32]]


Reader = Callable[[Any], States]  # of an MjData


class Kind(Protocol):
    """A module that knows one kind of body (rigid.py, flex.py, rope.py).

    Names: a scene's body "a" is MuJoCo's body or flex "a", its further bodies begin with "a/": contacts find it so. Bits: rigid
    geoms and the floor have contype 1 and conaffinity 0 (they meet each other through pairs, see pairs.py); what else there is
    has contype 2 and conaffinity 3 and so meets all, by MuJoCo's own mixing.
    """

    def settings(self, bodies: Sequence[Any], scene: Scene) -> Settings:
        """What the engine must do for the bodies of this kind."""

    def add(self, root: Element, world: Element, body: Any, scene: Scene) -> None:
        """Add a body to the model; `root` is <mujoco>, `world` its <worldbody>. Rigid bodies come first."""

    def start(self, model: Any, data: Any, bodies: Sequence[Any], scene: Scene) -> None:
        """Set first velocities (qvel) of the bodies of this kind."""

    def laws(self, model: Any, bodies: Sequence[Any], scene: Scene) -> list[Law]:
        """Forces on the bodies of this kind."""

    def masses(self, model: Any, bodies: Sequence[Any]) -> Floats:
        """Their masses [n] kg."""

    def reader(self, model: Any, bodies: Sequence[Any], scene: Scene) -> Reader:
        """What reads their states."""


def kind(body: AnyBody) -> Kind:
    """The module that knows a body."""
    name = "rigid" if isinstance(body, Rigid) else "rope" if isinstance(body, Rope) else "flex"
    module: Any = import_module(f"{__package__}.{name}")
    return module


def kinds(scene: Scene) -> list[tuple[Kind, list[int]]]:
    """Every kind of a scene's bodies with their places, rigid ones first."""
    found: list[tuple[Kind, list[int]]] = []
    order = sorted(range(len(scene.bodies)), key=lambda k: not isinstance(scene.bodies[k], Rigid))
    for place in order:
        module = kind(scene.bodies[place])
        for known, places in found:
            if known is module:
                places.append(place)
                break
        else:
            found.append((module, [place]))
    return found
