"""MuJoCo at its limits: fast pushes and thin walls, many bodies, what it refuses or warns of, bodies that vanish."""

from pathlib import Path

import numpy as np
import pytest

from kinema.simulators.spatial import Box, Hull, Joint, Rigid, Rope, Scene, Soft, Sphere
from kinema.simulators.spatial.change import Change
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.mujoco import pairs
from kinema.simulators.spatial.mujoco.heard import SHORT, SINGULAR, faults, heard
from kinema.simulators.spatial.mujoco.model import longest_step
from kinema.simulators.spatial.mujoco.steps import thinnest
from kinema.simulators.spatial.run import Failed
from kinema.simulators.spatial.scene import Push


def test_what_is_pushed_hard_is_stopped_by_a_thin_wall() -> None:
    ball = Rigid(name="a", shape=Sphere(0.03), position=(0, 0, 0.5), mass=0.1)
    wall = Rigid(name="w", shape=Box((0.02, 2, 2)), position=(4, 0, 1), fixed=True)
    found = simulate(Scene((ball, wall), pushes=(Push(body="a", force=(200, 0, 0)),)), np.arange(9) / 32)
    assert found.velocity[:, 0, 0].max() == pytest.approx(100, rel=0.01)
    assert found.position[:, 0, 0].max() < 3.97
    assert found.velocity[-1, 0, 0] < 0


def test_spin_shortens_steps_and_a_hull_is_as_thin_as_it_is_itself() -> None:
    rod = {"name": "a", "shape": Box((1, 0.02, 0.02)), "position": (0, 0, 1)}
    still, turning = (longest_step(Scene((Rigid(**rod, angular_velocity=(0, 0, w)),))) for w in (0.0, 80.0))
    assert turning * 80 * 0.5 <= 0.01 < still * 80 * 0.5
    plate = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.2, 0.2) for z in (1.0, 1.01)])
    assert thinnest(Hull(tuple(map(tuple, plate.tolist())))) == pytest.approx(0.01)


def scattered() -> Scene:
    shapes = [Sphere(0.05), Box((0.1, 0.08, 0.06))]
    rng = np.random.default_rng(2)
    bodies = [
        Rigid(
            name=f"b{k}", shape=shapes[k % 2], position=(0.11 * (k % 3), 0.13 * (k // 3 % 2), 0.1 + 0.12 * (k // 6)),
            velocity=(float(rng.normal()), 0, 0), friction=(0.0, 0.4, 0.9)[k % 3], restitution=k % 4 / 4, rolling=k % 5 / 100,
        )
        for k in range(12)
    ]  # fmt: skip
    return Scene((*bodies, Rigid(name="w", shape=Box((0.1, 1, 1)), position=(0.6, 0, 0.5), fixed=True)))


@pytest.mark.parametrize("change", [None, Change(frame=4, passing=(3, -1)), Change(frame=4, vanish=(0,))])
def test_unlisted_pairs_follow_the_law_of_listed_ones(monkeypatch: pytest.MonkeyPatch, change: Change | None) -> None:
    times = np.arange(9) / 32
    listed = simulate(scattered(), times, change)
    monkeypatch.setattr(pairs, "MANY", 0)
    found = simulate(scattered(), times, change)
    assert len(found.contacts.time) == len(listed.contacts.time) > 20
    np.testing.assert_allclose(found.position, listed.position, atol=1e-6)


def test_many_bodies_are_soon_built_and_rest_on_each_other() -> None:
    balls = [Rigid(name=f"b{k}", shape=Sphere(0.05), position=(0.1 * (k % 20), 0.1 * (k // 20), 0.05)) for k in range(400)]
    found = simulate(Scene(tuple(balls)), np.arange(3) / 16)
    np.testing.assert_allclose(found.position[-1, :, 2], 0.05, atol=1e-3)


def test_what_mujoco_refuses_is_a_failure_and_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = Rigid(name="a", shape=Sphere(0.1), position=(0, 0, 1), mass=1e-30)
    with pytest.raises(Failed, match=r"MuJoCo refuses the scene: .*mass"):
        simulate(Scene((nothing,)), np.arange(3) / 16)
    spun = Soft(name="s", position=(0, 0, 1), size=(0.2, 0.2, 0.2), count=(3, 3, 3), velocity=(0, 0, -1e6))
    with pytest.raises(Failed):
        simulate(Scene((spun,)), np.arange(3) / 16)
    assert list(tmp_path.iterdir()) == []


def test_full_buffers_and_errors_are_failures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mujoco

    from kinema.simulators.spatial.mujoco import model

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "MEMORY", "20K")
    balls = [Rigid(name=f"b{k}", shape=Sphere(0.05), position=(0.1 * (k % 5), 0.1 * (k // 5), 0.05)) for k in range(25)]
    with pytest.raises(Failed, match=r"MuJoCo (gives up|fails between 0\.000 and 0\.062 s): .*(full|memory|space)"):
        simulate(Scene(tuple(balls)), np.arange(3) / 16)
    with pytest.raises(Failed, match="MuJoCo gives up: "), heard():
        raise mujoco.FatalError("so it says")
    assert list(tmp_path.iterdir()) == []


def test_only_a_flexs_short_solver_is_no_fault() -> None:
    assert faults([f"{SHORT}: x", f"{SINGULAR} y"]) == []
    assert faults([f"{SINGULAR} y"]) == [f"{SINGULAR} y"]
    assert faults([f"{SHORT}: x", "contact buffer full"]) == ["contact buffer full"]


def test_what_vanishes_is_cut_once_and_has_no_energy() -> None:
    balls = [Rigid(name=name, shape=Sphere(0.1), position=(x, 0, 1)) for name, x in (("a", 0), ("b", 1))]
    found = simulate(Scene(tuple(balls)), np.arange(6) / 32, Change(frame=3, vanish=(1,)))
    assert found.cut is not None
    assert np.argwhere(found.cut).tolist() == [[3, 1]]
    for energy in (found.kinetic, found.potential, found.elastic):
        assert not energy[3:, 1].any()
    assert min(found.potential[2, 1], found.potential[5, 0]) > 0


def test_ropes_and_joints_meet_many_bodies_as_they_meet_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rope = Rope(name="r", position=(0.02, 0, 1.2), length=0.5, segments=5, start="world")
    arm = Rigid(name="p", shape=Box((0.6, 0.05, 0.05)), position=(0, 0.3, 0.5), joint=Joint(kind="hinge", speed=3.0))
    hand = Rigid(name="h", shape=Box((0.3, 0.05, 0.05)), position=(0.3, 0.3, 0.5), parent="p", joint=Joint(kind="hinge"))
    scene = Scene((*scattered().bodies, arm, hand, rope))
    listed = simulate(scene, np.arange(6) / 32)
    monkeypatch.setattr(pairs, "MANY", 0)
    found = simulate(scene, np.arange(6) / 32)
    np.testing.assert_allclose(found.position, listed.position, atol=1e-6)
    assert len(found.contacts.time) == len(listed.contacts.time)
    soft = Soft(name="s", position=(1, 0, 0.3), size=(0.2, 0.2, 0.2), count=(3, 3, 3))
    assert simulate(Scene((*scattered().bodies[:4], soft)), np.arange(4) / 32).position[-1, 4, 2] < 0.3
