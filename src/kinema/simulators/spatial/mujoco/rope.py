"""Ropes in MuJoCo: chains of capsules on ball joints, bent and twisted against by its cable plugin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from ....core.errors import UserError
from ..bodies import Rigid, Rope
from ..scene import Push, Scene, Wind
from ..tube import centre_line, pitches, tube, turned
from .kinds import Law, Reader, Settings, States
from .wind import air

Floats = NDArray[np.float64]

STEP = 0.003  # s
# Without the derivatives of Coriolis forces, which only "implicit" has, a swinging chain gains energy.
OPTION = {"integrator": "implicit"}
CABLE = "mujoco.elasticity.cable"
DRAG = 1.1  # of a long cylinder across the flow, Reynolds 1e3 to 1e5 (Hoerner, Fluid-Dynamic Drag, 1965)


def settings(body: Rope, scene: Scene) -> Settings:
    """What the engine must do for a rope."""
    return Settings(STEP, OPTION)


def names(body: Rope) -> list[str]:
    """MuJoCo's bodies of a rope, one per segment."""
    return [body.name, *(f"{body.name}/{k}" for k in range(1, body.segments))]


def stiffness(body: Rope) -> tuple[float, float]:
    """Against bending and twisting, N m^2."""
    area = math.pi * body.radius**4 / 4
    return body.bend * area, body.twist * 2 * area


def add(root: Element, world: Element, body: Rope, scene: Scene) -> None:
    """Add a rope to the model, hung on what it hangs on."""
    line = centre_line(body)
    length, turn = np.linalg.norm(np.diff(line, axis=0), axis=1), np.diff(pitches(line), prepend=0.0)
    _plugin(root, body)
    place, pose = body.position, _product(np.array(body.rotation), turned(turn[:1])[0])
    damping = body.damping * stiffness(body)[0] / float(length.mean())
    parent = world
    for k, name in enumerate(names(body)):
        parent = SubElement(parent, "body", name=name, pos=_text(place), quat=_text(pose))
        if k:
            SubElement(parent, "joint", type="ball", damping=repr(damping))
        elif _still(body.start, scene):
            SubElement(parent, "joint", type="ball")
        else:
            SubElement(parent, "freejoint")
        mass = body.density * math.pi * body.radius**2 * float(length[k])
        SubElement(
            parent, "geom", name=f"{name}/0", type="capsule", fromto=_text((0, 0, 0, length[k], 0, 0)), size=repr(body.radius),
            mass=repr(mass), friction=f"{body.friction} .005 .0001", contype="2", conaffinity="3",
        )  # fmt: skip
        SubElement(parent, "plugin", instance=body.name)
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
    found = [] if scene.wind is None else [Law(_Drag(model, body, scene.wind)) for body in bodies]
    return found + [Law(_Pushed(model, body, push)) for body in bodies for push in scene.pushes if push.body == body.name]


def masses(model: Any, bodies: Sequence[Rope]) -> Floats:
    """Their masses [n] kg."""
    return np.array([model.body_mass[_ids(model, body)].sum() for body in bodies])


def reader(model: Any, bodies: Sequence[Rope], scene: Scene) -> Reader:
    """What reads their states."""
    readers = [_Segments(model, body) for body in bodies]

    def read(data: Any) -> States:
        columns = [np.stack(column) for column in zip(*(one.states(data) for one in readers), strict=True)]
        center, velocity, kinetic, elastic = columns
        upright = np.tile([1.0, 0.0, 0.0, 0.0], (len(readers), 1))
        return States(center, upright, center, velocity, np.zeros_like(center), kinetic, elastic, [one.points(data) for one in readers])

    return read


class _Segments:
    """The segments of one rope in a model."""

    def __init__(self, model: Any, body: Rope) -> None:
        self.body, self.ids = body, _ids(model, body)
        self.mass, self.inertia = model.body_mass[self.ids].copy(), model.body_inertia[self.ids].copy()
        self.root = model.body_rootid[self.ids[0]]
        self.length = np.linalg.norm(np.diff(centre_line(body), axis=0), axis=1)
        joints = model.body_jntadr[self.ids[1:]]
        self.joints = model.jnt_qposadr[joints][:, None] + np.arange(4)
        self.rest = model.body_quat[self.ids[1:]].copy()
        bend, twist = stiffness(body)
        self.stiffness = np.array([twist, bend, bend]) / self.length[1:, None]

    def states(self, data: Any) -> tuple[Floats, Floats, Floats, Floats]:
        """Centre and velocity [3], kinetic and elastic energy."""
        velocity, spin = velocities(data, self.ids, self.root)
        share = self.mass / self.mass.sum()
        own = np.einsum("kij,ki->kj", data.ximat[self.ids].reshape(-1, 3, 3), spin)
        kinetic = 0.5 * (self.mass * (velocity**2).sum(1)).sum() + 0.5 * (self.inertia * own**2).sum()
        return share @ data.xipos[self.ids], share @ velocity, kinetic, self.elastic(data)

    def elastic(self, data: Any) -> Floats:
        """The energy of all bends and twists."""
        from scipy.spatial.transform import Rotation

        rest, joint = (Rotation.from_quat(q, scalar_first=True) for q in (self.rest, data.qpos[self.joints]))
        return np.asarray(0.5 * (self.stiffness * (rest * joint).as_rotvec() ** 2).sum())

    def points(self, data: Any) -> NDArray[np.float32]:
        """The tube's points."""
        place, rotation = data.xpos[self.ids], data.xquat[self.ids]
        last = place[-1] + self.length[-1] * data.xmat[self.ids[-1]].reshape(3, 3)[:, 0]
        return tube(np.concatenate([place, last[None]]), rotation, self.body.radius).astype(np.float32)


