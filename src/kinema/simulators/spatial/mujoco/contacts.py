"""Who touches whom: contacts of every step, put together per pair of bodies and frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..run import Contacts
from ..scene import Scene

Ints = NDArray[np.int64]
FLOOR, NOBODY = -1, -2


class Recorder:
    """Collects the contacts of every step. A step's contacts are found where it begins, and its forces act until it ends."""

    def __init__(self, model: Any, scene: Scene) -> None:
        self._step, self._flex = model.opt.timestep, model.nflex > 0
        self._geoms, self._flexes = _owners(model, scene)
        self._rows: list[tuple[int, Ints, Ints | None, Any, Any, Any]] = []

    def add(self, data: Any, step: int) -> None:
        """Take down the contacts of step `step`, which has just been made."""
        if not data.ncon:
            return
        found = data.contact
        rows = found.efc_address
        force = np.zeros(len(rows))
        held = rows >= 0  # the others are a flex's passive contacts
        force[held] = data.efc_force[rows[held]]
        # MuJoCo's own memory, which the next step writes over
        geoms, flexes = found.geom.copy(), found.flex.copy() if self._flex else None
        self._rows.append((step, geoms, flexes, found.pos.copy(), found.frame[:, :3].copy(), force))

    def contacts(self, substeps: int) -> Contacts:
        """All of them, of frames `substeps` steps apart."""
        if not self._rows:
            return Contacts.none()
        counts = [len(row[1]) for row in self._rows]
        step = np.repeat([row[0] for row in self._rows], counts)
        pair = self._geoms[np.concatenate([row[1] for row in self._rows])]
        if self._flex:
            flexes = np.concatenate([row[2] for row in self._rows if row[2] is not None])
            pair = np.where(flexes >= 0, self._flexes[flexes], pair)
        point, normal, force = (np.concatenate([row[k] for row in self._rows]) for k in (3, 4, 5))
        swap = pair[:, 0] > pair[:, 1]
        pair, normal = np.sort(pair, 1), np.where(swap[:, None], -normal, normal)
        keep = (pair[:, 0] != pair[:, 1]) & (pair[:, 0] != NOBODY)
        return _together(step[keep], pair[keep], point[keep], normal[keep], force[keep], substeps, self._step)


def _together(step: Ints, pair: Ints, point: Any, normal: Any, force: Any, substeps: int, length: float) -> Contacts:
    if not len(step):
        return Contacts.none()
    keys, group = np.unique(np.stack([step // substeps, pair[:, 0], pair[:, 1]], 1), axis=0, return_inverse=True)
    group = group.ravel()
    first = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(first, group, step)
    there = step == first[group]  # a pair may touch at several points
    count = np.bincount(group[there], minlength=len(keys))[:, None]
    steps = np.bincount(np.unique(np.stack([group, step], 1), axis=0)[:, 0], minlength=len(keys))

    def mean(values: Any) -> Any:
        return np.stack([np.bincount(group[there], values[there, k], len(keys)) for k in range(3)], 1) / count

    direction = mean(normal)
    size = np.linalg.norm(direction, axis=1, keepdims=True)
    impulse = np.asarray(np.bincount(group, force, len(keys)) * length, np.float64)
    duration = np.asarray(steps * length, np.float64)
    normal = direction / np.where(size > 0, size, 1.0)
    return Contacts(first * length, duration, keys[:, 1:].copy(), mean(point), normal, impulse)


def _owners(model: Any, scene: Scene) -> tuple[Ints, Ints]:
    """Which body of the scene each geom and each flex belongs to."""
    import mujoco

    places = {body.name: k for k, body in enumerate(scene.bodies)}
    geoms = [FLOOR if model.geom(g).name == "/floor" else _place(model.body(model.geom_bodyid[g]).name, places) for g in range(model.ngeom)]
    flexes = [_place(mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_FLEX, f), places) for f in range(model.nflex)]
    return np.array([*geoms, NOBODY]), np.array([*flexes, NOBODY])  # index -1: none


def _place(name: str, places: dict[str, int]) -> int:
    return places.get(name.partition("/")[0], NOBODY)
