"""Rigid bodies that matter moves: to the particles' solver they are particles too, that never yield.

The solver then finds the motion of matter and bodies together, whatever their masses; what it gives a body's particles beyond what
they had is the impulse on the body (Carlson, Mucha and Turk, Rigid Fluid, SIGGRAPH 2004). Matter does not slide on such a body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Rigid
from ..matter import extent
from ..scene import Scene
from .distance import distance
from .solids import Solids, State

Floats = NDArray[np.float64]


class Grains(NamedTuple):
    """The particles that stand for moving bodies: `body` [b] place in the scene, `local` [b,3] m in its axes, `mass` [b] kg."""

    body: NDArray[np.int64]
    local: Floats
    mass: Floats

    def position(self, state: State) -> Floats:
        """Where they are [b,3] m."""
        turn = Rotation.from_quat(state.rotation[self.body], scalar_first=True) if len(self.body) else None
        return state.position[self.body] + (self.local if turn is None else turn.apply(self.local))

    def velocity(self, state: State) -> Floats:
        """How fast they are [b,3] m/s."""
        arm = self.position(state) - state.center[self.body]
        return np.asarray(state.velocity[self.body] + np.cross(state.spin[self.body], arm))

    def gradient(self, state: State) -> Floats:
        """Their velocity gradients [b,3,3] 1/s."""
        x, y, z = state.spin[self.body].T
        zero = np.zeros_like(x)
        return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)

    def impulse(self, state: State, after: Floats, gravity: Floats, dt: float) -> tuple[Floats, Floats]:
        """What the solver gave the bodies in a step of `dt` s that began at `state` and ended with velocities `after` [b,3]:
        impulse [n,3] N s, and its moment [n,3] N m s about the centres of mass."""
        given = self.mass[:, None] * (after - self.velocity(state) - gravity * dt)
        arm = self.position(state) - state.center[self.body]
        push, turn = np.zeros_like(state.center), np.zeros_like(state.center)
        np.add.at(push, self.body, given)
        np.add.at(turn, self.body, np.cross(arm, given))
        return push, turn


def grains(scene: Scene, solids: Solids, spacing: float) -> Grains:
    """The particles that fill a scene's moving bodies about `spacing` m apart, centred on their centres of mass."""
    body, local, mass = [np.zeros(0, np.int64)], [np.zeros((0, 3))], [np.zeros(0)]
    for n in solids.moving:
        shape = scene.bodies[n]
        assert isinstance(shape, Rigid)
        if shape.ghost:
            continue
        points = _inside(shape, spacing)
        points += solids.local[n] - points.mean(0)
        body.append(np.full(len(points), n))
        local.append(points)
        mass.append(np.full(len(points), solids.mass[n] / len(points)))
    return Grains(np.concatenate(body), np.concatenate(local), np.concatenate(mass))


def _inside(body: Rigid, spacing: float) -> Floats:
    """Points of a lattice inside a body, in its axes; where it is thinner than the lattice, a finer one's."""
    half = extent(body).max() / 2 + spacing
    for _ in range(6):
        line = np.arange(-half, half, spacing) + spacing / 2
        lattice = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
        found = lattice[distance(body, np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]), lattice) < -spacing / 4]
        if len(found) >= 8:
            return np.asarray(found)
        spacing /= 1.5
    return np.zeros((1, 3))


def outside(body: Rigid, position: Floats, rotation: Floats, points: Floats, gap: float) -> Floats:
    """`points` [q,3] m, those nearer than `gap` m to a body put that far from its surface."""
    away = distance(body, position, rotation, points)
    near = away < gap
    if not near.any():
        return points
    inner, small = points[near], 1e-4
    slope = np.stack([distance(body, position, rotation, inner + small * axis) - distance(body, position, rotation, inner - small * axis)
                      for axis in np.eye(3)], 1)  # fmt: skip
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)
    moved = points.copy()
    moved[near] += (gap - away[near])[:, None] * slope
    return moved
