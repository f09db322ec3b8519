"""Bodies that spin freely: their angular momentum is kept to 1e-7 of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bodies import Rigid
from .kinds import Floats, Law

FAST = 1.0  # rad/s: below this share of precession, MuJoCo's own first order is good enough
CLOSE = 1e-6  # rad/s between two rounds, each of which leaves a few hundredths of an error
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
        self._fast: list[_Spin] = []

    def apply(self, model: Any, data: Any, time: float) -> None:
        if round(time / self._step) % AGAIN == 0:
            spin = data.qvel[self._dofs[:, None] + np.arange(3)]
            fast = np.flatnonzero(self._spread * np.linalg.norm(spin, axis=1) > FAST)
            self._fast = [_Spin(int(self._dofs[k]), _triple(self._inertia[k]), self._step) for k in fast]
        for one in self._fast:
            one.apply(data.qvel, data.qfrc_applied)


class _Spin:
    """One body's spin: its first degree of freedom and its principal moments of inertia."""

    def __init__(self, dof: int, inertia: Triple, step: float) -> None:
        self._dof, self._inertia, self._step = dof, inertia, step
        self._beyond = (0.0, 0.0, 0.0)  # what the last step's spin was beyond its first order

    def apply(self, velocity: Floats, force: Floats) -> None:
        """Add what must be added to MuJoCo's -w x I w."""
        a, b, c = self._inertia
        step, k = self._step, self._dof
        back = -0.5 * step
        x, y, z = velocity[k : k + 3].tolist()
        f, g, h = momentum = (a * x, b * y, c * z)
        tx, ty, tz = y * h - z * g, z * f - x * h, x * g - y * f
        middle = _turned(momentum, back * x, back * y, back * z)
        p, q, r = self._beyond
        first = u, v, w = x - step * tx / a, y - step * ty / b, z - step * tz / c
        u, v, w = u + p, v + q, w + r
        for _ in range(5):
            p, q, r = _turned(middle, back * u, back * v, back * w)
            i, j, k_ = p / a, q / b, r / c
            moved = abs(i - u) + abs(j - v) + abs(k_ - w)
            u, v, w = i, j, k_
            if moved < CLOSE:
                break
        self._beyond = (u - first[0], v - first[1], w - first[2])
        force[k] += (p - f) / step + tx
        force[k + 1] += (q - g) / step + ty
        force[k + 2] += (r - h) / step + tz


def _turned(vector: Triple, x: float, y: float, z: float) -> Triple:
    """A vector turned by the rotation vector x, y, z."""
    s = x * x + y * y + z * z
    if s < 0.04:  # series to rounding
        one = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72)))
        two = 0.5 - s / 24 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90)))
    else:
        angle = math.sqrt(s)
        one, two = math.sin(angle) / angle, (1 - math.cos(angle)) / s
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
