"""Bodies that move as told, whatever pushes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bodies import Rigid
from ..scene import Scene
from .kinds import Floats

HOLD = 1e7  # kg, kg m^2: what a driven body weighs against what pushes it


def pose(body: Rigid, time: float) -> tuple[Floats, Floats]:
    """Where a driven body is at `time` s: its position [3] m and rotation [4]; outside its path's times it rests."""
    position, rotation = course(body, np.array([time]))
    return position[0], rotation[0]


def course(body: Rigid, times: Floats) -> tuple[Floats, Floats]:
    """Positions [t,3] m and rotations [t,4] of a driven body at `times` s."""
    from scipy.spatial.transform import Rotation, Slerp

    keys = np.array([key.time for key in body.path])
    positions = np.array([key.position for key in body.path])
    found = np.stack([np.interp(times, keys, positions[:, k]) for k in range(3)], 1)
    turns = Rotation.from_quat(np.array([key.rotation for key in body.path]), scalar_first=True)
    if len(keys) == 1:
        return found, np.tile(turns.as_quat(scalar_first=True), (len(times), 1))
    return found, Slerp(keys, turns)(np.clip(times, keys[0], keys[-1])).as_quat(scalar_first=True)


class Drive:
    """Holds one driven body to its path: it is given a huge inertia and the force that gives that inertia the path's velocity,
    so that contacts, joints and ropes feel its true motion. `work` J is what this has done."""

    def __init__(self, model: Any, body: Rigid, steps: int) -> None:
        import mujoco

        k = model.body(body.name).id
        self._dofs = slice(model.body_dofadr[k], model.body_dofadr[k] + 6)
        at = model.jnt_qposadr[model.body_jntadr[k]]
        self._place = slice(at, at + 7)
        self._step = model.opt.timestep
        position, rotation = course(body, np.arange(steps + 1) * self._step)
        self._poses = np.concatenate([position, rotation], 1)
        self._velocities = np.zeros((steps, 6))
        self._velocities[:, :3] = np.diff(position, axis=0) / self._step
        for n in range(steps):
            mujoco.mju_subQuat(self._velocities[n, 3:], rotation[n + 1], rotation[n])
        self._velocities[:, 3:] /= self._step
        self.work = 0.0

    def start(self, data: Any) -> None:
        """Give the body its first velocity."""
        data.qvel[self._dofs] = self._velocities[0]

    def before(self, data: Any, velocity: Floats, step: int) -> None:
        """Ask for the velocity of step `step`; `velocity` is that of all dofs before it."""
        self._first = velocity[self._dofs]
        data.qfrc_applied[self._dofs] += HOLD * (self._velocities[step] - self._first) / self._step

    def after(self, data: Any, step: int) -> None:
        """Take away what the step left of error, and count the work."""
        force = HOLD * (self._velocities[step] - data.qvel[self._dofs])
        self.work += float(force @ (self._velocities[step] + self._first)) / 2
        data.qvel[self._dofs] = self._velocities[step]
        data.qpos[self._place] = self._poses[step + 1]


def drives(model: Any, scene: Scene, steps: int) -> list[Drive]:
    """Those of a scene's driven bodies."""
    held = [Drive(model, body, steps) for body in scene.bodies if isinstance(body, Rigid) and body.drive]
    if held:  # the solver stops by the mean inertia, which must not be theirs
        model.stat.meaninertia = float(np.mean(model.dof_M0[model.dof_M0 < HOLD])) if (model.dof_M0 < HOLD).any() else 1.0
    return held
