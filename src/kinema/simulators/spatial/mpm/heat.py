"""Heat in particles: it comes from heaters and spreads between neighbours; what is warm enough yields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..bodies import Particles, Rigid
from ..scene import Scene
from .distance import distance

Floats = NDArray[np.float64]
WIDTH = 8.0  # K about the melting point over which the yield stress falls to nothing
NEAR = 1.6  # spacings: heat passes between particles nearer than this (18 neighbours in the lattice they start in)
LATTICE = 5.0  # a third of 0.5 sum (r / spacing)^2 over those 18


class Heat:
    """The temperatures `celsius` [q] of all particles, where `owner` [q] is their place in the scene and `mass` [q] kg.

    Conduction moves heat between pairs, so their mass-weighted mean is kept; all substances have one heat capacity."""

    def __init__(self, scene: Scene, owner: NDArray[np.int64], mass: Floats) -> None:
        self._scene, self._mass = scene, mass
        bodies = {n: body for n, body in enumerate(scene.bodies) if isinstance(body, Particles)}
        spread = [bodies[n] for n in owner]
        self.celsius = np.array([body.temperature for body in spread])
        self._melting = np.array([np.inf if body.melts is None else body.melts for body in spread])
        self._strength = np.array([body.property_of("yield_stress") for body in spread])
        self._diffusivity = np.array([body.diffusivity for body in spread])
        self._spacing = max(body.spacing for body in bodies.values())
        uneven = len({body.temperature for body in bodies.values()}) > 1
        self.flows = bool(scene.heaters) or uneven
        self.melts = bool(np.isfinite(self._melting).any())

    @property
    def fluid(self) -> Floats:
        """How much of a fluid each particle is [q]: 1 where it yields to anything, 0 where it is solid."""
        return np.asarray(np.where(self._strength > 0, 1 - self._cold(), 1.0))

    def _cold(self) -> Floats:
        return np.asarray(np.where(np.isfinite(self._melting), np.clip(0.5 + (self._melting - self.celsius) / WIDTH, 0, 1), 1.0))

    def stress(self) -> Floats:
        """The stress [q] Pa at which each particle yields."""
        return np.asarray(self._strength * self._cold())

    def advance(self, points: Floats, poses: tuple[Floats, Floats], dt: float) -> None:
        """One step of `dt` s of particles at `points` [q,3], with the scene's bodies at `poses` (positions, rotations)."""
        for heater in self._scene.heaters:
            if heater.body is None:
                inside = np.hypot(*(points[:, :2] - heater.position).T) <= heater.radius
                away = np.where(
                    inside & (points[:, 2] > heater.height - self._spacing), np.maximum(points[:, 2] - heater.height, 0), np.inf
                )
            else:
                n = self._scene.index(heater.body)
                body = self._scene.bodies[n]
                assert isinstance(body, Rigid)
                away = np.maximum(distance(body, poses[0][n], poses[1][n], points), 0)
            self.celsius += (heater.temperature - self.celsius) * -np.expm1(-heater.rate * np.exp(-away / heater.reach) * dt)
        if self._diffusivity.any():
            self._conduct(points, dt)

    def _conduct(self, points: Floats, dt: float) -> None:
        pairs = cKDTree(points).query_pairs(NEAR * self._spacing, output_type="ndarray")
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        i, j = pairs.T
        crowd = max(18, int(np.bincount(pairs.ravel(), minlength=len(points)).max(initial=0)))
        rate = np.sqrt(self._diffusivity[i] * self._diffusivity[j]) / (LATTICE * self._spacing**2)
        times = max(1, int(np.ceil(2 * rate.max(initial=0.0) * crowd * dt)))
        weight = 2 * self._mass[i] * self._mass[j] / (self._mass[i] + self._mass[j]) * rate * dt / times
        for _ in range(times):
            passed = weight * (self.celsius[j] - self.celsius[i])
            gained = np.bincount(i, passed, len(points)) - np.bincount(j, passed, len(points))
            self.celsius += gained / self._mass
