"""A free body's own frame against MuJoCo's, which stands in its centre of mass along its principal axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bodies import Rigid
from .kinds import Floats


class Frames:
    """The own frames of rigid bodies [n] inside MuJoCo's, and where they are."""

    def __init__(self, model: Any, bodies: Sequence[Rigid]) -> None:
        from scipy.spatial.transform import Rotation

        self.ids = np.array([model.body(body.name).id for body in bodies], int)
        self.offset, self.turn = np.zeros((len(self.ids), 3)), np.tile([1.0, 0.0, 0.0, 0.0], (len(self.ids), 1))
        for n, body in enumerate(bodies):
            k = self.ids[n]
            if body.joint is None and not body.fixed and not body.drive:
                back = Rotation.from_quat(model.body_quat[k], scalar_first=True).inv()
                self.offset[n] = back.apply(np.array(body.position) - model.body_pos[k])
                self.turn[n] = (back * Rotation.from_quat(body.rotation, scalar_first=True)).as_quat(scalar_first=True)

    def position(self, data: Any) -> Floats:
        """Positions [n,3] of the own frames in the world."""
        return np.asarray(data.xpos[self.ids] + np.einsum("nij,nj->ni", data.xmat[self.ids].reshape(-1, 3, 3), self.offset))

    def rotation(self, data: Any) -> Floats:
        """Rotations [n,4] of the own frames in the world."""
        a, b = data.xquat[self.ids].T, self.turn.T
        return np.stack(
            [
                a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
                a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
                a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
                a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
            ],
            1,
        )

    def axes(self, n: int) -> Floats:
        """Body n's own axes [3,3] in MuJoCo's."""
        from scipy.spatial.transform import Rotation

        return np.asarray(Rotation.from_quat(self.turn[n], scalar_first=True).as_matrix())
