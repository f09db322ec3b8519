"""Forces from outside: pushes on rigid bodies and flexes, and the drag of moving air on rigid bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bodies import Rigid
from ..matter import extent
from ..scene import Push, Scene, Wind
from ..shapes import Sphere
from .frames import Frames
from .kinds import Law
from .wind import air

if TYPE_CHECKING:
    from .flex import Vertices


def pushes(model: Any, bodies: Sequence[Rigid], scene: Scene) -> list[Law]:
    """The laws of a scene's pushes on these bodies."""
    names = {body.name for body in bodies}
    return [_push(model, push) for push in scene.pushes if push.body in names]


def drag(model: Any, bodies: Sequence[Rigid], scene: Scene) -> list[Law]:
    """The laws of the wind on these bodies."""
    moving = [body for body in bodies if not body.fixed and not body.drive and not body.ghost]
    return [] if scene.wind is None else [_drag(model, body, scene.wind) for body in moving]


def spread(where: Vertices, push: Push) -> Law:
    """The law of a push on a flex: every vertex gains what it would on a rigid body of its shape; what pins hold is lost to them."""
    mass, force, torque = where.mass, np.array(push.force), np.array(push.torque)

    def apply(model: Any, data: Any, time: float) -> None:
        part = acting(push, time, model.opt.timestep)
        if part <= 0:
            return
        points = data.flexvert_xpos[where.points]
        arms = points - mass @ points / mass.sum()
        inertia = (mass @ (arms**2).sum(1)) * np.eye(3) - (mass[:, None] * arms).T @ arms
        gained = force / mass.sum() + np.cross(np.linalg.solve(inertia, torque), arms)
        where.push(data, part * mass[:, None] * gained)

    return Law(apply)


def acting(push: Push, time: float, step: float) -> float:
    """The part of the step from `time` s on in which a push acts; 0 where rounding alone says that it does."""
    part = (min(time + step, push.time + push.duration) - max(time, push.time)) / step
    return part if part > 1e-9 else 0.0


def _push(model: Any, push: Push) -> Law:
    import mujoco

    body, step = model.body(push.body).id, model.opt.timestep
    force, torque = np.array(push.force), np.array(push.torque)

    def apply(model: Any, data: Any, time: float) -> None:
        part = acting(push, time, step)
        if part > 0:
            mujoco.mj_applyFT(model, data, force * part, torque * part, data.xipos[body], body, data.qfrc_applied)

    return Law(apply)


def _drag(model: Any, body: Rigid, wind: Wind) -> Law:
    """F = rho / 2 Cd A |u| u with u the air's velocity past the body, Cd 0.47 for balls and 1.05 else, and A the shadow along
    u of the ellipsoid whose shadows along the body's axes are the body's (of its box, for what is no ball)."""
    import mujoco

    k, size = model.body(body.name).id, extent(body)
    lag = 0.5 * model.opt.timestep / model.body_mass[k]
    ball = isinstance(body.shape, Sphere)
    areas = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]]) * (np.pi / 4 if ball else 1.0)
    factor = 0.5 * wind.density * (0.47 if ball else 1.05)
    twist, none, axes = np.zeros(6), np.zeros(3), Frames(model, [body]).axes(0)

    def apply(model: Any, data: Any, time: float) -> None:
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, k, twist, 0)
        past = air(wind, time, data.xipos[k][None])[0] - twist[3:]
        rate = factor * np.linalg.norm(areas * (past @ (data.xmat[k].reshape(3, 3) @ axes)))  # |A u^| |u| u = |A u| u
        force = rate * past / (1 + lag * rate)  # as it is in the middle of the step
        mujoco.mj_applyFT(model, data, force, none, data.xipos[k], k, data.qfrc_applied)

    return Law(apply)
