"""Rigid bodies against textbook mechanics."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from kinema.core.errors import UserError
from kinema.simulators import Box, Capsule, Compound, Cylinder, Floor, Hull, Key, Piece, Push, Rigid, Scene, Sphere, Wind
from kinema.simulators.spatial.bodies import Body
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.run import Failed, Run

G = 9.81


def run(*bodies: Body, frames: int = 33, dt: float = 1 / 16, **rest: object) -> Run:
    return simulate(Scene(tuple(bodies), **rest), np.arange(frames) * dt)


def losses(found: Run) -> np.ndarray:
    """What each frame adds to the energy beyond the work from outside, relative to all there is."""
    return np.diff(found.energy - found.work) / max(np.abs(found.energy).max(), 1e-9)


def about(axis: int, angle: float) -> tuple[float, float, float, float]:
    quaternion = [math.cos(angle / 2), 0.0, 0.0, 0.0]
    quaternion[1 + axis] = math.sin(angle / 2)
    return tuple(quaternion)


def test_free_fall_is_a_parabola() -> None:
    found = run(Rigid(name="a", shape=Box((0.1, 0.2, 0.3)), position=(0, 0, 30), velocity=(1.0, -2.0, 3.0)))
    t = found.times[:, None]
    np.testing.assert_allclose(found.center[:, 0], [0, 0, 30] + t * [1, -2, 3] - 0.5 * G * t**2 * [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(found.velocity[:, 0], [1, -2, 3] - G * t * [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(found.energy, found.energy[0], rtol=1e-9)


@pytest.mark.parametrize("restitution", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_a_ball_rebounds_with_e_times_its_speed(restitution: float) -> None:
    ball = Rigid(name="a", shape=Sphere(0.1), position=(0, 0, 1.1), restitution=restitution)
    found = run(ball, frames=280, dt=1 / 200, floor=Floor(restitution=restitution))
    height = found.position[:, 0, 2] - 0.1
    hit = found.contacts.time[0]
    assert hit == pytest.approx(math.sqrt(2 / G), abs=0.004)
    second = found.contacts.time[found.contacts.time > hit + 0.1]
    apex = height[(found.times > hit + 0.03) & (found.times < (second[0] if len(second) else np.inf))].max()
    assert math.sqrt(max(apex, 0)) == pytest.approx(restitution, abs=0.02)
    assert losses(found).max() < 2e-3
    momentum = found.mass[0] * math.sqrt(2 * G) * (1 + restitution)
    early = found.contacts.time < hit + 0.02
    carried = found.mass[0] * G * found.contacts.duration[early].sum()
    assert found.contacts.impulse[early].sum() - carried == pytest.approx(momentum, rel=0.03)
    assert height.min() > -0.01
    assert height[-1] > -5e-4


@pytest.mark.parametrize(("restitution", "ratio"), list(itertools.product([0.0, 0.3, 0.5, 0.8, 1.0], [1.0, 20.0])))
def test_spheres_collide_head_on(restitution: float, ratio: float) -> None:
    pair = [
        Rigid(name=name, shape=Sphere(0.1), position=(x, 0, 0), velocity=(v, 0, 0), mass=m, restitution=restitution)
        for name, x, v, m in (("a", -0.5, 2.0, 1.0), ("b", 0.5, -1.0, ratio))
    ]
    found = run(*pair, frames=11, floor=None, gravity=(0, 0, 0))
    momentum = (found.mass[None, :, None] * found.velocity).sum(1)
    np.testing.assert_allclose(momentum, momentum[:1].repeat(11, 0), atol=1e-9)
    assert found.velocity[-1, 1, 0] - found.velocity[-1, 0, 0] == pytest.approx(3 * restitution, abs=0.06)
    assert losses(found).max() < 1e-6
    assert len(found.contacts.bodies)
    assert (found.contacts.bodies == [0, 1]).all()
    np.testing.assert_allclose(found.contacts.normal[0], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found.contacts.impulse.sum(), ratio / (1 + ratio) * 3 * (1 + restitution), rtol=0.02)


def test_a_tower_stands() -> None:
    boxes = [Rigid(name=f"b{k}", shape=Box((0.2, 0.2, 0.15)), position=(0, 0, 0.075 + 0.15 * k), restitution=0.4) for k in range(5)]
    found = run(*boxes, floor=Floor(restitution=0.4))
    assert np.abs(found.position - found.position[0]).max() < 1e-3
    assert np.abs(found.velocity[-1]).max() < 1e-2
    weights = np.bincount(found.contacts.bodies[:, 0] + 1, found.contacts.impulse)  # who stands on whom
    np.testing.assert_allclose(weights, found.mass[0] * G * 2.0 * np.arange(5, 0, -1), rtol=0.01)


@pytest.mark.parametrize("friction", [0.1, 0.3, 0.6])
def test_friction_slows_by_mu_g(friction: float) -> None:
    box = Rigid(name="a", shape=Box((0.3, 0.3, 0.1)), position=(0, 0, 0.05), velocity=(3, 0, 0), friction=friction, restitution=0)
    found = run(box, floor=Floor(friction=friction, restitution=0), frames=40, dt=1 / 40)
    stop = 3 / (friction * G)
    sliding = (found.times > 0.1) & (found.times < 0.95 * stop)
    slope = np.polyfit(found.times[sliding], found.velocity[sliding, 0, 0], 1)[0]
    assert slope == pytest.approx(-friction * G, rel=0.02)
    if stop < 0.9:
        assert abs(found.velocity[-1, 0, 0]) < 1e-3
        assert found.position[-1, 0, 0] == pytest.approx(9 / (2 * friction * G), rel=0.02)
    assert losses(found).max() < 1e-4


@pytest.mark.parametrize(("shape", "factor"), [(Sphere(0.1), 5 / 7), (Cylinder(0.1, 0.3), 2 / 3)])
def test_rolling_down_a_ramp(shape: Sphere | Cylinder, factor: float) -> None:
    angle = 0.3
    down, up = np.array([math.cos(angle), 0, -math.sin(angle)]), np.array([math.sin(angle), 0, math.cos(angle)])
    ramp = Rigid(name="ramp", shape=Box((8, 1, 0.1)), position=tuple(-0.05 * up), rotation=about(1, angle), fixed=True, friction=0.8)
    turn = about(0, math.pi / 2)
    roller = Rigid(name="a", shape=shape, position=tuple(0.1 * up - 2 * down), rotation=turn, friction=0.8, restitution=0)
    found = run(ramp, roller, floor=None)
    speed = found.velocity[:, 1] @ down
    assert np.polyfit(found.times[4:], speed[4:], 1)[0] == pytest.approx(factor * G * math.sin(angle), rel=0.02)
    np.testing.assert_allclose(found.angular_velocity[4:, 1, 1] * 0.1, speed[4:], rtol=0.02)
    assert losses(found).max() < 1e-4


def test_torque_free_spin_keeps_its_angular_momentum() -> None:
    size = np.array([0.1, 0.25, 0.4])
    book = Rigid(name="a", shape=Box(tuple(size)), mass=1.0, angular_velocity=(0.05, 8.0, 0.05))  # about the unstable axis
    found = run(book, floor=None, gravity=(0, 0, 0))
    from scipy.spatial.transform import Rotation

    inertia = (np.sum(size**2) - size**2) / 12
    turn = Rotation.from_quat(found.rotation[:, 0], scalar_first=True)
    momentum = turn.apply(inertia * turn.inv().apply(found.angular_velocity[:, 0]))
    assert np.abs(momentum - momentum[0]).max() < 1e-6 * np.linalg.norm(momentum[0])
    assert np.abs(found.energy / found.energy[0] - 1).max() < 1e-3
    assert turn[-1].apply([0, 1, 0])[1] < 0.99 or (turn.apply([0, 1, 0])[:, 1] < 0.5).any()  # it flips over


def test_the_floor_feels_the_weight() -> None:
    found = run(Rigid(name="a", shape=Sphere(0.1), position=(0, 0, 0.1), mass=3.0, restitution=0), frames=17)
    assert (found.contacts.bodies == [-1, 0]).all()
    np.testing.assert_allclose(found.contacts.impulse[1:], 3 * G / 16, rtol=1e-3)
    np.testing.assert_allclose(found.contacts.normal, np.tile([0, 0, 1], (len(found.contacts.normal), 1)), atol=1e-6)
    assert np.abs(found.contacts.duration[1:] - 1 / 16).max() < 1e-9


def test_a_push_gives_its_impulse_and_its_work() -> None:
    block = Rigid(name="a", shape=Box((0.2, 0.2, 0.2)), mass=2.0)
    push = Push(body="a", force=(10, 0, 0), torque=(0, 0, 0.3), time=0.1003, duration=0.0707)
    found = run(block, floor=None, gravity=(0, 0, 0), pushes=(push,))
    assert found.velocity[-1, 0, 0] == pytest.approx(10 * 0.0707 / 2, rel=1e-6)
    assert found.angular_velocity[-1, 0, 2] == pytest.approx(0.3 * 0.0707 / (2 * 0.08 / 12), rel=1e-6)
    np.testing.assert_allclose(found.energy, found.work, atol=1e-9)


def test_a_ball_in_the_wind_follows_the_law_of_drag() -> None:
    found = run(Rigid(name="a", shape=Sphere(0.2), mass=0.05), floor=None, gravity=(0, 0, 0), wind=Wind(velocity=(6, 0, 0)))
    rate = 0.5 * 1.2 * 0.47 * math.pi * 0.04 / 0.05  # 1/m; v' = rate (U - v)^2 has this solution from rest
    np.testing.assert_allclose(found.velocity[:, 0, 0], 6 - 6 / (1 + rate * 6 * found.times), atol=0.01)
    np.testing.assert_allclose(found.energy, found.work, rtol=1e-6, atol=1e-9)


def test_a_driven_body_goes_its_way_and_drags_others_along() -> None:
    path = (Key(time=0.0, position=(0, 0, 0.05)), Key(time=2.0, position=(2, 0, 0.05)))
    belt = Rigid(name="belt", shape=Box((6, 1, 0.1)), path=path, friction=0.5)
    box = Rigid(name="box", shape=Box((0.2, 0.2, 0.1)), position=(0, 0, 0.15), friction=0.5, restitution=0)
    found = run(belt, box)
    np.testing.assert_allclose(found.position[:, 0, 0], found.times, atol=1e-9)
    np.testing.assert_allclose(found.velocity[:, 0], np.tile([1, 0, 0], (33, 1)), atol=1e-9)
    early = (found.times > 0) & (found.times < 0.19)
    np.testing.assert_allclose(found.velocity[early, 1, 0], 0.5 * G * found.times[early], rtol=0.03)
    np.testing.assert_allclose(found.velocity[found.times > 0.3, 1, 0], 1.0, atol=1e-3)
    mass = found.mass[1]
    assert found.work[-1] == pytest.approx(mass, rel=0.03)  # half of it heat: force mu m g over the belt's own way
    assert losses(found).max() < 1e-5


def test_masses_are_those_of_the_shapes() -> None:
    tetrahedron = Hull(((0, 0, 0), (0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.3)))
    dumbbell = Compound((Piece(Sphere(0.1), position=(-0.3, 0, 0)), Piece(Sphere(0.1), position=(0.3, 0, 0))))
    shapes = [Sphere(0.1), Box((0.1, 0.2, 0.3)), Capsule(0.1, 0.3), Cylinder(0.1, 0.3), tetrahedron, dumbbell]
    ball = 4 / 3 * math.pi * 0.001
    volumes = [ball, 0.006, ball + 0.003 * math.pi, 0.003 * math.pi, 0.3**3 / 6, 2 * ball]
    bodies = [Rigid(name=f"b{k}", shape=shape, position=(2.0 * k, 0, 5), density=500.0) for k, shape in enumerate(shapes)]
    found = run(*bodies, Rigid(name="m", shape=dumbbell, position=(0, 5, 5), mass=7.0), frames=2)
    np.testing.assert_allclose(found.mass, [*(500 * v for v in volumes), 7.0], rtol=1e-6)  # hulls: float32
    np.testing.assert_allclose(found.position[0, :6], [[2.0 * k, 0, 5] for k in range(6)], atol=1e-9)  # frames are ours
    np.testing.assert_allclose(found.center[0, 4], [8 + 0.075, 0.075, 5.075], atol=1e-9)  # a quarter of the way up
    np.testing.assert_allclose(found.rotation[0], np.tile([1, 0, 0, 0], (7, 1)), atol=1e-9)


def test_a_hull_rests_on_its_face() -> None:
    wedge = Hull(tuple((x, y, z) for y in (-0.2, 0.2) for x, z in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.3))))
    found = run(Rigid(name="a", shape=wedge, position=(0.1, 0.2, 0.0), restitution=0))
    assert np.abs(found.position - found.position[0]).max() < 1e-3
    np.testing.assert_allclose(found.center[0, 0], [0.1 + 0.5 / 3, 0.2, 0.1], atol=1e-9)


def test_a_start_velocity_is_that_of_the_centre_of_mass() -> None:
    lopsided = Compound((Piece(Box((0.1, 0.1, 0.1))), Piece(Box((0.1, 0.1, 0.1)), position=(0.4, 0, 0))))
    body = Rigid(name="a", shape=lopsided, rotation=about(2, 0.7), velocity=(1, 2, 3), angular_velocity=(0, 0, 4))
    found = run(body, floor=None, gravity=(0, 0, 0))
    np.testing.assert_allclose(found.velocity[:, 0], np.tile([1, 2, 3], (33, 1)), atol=1e-6)
    np.testing.assert_allclose(found.angular_velocity[:, 0], np.tile([0, 0, 4], (33, 1)), atol=1e-6)


def test_rolling_resistance_stops_a_ball() -> None:
    rolls = {"velocity": (1, 0, 0), "angular_velocity": (0, 10, 0)}
    found = run(Rigid(name="a", shape=Sphere(0.1), position=(0, 0, 0.1), rolling=0.1, restitution=0, **rolls))
    early = found.times < 1.2
    assert np.polyfit(found.times[early], found.velocity[early, 0, 0], 1)[0] == pytest.approx(-5 / 7 * 0.1 * G, rel=0.03)
    assert abs(found.velocity[-1, 0, 0]) < 1e-2


def test_ghosts_touch_nothing_and_fixed_bodies_stay() -> None:
    ghost = Rigid(name="ghost", shape=Sphere(0.1), position=(0, 0, 0.5), ghost=True)
    table = Rigid(name="table", shape=Box((1, 1, 0.2)), position=(0, 0, 0.1), fixed=True)
    found = run(ghost, table, frames=17)
    assert found.position[-1, 0, 2] == pytest.approx(0.5 - G / 2, abs=1e-9)
    assert (found.position[:, 1] == found.position[0, 1]).all()
    assert len(found.contacts.time) == 0


def test_what_explodes_says_so() -> None:
    with pytest.raises(Failed, match="explodes"):
        run(Rigid(name="a", shape=Sphere(0.1)), floor=None, pushes=(Push(body="a", force=(1e30, 0, 0), duration=3.0),)).check()


def test_a_start_velocity_needs_a_free_body() -> None:
    with pytest.raises(UserError, match="only free bodies start with a velocity"):
        run(Rigid(name="a", shape=Sphere(0.1), fixed=True, velocity=(1, 0, 0)), Rigid(name="b", shape=Sphere(0.1)))


SAME = """
import hashlib, numpy as np
from kinema.simulators import Box, Rigid, Scene, Sphere
from kinema.simulators.spatial.engine import simulate
bodies = [Rigid(name=f"b{k}", shape=Box((.2, .1, .3)) if k % 2 else Sphere(.1), position=(.05 * k, .02 * k, .3 + .3 * k)) for k in range(6)]
run = simulate(Scene(tuple(bodies)), np.arange(20) / 16)
found = hashlib.sha256(run.position.tobytes() + run.velocity.tobytes() + run.contacts.impulse.tobytes()).hexdigest()
"""


def test_the_same_scene_gives_the_same_bytes_in_another_process() -> None:
    here: dict[str, str] = {}
    exec(SAME, here)
    there = subprocess.run([sys.executable, "-c", SAME + "print(found)"], capture_output=True, text=True, check=True).stdout
    assert there.strip() == here["found"]
