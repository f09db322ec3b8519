"""Rigid contacts by the laws of Newton and Coulomb, step by step.

MuJoCo finds the contact forces that bring the accelerations `aref` about, within cones of friction. Here `aref` says what
speed each contact must have after a step: -e times that of approach (0 below `CALM`), or what pushes apart what overlaps, and
no slip. MuJoCo's problem is convex: a contact that slips by u is lifted off by friction times u as well, which no real one is.
That lift is taken off `aref` beforehand, again and again until it agrees (De Saxce's correction; Acary & Cadoux 2013).

An impact is found up to a step late, when the bodies overlap. What it does to their velocities is made to count from the time
at which they met.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .kinds import Floats
from .touching import Touch

PUSH = 0.2  # share of an overlap that a step takes away,
PUSH_SPEED = 0.05  # m/s at most
CALM = 0.05  # m/s, or the speed that 2.5 steps of fall give
SLIP = 0.003  # m/s: what slips by less is held
ROUNDS = 12
CLOSE = 0.3  # m/s^2


class Impacts:
    """Solves the contacts of a model's steps; flexible bodies meet by MuJoCo's own law."""

    def __init__(self, model: Any) -> None:
        self._model, self._step = model, model.opt.timestep
        self._calm = max(CALM, 2.5 * self._step * float(np.linalg.norm(model.opt.gravity)))
        self.late: Floats | None = None  # per dof, how long ago what it is part of met something [s]

    def solve(self, data: Any, touch: Touch | None) -> None:
        """Find the forces and accelerations of a step whose positions and velocities are known."""
        import mujoco

        model = self._model
        mujoco.mj_fwdActuation(model, data)
        mujoco.mj_fwdAcceleration(model, data)
        self.late = None
        if touch is None or not len(touch.first):
            mujoco.mj_fwdConstraint(model, data)
            return
        aref, wanted = data.efc_aref, self._wanted(data, touch)
        lift = _lift(aref, touch)
        moving = len(lift) > 0 and lift.max() * self._step > SLIP * 0.5
        aref[touch.first] = wanted - lift if moving else wanted
        mujoco.mj_fwdConstraint(model, data)
        if moving:
            self._agree(data, touch, wanted, lift)

    def ask(self, data: Any, touch: Touch | None) -> None:
        """Set `aref` before MuJoCo solves a step by itself; the lift is that of what slides on the flat."""
        if touch is not None and len(touch.first):
            stop = (touch.friction**2).max(0, initial=0.0) * np.linalg.norm(self._model.opt.gravity)
            data.efc_aref[touch.first] = self._wanted(data, touch) - np.maximum(_lift(data.efc_aref, touch) - stop, 0.0)

    def _wanted(self, data: Any, touch: Touch) -> Any:
        speed, overlap = data.efc_vel[touch.first], data.efc_pos[touch.first]
        after = np.minimum(overlap * (-PUSH / self._step), PUSH_SPEED)
        if speed.min() < -self._calm:
            hits = np.flatnonzero(speed < -self._calm)
            after[hits] = self._rebound(data, touch, hits, speed[hits], overlap[hits])
        return (after - speed) * (1 / self._step)

    def _rebound(self, data: Any, touch: Touch, hits: Any, speed: Any, overlap: Any) -> Any:
        """Speeds at the step's end of those who met shortly before, and how long before."""
        import mujoco

        ago, fall = np.minimum(overlap / speed, self._step), np.empty(data.nefc)
        trees = np.full(self._model.ntree + 1, np.inf)  # the last: what stands still
        np.minimum.at(trees, touch.trees[hits], ago[:, None])
        for _ in range(4):  # what they push is pushed from then on as well
            trees[-1] = np.inf
            np.minimum.at(trees, touch.trees, trees[touch.trees].min(1, keepdims=True))
        trees[-1] = np.inf
        self.late = np.where(np.isinf(trees), 0.0, trees)[self._model.dof_treeid]
        mujoco.mj_mulJacVec(self._model, data, fall, data.qacc_smooth)
        fall = fall[touch.first[hits]]
        half = 0.5 * self._step  # the speeds are those of the step's begin, half a step before its positions
        return np.maximum(-touch.bounce[hits] * (speed + fall * (half - ago)) + fall * (half + ago), 0.0)

    def _agree(self, data: Any, touch: Touch, wanted: Any, lift: Any) -> None:
        import mujoco

        model, aref, residual = self._model, data.efc_aref, np.empty(data.nefc)
        before: Any = None
        for _ in range(ROUNDS):
            mujoco.mj_mulJacVec(model, data, residual, data.qacc)
            residual -= aref
            found = _lift(residual, touch)
            change = found - lift
            if np.abs(change).max() < CLOSE + 0.01 * found.max():
                return
            lift = found
            if before is not None:  # changes shrink by much the same share each time
                share = min(max(float(change @ before / (before @ before)), 0.0), 0.7)
                lift = np.maximum(lift + share / (1 - share) * change, 0.0)
            before = change
            aref[touch.first] = wanted - lift
            data.qacc_warmstart[:] = data.qacc
            mujoco.mj_fwdConstraint(model, data)


def _lift(residual: Any, touch: Touch) -> Any:
    """Friction times what is left of the slip, per contact."""
    parts = residual[touch.slide] * touch.friction
    return np.sqrt((parts * parts).sum(0))
