"""Scenes from Python: what cannot be is refused where it is written, in one sentence; cameras stand where they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kinema.core.errors import UserError
from kinema.core.rng import stream
from kinema.simulators import SCENARIOS, Own, SpatialWorld
from kinema.simulators.spatial.bodies import EDGES, Balloon, Cloth, Joint, Key, Particles, Rigid, Rope, Soft
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.looks import Look
from kinema.simulators.spatial.matter import matter
from kinema.simulators.spatial.scene import Floor, Heater, Light, Push, Scene, Sky, Wind
from kinema.simulators.spatial.shapes import Box, Compound, Hull, Piece, Sphere
from kinema.simulators.spatial.views import Crane, Dolly, FirstPerson, Orbit, Still, Tracking

NAN, INF = float("nan"), float("inf")
BALL = Rigid(name="ball", shape=Sphere(0.1), position=(0.0, 0.0, 1.0))
FIXED = replace(BALL, name="post", fixed=True)
DRIVEN = replace(BALL, name="arm", path=(Key(time=0.0, position=(0, 0, 1)),))
WATER = Particles(name="water")


def rigid(**fields):
    return replace(BALL, **fields)


def pushed(body):
    return Scene((body,), pushes=(Push(body=body.name),))


def each(make, **bad):
    """Calls of `make` with one field after the other set to each of its bad values."""
    return [partial(make, **{key: value}) for key, values in bad.items() for value in values]


def by(name, *classes, **bad):
    return [call for cls in classes for call in each(partial(cls, name=name), **bad)]


LOOSE = {"damping": (NAN, -1.0), "friction": (NAN, -1.0)}
push, ride = partial(Push, body="a"), partial(FirstPerson, body="a")
follow, key, piece = partial(Tracking, body="a"), partial(Key, time=0.0, position=(0, 0, 0)), partial(Piece, Sphere(0.1))
scene, low = partial(Scene, (BALL,)), partial(rigid, name="low", joint=Joint())

REFUSED: dict[str, list[Callable[[], object]]] = {
    # cameras
    r"needs its name: body must not be empty": [partial(cls, body="") for cls in (Tracking, FirstPerson)],
    r"a camera's fov must be from 1 to 170": each(Still, fov=(NAN, 0.0)),
    r"a camera's eye must be finite, got nan, 0, 1": [partial(cls, eye=(NAN, 0, 1)) for cls in (Still, Dolly, Crane)],
    r"a camera's target must be finite": [partial(cls, target=(0, INF, 1)) for cls in (Still, Dolly, Crane, Orbit)],
    r"a camera's velocity must be finite": each(Dolly, velocity=[(0, 0, NAN)]),
    r"a camera's (rate|start|height|radius) must be finite": each(Orbit, rate=[NAN], start=[INF], height=[NAN], radius=[NAN]),
    r"a camera's (pitch|yaw|offset) must be finite": each(ride, pitch=[NAN], yaw=[INF], offset=[(NAN, 0, 0)]),
    r"a camera's offset must be finite": each(follow, offset=[(0, 0, NAN)]),
    r"a camera's offset .* must not be zero": each(follow, offset=[(0, 0, 0)]),
    r"a camera's radius must be above 0": each(Orbit, radius=(0.0, -1.0)),
    r"a camera stands on what it looks at": [partial(cls, eye=(0, 0, 1), target=(0, 0, 1)) for cls in (Still, Dolly, Crane)],
    r"camera must be a whole number from 0 to 0, .* got -1": [lambda: scene().view(-1)],
    r"camera must be a whole number from 0 to 0, .* got 1": [lambda: scene().view(1)],
    # surroundings
    r"the floor's friction must be 0 or more": each(Floor, friction=(NAN, INF, -1.0)),
    r"the floor's restitution must be from 0 to 1": each(Floor, restitution=(NAN, 1.1)),
    r"a light's strength and ambient must be 0 or more": each(Light, strength=(NAN, INF, -1.0), ambient=[NAN]),
    r"a light's color must be three numbers from 0 to 255": each(Light, color=[(0, 0, 256), (-1, 0, 0)]),
    r"a light's direction must be finite": each(Light, direction=[(0, 0, INF), (NAN, 0, -1)]),
    r"a light's direction must not be zero": each(Light, direction=[(0, 0, 0)]),
    r"a light's size must be from 0 to 60": each(Light, size=[NAN]),
    r"a sky's haze must be 0 or more": each(Sky, haze=(NAN, INF, -1.0)),
    r"a sky's (zenith|horizon|ground) must be three": each(Sky, zenith=[(0, 0, 300)], horizon=[(-1, 0, 0)], ground=[(0, 0)]),
    r"a sky's clouds must be from 0 to 1": each(Sky, clouds=(NAN, 1.1, -0.1)),
    r"a sky's scenery must be one of open, hills": each(Sky, scenery=["sea"]),
    r"the wind's velocity must be finite": each(Wind, velocity=[(NAN, 0, 0)]),
    r"the wind's gusts must be 0 or more": each(Wind, gusts=(-0.1, NAN)),
    r"a push's force and torque must be finite": each(push, force=[(0, NAN, 0)], torque=[(INF, 0, 0)]),
    r"a push's time must be 0 or more": each(push, time=(-1.0, NAN)),
    r"a push's duration must be above 0": each(push, duration=[NAN]),
    r"a heater's position and height must be finite": each(Heater, position=[(NAN, 0)], height=[INF]),
    r"a heater's radius, rate and reach must be above 0": each(Heater, rate=(-1.0, NAN), reach=[0.0]),
    r"a look's scale must be above 0": each(Look, scale=(INF, NAN, 0.0)),
    r"a look's color must be three numbers": each(Look, color=[(0, 0), (0, 0, NAN)]),
    # shapes
    r"a piece's position must be finite": each(piece, position=[(0, 0, NAN)]),
    r"a piece's rotation must be a unit quaternion": each(piece, rotation=[(0, 0, 0, 0), (NAN, 0, 0, 0), (1, 1, 0, 0)]),
    r"a convex hull's points must be finite": each(Hull, points=[((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, NAN))]),
    r"a convex hull's points must not all lie in one plane": each(Hull, points=[
        ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)), ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, -1), (2, 0, -1)), ((1, 1, 1),) * 4,
    ]),
    # rigid bodies
    r"a key's time and position must be finite": each(key, time=[NAN], position=[(INF, 0, 0)]),
    r"a key's rotation must be a unit": each(key, rotation=[(0, 0, 0, 0), (2, 0, 0, 0), (NAN, 0, 0, 0)]),
    r"a joint's kind must be one of hinge, slide, ball, got 'weld'": each(Joint, kind=["weld"]),
    r"a joint's axis must not be zero": each(Joint, axis=[(0, 0, 0)]),
    r"a joint's axis, anchor and speed must be finite": each(Joint, axis=[(NAN, 0, 0)], anchor=[(INF, 0, 0)], speed=[NAN]),
    r"a joint's damping and stiffness must be 0 or more": each(Joint, damping=(-1.0, NAN), stiffness=(-1.0, INF)),
    r"a joint's limits must be the lower, then the higher": each(Joint, limits=[(1, -1), (1, 1)]),
    r"a joint's limits must be finite": each(Joint, limits=[(NAN, 1), (0, INF)]),
    r"the lower limit of a ball joint must be 0": [partial(Joint, kind="ball", limits=(-1, 1))],
    r"body 'ball': rolling must be 0 or more": each(rigid, rolling=(-0.1, NAN)),
    r"body 'ball': friction must be 0 or more": each(rigid, friction=(NAN, -1.0)),
    r"body 'ball': restitution must be from 0 to 1": each(rigid, restitution=[NAN]),
    r"body 'ball': (mass|density) must be above 0": each(rigid, mass=[NAN], density=[0.0]),
    r"body 'ball': has both mass and density; give one": [partial(rigid, mass=1.0, density=1.0)],
    r"body 'ball': angular_velocity must be finite": each(rigid, angular_velocity=[(0, NAN, 0)]),
    r"body 'ball': position, rotation and velocity must be finite": each(rigid, position=[(NAN, 0, 0)], velocity=[(INF, 0, 0)]),
    r"body 'ball': rotation must be a unit": each(rigid, rotation=[(0, 0, 0, 0)]),
    r"there is no material 'cheese'": each(rigid, material=["cheese"]),
    r"body 'ball': only free bodies start with a velocity": [
        *each(partial(rigid, velocity=(1, 0, 0)), fixed=[True], joint=[Joint()], path=[DRIVEN.path]),
        partial(rigid, joint=Joint(), angular_velocity=(0, 0, 1)),
    ],
    # what bends and flows
    r"body 'a': damping and friction must be 0 or more": by("a", Cloth, Soft, Rope, **LOOSE),
    r"body 'a': inflation, lift, damping and friction must be 0 or more": by("a", Balloon, inflation=(NAN, -1.0), lift=(-1.0,), **LOOSE),
    r"body 'a': (viscosity|friction) must be 0 or more": by("a", Particles, viscosity=(NAN, -1.0), friction=(NAN, -1.0)),
    r"body 'a': (yield_stress|diffusivity) must be 0 or more": by("a", Particles, yield_stress=(NAN, -1.0), diffusivity=(NAN, -1.0)),
    r"body 'a': pinned must be one of left, right, top, bottom, corners, none, got 'side'": by("a", Cloth, pinned=["side"]),
    r"body 'a': form must be one of box, ball, cylinder, got 'cone'": by("a", Soft, Particles, form=["cone"]),
    r"there is no substance 'lava'": by("a", Particles, substance=["lava"]),
    # scenes
    r"the scene's gravity must be finite": each(scene, gravity=[(0, 0, NAN)]),
    r"the scene's step must be above 0": each(scene, step=[NAN]),
    r"agent and patient must be two bodies, both are 'ball'": [partial(scene, agent="ball", patient="ball")],
    r"body 'post' is fixed: it cannot be pushed": [partial(pushed, FIXED)],
    r"body 'arm' is driven along a path: it cannot be pushed": [partial(pushed, DRIVEN)],
    r"body 'water' consists of particles: it cannot be pushed": [partial(pushed, WATER)],
    r"heaters warm particles, and the scene has none": each(scene, heaters=[(Heater(),)]),
    r"a heater's body must be rigid, 'water' is not": [partial(Scene, (WATER,), heaters=(Heater(body="water"),))],
    r"body 'low': its parent 'ball' must be a rigid body that comes before it": [lambda: Scene((low(parent="ball"), BALL))],
    r"body 'low': its parent 'rope' must be a rigid body": [lambda: Scene((Rope(name="rope"), low(parent="rope")))],
    r"body 'ball': its parent 'ball' must be": [lambda: Scene((rigid(parent="ball", joint=Joint()),))],
    r"body 'low' names body 'world', which the scene does not have": [lambda: Scene((low(parent="world"),))],
}  # fmt: skip


@pytest.mark.parametrize(("said", "make"), [(said, make) for said, makes in REFUSED.items() for make in makes])
def test_what_cannot_be_is_refused_in_one_sentence(said, make):
    with pytest.raises(UserError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_what_can_be_is_not():
    for pinned in EDGES:
        Cloth(name="a", pinned=pinned)
    Joint(kind="ball", limits=(0, 1))
    Hull(((0, 0, 0), (1e-3, 0, 0), (0, 1e-3, 0), (0, 0, 1e-3)))
    Scene((WATER, BALL), heaters=(Heater(body="ball"),))
    Scene((BALL, rigid(name="low", parent="ball", joint=Joint())), agent="ball", patient="low", pushes=(Push(body="low"),))


@pytest.mark.parametrize("camera", ["x", -1, 5, 0.5, None])
def test_a_camera_that_is_none_is_refused(camera):
    world = Own(Scene((FIXED,)), size=16, num_frames=2)
    params = {**world.sample(np.random.default_rng(0)), "camera": camera}
    with pytest.raises(UserError, match="camera must be a whole number from 0 to 0"):
        world.simulate(params, np.random.default_rng(0), ())


@pytest.mark.parametrize("cls", [cls for cls in SCENARIOS.values() if issubclass(cls, SpatialWorld)], ids=lambda cls: cls.name)
@pytest.mark.parametrize("split", ["id", "ood"])
def test_what_scenarios_draw_is_accepted(cls, split):
    world = cls().split(split)
    for k in range(2 if cls.name == "driving" else 10):
        world.sample(stream(cls.name, 0, k), k)


LOPSIDED = Compound((Piece(Box((0.2, 0.2, 0.2))), Piece(Box((0.2, 0.2, 0.2)), position=(1.0, 0.0, 0.0))))  # its centre is at x = 0.5


def film(view):
    half = 2**-0.5
    pitched = (np.cos(0.2), 0.0, np.sin(0.2), 0.0)  # 0.4 rad down, about y
    keys = (
        Key(time=0.0, position=(0, 0, 1)), Key(time=0.5, position=(1, 0, 1)), Key(time=1.0, position=(1, 2, 1), rotation=pitched),
        Key(time=1.5, position=(1, 2, 3), rotation=(half, 0, 0, half)),
    )  # fmt: skip
    scene = Scene((Rigid(name="car", shape=LOPSIDED, path=keys),), views=(view,), ego="car")
    world = Own(scene, size=16, num_frames=4, dt=0.5, tracks=0)
    return world.simulate(world.sample(np.random.default_rng(0)), np.random.default_rng(0), ())


def eye(clip):
    pose = clip.camera.pose.numpy()
    return -np.einsum("tji,tj->ti", pose[:, :3, :3], pose[:, :3, 3])


def test_cameras_ride_on_the_frame_and_track_the_centre_of_mass():
    riding, tracking = film(FirstPerson(body="car", offset=(0.3, 0.1, 0.5))), film(Tracking(body="car", offset=(0.0, -3.0, 1.0)))
    ahead, up = np.array([np.cos(0.4), 0, -np.sin(0.4)]), np.array([np.sin(0.4), 0, np.cos(0.4)])
    expected = [[0.3, 0.1, 1.5], [1.3, 0.1, 1.5], [1, 2.1, 1] + 0.3 * ahead + 0.5 * up, [0.9, 2.3, 3.5]]
    np.testing.assert_allclose(eye(riding), expected, atol=1e-9)
    np.testing.assert_allclose(eye(tracking)[[0, 1, 3]], [[0.5, -3, 2], [1.5, -3, 2], [1.0, -0.5, 4]], atol=1e-9)
    # the camera's forward step: along the ego's heading, x at first
    moved = np.diff(eye(riding), axis=0)
    np.testing.assert_allclose(riding.actions[:3, 2].numpy(), moved[:, 0], atol=1e-9)


@pytest.mark.parametrize(
    "body",
    [Cloth(name="a", count=(6, 6), size=(0.5, 0.5)), Soft(name="a", count=(4, 4, 4)), Balloon(name="a", subdivisions=2), Rope(name="a")],
    ids=lambda body: type(body).__name__,
)
def test_a_push_gives_what_bends_its_impulse(body):
    pytest.importorskip("mujoco")
    free = {"floor": None, "gravity": (0.0, 0.0, 0.0)}
    times = np.arange(5) / 16
    mass = float(simulate(Scene((body,), **free), times).mass[0])
    impulse = mass * np.array([1.0, -2.0, 0.5])
    push = Push(body="a", force=tuple(impulse / 0.11), time=0.013, duration=0.11)
    found = simulate(Scene((body,), pushes=(push,), **free), times)
    np.testing.assert_allclose(found.velocity[-1, 0], [1.0, -2.0, 0.5], rtol=5e-3)
    assert found.work[-1] == pytest.approx(mass * 5.25 / 2, rel=0.02)


def test_a_torque_gives_what_bends_its_angular_momentum():
    pytest.importorskip("mujoco")
    block = Soft(name="a", count=(4, 4, 4), size=(0.3, 0.2, 0.4), young=1e6)
    push = Push(body="a", torque=(1.0, -0.5, 2.0), duration=0.05)
    found = simulate(Scene((block,), floor=None, gravity=(0.0, 0.0, 0.0), pushes=(push,)), np.arange(9) / 64)
    shape = matter(block)
    corners = shape.points[shape.elements]
    quarter = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 24 * block.density
    mass = np.bincount(shape.elements.ravel(), np.repeat(quarter, 4), len(shape.points))
    assert mass.sum() == pytest.approx(0.3 * 0.2 * 0.4 * block.density)
    points = found.vertices.astype(float)
    for k in range(5, 8):  # when it acts no more
        spin = mass @ np.cross((points[k] + points[k + 1]) / 2, (points[k + 1] - points[k]) * 64)
        np.testing.assert_allclose(spin, 0.05 * np.array(push.torque), rtol=0.03)
    np.testing.assert_allclose(found.center[-1, 0], 0.0, atol=1e-6)


def test_a_short_push_gives_its_impulse_beside_particles_too():
    pytest.importorskip("newton")
    water = Particles(name="water", position=(3.0, 0.0, 0.1), size=(0.1, 0.1, 0.1), spacing=0.05)
    ball = rigid(mass=2.0)
    pushes = tuple(Push(body="ball", force=(2.0 / 0.004, 0.0, 0.0), time=time, duration=0.004) for time in (0.011, 0.03))
    found = simulate(Scene((water, ball), gravity=(0.0, 0.0, 0.0), pushes=pushes), np.arange(3) / 16)
    np.testing.assert_allclose(found.velocity[-1, 1], [2.0, 0.0, 0.0], atol=1e-6)
    assert found.work[-1] == pytest.approx(2.0 * 2.0**2 / 2, rel=1e-4)
