"""The gas in a balloon."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bodies import Balloon
from ..matter import matter
from .kinds import Floats, Law

if TYPE_CHECKING:
    from .flex import Vertices

AIR = 101_325.0  # Pa outside
RENEWED = 8  # steps after which a skin's compliance is found anew
PROBE = 100.0  # Pa


def volume(points: Floats, triangles: Any) -> float:
    """The volume [m^3] inside a closed skin."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def gas(where: Vertices, body: Balloon) -> Law:
    """Gas at one temperature: p V = p0 V0 (1 + inflation t).

    It is very stiff (bulk modulus p), so the step's end decides: the pressure is that of the volume that the vertices reach by it,
    V + h g v + G dp with g = dV/dx and G = h^2 g A^-1 g, A being the inertia and elasticity that the integrator solves with.
    What holds against the pressure it had is in v already.
    """
    shape = matter(body)
    first = body.pressure * AIR * volume(shape.points, shape.triangles)
    state = {"over": body.pressure * AIR / swelling(body) ** 3 - AIR, "give": 0.0, "age": 0.0}

    def apply(model: Any, data: Any, time: float) -> None:
        step, over = model.opt.timestep, state["over"]
        points = data.flexvert_xpos[where.points]
        slope = gradient(points, shape.triangles)
        now = volume(points, shape.triangles)
        ahead = now + step * float((slope * where.velocity(data)).sum())
        if state["age"] % RENEWED == 0:
            state["give"] = _give(model, data, where, slope)
        state["age"] += 1
        give = state["give"]
        amount = first * (1 + body.inflation * (time + step))
        # (p + AIR) V = amount with p = over + (V - ahead) / give
        b = over + AIR - ahead / give
        end = give / 2 * (-b + np.sqrt(b * b + 4 * amount / give))
        state["over"] = over + (end - ahead) / give
        where.push(data, state["over"] * slope)

    return Law(apply, source=body.inflation > 0)


def _give(model: Any, data: Any, where: Vertices, slope: Floats) -> float:
    """How much larger the volume is at the step's end for a Pa more [m^3/Pa]."""
    import mujoco

    before = data.qfrc_applied.copy()
    mujoco.mj_fwdActuation(model, data)
    mujoco.mj_fwdAcceleration(model, data)
    without = data.qacc_smooth[where.dofs].copy()
    where.push(data, PROBE * slope)
    mujoco.mj_fwdAcceleration(model, data)
    change = (data.qacc_smooth[where.dofs] - without) / PROBE
    data.qfrc_applied[:] = before
    return float(model.opt.timestep**2 * (slope[where.free] * change).sum())


def swelling(body: Balloon) -> float:
    """How much wider than at rest the skin is where its tension holds the gas: where a balloon starts."""
    from scipy.optimize import brentq

    shape = matter(body)
    corners = shape.points[shape.triangles]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    # d/ds of the skin's energy A t Y / (1 - nu) ((s^2 - 1) / 2)^2, over dV/ds = 3 V s^2
    tension = area * body.thickness * body.young / (1 - body.poisson) / (3 * volume(shape.points, shape.triangles))
    return float(brentq(lambda s: body.pressure * AIR / s**3 - AIR - tension * (s * s - 1) / s, 0.1, 10.0))


def gradient(points: Floats, triangles: Any) -> Floats:
    """How the volume grows with every vertex: dV/dx [m,3] m^2."""
    from .flex import scatter

    a, b, c = (points[triangles[:, k]] for k in range(3))
    return scatter(triangles, np.cross(b - a, c - a) / 6, len(points))


def stored(body: Balloon) -> Callable[[Floats], float]:
    """The energy [J] of the gas against the air outside, 0 at the first volume; of a balloon that is being blown up 0: what the
    pump does counts as work."""
    shape = matter(body)
    first = volume(shape.points, shape.triangles)

    def energy(points: Floats) -> float:
        if body.inflation > 0:
            return 0.0
        now = volume(points, shape.triangles)
        return AIR * (now - first - body.pressure * first * float(np.log(now / first)))

    return energy


def lift(where: Vertices, body: Balloon) -> Law:
    """Buoyancy, spread over the skin by mass."""
    force = np.zeros((len(where.mass), 3))
    force[:, 2] = body.lift * where.mass / where.mass.sum()

    def apply(model: Any, data: Any, time: float) -> None:
        where.push(data, force)

    return Law(apply)
