"""States read at the frames, put together as a Run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..run import Contacts, Run
from ..scene import Scene
from .broken import Breach
from .kinds import Floats, Kind

KEYS = ("position", "rotation", "center", "velocity", "angular_velocity", "kinetic", "elastic")


class Log:
    """The states of all bodies at the frames so far."""

    def __init__(self, model: Any, scene: Scene, groups: list[tuple[Kind, list[int]]], breach: Breach) -> None:
        self._model, self._breach, self._bodies = model, breach, len(scene.bodies)
        members = [(module, places, [scene.bodies[k] for k in places]) for module, places in groups]
        self._readers = [(places, module.reader(model, bodies, scene)) for module, places, bodies in members]
        self._mass = np.zeros(self._bodies)
        for module, places, bodies in members:
            self._mass[places] = module.masses(model, bodies)
        self._rows: list[dict[str, Floats]] = []
        self._vertices: list[Any] = []
        self._work: list[float] = []

    def add(self, data: Any, work: float) -> None:
        """Read the states as they are."""
        import mujoco

        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_flex(self._model, data)
        mujoco.mj_fwdVelocity(self._model, data)
        row = {key: np.zeros((self._bodies, *shape)) for key, shape in zip(KEYS, ((3,), (4,), (3,), (3,), (3,), (), ()), strict=True)}
        points: list[Any] = [np.zeros((0, 3), np.float32)] * self._bodies
        for places, read in self._readers:
            found = read(data)
            for key in KEYS:
                row[key][places] = getattr(found, key)
            for place, vertices in zip(places, found.vertices, strict=True):
                points[place] = vertices
        row["potential"] = -self._mass * (row["center"] @ self._model.opt.gravity)
        self._breach.hide(row, self._rows[-1] if self._rows else None)
        self._rows.append(row)
        self._vertices.append(np.concatenate(points))
        self._work.append(work)

    def run(self, times: Floats, contacts: Contacts) -> Run:
        """All of them as a Run."""
        states: dict[str, Any] = {key: np.stack([row[key] for row in self._rows]) for key in (*KEYS, "potential")}
        marks = self._breach.marks(len(times))
        vertices = np.stack(self._vertices).astype(np.float32)
        return Run(times=times, mass=self._mass, vertices=vertices, contacts=contacts, work=np.array(self._work), **states, **marks)
