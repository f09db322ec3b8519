"""Newton's implicit MPM, set up for a scene: particles with their substances, and the solids that they meet."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Particles, Rigid
from ..cast.device import device, warp
from ..matter import hull, matter
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Sphere, pieces
from ..substances import RIGID, substance
from .distance import distance
from .immersed import Grains, grains, outside
from .solids import Solids

Floats = NDArray[np.float64]
CELL = 2.5  # grid cells per particle spacing: about 16 particles in a full cell
SPREAD = 0.75  # of what two crowding particles lack is made up in a step
STIFF = 1e12  # Pa: what the solver takes as infinite
AWAY = (0.0, 0.0, -1e3)  # m: where a solid that has vanished is put


class Flow:
    """The particles of a scene and their solver.

    `position` and `velocity` [q,3] of all particles in the scene's order, `mass` [q] kg; `owner` [q] is the place in the scene."""

    def __init__(self, scene: Scene, solids: Solids) -> None:
        with _loose() as wp:
            import newton

        self._wp, self._newton = wp, newton
        self.scene, self.solids = scene, solids
        bodies = [(n, body) for n, body in enumerate(scene.bodies) if isinstance(body, Particles)]
        starts = [_placed(body) for _, body in bodies]
        self.owner = np.concatenate([np.full(len(points), n) for (n, _), points in zip(bodies, starts, strict=True)])
        self.spacing = max(body.spacing for _, body in bodies)
        with _loose(), wp.ScopedDevice(device()):
            builder = newton.ModelBuilder()
            newton.solvers.SolverImplicitMPM.register_custom_attributes(builder)
            for (_, body), points in zip(bodies, starts, strict=True):
                _fill(builder, body, points, newton.ParticleFlags.ACTIVE)
            self._grains = grains(scene, solids, self.spacing)
            _harden(builder, self._grains, self._grains.position(solids.state), self.spacing, newton.ParticleFlags.ACTIVE)
            self._collide(builder, max(substance(body.substance).grip for _, body in bodies))
            self.model = builder.finalize()
            self.model.set_gravity(scene.gravity)
            self._solver = self._solve(scene)
            self._now, self._next = self.model.state(), self.model.state()
            self._grid = wp.HashGrid(32, 32, 32)
            self._share = wp.zeros(self.model.particle_count, dtype=float)
            self._moved = wp.zeros(self.model.particle_count, dtype=wp.vec3)
        self._volume = np.array([(2 * r) ** 3 for r in self.model.particle_radius.numpy()], np.float64)
        self.mass = np.array(self.model.particle_mass.numpy()[: len(self.owner)], np.float64)

    def _collide(self, builder: Any, grip: float) -> None:
        """One solver body per convex piece: the inside of a compound has no seams to leak through."""
        config, wp = self._newton.ModelBuilder.ShapeConfig, self._wp
        margin = self.spacing / 2
        if self.scene.floor is not None:
            builder.add_ground_plane(cfg=config(mu=self.scene.floor.friction * grip, margin=margin, density=0.0))
        self._pieces: list[int] = []
        for n, body in enumerate(self.scene.bodies):
            if not isinstance(body, Rigid) or body.ghost or n in self.solids.moving:
                continue
            for placed in pieces(body.shape):
                own = builder.add_body(xform=wp.transform_identity(), is_kinematic=True)
                w, x, y, z = placed.rotation
                frame = wp.transform(wp.vec3(*placed.position), wp.quat(x, y, z, w))
                shared: dict[str, Any] = {"xform": frame, "cfg": config(mu=body.property_of("friction") * grip, margin=margin, density=0.0)}
                solid = placed.solid
                if isinstance(solid, Sphere):
                    builder.add_shape_sphere(own, radius=solid.radius, **shared)
                elif isinstance(solid, Box):
                    hx, hy, hz = (edge / 2 for edge in solid.size)
                    builder.add_shape_box(own, hx=hx, hy=hy, hz=hz, **shared)
                elif isinstance(solid, Capsule):
                    builder.add_shape_capsule(own, radius=solid.radius, half_height=solid.length / 2, **shared)
                elif isinstance(solid, Cylinder):
                    builder.add_shape_cylinder(own, radius=solid.radius, half_height=solid.length / 2, **shared)
                else:
                    assert isinstance(solid, Hull)
                    found = hull(solid)
                    mesh = self._newton.Mesh(
                        found.points.astype(np.float32), found.triangles.ravel().astype(np.int32), compute_inertia=False
                    )
                    builder.add_shape_mesh(own, mesh=mesh, **shared)
                self._pieces.append(n)

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
        _put(self._now.particle_q, values)

    @property
    def velocity(self) -> Floats:
        """How fast they are [q,3] m/s: a copy."""
        return np.array(self._now.particle_qd.numpy()[: len(self.owner)], np.float64)

    @velocity.setter
    def velocity(self, values: Floats) -> None:
        _put(self._now.particle_qd, values)

    @property
    def gravity(self) -> Floats:
        """What pulls the particles [3] m/s^2."""
        return np.array(self.model.gravity.numpy().reshape(-1, 3)[0], np.float64)

    @gravity.setter
    def gravity(self, value: Floats) -> None:
        self.model.set_gravity(tuple(float(x) for x in value))

    def weaken(self, stress: Floats) -> None:
        """Set the stress [q] Pa at which each particle yields."""
        _put(self.model.mpm.yield_stress, stress)

    def remove(self, body: int) -> None:
        """Take the particles of a body out of the solver: they stay where they are, and nothing meets them."""
        flags = np.array(self.model.particle_flags.numpy())
        flags[: len(self.owner)][self.owner == body] = 0
        flags[len(self.owner) :][self._grains.body == body] = 0
        self.model.particle_flags.assign(flags)
        self._solver.notify_model_changed(self._newton.ModelFlags.MODEL_PROPERTIES)

    def elastic(self) -> Floats:
        """The energy [q] J stored in each particle's elastic strain; 0 in what is taken as infinitely stiff. (What flows drifts
        in this strain and stores nothing.)"""
        young, poisson = (np.array(array.numpy(), np.float64) for array in (self.model.mpm.young_modulus, self.model.mpm.poisson_ratio))
        soft = young < STIFF
        soft[len(self.owner) :] = False
        strain = np.array(self._now.mpm.particle_elastic_strain.numpy(), np.float64)[soft] - np.eye(3)
        strain = (strain + strain.transpose(0, 2, 1)) / 2
        shear, bulk = young[soft] / (2 * (1 + poisson[soft])), (young * poisson / ((1 + poisson) * (1 - 2 * poisson)))[soft]
        density = shear * (strain**2).sum((1, 2)) + bulk / 2 * np.trace(strain, axis1=1, axis2=2) ** 2
        found = np.zeros(len(young))
        found[soft] = density * self._volume[soft]
        return found[: len(self.owner)]

    def step(self, dt: float, gone: frozenset[int]) -> None:
        """Advance by `dt` s past the solids, which are `gone` where their place says so."""
        self._show(gone)
        with _loose():
            self._solver.step(self._now, self._next, None, None, dt)
            self._spread(self._next)
            self._solver.project_outside(self._next, self._next, dt)
        self._now, self._next = self._next, self._now

    def _show(self, gone: frozenset[int]) -> None:
        state = self.solids.state
        if len(self._grains.body):
            first = len(self.owner)
            _put(self._now.particle_q, self._grains.position(state), first)
            _put(self._now.particle_qd, self._grains.velocity(state), first)
            _put(self._now.mpm.particle_qd_grad, self._grains.gradient(state), first)
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
        _put(self._share, SPREAD * share)

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


