"""Stepping MuJoCo from frame to frame, and reading its states."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..change import Change
from ..run import Run
from ..scene import Scene
from .model import model

STEP = 0.004  # s


def simulate(scene: Scene, times: NDArray[np.float64], change: Change | None = None) -> Run:
    """The run of a scene whose bodies hold together."""
    import mujoco

    gap = float(times[1] - times[0])
    substeps = math.ceil(gap / (scene.step or STEP))
    m = model(scene, gap / substeps)
    d = mujoco.MjData(m)
    ids = np.array([m.body(body.name).id for body in scene.bodies])
    for body, k in zip(scene.bodies, ids, strict=True):
        if m.body_dofnum[k] == 6:
            d.qvel[m.body_dofadr[k] : m.body_dofadr[k] + 3] = body.velocity
    mujoco.mj_forward(m, d)
    rows = []
    for k in range(len(times)):
        if k:
            mujoco.mj_step(m, d, substeps)
            mujoco.mj_forward(m, d)
        spin = d.cvel[ids, :3]
        velocity = d.cvel[ids, 3:] + np.cross(spin, d.xipos[ids] - d.subtree_com[m.body_rootid[ids]])
        rows.append((d.xpos[ids].copy(), d.xquat[ids].copy(), d.xipos[ids].copy(), velocity, spin.copy()))
    position, rotation, center, velocity, spin = (np.stack(column) for column in zip(*rows, strict=True))
    mass = m.body_mass[ids].copy()
    kinetic = 0.5 * mass * (velocity**2).sum(-1)
    potential = -mass * (center @ np.array(scene.gravity))
    return Run(
        times=times, position=position, rotation=rotation, center=center, velocity=velocity, angular_velocity=spin, mass=mass,
        kinetic=kinetic, potential=potential, elastic=np.zeros_like(kinetic), vertices=np.zeros((len(times), 0, 3), np.float32),
    )  # fmt: skip
