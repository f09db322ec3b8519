"""Rigid and articulated bodies in MuJoCo's model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from ..bodies import Joint, Rigid
from ..matter import hull
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Placed, Solid, Sphere, pieces
from .driven import HOLD, pose
from .frames import Frames, cross
from .gyroscope import gyroscope
from .kinds import Floats, Law, Reader, Settings, States
from .mjcf import child, text
from .pairs import SOFTNESS
from .pushes import drag, pushes
from .steps import longest

STOP = 0.03  # share of what a joint is beyond its limit that a step takes away; limits do not bounce


def settings(bodies: Sequence[Rigid], scene: Scene) -> Settings:
    """Steps in which nothing is passed unnoticed."""
    return Settings(longest(bodies, scene), {})


def add(root: Element, world: Element, body: Rigid, scene: Scene) -> None:
    """Add a rigid body, inside its parent where it has one."""
    position, rotation = pose(body, 0.0) if body.drive else (body.position, body.rotation)
    home = world
    if body.parent is not None:
        home = next(element for element in root.iter("body") if element.get("name") == body.parent)  # a scene has parents first
        position, rotation = _relative(body, scene)
    element = child(home, "body", name=body.name, pos=text(position), quat=text(rotation))
    if body.joint is not None:
        _joint(root, element, body.joint)
    elif body.drive:
        child(element, "joint", type="free", armature=repr(HOLD))
    elif not body.fixed:
        child(element, "freejoint", align="true")  # in the centre of mass: see Frames
    density = body.property_of("density") if body.mass is None else body.mass / volume(body)
    touching = {"contype": "0" if body.ghost else "1", "conaffinity": "0"}
    for k, placed in enumerate(pieces(body.shape)):
        child(
            element, "geom", name=f"{body.name}/{k}", pos=text(placed.position), quat=text(_turned(placed)), density=repr(float(density)),
            friction=f"{body.property_of('friction')} .005 .0001", **touching, **_geom(root, f"{body.name}/{k}", placed.solid),
        )  # fmt: skip


def start(model: Any, data: Any, bodies: Sequence[Rigid], scene: Scene) -> None:
    """Set the first velocities: of the centre of mass in the world's axes, or of the joint."""
    for body in bodies:
        k = model.body(body.name).id
        first = model.body_dofadr[k]
        if body.joint is not None:
            axis = np.array(body.joint.axis) / np.linalg.norm(body.joint.axis)
            data.qvel[first : first + model.body_dofnum[k]] = body.joint.speed * (axis if body.joint.kind == "ball" else 1.0)
        elif not body.fixed and not body.drive:
            turn = data.xmat[k].reshape(3, 3)
            spin = np.array(body.angular_velocity)
            data.qvel[first : first + 3] = body.velocity - np.cross(spin, data.xipos[k] - data.xpos[k])
            data.qvel[first + 3 : first + 6] = turn.T @ spin


def laws(model: Any, bodies: Sequence[Rigid], scene: Scene) -> list[Law]:
    """Pushes, and the drag of the wind."""
    return [*pushes(model, bodies, scene), *drag(model, bodies, scene), *gyroscope(model, bodies)]


def masses(model: Any, bodies: Sequence[Rigid]) -> Floats:
    """Masses [n] kg."""
    return np.array([model.body_mass[model.body(body.name).id] for body in bodies])


def reader(model: Any, bodies: Sequence[Rigid], scene: Scene) -> Reader:
    """States of rigid bodies; a joint's spring counts as its body's elastic energy."""
    ids = np.array([model.body(body.name).id for body in bodies])
    mass, inertia, roots = model.body_mass[ids], model.body_inertia[ids], model.body_rootid[ids]
    sprung = [(n, model.body_jntadr[ids[n]]) for n, body in enumerate(bodies) if body.joint is not None and body.joint.stiffness]
    nothing = [np.zeros((0, 3), np.float32)] * len(ids)
    frames = Frames(model, bodies)

    def read(data: Any) -> States:
        motion, center = data.cvel.take(ids, 0), data.xipos.take(ids, 0)
        spin = motion[:, :3]
        velocity = motion[:, 3:] + cross(spin, center - data.subtree_com.take(roots, 0))
        local = (spin[:, None] @ data.ximat.take(ids, 0).reshape(-1, 3, 3))[:, 0]
        kinetic = 0.5 * mass * (velocity**2).sum(-1) + 0.5 * (inertia * local**2).sum(-1)
        elastic = np.zeros(len(ids))
        for n, joint in sprung:
            elastic[n] = _spring(model, data, joint)
        return States(frames.position(data), frames.rotation(data), center, velocity, spin, kinetic, elastic, nothing)

    return read


