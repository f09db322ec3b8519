"""Joints against textbook mechanics, and breaches of law."""

import math

import numpy as np
import pytest

from kinema.core.errors import UserError
from kinema.simulators import Box, Capsule, Cloth, Compound, Cylinder, Floor, Joint, Key, Piece, Rigid, Rope, Scene, Sphere
from kinema.simulators.spatial.bodies import Body
from kinema.simulators.spatial.change import Change
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.run import Run

G = 9.81
FREE = {"floor": None}


def run(*bodies: Body, frames: int = 33, dt: float = 1 / 16, change: Change | None = None, **rest: object) -> Run:
    return simulate(Scene(tuple(bodies), **rest), np.arange(frames) * dt, change)


def gains(found: Run) -> float:
    return float(np.diff(found.energy - found.work).max() / np.abs(found.energy).max())


def pendulum(length: float, angle: float, **joint: object) -> Rigid:
    """A rod that hangs at its end, `angle` from straight down."""
    half = (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)
    place = (-length / 2 * math.sin(angle), 0.0, 5 - length / 2 * math.cos(angle))
    shape, hinge = Box((0.02, 0.02, length)), Joint(anchor=(0, 0, length / 2), **joint)
    return Rigid(name="rod", shape=shape, position=place, rotation=half, joint=hinge)


@pytest.mark.parametrize("angle", [0.05, 0.6, 2.0])
def test_a_pendulum_swings_in_time(angle: float) -> None:
    length = 0.6
    found = run(pendulum(length, angle), frames=600, dt=1 / 200, **FREE)
    swing = found.angular_velocity[:, 0, 1]
    turns = np.flatnonzero((swing[:-1] < 0) & (swing[1:] >= 0))
    when = found.times[turns] + swing[turns] / (swing[turns] - swing[turns + 1]) / 200
    inertia, arm = (length**2 + 0.02**2) / 12 + length**2 / 4, length / 2
    mean, other = 1.0, math.cos(angle / 2)  # the arithmetic-geometric mean gives the exact period
    for _ in range(8):
        mean, other = (mean + other) / 2, math.sqrt(mean * other)
    assert np.diff(when).mean() == pytest.approx(2 * math.pi * math.sqrt(inertia / (G * arm)) / mean, rel=0.002)
    assert np.ptp(found.energy - found.energy[0]) < 1e-3 * found.mass[0] * G * arm


def test_a_double_pendulum_keeps_its_energy() -> None:
    upper = pendulum(0.5, 1.5)
    end = (2 * upper.position[0], 0.0, 2 * upper.position[2] - 5)
    lower = Rigid(
        name="low", shape=Box((0.02, 0.02, 0.4)), position=(end[0], 0, end[2] - 0.2), parent="rod", joint=Joint(anchor=(0, 0, 0.2))
    )
    found = run(upper, lower, **FREE)
    scale = found.mass.sum() * G * 0.5
    assert np.ptp(found.energy) < 5e-3 * scale
    gap = found.position[:, 1] + turned(found, 1, (0, 0, 0.2)) - found.position[:, 0] - turned(found, 0, (0, 0, -0.25))
    assert np.abs(gap).max() < 1e-9


