"""Ropes in MuJoCo: chains of capsules on ball joints, bent and twisted against by its cable plugin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ....core.errors import UserError
from ..bodies import Rigid, Rope
from ..scene import Scene
from ..tube import centre_line, pitches, turned
from .kinds import Law, Reader, Settings, States
from .mjcf import child, text
from .rigid import volume
from .segments import Drag, Pushed, Segments, ids, names, stiffness

Floats = NDArray[np.float64]

STEP, LOOSE, LEAST = 0.003, 0.001, 0.0005  # s; LOOSE where an end is free: it whips, and strikes at several m/s
TIE, CONTACT = "0.006 1", "0.006 1.5"  # MuJoCo's time constant in s and damping ratio
# Without the derivatives of Coriolis forces, which only "implicit" has, a swinging chain gains energy.
OPTION = {"integrator": "implicit"}
CABLE = "mujoco.elasticity.cable"


def settings(bodies: Sequence[Rope], scene: Scene) -> Settings:
    """What the engine must do for ropes."""
    return Settings(min(_step(body, scene) for body in bodies), OPTION)


def _step(body: Rope, scene: Scene) -> float:
    """A step in which neither waves along the rope under tension nor its twists overshoot: forces are explicit, damping is not."""
    part, (bend, twist) = body.length / body.segments, stiffness(body)
    mass = body.density * math.pi * body.radius**2 * part
    held = all(end is not None and _still(end, scene) for end in (body.start, body.end))
    # What swings pulls with up to three times its weight; what falls on a rope held at both ends is stopped within a few ms.
    own, more = (8, 30) if held else (3, 3)
    tension = math.hypot(*scene.gravity) * (own * mass * body.segments + more * _load(body, scene, held))
    damping = body.damping * bend / part
    waves = (mass, 16 * damping / part**2, 4 * tension / part + 16 * bend / part**3)
    twists = (mass * body.radius**2 / 2, 4 * damping, 4 * twist / part)
    longest = LOOSE if body.start is None or body.end is None else STEP
    return max(LEAST, min(longest, *((c + math.sqrt(c * c + 8 * k * m)) / (2 * k) for m, c, k in (waves, twists))))


def _load(body: Rope, scene: Scene, held: bool) -> float:
    """The mass in kg of what hangs on its ends; of whatever may fall on it, where both are held."""
    bodies = [one for one in scene.bodies if isinstance(one, Rigid) and (held or one.name in (body.start, body.end))]
    moving = [one for one in bodies if not (one.static or one.drive or one.ghost)]
    return sum(volume(one) * one.property_of("density") if one.mass is None else one.mass for one in moving)


def add(root: Element, world: Element, body: Rope, scene: Scene) -> None:
    """Add a rope to the model, hung on what it hangs on."""
    line = centre_line(body)
    length, turn = np.linalg.norm(np.diff(line, axis=0), axis=1), np.diff(pitches(line), prepend=0.0)
    _plugin(root, body)
    place, pose = body.position, _product(np.array(body.rotation), turned(turn[:1])[0])
    damping = body.damping * stiffness(body)[0] / float(length.mean())
    parent = world
    for k, name in enumerate(names(body)):
        parent = child(parent, "body", name=name, pos=text(place), quat=text(pose))
        if k:
            child(parent, "joint", type="ball", damping=repr(damping))
        elif _still(body.start, scene):
            child(parent, "joint", type="ball")
        else:
            child(parent, "freejoint")
        mass = body.density * math.pi * body.radius**2 * float(length[k])
        child(
            parent, "geom", name=f"{name}/0", type="capsule", fromto=text((0, 0, 0, length[k], 0, 0)), size=repr(body.radius),
            mass=repr(mass), friction=f"{body.friction} .005 .0001", contype="2", conaffinity="3", priority="1", solref=CONTACT,
        )  # fmt: skip
        child(parent, "plugin", instance=body.name)
        if k + 1 < body.segments:
            place, pose = (float(length[k]), 0.0, 0.0), turned(turn[k + 1 : k + 2])[0]
    _hang(root, body, scene, float(length[-1]))
    _exclude(root, body, scene, float(length.min()))


def start(model: Any, data: Any, bodies: Sequence[Rope], scene: Scene) -> None:
    """Ropes that fly start at their velocity."""
    for body in bodies:
        if any(body.velocity):
            first = model.body(body.name).id
            if model.body_dofnum[first] != 6:
                raise UserError(f"body {body.name!r}: hangs on what stands still, so it cannot start with a velocity")
            data.qvel[model.body_dofadr[first] : model.body_dofadr[first] + 3] = body.velocity


def laws(model: Any, bodies: Sequence[Rope], scene: Scene) -> list[Law]:
    """Drag of the wind, and pushes, which all segments share."""
    found = [] if scene.wind is None else [Law(Drag(model, body, scene.wind)) for body in bodies]
    return found + [Law(Pushed(model, body, push)) for body in bodies for push in scene.pushes if push.body == body.name]


def masses(model: Any, bodies: Sequence[Rope]) -> Floats:
    """Their masses [n] kg."""
    return np.array([model.body_mass[ids(model, body)].sum() for body in bodies])


def reader(model: Any, bodies: Sequence[Rope], scene: Scene) -> Reader:
    """What reads their states."""
    readers = [Segments(model, body) for body in bodies]

    def read(data: Any) -> States:
        columns = [np.stack(column) for column in zip(*(one.states(data) for one in readers), strict=True)]
        center, velocity, kinetic, elastic = columns
        upright = np.tile([1.0, 0.0, 0.0, 0.0], (len(readers), 1))
        return States(center, upright, center, velocity, np.zeros_like(center), kinetic, elastic, [one.points(data) for one in readers])

    return read


def _still(end: str | None, scene: Scene) -> bool:
    """Whether what an end hangs on never moves."""
    if end is None or end == "world":
        return end == "world"
    found = scene.body(end)
    return isinstance(found, Rigid) and found.static


def _plugin(root: Element, body: Rope) -> None:
    extension = root.find("extension")
    extension = child(root, "extension") if extension is None else extension
    plugin = next((one for one in extension if one.get("plugin") == CABLE), None)
    plugin = child(extension, "plugin", plugin=CABLE) if plugin is None else plugin
    instance = child(plugin, "instance", name=body.name)
    for key, value in (("twist", repr(body.twist)), ("bend", repr(body.bend)), ("flat", "true")):
        child(instance, "config", key=key, value=value)


def _hang(root: Element, body: Rope, scene: Scene, last: float) -> None:
    """Tie the ends to what they hang on; a first end on what stands still is tied by its joint."""
    for name, end, anchor in ((names(body)[0], body.start, 0.0), (names(body)[-1], body.end, last)):
        if end is None or (anchor == 0.0 and _still(end, scene)):
            continue
        if not _still(end, scene) and not isinstance(scene.body(end), Rigid):
            raise UserError(f"body {body.name!r}: a rope can hang on the world and on rigid bodies, and {end!r} is neither")
        equality = root.find("equality")
        equality = child(root, "equality") if equality is None else equality
        tie = child(equality, "connect", body1=name, anchor=text((anchor, 0, 0)), solref=TIE, solimp="0.95 0.999 0.001")
        if not _still(end, scene):
            tie.set("body2", end)


def _exclude(root: Element, body: Rope, scene: Scene, length: float) -> None:
    """Let neighbours along the rope, and its ends and what they are tied to, overlap."""
    contact = root.find("contact")
    contact = child(root, "contact") if contact is None else contact
    chain, near = names(body), 1 + math.ceil(2 * body.radius / length)
    for k, name in enumerate(chain):
        for other in chain[k + 1 : k + 1 + near]:
            child(contact, "exclude", body1=name, body2=other)
    for end, tied in ((body.start, chain[:near]), (body.end, chain[-near:])):
        if end is not None and end != "world":
            for name in tied:
                child(contact, "exclude", body1=end, body2=name)


def _product(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.transform import Rotation

    first, second = (Rotation.from_quat(q, scalar_first=True) for q in (a, b))
    return np.asarray((first * second).as_quat(scalar_first=True))
