"""Stepping MuJoCo from frame to frame, and reading its states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..change import Change
from ..run import Failed, Run
from ..scene import Scene
from .broken import Breach
from .contacts import Recorder
from .driven import drives
from .heard import faults, heard, plain
from .impact import Impacts
from .kinds import Kind, Law, kinds
from .meetings import Meetings
from .model import longest_step, model
from .pairs import listed
from .rebound import Rebounds
from .states import Log
from .touching import Touch, Touching, bounces

FASTEST = 1e5  # m/s, rad/s


def simulate(scene: Scene, times: NDArray[np.float64], change: Change | None = None) -> Run:
    """The run of a scene whose bodies hold together. Raises Failed where it explodes, or MuJoCo warns of faults (see `faults`)."""
    import mujoco

    gap = float(times[1] - times[0]) if len(times) > 1 else 0.04
    substeps = math.ceil(gap / longest_step(scene) - 1e-9)
    m = model(scene, gap / substeps)
    with heard() as words:
        d = mujoco.MjData(m)
        steps = substeps * (len(times) - 1)
        groups = kinds(scene)
        motors = drives(m, scene, max(steps, 1))
        meetings = None if listed(scene) else Meetings(m, scene)
        breach = Breach(m, scene, change, meetings)
        mujoco.mj_forward(m, d)
        _start(groups, m, d, scene)
        for motor in motors:
            motor.start(d)
        stepper = Stepper(m, d, _laws(groups, m, scene), motors, scene, substeps, meetings)
        log = Log(m, scene, groups, breach, len(times))
        log.add(d, 0.0)
        for k in range(1, len(times)):
            breach.before(d, k)
            stepper.run((k - 1) * substeps, substeps)
            _check(d, words, float(times[k - 1]), float(times[k]))
            breach.at(d, k)
            log.add(d, stepper.work)
    return log.run(times, stepper.recorder.contacts())


class Stepper:
    """Makes steps: forces, MuJoCo's own step, driven bodies, contacts. `work` J is what came from outside."""

    def __init__(self, m: Any, d: Any, laws: list[Law], motors: list[Any], scene: Scene, substeps: int, meetings: Meetings | None) -> None:
        import mujoco

        self._m, self._d, self._motors = m, d, motors
        self._h = float(m.opt.timestep)
        self._qpos, self._qvel, self._qacc = d.qpos, d.qvel, d.qacc  # views: looking them up takes its time
        self._sources = [law for law in laws if law.source]
        self._others = [law for law in laws if not law.source]
        self._pushed = 0.0
        self._halves = m.opt.integrator == mujoco.mjtIntegrator.mjINT_EULER  # what bends wants MuJoCo's own stiff steps
        self._discrete = m.opt.integrator == mujoco.mjtIntegrator.mjINT_DISCRETE
        nested = m.body_parentid[m.jnt_bodyid] != 0
        self._bends = bool((nested | (m.jnt_type == mujoco.mjtJoint.mjJNT_BALL)).any())  # forces depend on how joints turn
        self._alone = True
        self._look = mujoco.mj_step1 if meetings is None else meetings.look
        self._touching, self._impacts = Touching(m, bounces(m) if meetings is None else meetings.bounces), Impacts(m)
        self._rebounds = Rebounds(m, self._impacts.calm)
        self.recorder = Recorder(m, scene, substeps)

    @property
    def work(self) -> float:
        """What pushes, wind and driven bodies have done since the start [J]."""
        return self._pushed + sum(motor.work for motor in self._motors)

    def run(self, first: int, count: int) -> None:
        """Make steps `first` to `first + count`."""
        for step in range(first, first + count):
            self._one(step)

    def _one(self, step: int) -> None:
        import mujoco

        m, d, velocity = self._m, self._d, self._qvel
        before = velocity.copy()
        if self._halves:
            mujoco.mj_integratePos(m, self._qpos, before, self._h / 2)
            if self._bends and self._alone:
                velocity += self._h / 2 * self._qacc  # as it is where the forces are
        self._look(m, d)
        source = self._forces(step, before)
        touch = self._touching.look(d)
        if self._halves:
            self._impacts.solve(d, touch)
            self._halved(before)
        else:
            self._own(touch)
        self._alone = d.nefc == 0
        if source is not None:
            self._pushed += float(source @ (before + velocity)) / 2 * self._h
        for motor in self._motors:
            motor.after(d, step)
        self.recorder.add(d, step, touch)

    def _own(self, touch: Touch | None) -> None:
        """Move on by MuJoCo's own step."""
        import mujoco

        m, d = self._m, self._d
        if not self._discrete:
            self._impacts.ask(d, touch)
            mujoco.mj_step2(m, d)
            return
        self._rebounds.before(d, touch)  # MuJoCo would not listen: it looks up `aref` again
        mujoco.mj_step2(m, d)
        self._rebounds.after(d, touch)

    def _halved(self, before: NDArray[np.float64]) -> None:
        """Move on from the middle of a step: of second order, exact in free fall, and energy does not drift."""
        import mujoco

        m, position, velocity = self._m, self._qpos, self._qvel
        middle = position.copy()
        velocity[:] = before
        mujoco.mj_Euler(m, self._d)
        way = velocity * (self._h / 2)
        if self._impacts.late is not None:
            way += self._impacts.late * (velocity - before)
        mujoco.mj_integratePos(m, middle, way, 1.0)
        position[:] = middle

    def _forces(self, step: int, velocity: NDArray[np.float64]) -> NDArray[np.float64] | None:
        if not self._sources and not self._others and not self._motors:
            return None
        m, d = self._m, self._d
        time = step * self._h
        d.qfrc_applied[:] = 0
        source = None
        if self._sources:
            for law in self._sources:
                law.apply(m, d, time)
            source = d.qfrc_applied.copy()
        for law in self._others:
            law.apply(m, d, time)
        for motor in self._motors:
            motor.before(d, velocity, step)
        return source


def _check(d: Any, words: list[str], since: float, until: float) -> None:
    """Raise Failed where the states are out of bounds, or MuJoCo has warned: of full buffers, of a solver that gets nowhere."""
    found = faults(words)
    said = f": {plain(found[0])}" if found else ""
    if not (np.abs(d.qvel) < FASTEST).all() or not np.isfinite(d.qpos).all():
        raise Failed(f"the scene explodes: a velocity is out of bounds between {since:.3f} and {until:.3f} s{said}")
    if found:
        raise Failed(f"MuJoCo fails between {since:.3f} and {until:.3f} s{said}")


def _start(groups: list[tuple[Kind, list[int]]], m: Any, d: Any, scene: Scene) -> None:
    for module, places in groups:
        module.start(m, d, [scene.bodies[k] for k in places], scene)


def _laws(groups: list[tuple[Kind, list[int]]], m: Any, scene: Scene) -> list[Law]:
    return [law for module, places in groups for law in module.laws(m, [scene.bodies[k] for k in places], scene)]
