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

        mujoco.mj_fwdActuation(self._model, data)
        mujoco.mj_fwdAcceleration(self._model, data)
        touching = self._touching(data)
        if touching is None:
            mujoco.mj_fwdConstraint(self._model, data)
        else:
            self._iterate(data, *touching)

    def ask(self, data: Any) -> None:
        """Set `aref` before MuJoCo solves a step by itself; the lift is that of what slides on the flat."""
        touching = self._touching(data)
        if touching is not None:
            rows, wanted, columns = touching
            slip = _lift(-data.efc_aref, columns, len(rows))
            stop = np.zeros(len(rows))
            for here, _, friction in columns[:1]:
                stop[here] = friction**2 * np.linalg.norm(self._model.opt.gravity)
            data.efc_aref[rows] = wanted - np.maximum(slip - stop, 0.0)

    def _touching(self, data: Any) -> tuple[Any, Any, Any] | None:
        """First rows of the contacts of rigid bodies, the accelerations they are to have along their normals, and per direction
        of friction which of them have it, in which row, with which coefficient."""
        if not data.ncon or not data.nefc:
            return None
        found = data.contact
        rows, geom = found.efc_address, found.geom
        bounce = self._bounce[geom[:, 0], geom[:, 1]]
        live = (rows >= 0) & (bounce == bounce)
        dims, friction = found.dim, found.friction
        if not live.all():
            dims, friction, bounce, rows = dims[live], friction[live], bounce[live], rows[live]
            if not len(rows):
                return None
        columns = [(dims > k, rows[dims > k] + k, friction[dims > k, k - 1]) for k in range(1, int(dims.max()))]
        return rows, self._wanted(data, rows, bounce), columns

    def _wanted(self, data: Any, rows: Any, bounce: Any) -> Any:
        speed, overlap = data.efc_vel[rows], -data.efc_pos[rows]
        back = np.where(speed < -CALM, -bounce * speed, 0.0)
        return (np.maximum(back, np.minimum(PUSH / self._step * overlap, PUSH_SPEED)) - speed) / self._step

    def _iterate(self, data: Any, rows: Any, wanted: Any, columns: Any) -> None:
        import mujoco

        model, aref = self._model, data.efc_aref
        lift, residual = _lift(-aref, columns, len(rows)), np.empty(len(aref))
        for _ in range(ROUNDS):
            aref[rows] = wanted - lift
            mujoco.mj_fwdConstraint(model, data)
            if not columns:
                return
            mujoco.mj_mulJacVec(model, data, residual, data.qacc)
            last, lift = lift, _lift(residual - aref, columns, len(rows))
            if np.abs(lift - last).max() < CLOSE:
                return
            data.qacc_warmstart[:] = data.qacc


def _lift(residual: Any, columns: Any, count: int) -> Any:
    """Friction times what is left of the slip, per contact."""
    squares = np.zeros(count)
    for here, rows, friction in columns:
        squares[here] += (friction * residual[rows]) ** 2
    return np.sqrt(squares)
