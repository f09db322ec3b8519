"""A scene as the particles' solver takes it: particles with their substances, and the solids that they meet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Particles, Rigid
from ..cast.device import warp
from ..matter import hull, matter
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Sphere, pieces
from ..substances import RIGID, substance
from .immersed import Grains

Floats = NDArray[np.float64]


def collide(builder: Any, scene: Scene, spacing: float, skip: list[int]) -> list[int]:
    """Add what particles meet, but for the bodies in `skip`: one solver body per convex piece (the inside of a compound has no
    seams to leak through). Returns the place in the scene of each.

    A wall has one friction for all particles: that of its body times the largest grip of the scene's substances."""
    import newton
    import warp as wp

    config, margin = newton.ModelBuilder.ShapeConfig, spacing / 2
    grip = max(substance(body.substance).grip for body in scene.bodies if isinstance(body, Particles))
    found: list[int] = []
    if scene.floor is not None:
        builder.add_ground_plane(cfg=config(mu=scene.floor.friction * grip, margin=margin, density=0.0))
    for n, body in enumerate(scene.bodies):
        if not isinstance(body, Rigid) or body.ghost or n in skip:
            continue
        for one in pieces(body.shape):
            own = builder.add_body(xform=wp.transform_identity(), is_kinematic=True)
            w, x, y, z = one.rotation
            frame = wp.transform(wp.vec3(*one.position), wp.quat(x, y, z, w))
            shared: dict[str, Any] = {"xform": frame, "cfg": config(mu=body.property_of("friction") * grip, margin=margin, density=0.0)}
            solid = one.solid
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
                skin = hull(solid)
                mesh = newton.Mesh(skin.points.astype(np.float32), skin.triangles.ravel().astype(np.int32), compute_inertia=False)
                builder.add_shape_mesh(own, mesh=mesh, **shared)
            found.append(n)
    return found


@contextlib.contextmanager
def loose() -> Iterator[Any]:
    """Warp, with atomic sums as they come: the solver's kernels do not compile in Warp's deterministic mode. On the CPU, where one
    thread runs them, they come in one order; on CUDA they do not."""
    wp = warp()
    kept = wp.config.deterministic
    wp.config.deterministic = wp.DeterministicMode.NOT_GUARANTEED
    try:
        yield wp
    finally:
        wp.config.deterministic = kept


def placed(body: Particles) -> Floats:
    """Where a body's particles start [q,3] m."""
    turned = Rotation.from_quat(body.rotation, scalar_first=True).apply(matter(body).points)
    return np.asarray(turned + body.position)


def fill(builder: Any, body: Particles, points: Floats, active: int) -> None:
    """Add a body's particles at `points` [q,3] m."""
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


def stand_in(builder: Any, grains: Grains, points: Floats, spacing: float, active: int) -> None:
    """Add the particles that stand for moving bodies: a fluid of the bodies' density, until `Grains` makes them rigid again."""
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


def put(array: Any, values: Floats, first: int = 0) -> None:
    """Write `values` into an array of the solver from its place `first` on."""
    kept = np.array(array.numpy())
    kept[first : first + len(values)] = values
    array.assign(kept)
