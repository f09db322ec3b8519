"""Rigid bodies that share a scene with particles move, turn and meet each other as they do without."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("newton")

from kinema.simulators.spatial import Box, Compound, Key, Particles, Piece, Rigid, Run, Scene
from kinema.simulators.spatial.change import Change
from kinema.simulators.spatial.engine import simulate

TURN = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)
LEVER = Compound((Piece(Box((0.4, 0.1, 0.1))), Piece(Box((0.1, 0.1, 0.3)), position=(0.15, 0.0, 0.2))))
DROP = Particles(name="drop", position=(3.0, 0.0, 0.06), size=(0.1, 0.1, 0.1), spacing=0.05)  # far from everything


def run(*bodies: Rigid, change: Change | None = None, frames: int = 9) -> Run:
    return simulate(Scene((*bodies, DROP)), np.arange(frames) / 16, change)


def test_an_uneven_body_starts_where_it_is_said_and_flies_as_it_does_alone() -> None:
    body = Rigid(
        name="lever", shape=LEVER, position=(0.0, 0.0, 2.0), rotation=TURN, velocity=(0.5, 0.0, 1.0), angular_velocity=(1.0, 2.0, 0.5)
    )
    among, alone = run(body), simulate(Scene((body,)), np.arange(9) / 16)
    assert among.position[0, 0] == pytest.approx(body.position)
    assert abs(among.rotation[0, 0] @ np.array(TURN)) == pytest.approx(1.0)
    assert among.velocity[0, 0] == pytest.approx(body.velocity)
    assert among.angular_velocity[0, 0] == pytest.approx(body.angular_velocity)
    assert np.abs(among.center[:, 0] - alone.center[:, 0]).max() < 0.02  # first order against second
    assert (np.abs((among.rotation[:, 0] * alone.rotation[:, 0]).sum(-1)) > 0.999).all()
    assert among.kinetic[0, 0] == pytest.approx(alone.kinetic[0, 0], rel=1e-6)


def test_what_vanishes_holds_nothing_up() -> None:
    low = Rigid(name="low", shape=Box((0.2, 0.2, 0.2)), position=(0.0, 0.0, 0.1))
    high = Rigid(name="high", shape=Box((0.2, 0.2, 0.2)), position=(0.0, 0.0, 0.3))
    found = run(low, high, change=Change(frame=2, vanish=(0,)))
    assert found.position[1, 1, 2] == pytest.approx(0.3, abs=2e-3)
    assert found.position[-1, 1, 2] == pytest.approx(0.1, abs=5e-3)
    assert found.visible is not None
    assert found.cut is not None
    assert not found.visible[2:, 0].any()
    assert found.cut[2, 0]
    for energy in (found.kinetic, found.potential, found.elastic):
        assert not energy[2:, 0].any()


def test_work_counts_from_the_first_frame() -> None:
    path = (Key(time=0.0, position=(0.0, 0.0, 1.0)), Key(time=0.5, position=(0.0, 0.0, 2.0)))
    found = run(Rigid(name="lift", shape=Box((0.2, 0.2, 0.2)), path=path, mass=2.0))
    assert found.work is not None
    assert found.work[0] == 0.0
    assert found.work[-1] == pytest.approx(found.energy[-1] - found.energy[0], rel=0.02)
