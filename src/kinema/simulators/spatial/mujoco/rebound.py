"""Impacts of rigid bodies beside flexible ones, by Newton's law.

There MuJoCo's own integrator takes its steps, which takes forces of contact implicitly: an impact stops, and nothing rebounds.
What is missing is given after the step as impulses along the normals of the contacts between rigid bodies: whoever met at more
than `calm` speed leaves with e times that speed, and no impulse makes others meet. Impulses act on both sides, so that momentum
is kept; that of friction is what MuJoCo found while they stopped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .kinds import Floats
from .touching import Touch

ROUNDS = 50


class Rebounds:
    """The impulses of a model's steps; impacts at less than `calm` m/s do not rebound."""

    def __init__(self, model: Any, calm: float) -> None:
        self._model, self._calm = model, calm
        self._speed: Floats | None = None

    def before(self, data: Any, touch: Touch | None) -> None:
        """Take down at which speeds rigid bodies meet in the step at hand."""
        self._speed = None
        if touch is not None and len(touch.first):
            speed = data.efc_vel.take(touch.first)
            self._speed = speed if speed.min() < -self._calm else None

    def after(self, data: Any, touch: Touch | None) -> None:
        """Give those who met their impulses, which count among the step's forces of contact."""
        import mujoco

        if self._speed is None or touch is None:
            return
        model, rows, step = self._model, touch.first, self._model.opt.timestep
        answers = np.zeros((len(rows), model.nv))  # what a unit of each impulse does to all velocities
        matrix = np.zeros((len(rows), len(rows)))
        unit, force, speed = np.zeros(data.nefc), np.zeros(model.nv), np.zeros(data.nefc)
        for k, row in enumerate(rows):
            unit[row] = 1.0
            mujoco.mj_mulJacTVec(model, data, force, unit)
            unit[row] = 0.0
            mujoco.mj_solveM(model, data, answers[k : k + 1], force[None])
            mujoco.mj_mulJacVec(model, data, speed, answers[k])
            matrix[:, k] = speed[rows]
        mujoco.mj_mulJacVec(model, data, speed, data.qvel)
        now = speed[rows]
        wanted = np.where(self._speed < -self._calm, -touch.bounce * self._speed, np.minimum(now, 0.0))
        impulse = _impulses(matrix, now - wanted)
        data.qvel[:] += impulse @ answers
        data.efc_force[rows] += impulse / step


def _impulses(matrix: Floats, excess: Floats) -> Floats:
    """The impulses p >= 0 with matrix p + excess >= 0, one of both 0 at every contact."""
    impulse = np.zeros(len(excess))
    diagonal = np.maximum(matrix.diagonal(), 1e-12)
    for _ in range(ROUNDS):
        before = impulse.copy()
        for k in range(len(excess)):
            impulse[k] = max(impulse[k] - (matrix[k] @ impulse + excess[k]) / diagonal[k], 0.0)
        if np.abs(impulse - before).max() <= 1e-9 * impulse.max():
            break
    return impulse
