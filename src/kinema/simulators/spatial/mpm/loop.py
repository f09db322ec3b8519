"""Stepping particles and rigid bodies together from frame to frame, and reading their states."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ....core.errors import UserError
from ..bodies import Particles
from ..change import Change
from ..run import Failed, Run
from ..scene import Scene
from .flow import Flow
from .heat import Heat
from .record import Record
from .solids import Solids
from .touch import Touches

Floats = NDArray[np.float64]
STEP = 1 / 60  # s, the longest step of the particles: two a frame at 30 frames/s, four at 16
ESCAPED = 0.02  # the part of the particles that may get into solids or under the floor before a run is given up


def simulate(scene: Scene, times: NDArray[np.float64], change: Change | None = None) -> Run:
    """The run of a scene with particles at `times` [t] s, equally far apart.

    Particles and rigid bodies push each other: in every step the particles' solver sees the bodies with their masses, and MuJoCo
    moves the bodies under the impulses it found. Positions are known at whole, the solver's velocities at half steps (so free
    fall is exact); a velocity is the mean of the two about its time.

    Raises Failed where more than 2 % of the particles get into solids or under the floor, UserError for a change or a body that
    particles do not allow.
    """
    return _Loop(scene, times, change).run()


class _Loop:
    def __init__(self, scene: Scene, times: NDArray[np.float64], change: Change | None) -> None:
        if change is not None and change.passing is not None:
            raise UserError("nothing can be made to pass through in a scene with particles")
        self.scene, self.times, self.change = scene, times, change
        gap = float(times[1] - times[0])
        self.substeps = max(1, math.ceil(gap / min(scene.step or STEP, STEP) - 1e-9))
        self.dt = gap / self.substeps
        self.solids = Solids(scene, self.dt)
        self.flow = Flow(scene, self.solids)
        self.heat = Heat(scene, self.flow.owner, self.flow.mass)
        self.touches = Touches(scene, self.flow.owner, self.flow.spacing)
        self.record = Record(scene, self.flow.owner, self.flow.mass, self.solids.mass)
        self.first = self.flow.velocity
        self.flow.velocity = self.first - self.flow.gravity * self.dt / 2
        self.gone: frozenset[int] = frozenset()
        self.strayed = np.zeros(len(self.flow.owner), bool)
        self.work = 0.0
        self.flow.loosen(self.heat.fluid)
        if self.heat.melts:
            self.flow.weaken(self.heat.stress())

    def run(self) -> Run:
        for frame in range(len(self.times)):
            cut = np.zeros(len(self.scene.bodies), bool)
            if self.change is not None and frame == self.change.frame:
                cut[self._breach(self.change)] = True
            last = frame + 1 == len(self.times)
            bend = self.change is not None and frame == self.change.frame - 1 and self.change.gravity is not None
            points, velocity, celsius, elastic = (
                self.flow.position,
                self.flow.velocity,
                self.heat.celsius.copy(),
                self.flow.elastic(self.heat.stress()),
            )
            state, kinetic, work, gravity = self.solids.state, self.solids.kinetic(), self.work + self._driven(), self.flow.gravity
            after = self.flow.peek(self.dt, self.gone) if last or bend else None
            if bend and self.change is not None and self.change.gravity is not None:
                self._pull(np.array(self.change.gravity))
            for _ in range(0 if last else self.substeps):
                self._step()
                after = self.flow.velocity if after is None else after
            self.touches.close()
            assert after is not None
            mean = 0.5 * (velocity + after) if frame else self.first
            self.record.note(points, mean, celsius, state, kinetic, elastic, work, gravity, self.gone, cut)
        return self.record.made(self.times, self.touches.contacts(), int(self.strayed.sum()), self.change is not None)

    def _breach(self, change: Change) -> list[int]:
        """Break the law at this frame; the places of what is cut."""
        for n in change.vanish:
            self.gone |= {n}
            if isinstance(self.scene.bodies[n], Particles):
                self.flow.remove(n)
            else:
                self.solids.remove(n)
        points = self.flow.position
        for n, position in change.moved.items():
            own = self.flow.owner == n
            if own.any():
                points[own] += np.array(position) - points[own].mean(0)
            else:
                self.solids.move(n, np.array(position))
        if change.moved:
            self.flow.position = points
        return [*change.vanish, *change.moved]

    def _pull(self, gravity: Floats) -> None:
        """Change gravity now, at a whole step: velocities are those of half a step ago."""
        self.flow.velocity = self.flow.velocity + (self.flow.gravity - gravity) * self.dt / 2
        self.flow.gravity = gravity
        self.solids.pull(gravity)

    def _driven(self) -> float:
        """Energy J of the bodies that drives move."""
        own = self.solids.driven
        energy = self.solids.kinetic() - self.solids.mass * (self.solids.state.center @ self.flow.gravity)
        return float(energy[own].sum())

    def _step(self) -> None:
        points = self.flow.position
        if self.heat.flows:
            self.heat.advance(points, (self.solids.state.position, self.solids.state.rotation), self.dt)
            if self.heat.melts:
                self.flow.weaken(self.heat.stress())
                self.flow.loosen(self.heat.fluid)
        self.flow.step(self.dt, self.gone)
        push, turn = self.flow.impulses(self.dt)
        self.work += self.solids.advance(push, turn)
        self.flow.clear(self.gone)
        self._keep()
        deep = self.touches.look(self.solids.time, self.dt, self.flow.position, self.solids, push, self.gone)
        self.strayed |= deep
        if self.strayed.mean() > ESCAPED:
            share = 100 * self.strayed.mean()
            when = f"{self.solids.time:.3f} s"
            raise Failed(f"{share:.1f} % of the particles got into solids or under the floor by {when}: too fast for how thick these are")

    def _keep(self) -> None:
        """Put what is under the floor back on it, and stop it."""
        points = self.flow.position
        if not np.isfinite(points).all():
            raise Failed(f"the scene explodes: a particle's position is not finite at {self.solids.time:.3f} s")
        if self.scene.floor is None:
            return
        radius = self.flow.spacing / 2
        under = points[:, 2] < 0
        if under.any():
            self.strayed |= points[:, 2] < -radius
            velocity = self.flow.velocity
            points[under, 2] = radius / 2
            velocity[under, 2] = np.maximum(velocity[under, 2], 0)
            self.flow.position, self.flow.velocity = points, velocity
