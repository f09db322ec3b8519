"""Rigid contacts of scenes with too many geoms to list their pairs: MuJoCo's own sweep finds who is near whom.

It would mix their properties by its own rules (the larger friction, one law for slip and rebound). Each contact is given what
its pair would have (see pairs.py) between the two stages, as soon as it is found: nothing differs but the order of contacts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..scene import Scene
from .kinds import Floats
from .pairs import PUSH, SOFTNESS, surfaces


class Meetings:
    """The contacts of a model without listed pairs."""

    def __init__(self, model: Any, scene: Scene) -> None:
        import mujoco

        self._step = float(model.opt.timestep)
        self._friction, self._restitution, self._rolling = (np.full(model.ngeom, np.nan) for _ in range(3))
        for one in surfaces(scene):
            k = model.geom(one.geom).id
            self._friction[k], self._restitution[k], self._rolling[k] = one.friction, one.restitution, one.rolling
        self._parted: list[tuple[Any, Any]] = []
        before = ("checkPos", "checkVel", "kinematics", "comPos", "tendon", "makeM", "factorM", "collision")
        after = ("makeConstraint", "island", "transmission", "projectConstraint", "fwdVelocity")
        self._before, self._after = ([getattr(mujoco, f"mj_{name}") for name in names] for names in (before, after))

    def look(self, model: Any, data: Any) -> None:
        """MuJoCo's mj_step1 of a model without flexes, sensors and cameras, whose contacts follow the law of pairs."""
        for stage in self._before:
            stage(model, data)
        if data.ncon:
            self._settle(data.contact)
        for stage in self._after:
            stage(model, data)

    def part(self, one: Any, other: Any) -> None:
        """Geoms `one` and `other` touch no more."""
        self._parted.append((one, other))

    def bounces(self, geom: Any) -> Floats:
        """The restitution [k] between geoms [k,2], NaN where one is not rigid."""
        return np.asarray(np.sqrt(self._restitution[geom[:, 0]] * self._restitution[geom[:, 1]]))

    def _settle(self, found: Any) -> None:
        geom = found.geom
        bounce = self.bounces(geom)
        rigid = bounce == bounce
        one, other = geom[rigid].T
        friction, rolling = np.sqrt(self._friction[one] * self._friction[other]), np.maximum(self._rolling[one], self._rolling[other])
        found.dim[rigid] = np.where(rolling > 0, 6, np.where(friction > 0, 3, 1))
        found.friction[rigid] = np.maximum(np.stack([friction, friction, rolling, rolling, rolling], 1), 1e-5)  # MuJoCo's least
        found.solref[rigid] = np.stack([-PUSH * (1 - bounce[rigid]) / self._step**2, -(1 + bounce[rigid]) / self._step], 1)
        found.solreffriction[rigid] = (0, -1 / self._step)
        found.solimp[rigid] = (1 - SOFTNESS, 1 - SOFTNESS, 0.001, 0.5, 2)
        for a, b in self._parted:
            apart = (np.isin(geom[:, 0], a) & np.isin(geom[:, 1], b)) | (np.isin(geom[:, 0], b) & np.isin(geom[:, 1], a))
            found.exclude[apart & rigid] = 1
