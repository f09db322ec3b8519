"""Newton's implicit MPM: a scene's particles, stepped past and with its rigid bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bodies import Particles, Rigid
from ..cast.device import device
from ..scene import Scene
from .build import collide, fill, loose, placed, put, stand_in
from .distance import distance
from .immersed import grains, outside
from .solids import Solids

Floats = NDArray[np.float64]
CELL = 2.5  # particle spacings along a cell of the grid: about 16 particles fill one
SPREAD = 0.75  # of what two crowding particles lack is made up in a step
STIFF = 1e12  # Pa: what the solver takes as infinite
AWAY = (0.0, 0.0, -1e3)  # m: where a solid that has vanished is put


class Flow:
    """The particles of a scene and their solver.

    `position` and `velocity` [q,3] of all particles in the scene's order, `mass` [q] kg; `owner` [q] is the place in the scene."""

    def __init__(self, scene: Scene, solids: Solids) -> None:
        with loose() as wp:
            import newton

        self._wp, self._newton = wp, newton
        self.scene, self.solids = scene, solids
        bodies = [(n, body) for n, body in enumerate(scene.bodies) if isinstance(body, Particles)]
        starts = [placed(body) for _, body in bodies]
        self.owner = np.concatenate([np.full(len(points), n) for (n, _), points in zip(bodies, starts, strict=True)])
        self.spacing = max(body.spacing for _, body in bodies)
        with loose(), wp.ScopedDevice(device()):
            builder = newton.ModelBuilder()
            newton.solvers.SolverImplicitMPM.register_custom_attributes(builder)
            for (_, body), points in zip(bodies, starts, strict=True):
                fill(builder, body, points, newton.ParticleFlags.ACTIVE)
            self._grains = grains(scene, solids, self.spacing)
            stand_in(builder, self._grains, self._grains.position(solids.state), self.spacing, newton.ParticleFlags.ACTIVE)
            self._pieces = collide(builder, scene, self.spacing, solids.moving)
            model: Any = builder.finalize()
            self.model = model
            self.model.set_gravity(scene.gravity)
            self._solver = self._solve(scene)
            self._now: Any = self.model.state()
            self._next: Any = self.model.state()
            self._grid = wp.HashGrid(32, 32, 32)
            self._share = wp.zeros(self.model.particle_count, dtype=float)
            self._moved = wp.zeros(self.model.particle_count, dtype=wp.vec3)
        self._volume = np.array([(2 * r) ** 3 for r in self.model.particle_radius.numpy()], np.float64)
        self.mass = np.array(self.model.particle_mass.numpy()[: len(self.owner)], np.float64)

    def _solve(self, scene: Scene) -> Any:
        solver_type = self._newton.solvers.SolverImplicitMPM
        config = solver_type.Config()
        config.voxel_size = CELL * self.spacing
        config.max_iterations, config.tolerance = 50, 1e-3
        config.strain_basis = "P0"  # P1d keeps volume by itself, but locks: a steel ball floats in it
        config.collider_basis, config.warmstart_mode = "pic", "particles"
        config.air_drag = 1e-6  # a scene's air is not felt by particles; 0 would divide by empty cells
        solver = solver_type(self.model, config=config)
        if len(self._pieces):
            solver.setup_collider(body_q=self._wp.array(self._poses(), dtype=self._wp.transform))
        self._owners = np.array(self._pieces, np.int64)
        return solver

    def _poses(self) -> NDArray[np.float32]:
        owners = np.array(self._pieces, np.int64)
        position, rotation = self.solids.state.position[owners], self.solids.state.rotation[owners]
        return np.concatenate([position, rotation[:, [1, 2, 3, 0]]], 1).astype(np.float32)

    @property
    def position(self) -> Floats:
        """Where the particles are [q,3] m: a copy."""
        return np.array(self._now.particle_q.numpy()[: len(self.owner)], np.float64)

    @position.setter
    def position(self, values: Floats) -> None:
        put(self._now.particle_q, values)

    @property
    def velocity(self) -> Floats:
        """How fast they are [q,3] m/s: a copy."""
        return np.array(self._now.particle_qd.numpy()[: len(self.owner)], np.float64)

    @velocity.setter
    def velocity(self, values: Floats) -> None:
        put(self._now.particle_qd, values)

    @property
    def gravity(self) -> Floats:
        """What pulls the particles [3] m/s^2."""
        return np.array(self.model.gravity.numpy().reshape(-1, 3)[0], np.float64)

    @gravity.setter
    def gravity(self, value: Floats) -> None:
        self.model.set_gravity(tuple(float(x) for x in value))

    def weaken(self, stress: Floats) -> None:
        """Set the stress [q] Pa at which each particle yields."""
        put(self.model.mpm.yield_stress, stress)

    def remove(self, body: int) -> None:
        """Take the particles of a body out of the solver: they stay where they are, and nothing meets them."""
        flags = np.array(self.model.particle_flags.numpy())
        flags[: len(self.owner)][self.owner == body] = 0
        flags[len(self.owner) :][self._grains.body == body] = 0
        self.model.particle_flags.assign(flags)
        self._solver.notify_model_changed(self._newton.ModelFlags.MODEL_PROPERTIES)

    def elastic(self, limit: Floats) -> Floats:
        """The energy [q] J stored in each particle's elastic strain: none in what is taken as infinitely stiff, no more than a bar
        stores that yields at `limit` [q] Pa (the strain of what flows drifts beyond)."""
        young, poisson = (np.array(array.numpy(), np.float64) for array in (self.model.mpm.young_modulus, self.model.mpm.poisson_ratio))
        soft = young < STIFF
        soft[len(self.owner) :] = False
        strain = np.array(self._now.mpm.particle_elastic_strain.numpy(), np.float64)[soft] - np.eye(3)
        strain = (strain + strain.transpose(0, 2, 1)) / 2
        shear, bulk = young[soft] / (2 * (1 + poisson[soft])), (young * poisson / ((1 + poisson) * (1 - 2 * poisson)))[soft]
        density = shear * (strain**2).sum((1, 2)) + bulk / 2 * np.trace(strain, axis1=1, axis2=2) ** 2
        found = np.zeros(len(young))
        most = np.resize(limit, len(young))[soft] ** 2 / (2 * young[soft])
        found[soft] = np.minimum(density, most) * self._volume[soft]
        return found[: len(self.owner)]

    def step(self, dt: float, gone: frozenset[int]) -> None:
        """Advance by `dt` s past the solids, which are `gone` where their place says so."""
        self._show(gone)
        with loose():
            self._solver.step(self._now, self._next, None, None, dt)
            self._spread(self._next)
            self._solver.project_outside(self._next, self._next, dt)
        self._now, self._next = self._next, self._now

    def _show(self, gone: frozenset[int]) -> None:
        state = self.solids.state
        if len(self._grains.body):
            first = len(self.owner)
            put(self._now.particle_q, self._grains.position(state), first)
            put(self._now.particle_qd, self._grains.velocity(state), first)
            put(self._now.mpm.particle_qd_grad, self._grains.gradient(state), first)
        if len(self._owners):
            poses = self._poses()
            poses[np.isin(self._owners, list(gone)), :3] = AWAY
            speeds = np.concatenate([self.solids.frame_velocity()[self._owners], state.spin[self._owners]], 1).astype(np.float32)
            for each in (self._now, self._next):
                each.body_q.assign(poses)
                each.body_qd.assign(speeds)

    def _spread(self, state: Any) -> None:
        """The solver keeps no count of what is in a cell: without this a tank of water loses a third of its depth in 2 s."""
        from .kernels import spread

        wp, near = self._wp, self.spacing
        self._grid.build(state.particle_q, near)
        where = state.particle_q.device
        wp.launch(spread, dim=len(self._share), inputs=[self._grid.id, near, self._share, state.particle_q, self._moved], device=where)
        state.particle_q.assign(self._moved)

    def loosen(self, share: Floats) -> None:
        """Set how far [q] each particle makes way for others that crowd it: 1 in a fluid, 0 in a solid."""
        put(self._share, SPREAD * share)

    def peek(self, dt: float, gone: frozenset[int]) -> Floats:
        """The velocities [q,3] after one more step, which is then taken back."""
        kept = {name: np.array(array.numpy()) for name, array in self._arrays()}
        self.step(dt, gone)
        after = self.velocity
        for name, array in self._arrays():
            array.assign(kept[name])
        return after

    def _arrays(self) -> list[tuple[str, Any]]:
        state = self._now
        own = [("particle_q", state.particle_q), ("particle_qd", state.particle_qd)]
        names = ("particle_qd_grad", "particle_elastic_strain", "particle_Jp", "particle_stress", "particle_transform")
        return own + [(name, getattr(state.mpm, name)) for name in names]

    def impulses(self, dt: float) -> tuple[Floats, Floats]:
        """What the particles gave each of the scene's bodies in the last step, of `dt` s, before the bodies move: impulse [n,3] N s,
        and its moment [n,3] N m s about the body's centre of mass."""
        state = self.solids.state
        after = np.array(self._now.particle_qd.numpy()[len(self.owner) :], np.float64)
        push, turn = self._grains.impulse(state, after, self.gravity, dt)
        met = self._met()
        push[~met], turn[~met] = 0.0, 0.0
        impulse, at, ids = (np.array(array.numpy(), np.float64) for array in self._solver.collect_collider_impulses(None))
        bodies = self._solver.collider_body_index.numpy()
        hit = ids >= 0
        hit[hit] = bodies[ids[hit].astype(int)] >= 0
        owner = self._owners[bodies[ids[hit].astype(int)]] if hit.any() else np.zeros(0, np.int64)
        np.add.at(push, owner, impulse[hit])
        np.add.at(turn, owner, np.cross(at[hit] - state.center[owner], impulse[hit]))
        return push, turn

    def _met(self) -> NDArray[np.bool_]:
        """Which moving bodies [n] matter is near: others feel nothing of the grid that they share."""
        points, state = self.position, self.solids.state
        met = np.zeros(len(self.scene.bodies), bool)
        for n in self.solids.moving:
            body = self.scene.bodies[n]
            assert isinstance(body, Rigid)
            met[n] = distance(body, state.position[n], state.rotation[n], points).min() < CELL * self.spacing
        return met

    def clear(self, gone: frozenset[int]) -> None:
        """Put particles that are in moving bodies onto their surface."""
        points = before = self.position
        state = self.solids.state
        for n in self.solids.moving:
            body = self.scene.bodies[n]
            assert isinstance(body, Rigid)
            if n not in gone:
                points = outside(body, state.position[n], state.rotation[n], points, self.spacing / 2)
        if points is not before:
            self.position = points
