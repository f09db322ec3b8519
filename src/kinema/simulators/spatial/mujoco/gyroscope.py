"""Bodies that spin freely: their angular momentum is kept to rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bodies import Rigid
from .kinds import Floats, Law

FAST = 1.0  # rad/s: below this share of precession, MuJoCo's own first order is good enough
AGAIN = 16  # steps after which to look again who is fast
Triple = tuple[float, float, float]


def gyroscope(model: Any, bodies: Sequence[Rigid]) -> list[Law]:
    """The law that makes the torque-free part of a step exact: I w' = exp(-h w' / 2) exp(-h w / 2) I w in the body's axes, where
    the pose turns by exp(h w / 2) before the forces and by exp(h w' / 2) after them."""
    import mujoco

    if model.opt.integrator != mujoco.mjtIntegrator.mjINT_EULER:  # the others see to it in their own way
        return []
    free = [model.body(body.name).id for body in bodies if body.joint is None and not body.fixed and not body.drive]
    inertia = model.body_inertia[free]
    spread = (inertia.max(1) - inertia.min(1)) / inertia.min(1) if free else np.zeros(0)
    uneven = [k for k, s in zip(free, spread, strict=True) if s > 1e-6]
    return [Law(_Gyroscope(model, np.array(uneven)).apply, source=False)] if uneven else []


class _Gyroscope:
    def __init__(self, model: Any, ids: Any) -> None:
        self._dofs = model.body_dofadr[ids] + 3
        self._inertia = model.body_inertia[ids]
        self._spread = (self._inertia.max(1) - self._inertia.min(1)) / self._inertia.min(1)
        self._step = model.opt.timestep
        self._fast: list[tuple[int, Triple]] = []

    def apply(self, model: Any, data: Any, time: float) -> None:
        if round(time / self._step) % AGAIN == 0:
            spin = data.qvel[self._dofs[:, None] + np.arange(3)]
            fast = np.flatnonzero(self._spread * np.linalg.norm(spin, axis=1) > FAST)
            self._fast = [(int(self._dofs[k]), _triple(self._inertia[k])) for k in fast]
        for dof, inertia in self._fast:
            data.qfrc_applied[dof : dof + 3] += _torque(inertia, _triple(data.qvel[dof : dof + 3]), self._step)


def _torque(inertia: Triple, spin: Triple, step: float) -> Triple:
    """What must be added to MuJoCo's -w x I w."""
    a, b, c = inertia
    x, y, z = spin
    momentum = (a * x, b * y, c * z)
    bias = (y * momentum[2] - z * momentum[1], z * momentum[0] - x * momentum[2], x * momentum[1] - y * momentum[0])
    middle = _turned(momentum, (-step * x / 2, -step * y / 2, -step * z / 2))
    u, v, w = x - step * bias[0] / a, y - step * bias[1] / b, z - step * bias[2] / c
    for _ in range(5):
        p, q, r = _turned(middle, (-step * u / 2, -step * v / 2, -step * w / 2))
        after = (p / a, q / b, r / c)
        moved = abs(after[0] - u) + abs(after[1] - v) + abs(after[2] - w)
        u, v, w = after
        if moved < 1e-10:
            break
    return ((p - momentum[0]) / step + bias[0], (q - momentum[1]) / step + bias[1], (r - momentum[2]) / step + bias[2])


def _turned(vector: Triple, turn: Triple) -> Triple:
    """A vector turned by a rotation vector."""
    x, y, z = turn
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return vector
    one, two = math.sin(angle) / angle, (1 - math.cos(angle)) / angle**2
    a, b, c = vector
    p, q, r = y * c - z * b, z * a - x * c, x * b - y * a
    return (
        a + one * p + two * (y * r - z * q),
        b + one * q + two * (z * p - x * r),
        c + one * r + two * (x * q - y * p),
    )


def _triple(values: Floats) -> Triple:
    x, y, z = values.tolist()
    return (x, y, z)
