"""Cloth, soft bodies and balloons: MuJoCo's flexes on our own points and elements.

They run under the integrator "discrete", which takes elasticity implicitly, in steps of at most `STEP`. They meet rigid bodies
and the floor as constraints with Coulomb friction (its passive contacts are twice as fast and know none; its explicit integrators
need steps of 0.2 ms). Nothing collides with itself, and no two flexes with each other: that costs many times more.

MuJoCo's own material is not quite the one it names. Its Saint-Venant-Kirchhoff solid counts Lame's first parameter twice, its
membrane is a quarter as stiff, and bending comes out 0.92 times 1 - nu as stiff on average over directions: parameters are
chosen so that what results is what the scene says (tests measure it). Solids are stable neo-Hookean, which survives being
flattened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies import Balloon, Cloth, Soft
from ..matter import matter
from ..scene import Scene
from .kinds import Floats, Law, Reader, Settings, States
from .membrane import sheet, solid
from .mjcf import text
from .pressure import gas, lift, stored, swelling
from .pushes import spread
from .stiffness import check
from .wind import air

STEP = 1 / 240  # s
SKIN = 0.004  # m: how far a soft body's surface stays from what it touches
BENDING = 0.92  # MuJoCo's bending energy of an alternating grid over 2 mu t^3 / 24 per area and curvature^2, mean of directions
OPTION = {"integrator": "discrete", "solver": "CG", "iterations": "200", "tolerance": "1e-5", "jacobian": "sparse"}
PLATE, ROUND = 1.17, 0.7  # drag coefficients of a plate across the wind; of a closed skin's windward side (a ball: 2/3 of it, 0.47)

AnyFlex = Cloth | Soft | Balloon


def settings(bodies: Sequence[AnyFlex], scene: Scene) -> Settings:
    """Implicit elasticity, and conjugate gradients for it; half the step where gas makes a skin stiff."""
    return Settings(STEP / 2 if any(isinstance(body, Balloon) for body in bodies) else STEP, OPTION)


def add(root: Element, world: Element, body: AnyFlex, scene: Scene) -> None:
    """Add a flex whose vertices, in the order of `matter`, are bodies with three slides along the world's axes."""
    shape = matter(body)
    points = Rotation.from_quat(body.rotation, scalar_first=True).apply(shape.points) + body.position
    solid_ = isinstance(body, Soft)
    elements = shape.elements if solid_ else shape.triangles
    flex = SubElement(
        world, "flexcomp", name=body.name, type="direct", dim="3" if solid_ else "2", mass=repr(float(lumped(body).sum())),
        radius=repr(radius(body)), point=text(points.ravel()), element=" ".join(map(str, elements.ravel().tolist())),
    )  # fmt: skip
    SubElement(
        flex, "contact", contype="2", conaffinity="1", condim="3", priority="1", friction=f"{body.friction!r} .005 .0001",
        selfcollide="none", solref=f"{STEP!r} 1", solimp=".9 .9 .001 .5 2",
    )  # fmt: skip
    young, poisson = named(body)
    elasticity = SubElement(flex, "elasticity", young=repr(young), poisson=repr(poisson), damping=repr(body.damping))
    if not isinstance(body, Soft):
        elasticity.attrib.update(thickness=repr(body.thickness), elastic2d="stretch" if isinstance(body, Balloon) else "both")
    held = pins(body)
    if len(held):
        SubElement(flex, "pin", id=" ".join(map(str, held.tolist())))


def named(body: AnyFlex) -> tuple[float, float]:
    """Young's modulus [Pa] and Poisson's ratio that make MuJoCo's material the body's."""
    if isinstance(body, Soft):
        return body.young, body.poisson
    return 4 * body.young * (1 + body.poisson / 2) / (1 + body.poisson), body.poisson / 2


def radius(body: AnyFlex) -> float:
    """How far the surface stays from what it touches [m]."""
    return SKIN if isinstance(body, Soft) else body.thickness


def pins(body: AnyFlex) -> NDArray[np.int64]:
    """The vertices held where they start."""
    if not isinstance(body, Cloth) or body.pinned == "none":
        return np.zeros(0, np.int64)
    grid = np.arange(body.count[0] * body.count[1]).reshape(body.count)
    edges = {"left": grid[0], "right": grid[-1], "bottom": grid[:, 0], "top": grid[:, -1], "corners": grid[[0, 0, -1, -1], [0, -1, 0, -1]]}
    return edges[body.pinned]


def lumped(body: AnyFlex) -> Floats:
    """The mass of every vertex [m] kg: its share of the elements about it."""
    shape = matter(body)
    elements = shape.elements if isinstance(body, Soft) else shape.triangles
    corners = shape.points[elements]
    if isinstance(body, Soft):
        sizes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6 * body.density
    else:
        sizes = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        sizes *= body.density if isinstance(body, Cloth) else body.mass / sizes.sum()
    share = np.repeat(sizes / elements.shape[1], elements.shape[1])
    return np.asarray(np.bincount(elements.ravel(), share, len(shape.points)))


class Vertices:
    """Where a body's vertices are in MuJoCo's arrays: `flex`, its `points` among all, and the `dofs` [k,3] of those that `free`
    [m] says are not pinned."""

    def __init__(self, model: Any, body: AnyFlex) -> None:
        import mujoco

        self.flex = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_FLEX, body.name)
        first = model.flex_vertadr[self.flex]
        self.points = slice(first, first + model.flex_vertnum[self.flex])
        self.owners = model.flex_vertbodyid[self.points]
        self.free = self.owners > 0
        self.dofs = model.body_dofadr[self.owners[self.free]][:, None] + np.arange(3)
        self.mass = lumped(body)

    def velocity(self, data: Any) -> Floats:
        """Velocities [m,3] m/s."""
        found = np.zeros((len(self.free), 3))
        found[self.free] = data.qvel[self.dofs]
        return found

    def push(self, data: Any, force: Floats) -> None:
        """Add forces [m,3] N."""
        data.qfrc_applied[self.dofs] += force[self.free]


