"""Who touches whom: contacts of every step, put together per pair of bodies and frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..run import Contacts
from ..scene import Scene
from .kinds import Floats
from .touching import Touch

Ints = NDArray[np.int64]
FLOOR, NOBODY = -1, -2


class Recorder:
    """Collects the contacts of every step, of frames `substeps` steps apart. A step's contacts are found where it begins, and its
    forces act until it ends."""

    def __init__(self, model: Any, scene: Scene, substeps: int) -> None:
        self._step, self._substeps = model.opt.timestep, substeps
        self._geoms, self._flexes = _owners(model, scene)
        self._rows: list[tuple[int, Touch, Floats]] = []
        self._spots: list[tuple[Floats, Floats] | None] = []
        self._last: tuple[int, Touch | None] = (-1, None)

    def add(self, data: Any, step: int, touch: Touch | None) -> None:
        """Take down the contacts of step `step`, whose forces are known."""
        if touch is None:
            return
        self._rows.append((step, touch, data.efc_force.take(touch.held_rows)))
        first, self._last = self._last, (step // self._substeps, touch)
        new = first[0] != self._last[0] or first[1] is not touch
        found = data.contact if new else None  # only where bodies first touch counts; MuJoCo writes over its memory
        self._spots.append(None if found is None else (found.pos.copy(), found.frame[:, :3].copy()))

    def contacts(self) -> Contacts:
        """All of them."""
        if not self._rows:
            return Contacts.none()
        touches = {id(touch): touch for _, touch, _ in self._rows}
        pairs = {key: self._pairs(touch) for key, touch in touches.items()}
        counts = [len(touch.rows) for _, touch, _ in self._rows]
        starts = np.cumsum([0, *counts])
        step = np.repeat([row[0] for row in self._rows], counts)
        pair = np.concatenate([pairs[id(touch)] for _, touch, _ in self._rows])
        force, point, normal = np.zeros(starts[-1]), np.zeros((starts[-1], 3)), np.zeros((starts[-1], 3))
        held = [touch.held + start for (_, touch, _), start in zip(self._rows, starts.tolist(), strict=False)]
        force[np.concatenate(held)] = np.concatenate([row[2] for row in self._rows])  # no row: a flex's passive contact
        seen = np.repeat([spot is not None for spot in self._spots], counts)
        point[seen], normal[seen] = (np.concatenate([spot[k] for spot in self._spots if spot is not None]) for k in (0, 1))
        swap = pair[:, 0] > pair[:, 1]
        pair, normal = np.sort(pair, 1), np.where(swap[:, None], -normal, normal)
        keep = (pair[:, 0] != pair[:, 1]) & (pair[:, 0] != NOBODY)
        return _together(step[keep], pair[keep], point[keep], normal[keep], force[keep], self._substeps, self._step)

    def _pairs(self, touch: Touch) -> Ints:
        pair = np.where((touch.rows < 0)[:, None], NOBODY, self._geoms[touch.geom])  # no row: only just not touching, or a flex's
        if touch.flex is None:
            return pair
        soft = touch.flex >= 0
        return np.where(soft.any(1)[:, None], np.where(soft, self._flexes[touch.flex], self._geoms[touch.geom]), pair)


def _together(step: Ints, pair: Ints, point: Any, normal: Any, force: Any, substeps: int, length: float) -> Contacts:
    if not len(step):
        return Contacts.none()
    many = int(pair.max()) + 2  # bodies are -1 to many - 2
    codes, group = np.unique((step // substeps * many + pair[:, 0] + 1) * many + pair[:, 1] + 1, return_inverse=True)
    bodies = np.stack([codes // many % many, codes % many], 1) - 1
    first = np.full(len(codes), np.iinfo(np.int64).max)
    np.minimum.at(first, group, step)
    there = step == first[group]  # a pair may touch at several points
    count = np.bincount(group[there], minlength=len(codes))[:, None]
    last = int(step.max()) + 1
    steps = np.bincount(np.unique(group * last + step) // last, minlength=len(codes))

    def mean(values: Any) -> Any:
        return np.stack([np.bincount(group[there], values[there, k], len(codes)) for k in range(3)], 1) / count

    direction = mean(normal)
    size = np.linalg.norm(direction, axis=1, keepdims=True)
    impulse = np.asarray(np.bincount(group, force, len(codes)) * length, np.float64)
    duration = np.asarray(steps * length, np.float64)
    normal = direction / np.where(size > 0, size, 1.0)
    return Contacts(first * length, duration, bodies, mean(point), normal, impulse)


def _owners(model: Any, scene: Scene) -> tuple[Ints, Ints]:
    """Which body of the scene each geom and each flex belongs to."""
    import mujoco

    places = {body.name: k for k, body in enumerate(scene.bodies)}
    geoms = [FLOOR if model.geom(g).name == "/floor" else _place(model.body(model.geom_bodyid[g]).name, places) for g in range(model.ngeom)]
    flexes = [_place(mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_FLEX, f), places) for f in range(model.nflex)]
    return np.array([*geoms, NOBODY]), np.array([*flexes, NOBODY])  # index -1: none


def _place(name: str, places: dict[str, int]) -> int:
    return places.get(name.partition("/")[0], NOBODY)
