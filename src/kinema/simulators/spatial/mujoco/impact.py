"""Rigid contacts by the laws of Newton and Coulomb, step by step.

MuJoCo finds the contact forces that bring the accelerations `aref` about, within cones of friction. Here `aref` says what
speed each contact must have after a step: -e times that of approach (0 below `CALM`), or what pushes apart what overlaps, and
no slip. MuJoCo's problem is convex: a contact that slips by u is lifted off by friction times u as well, which no real one is.
That lift is taken off `aref` beforehand, again and again until it agrees (De Saxce's correction; Acary & Cadoux 2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np

PUSH = 0.2  # share of an overlap that a step takes away,
PUSH_SPEED = 0.05  # m/s at most
CALM = 0.05  # m/s
ROUNDS = 12
CLOSE = 0.1  # m/s^2


class Impacts:
    """Solves the contacts of a model's steps; flexible bodies meet by MuJoCo's own law."""

    def __init__(self, model: Any) -> None:
        self._model, self._step = model, model.opt.timestep
        self._bounce = np.full((model.ngeom + 1, model.ngeom + 1), np.nan)  # the last row and column: no geom
        restitution = -model.pair_solref[:, 1] * self._step - 1
        self._bounce[model.pair_geom1, model.pair_geom2] = restitution
        self._bounce[model.pair_geom2, model.pair_geom1] = restitution

    def solve(self, data: Any) -> None:
        """Find the forces and accelerations of a step whose positions and velocities are known."""
        import mujoco

        model = self._model
        mujoco.mj_fwdActuation(model, data)
        mujoco.mj_fwdAcceleration(model, data)
        found = data.contact if data.nefc and data.ncon else None
        rows = None if found is None else found.efc_address
        if found is None or rows is None:
            mujoco.mj_fwdConstraint(model, data)
            return
        bounce = self._bounce[found.geom[:, 0], found.geom[:, 1]]
        live = np.flatnonzero((rows >= 0) & ~np.isnan(bounce))
        rows = rows[live]
        wanted = self._wanted(data, rows, bounce[live])
        self._iterate(data, rows, wanted, found.dim[live], found.friction[live])

    def _wanted(self, data: Any, rows: Any, bounce: Any) -> Any:
        speed, overlap = data.efc_vel[rows], -data.efc_pos[rows]
        back = np.where(speed < -CALM, -bounce * speed, 0.0)
        return (np.maximum(back, np.minimum(PUSH / self._step * overlap, PUSH_SPEED)) - speed) / self._step

    def _iterate(self, data: Any, rows: Any, wanted: Any, dims: Any, friction: Any) -> None:
        import mujoco

        model, aref, residual = self._model, data.efc_aref, np.empty(data.nefc)
        columns = [(dims > k, rows[dims > k] + k, friction[dims > k, k - 1]) for k in range(1, int(dims.max(initial=1)))]
        residual = -aref
        lift = _lift(residual, columns, len(rows))
        for _ in range(ROUNDS):
            aref[rows] = wanted - lift
            mujoco.mj_fwdConstraint(model, data)
            if not columns:
                return
            residual = np.empty(len(aref))
            mujoco.mj_mulJacVec(model, data, residual, data.qacc)
            residual -= aref
            last, lift = lift, _lift(residual, columns, len(rows))
            if np.abs(lift - last).max(initial=0.0) < CLOSE:
                return
            data.qacc_warmstart[:] = data.qacc


def _lift(residual: Any, columns: Any, count: int) -> Any:
    """Friction times what is left of the slip, per contact."""
    squares = np.zeros(count)
    for here, rows, friction in columns:
        squares[here] += (friction * residual[rows]) ** 2
    return np.sqrt(squares)