def start(model: Any, data: Any, bodies: Sequence[AnyFlex], scene: Scene) -> None:
    """Set up flexes. Raises Failed where one is too stiff for its mesh and the step."""
    for body in bodies:
        check(body, float(model.opt.timestep))
    ready(model, data, bodies, scene)


def ready(model: Any, data: Any, bodies: Sequence[AnyFlex], scene: Scene) -> None:
    """Set every vertex's own mass, how stiffly sheets bend, how far balloons are blown up, and the first velocities."""
    import mujoco

    position, velocity = data.qpos.copy(), data.qvel.copy()
    for body in bodies:
        where = Vertices(model, body)
        owners = where.owners[where.free]
        model.body_mass[owners] = where.mass[where.free]
        model.body_inertia[owners] = where.mass[where.free, None] * radius(body) ** 2
        first = model.flex_bendingadr[where.flex]
        if first >= 0:
            # MuJoCo took four times the shear modulus, for the membrane's sake.
            edges = model.flex_edgenum[where.flex]
            model.flex_bending[first : first + 17 * edges] /= 4 * BENDING * (1 - body.poisson)
        velocity[where.dofs] = body.velocity
        if isinstance(body, Balloon):
            wider = matter(body).points * (swelling(body) - 1)
            turned = Rotation.from_quat(body.rotation, scalar_first=True).apply(wider)
            position[model.jnt_qposadr[model.body_jntadr[owners]][:, None] + np.arange(3)] = turned
    mujoco.mj_setConst(model, data)
    data.qpos[:], data.qvel[:] = position, velocity


def laws(model: Any, bodies: Sequence[AnyFlex], scene: Scene) -> list[Law]:
    """Pushes; the wind on their skins; the gas in balloons, and their lift."""
    found = []
    for body in bodies:
        where = Vertices(model, body)
        found += [spread(where, push) for push in scene.pushes if push.body == body.name]
        if scene.wind is not None:
            found.append(_drag(where, body, scene))
        if isinstance(body, Balloon):
            found.append(gas(where, body))
            if body.lift:
                found.append(lift(where, body))
    return found


def masses(model: Any, bodies: Sequence[AnyFlex]) -> Floats:
    """Masses [n] kg."""
    return np.array([lumped(body).sum() for body in bodies])


def reader(model: Any, bodies: Sequence[AnyFlex], scene: Scene) -> Reader:
    """States of flexes: the centre of mass as position, no rotation; `elastic` is the energy of their elements, and of a
    balloon's gas where none is pumped in."""
    places = [Vertices(model, body) for body in bodies]
    energies: list[Callable[[Floats], float]] = []
    for body, where in zip(bodies, places, strict=True):
        shape = matter(body)
        energies.append(solid(body, shape.points, shape.elements) if isinstance(body, Soft) else sheet(model, where.flex))
    gases = [stored(body) if isinstance(body, Balloon) else None for body in bodies]

    def read(data: Any) -> States:
        n = len(places)
        center, velocity, kinetic, elastic, vertices = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros(n), np.zeros(n), []
        for k, where in enumerate(places):
            points, speed = data.flexvert_xpos[where.points], where.velocity(data)
            share = where.mass / where.mass.sum()
            center[k], velocity[k] = share @ points, share @ speed
            kinetic[k] = 0.5 * where.mass @ (speed**2).sum(1)
            extra = gases[k]
            elastic[k] = energies[k](points) + (extra(points) if extra else 0.0)
            vertices.append(points.astype(np.float32))
        return States(center, np.tile([1.0, 0, 0, 0], (n, 1)), center.copy(), velocity, np.zeros((n, 3)), kinetic, elastic, vertices)

    return read


def _drag(where: Vertices, body: AnyFlex, scene: Scene) -> Law:
    """F = rho / 2 C A |u| (u n) n on every triangle, u the air's velocity past it and n its normal; of a closed skin only where
    the wind comes from outside."""
    wind, triangles = scene.wind, matter(body).triangles
    assert wind is not None
    sheet_ = isinstance(body, Cloth)
    factor = 0.5 * wind.density * (PLATE if sheet_ else ROUND)

    def apply(model: Any, data: Any, time: float) -> None:
        corners = data.flexvert_xpos[where.points][triangles]
        past = air(wind, time, corners.mean(1)) - where.velocity(data)[triangles].mean(1)
        area = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        size = np.maximum(np.linalg.norm(area, axis=1), 1e-12)
        head = (past * area).sum(1) / size
        if not sheet_:
            head = np.minimum(head, 0.0)
        force = (factor / 3 * np.linalg.norm(past, axis=1) * head)[:, None] * area
        where.push(data, scatter(triangles, force, len(where.free)))

    return Law(apply)


def scatter(triangles: NDArray[np.int64], values: Floats, count: int) -> Floats:
    """The sums [count,3], per vertex, of the values [f,3] of the triangles [f,3] about it."""
    flat = triangles.ravel()
    return np.stack([np.bincount(flat, np.repeat(values[:, k], 3), count) for k in range(3)], 1)
