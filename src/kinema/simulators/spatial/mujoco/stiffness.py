"""Which stiffness the solver carries: what is too stiff for its mesh and step would hang in the air, its equations unsolved.

Conjugate gradients stop after some iterations. How many they want follows from E h^2 / (rho dx^2), from how many vertices the mesh
has, how flat its elements and how thin the sheet is: no one number of these tells, so the body falls on trial, alone and trembling.
Elastic forces cannot move its centre of mass; where they do, they are not solved for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bodies import Balloon, Cloth
from ..matter import matter
from ..run import Failed
from ..scene import Scene
from .heard import heard
from .kinds import Law

if TYPE_CHECKING:
    from .flex import AnyFlex

STEPS, GRAVITY = 16, 9.81  # of a trial; m/s^2
TREMBLE = 0.01  # m/s: how fast vertices start on trial
OFF = 1e-3  # of the speed it falls with, by which the centre of mass may move otherwise
RANGE = (1e3, 1e12)  # Pa in which a modulus is looked for that works


def check(body: AnyFlex, step: float) -> None:
    """Raise Failed, with Young's moduli, where steps of `step` s cannot carry how stiff a body is."""
    free = {"pinned": "none"} if isinstance(body, Cloth) else {"lift": 0.0, "inflation": 0.0} if isinstance(body, Balloon) else {}
    alone = replace(body, name="a", position=(0.0, 0.0, 0.0), velocity=(0.0, 0.0, 0.0), look=type(body)(name="a").look, **free)
    if carried(alone, step):
        return
    works = most(alone, step)
    rather = f"it carries no {RANGE[0]:.0e} Pa" if works is None else f"it carries at most {works:.0e} Pa"
    raise Failed(
        f"body {body.name!r}: Young's modulus {body.young:.3g} Pa, damped with {body.damping:g} s, is too stiff for its mesh of "
        f"{len(matter(body).points)} vertices in steps of {step * 1000:.2g} ms; {rather}; a coarser mesh or shorter steps carry more"
    )


def most(body: AnyFlex, step: float) -> float | None:
    """The largest Young's modulus [Pa] below a body's own, to 1 or 3 times a power of ten, that is carried (None: none is)."""
    least, highest = (2 * round(math.log10(end)) for end in RANGE)
    for half in range(highest, least - 1, -1):
        young = (3.0 if half % 2 else 1.0) * 10.0 ** (half // 2)
        if young < body.young and carried(replace(body, young=young), step):
            return young
    return None


@lru_cache(maxsize=256)
def carried(body: AnyFlex, step: float) -> bool:
    """Whether a body that nothing touches falls as it must."""
    return off(body, step) < OFF


def off(body: AnyFlex, step: float) -> float:
    """By how much of the speed that it falls with a body's centre of mass moves otherwise."""
    import mujoco

    from .flex import Vertices, laws, ready
    from .model import model

    scene = Scene((body,), floor=None, gravity=(0.0, 0.0, -GRAVITY))
    m = model(scene, step)
    d = mujoco.MjData(m)
    mujoco.mj_kinematics(m, d)
    mujoco.mj_flex(m, d)
    ready(m, d, (body,), scene)
    where = Vertices(m, body)
    d.qvel[where.dofs] += np.random.default_rng(0).uniform(-TREMBLE, TREMBLE, where.dofs.shape)
    share = where.mass / where.mass.sum()
    first = share @ where.velocity(d)
    forces = laws(m, (body,), scene)
    with heard():  # its warnings are what is measured here
        for k in range(STEPS):
            _step(m, d, forces, k * step)
    fallen = share @ where.velocity(d) - first + [0.0, 0.0, GRAVITY * STEPS * step]
    gone = float(np.linalg.norm(fallen)) / (GRAVITY * STEPS * step)
    return gone if math.isfinite(gone) else math.inf


def _step(m: Any, d: Any, forces: list[Law], time: float) -> None:
    import mujoco

    mujoco.mj_step1(m, d)
    d.qfrc_applied[:] = 0
    for law in forces:
        law.apply(m, d, time)
    mujoco.mj_step2(m, d)
