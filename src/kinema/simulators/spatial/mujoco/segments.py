"""The segments of a rope in MuJoCo: their states, and what pushes on them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bodies import Rope
from ..scene import Push, Wind
from ..tube import centre_line, tube
from .wind import air

Floats = NDArray[np.float64]

DRAG = 1.1  # of a long cylinder across the flow, Reynolds 1e3 to 1e5 (Hoerner, Fluid-Dynamic Drag, 1965)


def names(body: Rope) -> list[str]:
    """MuJoCo's bodies of a rope, one per segment."""
    return [body.name, *(f"{body.name}/{k}" for k in range(1, body.segments))]


def stiffness(body: Rope) -> tuple[float, float]:
    """Against bending and twisting, N m^2."""
    area = math.pi * body.radius**4 / 4
    return body.bend * area, body.twist * 2 * area


class Segments:
    """The segments of one rope in a model."""

    def __init__(self, model: Any, body: Rope) -> None:
        self.body, self.ids = body, ids(model, body)
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


class Drag:
    """The force of moving air on a rope's segments, across their axes."""

    def __init__(self, model: Any, body: Rope, wind: Wind) -> None:
        self.ids, self.wind = ids(model, body), wind
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


class Pushed:
    """A push on a rope, shared among its segments by mass."""

    def __init__(self, model: Any, body: Rope, push: Push) -> None:
        self.ids, self.push, self.step = ids(model, body), push, model.opt.timestep
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


def ids(model: Any, body: Rope) -> NDArray[np.int64]:
    """The ids of a rope's segments in a model."""
    return np.array([model.body(name).id for name in names(body)])
