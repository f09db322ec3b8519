"""Rigid contacts by the laws of Newton and Coulomb, step by step.

MuJoCo finds the contact forces that bring the accelerations `aref` about, within cones of friction. Here `aref` says what
speed each contact must have after a step: -e times that of approach (0 below `CALM`), or what pushes apart what overlaps, and
no slip. MuJoCo's problem is convex: a contact that slips by u is lifted off by friction times u as well, which no real one is.
That lift is taken off `aref` beforehand, again and again until it agrees (De Saxce's correction; Acary & Cadoux 2013).

An impact is found up to a step late, when the bodies overlap. What it does to their velocities is made to count from the time
at which they met.
"""

from __future__ import annotations

import math
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
    """Solves the contacts of a model's steps, where no cloth, soft body or balloon is about (else: rebound.py)."""

    def __init__(self, model: Any) -> None:
        self._model, self._step = model, model.opt.timestep
        self.calm = max(CALM, 2.5 * self._step * float(np.linalg.norm(model.opt.gravity)))
        """Who meets at less than this [m/s] does not rebound."""
        self._trees, self._dofs = model.ntree + 1, model.dof_treeid.copy()  # the last tree: what stands still
        self._fall = float(np.linalg.norm(model.opt.gravity))
        self._stops: tuple[Touch | None, Any] = (None, 0.0)  # by how much the lift of a set of contacts fell short of its first guess
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
        guess = _lift(aref, touch)
        if max(guess.tolist()) * self._step <= SLIP * 0.5:
            aref[touch.first] = wanted
            mujoco.mj_fwdConstraint(model, data)
            return
        stop = self._stops[1] if touch is self._stops[0] else touch.stop * self._fall
        lift = np.maximum(guess - stop, 0.0)
        aref[touch.first] = wanted - lift
        mujoco.mj_fwdConstraint(model, data)
        self._stops = (touch, guess - self._agree(data, touch, wanted, lift))

    def ask(self, data: Any, touch: Touch | None) -> None:
        """Set `aref` before MuJoCo solves a step by itself; the lift is that of what slides on the flat."""
        if touch is not None and len(touch.first):
            lift = _lift(data.efc_aref, touch) - touch.stop * self._fall
            data.efc_aref[touch.first] = self._wanted(data, touch) - np.maximum(lift, 0.0)

    def _wanted(self, data: Any, touch: Touch) -> Any:
        speed, overlap = data.efc_vel.take(touch.first), data.efc_pos.take(touch.first)
        after = np.minimum(overlap * (-PUSH / self._step), PUSH_SPEED)
        if min(speed.tolist()) < -self.calm:
            hits = np.flatnonzero(speed < -self.calm)
            after[hits] = self._rebound(data, touch, hits, speed[hits], overlap[hits])
        after -= speed
        after *= 1 / self._step
        return after

    def _rebound(self, data: Any, touch: Touch, hits: Any, speed: Any, overlap: Any) -> Any:
        """Speeds at the step's end of those who met shortly before, and how long before."""
        import mujoco

        ago, fall = np.minimum(overlap / speed, self._step), np.empty(data.nefc)
        trees = self._spread(touch, hits, ago)
        self.late = trees.take(self._dofs)
        mujoco.mj_mulJacVec(self._model, data, fall, data.qacc_smooth)
        fall = fall[touch.first[hits]]
        half = 0.5 * self._step  # the speeds are those of the step's begin, half a step before its positions
        return np.maximum(-touch.bounce[hits] * (speed + fall * (half - ago)) + fall * (half + ago), 0.0)

    def _spread(self, touch: Touch, hits: Any, ago: Any) -> Floats:
        """How long ago each tree of joints was hit [s], 0 where it was not; what they push is pushed from then on as well."""
        trees, pairs = [math.inf] * self._trees, touch.meet
        for k, past in zip(hits.tolist(), ago.tolist(), strict=True):
            for tree in pairs[k]:
                trees[tree] = min(trees[tree], past)
        for _ in range(4):
            changed = False
            for one, other in pairs:
                a, b = (math.inf if tree < 0 else trees[tree] for tree in (one, other))  # below 0: what stands still
                if one >= 0 and b < a:
                    trees[one], changed = b, True
                elif other >= 0 and a < b:
                    trees[other], changed = a, True
            if not changed:
                break
        trees[-1] = math.inf
        return np.array([0.0 if past == math.inf else past for past in trees])

    def _agree(self, data: Any, touch: Touch, wanted: Any, lift: Any) -> Any:
        """Solve again until the lift agrees with the slip that is left; returns it."""
        import mujoco

        model, aref, residual = self._model, data.efc_aref, np.empty(data.nefc)
        before: Any = None
        for _ in range(ROUNDS):
            mujoco.mj_mulJacVec(model, data, residual, data.qacc)
            residual -= aref
            found = _lift(residual, touch)
            change = found - lift
            if max(abs(change).tolist()) < CLOSE + 0.01 * max(found.tolist()):
                break
            lift = found
            if before is not None:  # changes shrink by much the same share each time
                share = min(max(float(change @ before / (before @ before)), 0.0), 0.7)
                lift = np.maximum(lift + share / (1 - share) * change, 0.0)
            before = change
            aref[touch.first] = wanted - lift
            data.qacc_warmstart[:] = data.qacc
            mujoco.mj_fwdConstraint(model, data)
        return lift


def _lift(residual: Any, touch: Touch) -> Any:
    """Friction times what is left of the slip, per contact."""
    parts = residual.take(touch.slide)
    parts *= touch.friction
    return np.hypot.reduce(parts, 0)
