"""Rigid and articulated base scenes: what is drawn obeys the laws, and happens within the clip."""

import numpy as np
import pytest

from kinema.core.rng import stream
from kinema.simulators import Articulated, RigidBodies, scenario
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.own import overlaps
from kinema.simulators.spatial.phys4d import Category
from kinema.simulators.spatial.run import Run
from kinema.simulators.spatial.scene import Scene

EVERY = [(cls, base, complexity) for cls in (RigidBodies, Articulated) for base in cls.bases for complexity in ("single", "two", "multi")]


def drawn(cls: type[Category], index: int = 0, **fields: object) -> tuple[Scene, Run]:
    world = cls(**fields)
    scene = world.draw(stream(world.name, 5, index), index)
    return scene, simulate(scene, np.arange(32) / 16)


@pytest.mark.parametrize(("cls", "base", "complexity"), EVERY)
def test_scenes_start_apart_and_gain_no_energy(cls: type[Category], base: str, complexity: str) -> None:
    for outside in (False, True):
        scene, found = drawn(cls, base=base, complexity=complexity, outside=outside)
        assert overlaps(scene) == []
        moving = [not body.fixed for body in scene.bodies]
        energy = (found.kinetic + found.potential + found.elastic)[:, moving].sum(1)
        scale = np.ptp(found.potential[:, moving].sum(1)) + found.kinetic[:, moving].sum(1).max()
        assert np.diff(energy).max() < 0.01 * scale
        assert found.position[:, moving, 2].min() > -0.05
        assert np.linalg.norm(found.velocity, axis=2).max() > 0.03 or np.abs(found.angular_velocity).max() > 0.3  # something happens
        assert scene.tags == {"category": cls.name, "base": base, "complexity": complexity}


def test_newtons_cradle_passes_the_blow_on() -> None:
    scene, found = drawn(Articulated, base="cradle", complexity="multi")
    lifted = sum(found.position[0, 1:, 2] > found.position[0, 1:, 2].min() + 1e-3)
    early = found.times < 1.0
    raised = np.ptp(found.position[early, :, 2], axis=0)[1:]
    assert (raised[-lifted:] > 0.6 * raised[0]).all()
    assert (raised[lifted:-lifted] < 0.1 * raised[0]).all()
    assert len(scene.bodies) == 6


def test_a_weight_on_a_seesaw_throws_up_what_lies_on_the_other_end() -> None:
    scene, found = drawn(Articulated, base="seesaw", complexity="two")
    load = scene.index("load0")
    assert found.position[:, load, 2].max() > found.position[0, load, 2] + 0.1


def test_agents_meet_their_patients() -> None:
    met = 0
    for base in ("ramp", "billiard", "tower"):
        scene, found = drawn(RigidBodies, base=base, complexity="two")
        assert scene.agent is not None
        assert scene.patient is not None
        pair = sorted((scene.index(scene.agent), scene.index(scene.patient)))
        met += bool((np.sort(found.contacts.bodies, 1) == pair).all(1).any())
    assert met == 3


def test_splits_and_names() -> None:
    assert scenario("rigid").split("billiard+two").base == "billiard"
    assert scenario("articulated").split("ood").outside
