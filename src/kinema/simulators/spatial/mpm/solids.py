"""The rigid bodies of a scene with particles: those that never move, those driven along a path, those that matter pushes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ....core.errors import UserError
from ..bodies import Key, Particles, Rigid
from ..mujoco.pushes import acting
from ..scene import Scene
from ..views import Still

Floats = NDArray[np.float64]
STEP = 0.004  # s, of MuJoCo
APART = 1e6  # m: only what overlaps by more than this touches


class State(NamedTuple):
    """Of all bodies of a scene: `position`, `center`, `velocity` (of the centre of mass), `spin` [n,3], `rotation` [n,4]."""

    position: Floats
    rotation: Floats
    center: Floats
    velocity: Floats
    spin: Floats


class Solids:
    """A scene's rigid bodies, moved by MuJoCo in steps of `dt` s under what particles give them.

    Raises UserError for a scene with bodies that bend, or with wind: particles share a scene with rigid bodies alone."""

    def __init__(self, scene: Scene, dt: float) -> None:
        for body in scene.bodies:
            if not isinstance(body, Rigid | Particles):
                raise UserError(
                    f"body {body.name!r} is a {type(body).__name__}: a scene with particles may hold rigid bodies besides, no others"
                )
        if scene.wind is not None:
            raise UserError("wind does not act on particles: leave it out of a scene that has them")
        self.scene, self.dt, self.time = scene, dt, 0.0
        self.places = np.array([n for n, body in enumerate(scene.bodies) if isinstance(body, Rigid)], np.int64)
        self.driven = [n for n in self.places if _rigid(scene, n).drive]
        self.moving = [n for n in self.places if not _rigid(scene, n).drive and not _rigid(scene, n).static]
        n = len(scene.bodies)
        self.mass, self._inertia, self.local = np.zeros(n), np.zeros((n, 3, 3)), np.zeros((n, 3))  # kg, kg m^2, m: in the bodies' axes
        if len(self.places):
            self._build()
        self.state = self._read()

    def _build(self) -> None:
        import mujoco

        from ..mujoco.frames import Frames
        from ..mujoco.model import model

        alone = tuple(body for body in self.scene.bodies if isinstance(body, Rigid))
        self._substeps = max(1, int(np.ceil(self.dt / (self.scene.step or STEP) - 1e-9)))
        part = replace(self.scene, bodies=alone, views=(Still(),), agent=None, patient=None, heaters=(), pushes=())
        self._model: Any = model(part, self.dt / self._substeps)
        self._data: Any = mujoco.MjData(self._model)
        self._ids = np.array([self._model.body(body.name).id for body in alone])
        self.mass[self.places] = self._model.body_mass[self._ids]
        self._frames = Frames(self._model, alone)
        own = Rotation.from_quat(self._frames.turn, scalar_first=True).inv()  # from MuJoCo's axes to the body's
        self.local[self.places] = own.apply(self._model.body_ipos[self._ids] - self._frames.offset)
        turn = (own * Rotation.from_quat(self._model.body_iquat[self._ids], scalar_first=True)).as_matrix()
        self._inertia[self.places] = np.einsum("nij,nj,nkj->nik", turn, self._model.body_inertia[self._ids], turn)
        for n in self.moving:
            self._start(n)
        self._drive()
        mujoco.mj_forward(self._model, self._data)

    def _id(self, n: int) -> int:
        return int(self._ids[np.flatnonzero(self.places == n)[0]])

    def _start(self, n: int) -> None:
        body, k = _rigid(self.scene, n), self._id(n)
        if self._model.body_dofnum[k] == 6:
            turn = Rotation.from_quat(self._model.body_quat[k], scalar_first=True)
            spin = np.array(body.angular_velocity)
            at = self._model.body_dofadr[k]
            self._data.qvel[at : at + 3] = np.array(body.velocity) - np.cross(spin, turn.apply(self._model.body_ipos[k]))
            self._data.qvel[at + 3 : at + 6] = turn.inv().apply(spin)

    def _drive(self) -> None:
        for n in self.driven:
            position, rotation = along(_rigid(self.scene, n).path, self.time)
            k = self._id(n)
            if (mocap := int(self._model.body_mocapid[k])) >= 0:
                self._data.mocap_pos[mocap], self._data.mocap_quat[mocap] = position, rotation
            else:
                at = self._model.jnt_qposadr[self._model.body_jntadr[k]]
                self._data.qpos[at : at + 7] = [*position, *rotation]

    def _read(self) -> State:
        n = len(self.scene.bodies)
        position, center, velocity, spin = (np.zeros((n, 3)) for _ in range(4))
        rotation = np.tile([1.0, 0.0, 0.0, 0.0], (n, 1))
        if len(self.places):
            d, ids = self._data, self._ids
            position[self.places], rotation[self.places] = self._frames.position(d), self._frames.rotation(d)
            center[self.places] = d.xipos[ids]
            turning = d.cvel[ids, :3]
            spin[self.places] = turning
            velocity[self.places] = d.cvel[ids, 3:] + np.cross(turning, d.xipos[ids] - d.subtree_com[self._model.body_rootid[ids]])
        for k in self.driven:
            velocity[k], spin[k] = self._course(k)
            velocity[k] += np.cross(spin[k], center[k] - position[k])
        return State(position, rotation, center, velocity, spin)

    def _course(self, n: int) -> tuple[Floats, Floats]:
        """How a driven body's frame moves over the next step: m/s and rad/s."""
        path = _rigid(self.scene, n).path
        (a, p), (b, q) = along(path, self.time), along(path, self.time + self.dt)
        turn = Rotation.from_quat(q, scalar_first=True) * Rotation.from_quat(p, scalar_first=True).inv()
        return (b - a) / self.dt, turn.as_rotvec() / self.dt

    def frame_velocity(self) -> Floats:
        """How fast the bodies' frames move [n,3] m/s."""
        s = self.state
        return np.asarray(s.velocity - np.cross(s.spin, s.center - s.position))

    def advance(self, impulse: Floats, moment: Floats) -> float:
        """One step under the `impulse` [n,3] N s that particles gave each body, and its `moment` [n,3] N m s; returns the work J
        that drives did on particles, and pushes on bodies."""
        work = -float((impulse * self.state.velocity)[self.driven].sum() + (moment * self.state.spin)[self.driven].sum())
        self.time += self.dt
        if not len(self.places):
            return work
        import mujoco

        before = self.state
        self._drive()
        pushed = []
        for n in self.moving:
            force = np.concatenate([impulse[n], moment[n]]) / self.dt
            for push in self.scene.pushes:
                part = acting(push, self.time - self.dt, self.dt) if push.body == self.scene.bodies[n].name else 0.0
                if part > 0:
                    given = part * np.concatenate([push.force, push.torque])
                    force += given
                    pushed.append((n, given))
            self._data.xfrc_applied[self._id(n)] = force
        if self.moving:
            mujoco.mj_step(self._model, self._data, self._substeps)
        mujoco.mj_forward(self._model, self._data)
        self.state = self._read()
        for n, given in pushed:
            mean = (before.velocity[n] + self.state.velocity[n]) / 2, (before.spin[n] + self.state.spin[n]) / 2
            work += self.dt * float(given @ np.concatenate(mean))
        return work

    def remove(self, n: int) -> None:
        """Take a body away: it stays where it is, and nothing meets it."""
        k = self._id(n)
        own = self._model.geom_bodyid == k
        self._model.geom_contype[own], self._model.geom_conaffinity[own] = 0, 0
        pairs = own[self._model.pair_geom1] | own[self._model.pair_geom2]
        self._model.pair_margin[pairs], self._model.pair_gap[pairs] = -APART, APART
        if self._model.body_dofnum[k] == 6:
            self._model.body_gravcomp[k] = 1.0
            self._data.qvel[self._model.body_dofadr[k] : self._model.body_dofadr[k] + 6] = 0.0

    def move(self, n: int, position: Floats) -> None:
        """Put a body's frame elsewhere, with the velocity it has. Raises UserError for one that is driven or held by a joint."""
        import mujoco

        k = self._id(n)
        if n in self.driven or self._model.body_dofnum[k] not in (0, 6):
            raise UserError(f"body {self.scene.bodies[n].name!r} is driven or held by a joint: it cannot be put elsewhere")
        if self._model.body_dofnum[k] == 6:
            at = self._model.jnt_qposadr[self._model.body_jntadr[k]]
            self._data.qpos[at : at + 3] += position - self.state.position[n]
        else:
            self._model.body_pos[k] = position
        mujoco.mj_forward(self._model, self._data)
        self.state = self._read()

    def pull(self, gravity: Floats) -> None:
        """Change gravity."""
        if len(self.places):
            self._model.opt.gravity[:] = gravity

    def contacts(self) -> list[tuple[tuple[int, int], Floats, Floats, float]]:
        """What MuJoCo finds touching: places in the scene (-1: the floor; the first is the lower), point m, normal from the first to
        the second, normal force N."""
        if not self.moving:
            return []
        import mujoco

        place = {int(k): int(n) for k, n in zip(self._ids, self.places, strict=True)}
        found, force = [], np.zeros(6)
        for c in range(self._data.ncon):
            contact = self._data.contact[c]
            a, b = (place.get(int(self._model.geom_bodyid[geom]), -1) for geom in contact.geom)
            mujoco.mj_contactForce(self._model, self._data, c, force)
            if contact.dist <= 0:
                normal = np.array(contact.frame[:3])
                found.append(((min(a, b), max(a, b)), np.array(contact.pos), normal if a < b else -normal, float(force[0])))
        return found

    def kinetic(self) -> Floats:
        """Kinetic energies [n] J; what is driven has that of its course."""
        s = self.state
        turn = Rotation.from_quat(s.rotation, scalar_first=True)
        own = turn.inv().apply(s.spin)
        return np.asarray(0.5 * self.mass * (s.velocity**2).sum(1) + 0.5 * np.einsum("ni,nij,nj->n", own, self._inertia, own))


def along(path: tuple[Key, ...], time: float) -> tuple[Floats, Floats]:
    """Where a driven body's frame is at `time` s: position [3] m and rotation [4]; before and after its keys it stands still."""
    times = np.array([key.time for key in path])
    time = float(np.clip(time, times[0], times[-1]))
    position = np.array([np.interp(time, times, [key.position[axis] for key in path]) for axis in range(3)])
    if len(path) == 1:
        return position, np.array(path[0].rotation)
    turn = Slerp(times, Rotation.from_quat([key.rotation for key in path], scalar_first=True))(time)
    return position, np.asarray(turn.as_quat(scalar_first=True))


def _rigid(scene: Scene, n: int) -> Rigid:
    body = scene.bodies[n]
    assert isinstance(body, Rigid)
    return body