class _Drag:
    """The force of moving air on a rope's segments, across their axes."""

    def __init__(self, model: Any, body: Rope, wind: Wind) -> None:
        self.ids, self.wind = _ids(model, body), wind
        self.root = model.body_rootid[self.ids[0]]
        self.area = 2 * body.radius * np.linalg.norm(np.diff(centre_line(body), axis=0), axis=1)

    def __call__(self, model: Any, data: Any, time: float) -> None:
        import mujoco

        velocity, _ = velocities(data, self.ids, self.root)
        axis = data.xmat[self.ids].reshape(-1, 3, 3)[:, :, 0]
        flow = air(self.wind, time) - velocity
        flow -= (flow * axis).sum(1, keepdims=True) * axis
        force = 0.5 * self.wind.density * DRAG * (self.area * np.linalg.norm(flow, axis=1))[:, None] * flow
        none = np.zeros(3)
        for k, push in zip(self.ids, force, strict=True):
            mujoco.mj_applyFT(model, data, push, none, data.xipos[k], k, data.qfrc_applied)


class _Pushed:
    """A push on a rope, shared among its segments by mass."""

    def __init__(self, model: Any, body: Rope, push: Push) -> None:
        self.ids, self.push, self.step = _ids(model, body), push, model.opt.timestep
        self.share = model.body_mass[self.ids] / model.body_mass[self.ids].sum()

    def __call__(self, model: Any, data: Any, time: float) -> None:
        import mujoco

        push = self.push
        acting = (min(time + self.step, push.time + push.duration) - max(time, push.time)) / self.step
        if acting <= 0:
            return
        for k, share in zip(self.ids, self.share * acting, strict=True):
            force, torque = share * np.array(push.force), share * np.array(push.torque)
            mujoco.mj_applyFT(model, data, force, torque, data.xipos[k], k, data.qfrc_applied)


def velocities(data: Any, ids: NDArray[np.int64], root: int) -> tuple[Floats, Floats]:
    """Velocities of the centres of mass and angular velocities [k,3] of bodies of the tree `root`, in the world's axes."""
    spin = data.cvel[ids, :3]
    return data.cvel[ids, 3:] + np.cross(spin, data.xipos[ids] - data.subtree_com[root]), spin


def _ids(model: Any, body: Rope) -> NDArray[np.int64]:
    return np.array([model.body(name).id for name in names(body)])


def _still(end: str | None, scene: Scene) -> bool:
    """Whether what an end hangs on never moves."""
    if end is None or end == "world":
        return end == "world"
    found = scene.body(end)
    return isinstance(found, Rigid) and found.static


def _plugin(root: Element, body: Rope) -> None:
    extension = root.find("extension")
    extension = SubElement(root, "extension") if extension is None else extension
    plugin = next((one for one in extension if one.get("plugin") == CABLE), None)
    plugin = SubElement(extension, "plugin", plugin=CABLE) if plugin is None else plugin
    instance = SubElement(plugin, "instance", name=body.name)
    for key, value in (("twist", repr(body.twist)), ("bend", repr(body.bend)), ("flat", "true")):
        SubElement(instance, "config", key=key, value=value)


def _hang(root: Element, body: Rope, scene: Scene, last: float) -> None:
    """Tie the ends to what they hang on; a first end on what stands still is tied by its joint."""
    for name, end, anchor in ((names(body)[0], body.start, 0.0), (names(body)[-1], body.end, last)):
        if end is None or (anchor == 0.0 and _still(end, scene)):
            continue
        if not _still(end, scene) and not isinstance(scene.body(end), Rigid):
            raise UserError(f"body {body.name!r}: a rope can hang on the world and on rigid bodies, and {end!r} is neither")
        equality = root.find("equality")
        equality = SubElement(root, "equality") if equality is None else equality
        tie = SubElement(equality, "connect", body1=name, anchor=_text((anchor, 0, 0)), solref=f"{2 * STEP} 1", solimp="0.95 0.999 0.001")
        if not _still(end, scene):
            tie.set("body2", end)


def _exclude(root: Element, body: Rope, scene: Scene, length: float) -> None:
    """Let neighbours along the rope, and its ends and what they are tied to, overlap."""
    contact = root.find("contact")
    contact = SubElement(root, "contact") if contact is None else contact
    chain, near = names(body), 1 + math.ceil(2 * body.radius / length)
    for k, name in enumerate(chain):
        for other in chain[k + 1 : k + 1 + near]:
            SubElement(contact, "exclude", body1=name, body2=other)
    for end, tied in ((body.start, chain[:near]), (body.end, chain[-near:])):
        if end is not None and end != "world":
            for name in tied:
                SubElement(contact, "exclude", body1=end, body2=name)


def _product(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.transform import Rotation

    first, second = (Rotation.from_quat(q, scalar_first=True) for q in (a, b))
    return np.asarray((first * second).as_quat(scalar_first=True))


def _text(values: Any) -> str:
    return " ".join(repr(float(value)) for value in values)
