"""A free body's own frame against MuJoCo's, which stands in its centre of mass along its principal axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bodies import Rigid
from .kinds import Floats

_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


class Frames:
    """The own frames of rigid bodies [n] inside MuJoCo's, and where they are."""

    def __init__(self, model: Any, bodies: Sequence[Rigid]) -> None:
        import mujoco

        self.ids = np.array([model.body(body.name).id for body in bodies], int)
        self.offset, self.turn = np.zeros((len(self.ids), 3)), np.tile([1.0, 0.0, 0.0, 0.0], (len(self.ids), 1))
        for n, body in enumerate(bodies):
            k = self.ids[n]
            if body.joint is None and not body.fixed and not body.drive:
                back, own = np.zeros(4), np.array(body.rotation, float)
                mujoco.mju_negQuat(back, model.body_quat[k])
                mujoco.mju_rotVecQuat(self.offset[n], np.array(body.position) - model.body_pos[k], back)
                mujoco.mju_mulQuat(self.turn[n], back, own / np.linalg.norm(own))
        self._shifted = bool(self.offset.any())

    def position(self, data: Any) -> Floats:
        """Positions [n,3] of the own frames in the world."""
        where = data.xpos.take(self.ids, 0)
        if self._shifted:
            where += (data.xmat.take(self.ids, 0).reshape(-1, 3, 3) @ self.offset[..., None])[..., 0]
        return np.asarray(where)

    def rotation(self, data: Any) -> Floats:
        """Rotations [n,4] of the own frames in the world."""
        found = data.xquat.take(self.ids, 0)
        w, v = found[:, :1], found[:, 1:]
        a, u = self.turn[:, :1], self.turn[:, 1:]
        return np.concatenate([w * a - (v * u).sum(1, keepdims=True), w * u + a * v + cross(v, u)], 1)

    def axes(self, n: int) -> Floats:
        """Body n's own axes [3,3] in MuJoCo's."""
        from scipy.spatial.transform import Rotation

        return np.asarray(Rotation.from_quat(self.turn[n], scalar_first=True).as_matrix())


def cross(a: Floats, b: Floats) -> Floats:
    """Cross products of vectors [n,3]; NumPy's own takes its time with few."""
    return np.asarray(a.take(_NEXT, 1) * b.take(_LAST, 1) - a.take(_LAST, 1) * b.take(_NEXT, 1))
