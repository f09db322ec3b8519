"""Breaches of law in a run of MuJoCo, for impossible twins."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.errors import UserError
from ..bodies import Rigid
from ..change import Change
from ..scene import Scene
from .frames import Frames
from .kinds import Floats
from .meetings import Meetings

APART = 1e6  # m: only what overlaps by more than this touches
COMMON, OWN, ALL = 4, 8, 63  # bits of contact: that nothing has by nature, and all there are


class Breach:
    """What a change does to the model and its states, frame by frame."""

    def __init__(self, model: Any, scene: Scene, change: Change | None, meetings: Meetings | None) -> None:
        self._model, self._scene, self._change, self._meetings = model, scene, change, meetings
        self._gone: tuple[int, ...] = ()
        if change is not None:
            for place in change.moved:
                body = scene.bodies[place]
                if not isinstance(body, Rigid) or body.joint is not None or body.drive:
                    raise UserError(f"body {body.name!r} cannot be moved by hand: it is no free or fixed rigid body")

    def before(self, data: Any, frame: int) -> None:
        """What begins at the frame before `frame`."""
        change = self._change
        if change is None or frame != change.frame:
            return
        if change.gravity is not None:
            self._model.opt.gravity[:] = change.gravity
        if change.passing is not None:
            self._part(*change.passing)

    def at(self, data: Any, frame: int) -> None:
        """What happens at `frame`."""
        import mujoco

        change = self._change
        if change is None or frame != change.frame:
            return
        self._gone = change.vanish
        for place in change.vanish:
            everyone = np.arange(self._model.ngeom)
            self._apart(self._geoms(place), everyone)
            self._set(place, 0, 0)
        mujoco.mj_kinematics(self._model, data)
        for place, position in change.moved.items():
            body = self._scene.bodies[place]
            assert isinstance(body, Rigid)  # checked above
            k = self._model.body(body.name).id
            if self._model.body_dofnum[k]:
                at = self._model.jnt_qposadr[self._model.body_jntadr[k]]
                data.qpos[at : at + 3] += position - Frames(self._model, [body]).position(data)[0]
            else:
                self._model.body_pos[k] = position

    def hide(self, row: dict[str, Floats], last: dict[str, Floats] | None) -> None:
        """What is gone keeps its last state, at rest, and has no energy."""
        if last is None:
            return
        for place in self._gone:
            for key in ("position", "rotation", "center"):
                row[key][place] = last[key][place]
            for key in ("velocity", "angular_velocity", "kinetic", "elastic", "potential"):
                row[key][place] = 0

    def marks(self, frames: int) -> dict[str, Any]:
        """`visible` and `cut` [t,n] of the run, where a change needs them."""
        change, shape = self._change, (frames, len(self._scene.bodies))
        marks: dict[str, Any] = {}
        if change is not None and change.vanish:
            marks["visible"] = np.ones(shape, bool)
            marks["visible"][change.frame :, list(change.vanish)] = False
        if change is not None and (change.vanish or change.moved):
            marks["cut"] = np.zeros(shape, bool)
            marks["cut"][change.frame, [*change.vanish, *change.moved]] = True
        return marks

    def _part(self, one: int, other: int) -> None:
        """Two bodies of the scene (-1: the floor) touch no more."""
        self._part_rigid(one, other)
        bodies = self._scene.bodies
        flexible = [place for place in (one, other) if place >= 0 and not isinstance(bodies[place], Rigid)]
        if flexible:
            self._recoded(flexible[0], other if flexible[0] == one else one)

    def _part_rigid(self, one: int, other: int) -> None:
        self._apart(self._geoms(one), self._geoms(other))

    def _apart(self, a: np.ndarray, b: np.ndarray) -> None:
        """Rigid geoms `a` and `b` touch no more."""
        model = self._model
        if self._meetings is not None:
            self._meetings.part(a, b)
            return
        first, second = model.pair_geom1, model.pair_geom2
        hit = (np.isin(first, a) & np.isin(second, b)) | (np.isin(first, b) & np.isin(second, a))
        model.pair_margin[hit], model.pair_gap[hit] = -APART, APART

    def _recoded(self, place: int, other: int) -> None:
        """A flexible body, and all but `other` with it, take to a new bit by which they meet (see `Kind`)."""
        self._set(place, OWN, OWN | COMMON)
        for k in (-1, *range(len(self._scene.bodies))):
            if k not in (place, other):
                self._set(k, COMMON, 0)

    def _set(self, place: int, contype: int, conaffinity: int) -> None:
        """Add bits to those of a body's geoms and flex; of one that has OWN among them, in their place."""
        import mujoco

        model = self._model
        model.body_contype[:], model.body_conaffinity[:] = ALL, ALL  # bodies are sifted by their geoms
        flex = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_FLEX, self._scene.bodies[place].name) if place >= 0 else -1
        for name, where in (("geom", self._geoms(place)), ("flex", np.array([flex] if flex >= 0 else [], int))):
            for key, bits in (("contype", contype), ("conaffinity", conaffinity)):
                found = getattr(model, f"{name}_{key}")
                found[where] = bits if contype in (0, OWN) else found[where] | bits

    def _geoms(self, place: int) -> np.ndarray:
        model = self._model
        if place < 0:
            return np.array([model.geom("/floor").id]) if self._scene.floor is not None else np.zeros(0, int)
        name = self._scene.bodies[place].name
        owners = [model.body(k).name.partition("/")[0] for k in model.geom_bodyid]
        return np.flatnonzero([owner == name for owner in owners])
