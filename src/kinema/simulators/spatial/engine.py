"""Which engine simulates what: what moves as told needs none, MuJoCo what holds together, Newton's implicit MPM what flows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bodies import Particles
from .change import Change
from .driven import simulate as follow
from .driven import told
from .missing import missing
from .run import Run
from .scene import Scene


def simulate(scene: Scene, times: NDArray[np.float64], change: Change | None = None) -> Run:
    """The run of a scene, its states at `times` [t] s, which rise from 0 in equal steps; `change` breaks a law on the way.

    Raises Failed where it explodes, UserError where the extra `spatial` is not installed.
    """
    if told(scene):
        return follow(scene, times, change)
    try:
        if any(isinstance(body, Particles) for body in scene.bodies):
            from .mpm import simulate as flowing

            return flowing(scene, times, change)
        from .mujoco import simulate as solid

        return solid(scene, times, change)
    except ModuleNotFoundError as error:
        raise missing(error) from None