def turned(found: Run, body: int, vector: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(found.rotation[:, body], scalar_first=True).apply(vector)


def test_a_spring_swings_and_its_energy_counts() -> None:
    cart = Rigid(name="a", shape=Box((0.1, 0.1, 0.1)), mass=2.0, joint=Joint(kind="slide", axis=(1, 0, 0), stiffness=50.0, speed=1.0))
    found = run(cart, **FREE)
    rate = math.sqrt(50 / 2)
    np.testing.assert_allclose(found.position[:, 0, 0], np.sin(rate * found.times) / rate, atol=2e-4)
    np.testing.assert_allclose(found.energy - found.potential[:, 0], 1.0, rtol=1e-3)


def test_damping_slows_and_limits_hold() -> None:
    joint = Joint(kind="slide", axis=(1, 0, 0), damping=1.0, speed=1.0)
    found = run(Rigid(name="a", shape=Sphere(0.1), mass=1.0, joint=joint), **FREE)
    np.testing.assert_allclose(found.velocity[:, 0, 0], np.exp(-found.times), rtol=5e-3)
    assert gains(found) < 1e-9
    stop = Joint(kind="slide", axis=(1, 0, 0), limits=(-0.1, 0.3), speed=1.0)
    found = run(Rigid(name="a", shape=Sphere(0.1), mass=1.0, joint=stop), **FREE)
    assert found.position[:, 0, 0].max() < 0.31
    assert abs(found.position[-1, 0, 0] - 0.3) < 0.05
    assert gains(found) < 1e-6


def test_a_ball_joint_swings_a_cone() -> None:
    length, angle = 0.5, 0.5
    rate = math.sqrt(G / (length * math.cos(angle)))
    place = (length * math.sin(angle), 0.0, 5 - length * math.cos(angle))
    anchor = (-place[0], 0.0, 5 - place[2])
    bob = Rigid(name="a", shape=Sphere(0.005), position=place, joint=Joint(kind="ball", axis=(0, 0, 1), anchor=anchor, speed=rate))
    found = run(bob, **FREE)
    radius = np.hypot(found.position[:, 0, 0], found.position[:, 0, 1])
    np.testing.assert_allclose(radius, length * math.sin(angle), rtol=0.01)
    turn = np.unwrap(np.arctan2(found.position[:, 0, 1], found.position[:, 0, 0]))
    np.testing.assert_allclose(turn[-1], rate * 2, rtol=5e-3)


def test_a_row_of_pendulums_passes_the_blow_on() -> None:
    radius, arm = 0.05, 0.5
    balls = []
    for k in range(4):
        lean = 0.7 if k == 0 else 0.0
        place = (k * (2 * radius + 1e-3) - arm * math.sin(lean), 0.0, 1 - arm * math.cos(lean))
        anchor = (arm * math.sin(lean), 0.0, arm * math.cos(lean))
        balls.append(Rigid(name=f"b{k}", shape=Sphere(radius), position=place, joint=Joint(anchor=anchor), restitution=1.0, friction=0.0))
    found = run(*balls, frames=64, dt=1 / 60)
    speed = np.linalg.norm(found.velocity, axis=2)
    first = found.contacts.time[0]
    later = (found.times > first + 0.05) & (found.times < first + 0.2)
    drop = math.sqrt(2 * G * arm * (1 - math.cos(0.7)))
    assert speed[later, :3].max() < 0.1 * drop
    assert found.position[:, 3, 2].max() - found.position[0, 3, 2] == pytest.approx(arm * (1 - math.cos(0.7)), rel=0.05)
    assert gains(found) < 2e-3


def test_a_lever_balances_by_its_arms() -> None:
    beam = Rigid(name="beam", shape=Box((2.0, 0.2, 0.05)), position=(0, 0, 0.5), joint=Joint(axis=(0, 1, 0)), restitution=0, friction=0.9)
    near = Rigid(name="near", shape=Box((0.1, 0.1, 0.1)), mass=4.0, position=(-0.4, 0, 0.575), restitution=0, friction=0.9)
    far = Rigid(name="far", shape=Box((0.1, 0.1, 0.1)), mass=2.0, position=(0.8, 0, 0.575), restitution=0, friction=0.9)
    found = run(beam, near, far, floor=Floor(restitution=0), frames=9)
    assert np.abs(turned(found, 0, (1, 0, 0))[:, 2]).max() < 0.02  # 4 * 0.4 = 2 * 0.8
    heavier = Rigid(name="far", shape=Box((0.1, 0.1, 0.1)), mass=3.0, position=(0.8, 0, 0.575), restitution=0, friction=0.9)
    found = run(beam, near, heavier, floor=Floor(restitution=0))
    assert turned(found, 0, (1, 0, 0))[-1, 2] < -0.2


def test_a_child_of_a_driven_body_feels_how_it_moves() -> None:
    path = tuple(Key(time=t, position=(0.5 * t * t, 0, 2)) for t in np.linspace(0, 2, 65))  # 1 m/s^2 to the right
    cart = Rigid(name="cart", shape=Box((0.3, 0.2, 0.1)), path=path)
    rod = Rigid(name="rod", shape=Cylinder(0.02, 0.5), position=(0, 0, 1.75), parent="cart", joint=Joint(anchor=(0, 0, 0.25), damping=0.5))
    found = run(cart, rod, frames=65)
    lean = turned(found, 1, (0, 0, 1))[24:32]
    np.testing.assert_allclose((lean[:, 0] / lean[:, 2]).mean(), 1.0 / G, rtol=0.15)  # hangs back by a / g
    assert gains(found) < 1e-3


def falling() -> list[Rigid]:
    two = Compound((Piece(Sphere(0.1)), Piece(Capsule(0.05, 0.2), position=(0.2, 0, 0))))
    return [Rigid(name="a", shape=two, position=(0, 0, 1.5)), Rigid(name="b", shape=Sphere(0.1), position=(1, 0, 1.0), restitution=0.5)]


def test_what_vanishes_is_gone() -> None:
    law, found = run(*falling()), run(*falling(), change=Change(frame=5, vanish=(1,)))
    assert (found.position[:5] == law.position[:5]).all()
    assert found.visible is not None
    assert found.visible[:5].all()
    assert not found.visible[5:, 1].any()
    assert found.visible[:, 0].all()
    assert (found.position[5:, 1] == found.position[4, 1]).all()
    assert (found.kinetic[5:, 1] == 0).all()
    assert not ((found.contacts.bodies == 1).any(1) & (found.contacts.time >= found.times[5])).any()


def test_what_is_moved_stands_elsewhere_and_goes_on() -> None:
    law, found = run(*falling()), run(*falling(), change=Change(frame=4, moved={0: (3.0, 0.0, 4.0)}))
    assert (found.position[:4] == law.position[:4]).all()
    np.testing.assert_allclose(found.position[4, 0], (3.0, 0.0, 4.0), atol=1e-9)
    np.testing.assert_allclose(found.velocity[4], law.velocity[4], atol=1e-9)
    assert found.cut is not None
    assert np.argwhere(found.cut).tolist() == [[4, 0]]
    np.testing.assert_allclose(found.position[6, 1], law.position[6, 1], atol=1e-9)


def test_what_passes_falls_through_the_floor() -> None:
    found = run(*falling(), change=Change(frame=3, passing=(-1, 1)))
    assert found.position[-1, 1, 2] < -5
    assert found.position[-1, 0, 2] > 0.04


@pytest.mark.parametrize("soft", [Rope(name="r", position=(-0.5, 0, 1)), Cloth(name="c", position=(0, 0, 1), count=(7, 7))])
def test_what_passes_falls_through_what_is_flexible(soft: Body) -> None:
    bar = Rigid(name="bar", shape=Box((0.1, 1.0, 0.1)), position=(0, 0, 0.8), fixed=True)
    law = run(soft, bar, frames=13)
    found = run(soft, bar, frames=13, change=Change(frame=2, passing=(0, 1)))
    assert law.vertices[-1, :, 2].max() > 0.6
    assert found.vertices[-1, :, 2].max() < 0.6
    assert found.vertices[-1, :, 2].min() > -0.05  # the floor still holds it
    gone = run(soft, bar, frames=13, change=Change(frame=2, vanish=(1,)))
    assert gone.vertices[-1, :, 2].max() < 0.6


def test_another_gravity_from_the_frame_before() -> None:
    law, found = run(*falling()), run(*falling(), change=Change(frame=3, gravity=(0, 0, 0)))
    assert (found.position[:3] == law.position[:3]).all()
    np.testing.assert_allclose(found.velocity[3, 1], law.velocity[2, 1], atol=1e-9)


def test_what_hangs_on_a_joint_cannot_be_moved_by_hand() -> None:
    with pytest.raises(UserError, match="cannot be moved by hand"):
        run(pendulum(0.5, 0.1), change=Change(frame=2, moved={0: (0, 0, 0)}))


def test_a_parent_comes_first() -> None:
    child = Rigid(name="child", shape=Sphere(0.1), parent="rod", joint=Joint())
    with pytest.raises(UserError, match="must be a rigid body that comes before it"):
        run(child, pendulum(0.5, 0.1))
