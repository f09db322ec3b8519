"""What a run with particles was like at each frame, gathered into a Run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bodies import Particles
from ..run import Contacts, Run
from ..scene import Scene
from .solids import State

Floats = NDArray[np.float64]


class Record:
    """States of a scene's bodies, frame by frame; `owner` [q] is the particles' place in the scene, `mass` [q] kg theirs, `solid`
    [n] kg that of the rigid bodies."""

    def __init__(self, scene: Scene, owner: NDArray[np.int64], mass: Floats, solid: Floats) -> None:
        self._scene, self._owner, self._grain = scene, owner, mass
        self._count = len(scene.bodies)
        self._matter = [n for n, body in enumerate(scene.bodies) if isinstance(body, Particles)]
        self.mass = solid + np.bincount(owner, mass, self._count)
        self._rows: list[tuple[NDArray[Any], ...]] = []
        self._vertices: list[NDArray[np.float32]] = []

    def note(
        self, points: Floats, velocity: Floats, celsius: Floats, state: State, kinetic: Floats, elastic: Floats, work: float,
        gravity: Floats, gone: frozenset[int], cut: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Add a frame: of the particles `points` and `velocity` [q,3], `celsius` and `elastic` [q] J; of the rigid bodies their
        `state` and `kinetic` [n] J; `gone` bodies are there no more."""
        center, speed = state.center.copy(), state.velocity.copy()
        center[self._matter] = self._mean(points)[self._matter]
        speed[self._matter] = self._mean(velocity)[self._matter]
        position = state.position.copy()
        position[self._matter] = center[self._matter]
        own = np.bincount(self._owner, 0.5 * self._grain * (velocity**2).sum(1), self._count)
        warm = self._mean(celsius[:, None])[:, 0]
        warm[np.setdiff1d(np.arange(self._count), self._matter)] = np.nan
        strain = np.bincount(self._owner, elastic, self._count)
        visible = np.array([n not in gone for n in range(self._count)])
        energies = (kinetic + own, -self.mass * (center @ gravity), strain)
        for energy in energies:
            energy[~visible] = 0.0
        self._rows.append((position, state.rotation, center, speed, state.spin, *energies, warm, visible, cut, np.array(work)))
        self._vertices.append(points.astype(np.float32))

    def _mean(self, values: Floats) -> Floats:
        summed = [np.bincount(self._owner, self._grain * column, self._count) for column in values.T]
        return np.stack(summed, 1) / np.maximum(self.mass, 1e-300)[:, None]

    def made(self, times: Floats, contacts: Contacts, strays: int, broken: bool) -> Run:
        """The Run; `visible` and `cut` are given where a law was `broken`."""
        position, rotation, center, velocity, spin, kinetic, potential, elastic, warm, visible, cut, work = (
            np.stack(column) for column in zip(*self._rows, strict=True)
        )
        return Run(
            times=times, position=position, rotation=rotation, center=center, velocity=velocity, angular_velocity=spin, mass=self.mass,
            kinetic=kinetic, potential=potential, elastic=elastic, vertices=np.stack(self._vertices), contacts=contacts,
            work=work - work[0],
            visible=visible if broken else None, cut=cut if broken else None, temperature=warm, strays=strays,
        )  # fmt: skip
