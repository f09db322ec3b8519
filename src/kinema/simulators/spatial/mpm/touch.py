"""Which bodies touch: matter and solids, matter and matter, and what MuJoCo finds among solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..bodies import Particles, Rigid
from ..run import Contacts
from ..scene import Scene
from .distance import distance
from .solids import Solids

Floats = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])
NEAR = 0.75  # spacings from a particle's centre to a surface that it touches (half a spacing is what the solver keeps)
MEET = 1.2  # spacings between the centres of particles that touch


@dataclass
class _Row:
    time: float
    duration: float
    point: Floats
    normal: Floats
    impulse: float


class Touches:
    """The contacts of a run: `look` after every step, `close` after every frame.

    The impulse that particles give a solid in a step is shared out to their bodies by how many of them touch it; between bodies of
    particles, and between particles and the floor, none is known (0). A normal of particles is upright on the floor, and points from
    the particle to the solid's centre elsewhere."""

    def __init__(self, scene: Scene, owner: NDArray[np.int64], spacing: float) -> None:
        self._scene, self._spacing = scene, spacing
        self._matter = {n: np.flatnonzero(owner == n) for n, body in enumerate(scene.bodies) if isinstance(body, Particles)}
        self._solids = [n for n, body in enumerate(scene.bodies) if isinstance(body, Rigid) and not body.ghost]
        self._open: dict[tuple[int, int], _Row] = {}
        self._rows: list[tuple[tuple[int, int], _Row]] = []

    def look(self, time: float, dt: float, points: Floats, solids: Solids, impulse: Floats, gone: frozenset[int]) -> NDArray[np.bool_]:
        """Note what touches in the step of `dt` s that ends at `time` s; returns [q] which particles are deep inside a solid."""
        deep = np.zeros(len(points), bool)
        matter = {n: rows for n, rows in self._matter.items() if n not in gone}
        for s in self._solids:
            if s in gone:
                continue
            body = self._scene.bodies[s]
            assert isinstance(body, Rigid)
            away = distance(body, solids.state.position[s], solids.state.rotation[s], points)
            deep |= away < -self._spacing
            self._meet(s, away, points, solids.state.center[s], matter, (time, dt, float(np.linalg.norm(impulse[s]))))
        if self._scene.floor is not None:
            for n, rows in matter.items():
                low = rows[points[rows, 2] < NEAR * self._spacing]
                if len(low):
                    self._note((-1, n), time, dt, points[low].mean(0) * [1, 1, 0], UP, 0.0)
        names = sorted(matter)
        trees = {n: cKDTree(points[matter[n]]) for n in names} if len(names) > 1 else {}
        for k, a in enumerate(names):
            for b in names[k + 1 :]:
                near, where = trees[a].query(points[matter[b]], distance_upper_bound=MEET * self._spacing)
                if np.isfinite(near).any():
                    other = int(np.argmin(near))
                    p, q = points[matter[a][where[other]]], points[matter[b][other]]
                    self._note((a, b), time, dt, (p + q) / 2, q - p, 0.0)
        for pair, point, normal, force in solids.contacts():
            if not gone & set(pair):
                self._note(pair, time, dt, point, normal, force * dt)
        for rows in (self._matter[n] for n in self._matter if n in gone):
            deep[rows] = False
        return deep

    def _meet(
        self, s: int, away: Floats, points: Floats, center: Floats, matter: dict[int, NDArray[np.int64]], now: tuple[float, float, float]
    ) -> None:
        near = {n: rows[away[rows] < NEAR * self._spacing] for n, rows in matter.items()}
        total = sum(len(rows) for rows in near.values())
        for n, rows in near.items():
            if len(rows):
                point = points[rows].mean(0)
                pair, normal = ((n, s), center - point) if n < s else ((s, n), point - center)
                self._note(pair, now[0], now[1], point, normal, now[2] * len(rows) / total)

    def _note(self, pair: tuple[int, int], time: float, dt: float, point: Floats, normal: Floats, impulse: float) -> None:
        length = float(np.linalg.norm(normal))
        row = self._open.setdefault(pair, _Row(time - dt, 0.0, point, normal / length if length > 0 else UP, 0.0))
        row.duration += dt
        row.impulse += impulse

    def close(self) -> None:
        """End the time between two frames."""
        self._rows += sorted(self._open.items(), key=lambda item: (item[1].time, item[0]))
        self._open = {}

    def contacts(self) -> Contacts:
        """All that was noted."""
        if not self._rows:
            return Contacts.none()
        pairs, rows = zip(*self._rows, strict=True)
        return Contacts(
            time=np.array([row.time for row in rows]),
            duration=np.array([row.duration for row in rows]),
            bodies=np.array(pairs, np.int64),
            point=np.array([row.point for row in rows]),
            normal=np.array([row.normal for row in rows]),
            impulse=np.array([row.impulse for row in rows]),
        )