@contextlib.contextmanager
def _loose() -> Iterator[Any]:
    """Warp, with atomic sums as they come: the solver's kernels do not compile in Warp's deterministic mode. On the CPU, where one
    thread runs them, they come in one order; on CUDA they do not."""
    wp = warp()
    kept = wp.config.deterministic
    wp.config.deterministic = wp.DeterministicMode.NOT_GUARANTEED
    try:
        yield wp
    finally:
        wp.config.deterministic = kept


def _placed(body: Particles) -> Floats:
    turned = Rotation.from_quat(body.rotation, scalar_first=True).apply(matter(body).points)
    return np.asarray(turned + body.position)


def _fill(builder: Any, body: Particles, points: Floats, active: int) -> None:
    of, n = substance(body.substance), len(points)
    volume = body.spacing**3
    attributes = {
        "mpm:young_modulus": body.property_of("young"), "mpm:poisson_ratio": body.property_of("poisson"),
        "mpm:friction": body.property_of("friction"), "mpm:viscosity": body.property_of("viscosity"),
        "mpm:yield_stress": min(body.property_of("yield_stress"), RIGID), "mpm:yield_pressure": of.yield_pressure,
        "mpm:tensile_yield_ratio": of.tension, "mpm:hardening": of.hardening,
    }  # fmt: skip
    builder.add_particles(
        pos=points.tolist(), vel=[body.velocity] * n, mass=[body.property_of("density") * volume] * n, radius=[body.spacing / 2] * n,
        flags=[int(active)] * n, custom_attributes={key: [float(value)] * n for key, value in attributes.items()},
    )  # fmt: skip


def _harden(builder: Any, grains: Grains, points: Floats, spacing: float, active: int) -> None:
    n = len(points)
    values = {
        "mpm:young_modulus": RIGID,
        "mpm:yield_stress": 0.0,
        "mpm:yield_pressure": RIGID,
        "mpm:tensile_yield_ratio": 1.0,
        "mpm:friction": 0.0,
    }
    if n:
        builder.add_particles(
            pos=points.tolist(), vel=[(0.0, 0.0, 0.0)] * n, mass=grains.mass.tolist(), radius=[spacing / 2] * n, flags=[int(active)] * n,
            custom_attributes={key: [value] * n for key, value in values.items()},
        )  # fmt: skip


def _put(array: Any, values: Floats, first: int = 0) -> None:
    """Write `values` into an array of the solver from its place `first` on."""
    kept = np.array(array.numpy())
    kept[first : first + len(values)] = values
    array.assign(kept)


def steps(gap: float, longest: float) -> int:
    """How many equal steps of at most `longest` s fill `gap` s."""
    return max(1, math.ceil(gap / longest - 1e-9))
