"""States read at the frames, put together as a Run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..run import Contacts, Run
from ..scene import Scene
from .broken import Breach
from .kinds import Floats, Kind

SHAPES = {"position": 3, "rotation": 4, "center": 3, "velocity": 3, "angular_velocity": 3, "kinetic": 0, "elastic": 0}


class Log:
    """The states of all bodies at the frames so far."""

    def __init__(self, model: Any, scene: Scene, groups: list[tuple[Kind, list[int]]], breach: Breach, frames: int) -> None:
        self._model, self._breach, self._bodies = model, breach, len(scene.bodies)
        members = [(module, places, [scene.bodies[k] for k in places]) for module, places in groups]
        self._readers = [(places, module.reader(model, bodies, scene)) for module, places, bodies in members]
        self._mass = np.zeros(self._bodies)
        for module, places, bodies in members:
            self._mass[places] = module.masses(model, bodies)
        shape = (frames, self._bodies)
        widths = SHAPES | {"potential": 0}
        self._states: dict[str, Any] = {key: np.zeros((*shape, width) if width else shape) for key, width in widths.items()}
        self._vertices: list[Any] = []
        self._work: list[float] = []

    def add(self, data: Any, work: float) -> None:
        """Read the states as they are."""
        import mujoco

        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_flex(self._model, data)
        mujoco.mj_fwdVelocity(self._model, data)
        row, last = self._row(len(self._work)), self._row(len(self._work) - 1) if self._work else None
        points: list[Any] = [np.zeros((0, 3), np.float32)] * self._bodies
        for places, read in self._readers:
            found = read(data)
            for key in SHAPES:
                row[key][places] = getattr(found, key)
            for place, vertices in zip(places, found.vertices, strict=True):
                points[place] = vertices
        row["potential"][:] = -self._mass * (row["center"] @ self._model.opt.gravity)
        self._breach.hide(row, last)
        self._vertices.append(np.concatenate(points))
        self._work.append(work)

    def _row(self, frame: int) -> dict[str, Floats]:
        return {key: values[frame] for key, values in self._states.items()}

    def run(self, times: Floats, contacts: Contacts) -> Run:
        """All of them as a Run."""
        marks = self._breach.marks(len(times))
        vertices = np.stack(self._vertices).astype(np.float32)
        return Run(times=times, mass=self._mass, vertices=vertices, contacts=contacts, work=np.array(self._work), **self._states, **marks)