def volume(body: Rigid) -> float:
    """The volume of a body's solids together [m^3]."""
    return sum(_volume(placed.solid) for placed in pieces(body.shape))


def _volume(solid: Solid) -> float:
    if isinstance(solid, Sphere):
        return 4 / 3 * math.pi * solid.radius**3
    if isinstance(solid, Box):
        return math.prod(solid.size)
    if isinstance(solid, Hull):
        mesh = hull(solid)
        a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
        return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)
    ends = 4 / 3 * math.pi * solid.radius**3 if isinstance(solid, Capsule) else 0.0
    return math.pi * solid.radius**2 * solid.length + ends


def _joint(root: Element, element: Element, joint: Joint) -> None:
    option = root.find("option")
    assert option is not None
    step = float(option.attrib["timestep"])
    limits = {} if joint.limits is None else {"range": text(joint.limits)}
    child(
        element, "joint", type=joint.kind, axis=text(joint.axis), pos=text(joint.anchor), damping=repr(joint.damping),
        stiffness=repr(joint.stiffness), solreflimit=f"{-STOP / step**2!r} {-1 / step!r}",
        solimplimit=f"{1 - SOFTNESS} {1 - SOFTNESS} 0.001 0.5 2", **limits,
    )  # fmt: skip


def _relative(body: Rigid, scene: Scene) -> tuple[Floats, Floats]:
    """The pose in the parent's axes."""
    from scipy.spatial.transform import Rotation

    assert body.parent is not None
    parent = scene.body(body.parent)
    assert isinstance(parent, Rigid)
    where, how = pose(parent, 0.0) if parent.drive else (np.array(parent.position), np.array(parent.rotation))
    back = Rotation.from_quat(how, scalar_first=True).inv()
    turn = back * Rotation.from_quat(body.rotation, scalar_first=True)
    return back.apply(np.array(body.position) - where), turn.as_quat(scalar_first=True)


def _spring(model: Any, data: Any, joint: int) -> float:
    import mujoco

    at, stiffness = model.jnt_qposadr[joint], model.jnt_stiffness[joint]
    if model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_BALL:
        return float(0.5 * stiffness * (data.qpos[at] - model.qpos_spring[at]) ** 2)
    turn = np.zeros(3)
    mujoco.mju_subQuat(turn, data.qpos[at : at + 4], model.qpos_spring[at : at + 4])
    return float(0.5 * stiffness * turn @ turn)


def _turned(placed: Placed) -> tuple[float, float, float, float]:
    """A solid's rotation; a cylinder's is off by 1e-6 rad: MuJoCo finds no contact with a plane where the last bits alone say
    which way a cylinder leans."""
    w, x, y, z = placed.rotation
    tilt = 5e-7 if isinstance(placed.solid, Cylinder) else 0.0
    return (w - tilt * x, x + tilt * w, y + tilt * z, z - tilt * y)


def _geom(root: Element, name: str, solid: Solid) -> dict[str, str]:
    """A solid as the attributes of a geom; a hull's mesh is added to the assets."""
    if isinstance(solid, Sphere):
        return {"type": "sphere", "size": repr(solid.radius)}
    if isinstance(solid, Box):
        return {"type": "box", "size": text(x / 2 for x in solid.size)}
    if isinstance(solid, Capsule | Cylinder):
        return {"type": type(solid).__name__.lower(), "size": text((solid.radius, solid.length / 2))}
    asset = root.find("asset")
    asset = child(root, "asset") if asset is None else asset
    child(asset, "mesh", name=name, vertex=text(x for point in solid.points for x in point), inertia="convex")
    return {"type": "mesh", "mesh": name}
