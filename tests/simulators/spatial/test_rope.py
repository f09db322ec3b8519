"""Ropes: how they hang, swing, keep their length and their energy, and lie on what is in their way."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

pytest.importorskip("mujoco")

from kinema.core.errors import UserError
from kinema.core.rng import stream
from kinema.simulators.spatial.bodies import Rigid, Rope
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.matter import matter
from kinema.simulators.spatial.phys4d.rope import Ropes, about_y
from kinema.simulators.spatial.run import Failed
from kinema.simulators.spatial.scene import Push, Scene, Wind
from kinema.simulators.spatial.shapes import Capsule, Sphere

G = 9.81


def run(*bodies, seconds=2.0, **fields):
    return simulate(Scene(bodies, **fields), np.arange(round(seconds * 16) + 1) / 16)


def line(body, vertices):
    """The centre line [s+1,3] of a rope from its tube: the middle of every ring."""
    return vertices[: (body.segments + 1) * 8].reshape(body.segments + 1, 8, 3).mean(1)


def lengths(body, vertices):
    return np.linalg.norm(np.diff(line(body, vertices), axis=0), axis=1).sum()


@pytest.mark.parametrize("slack", [1.1, 1.3, 1.6])
def test_between_two_points_it_hangs_in_a_catenary(slack):
    span, length = 1.0, slack
    body = Rope(name="rope", position=(-0.5, 0.0, 2.0), length=length, span=span, start="world", end="world", segments=30, bend=5e4)
    last = line(body, run(body, seconds=1.5).vertices[-1])
    a = brentq(lambda a: 2 * a * math.sinh(span / 2 / a) - length, 0.05, 50)
    sag = a * (math.cosh(span / 2 / a) - 1)
    assert 2.0 - last[:, 2].min() == pytest.approx(sag, rel=0.03)
    hangs = 2.0 - sag + a * (np.cosh(last[:, 0] / a) - 1)
    assert np.abs(last[:, 2] - hangs).max() < 0.03 * sag
    assert np.abs(last[:, 1]).max() < 1e-3


def test_a_load_on_a_light_rope_swings_with_the_period_of_a_pendulum():
    length, radius, amplitude = 0.8, 0.05, 0.5
    turn, ahead = about_y(math.pi / 2 + amplitude), np.array([-math.sin(amplitude), 0.0, -math.cos(amplitude)])
    place = tuple(np.array([0.0, 0.0, 2.0]) + ahead * (length + radius))
    rope = Rope(name="rope", position=(0.0, 0.0, 2.0), rotation=turn, length=length, start="world", end="ball", radius=0.006, density=600.0)
    ball = Rigid(name="ball", shape=Sphere(radius), position=place, rotation=turn, density=7800.0)
    found = simulate(Scene((rope, ball)), np.arange(120) / 48)
    x = found.center[:, 1, 0]
    crossings = [k + x[k] / (x[k] - x[k + 1]) for k in range(len(x) - 1) if x[k] * x[k + 1] < 0]
    half = (crossings[1] - crossings[0]) / 48

    rope_mass, ball_mass, arm = found.mass[0], found.mass[1], length + radius
    inertia = rope_mass * length**2 / 3 + ball_mass * arm**2
    moment = (rope_mass * length / 2 + ball_mass * arm) * G

    def passes(t, y):
        return y[0]

    passes.direction = 1
    theory = solve_ivp(lambda t, y: (y[1], -moment / inertia * np.sin(y[0])), (0, 3), (-amplitude, 0), events=passes, rtol=1e-9, atol=1e-9)
    assert half == pytest.approx(2 * theory.t_events[0][0], rel=0.02)
    assert np.abs(x).max() == pytest.approx(arm * math.sin(amplitude), rel=0.01)


def test_a_hanging_chain_swings_with_its_first_bessel_mode():
    body = Rope(
        name="rope",
        position=(0.0, 0.0, 2.0),
        rotation=about_y(math.pi / 2 + 0.1),
        length=1.0,
        start="world",
        bend=2e4,
        damping=0.005,
        radius=0.008,
    )
    found = simulate(Scene((body,)), np.arange(150) / 48)
    x = found.center[:, 0, 0]
    crossings = [k + x[k] / (x[k] - x[k + 1]) for k in range(len(x) - 1) if x[k] * x[k + 1] < 0]
    assert 2 * (crossings[1] - crossings[0]) / 48 == pytest.approx(4 * math.pi / 2.404826 * math.sqrt(1.0 / G), rel=0.05)


def test_in_the_air_it_falls_freely():
    body = Rope(name="rope", position=(0.0, 0.0, 3.0), velocity=(1.0, 0.5, 2.0), length=0.8)
    found = run(body, seconds=0.6)
    t = found.times
    true = np.stack([0.4 + t, 0.5 * t, 3.0 + 2 * t - G * t**2 / 2], 1)
    assert np.abs(found.center[:, 0] - true).max() < 0.01
    assert found.mass[0] == pytest.approx(body.density * math.pi * body.radius**2 * 0.8)


def test_its_length_and_energy_are_kept():
    body = Rope(name="rope", position=(0.0, 0.0, 2.0), rotation=about_y(0.6), length=1.2, start="world")
    found = run(body)
    assert all(lengths(body, vertices) == pytest.approx(1.2, rel=0.01) for vertices in found.vertices)
    swing = np.ptp(found.kinetic)
    assert np.diff(found.energy).max() < 0.005 * swing
    assert found.energy[-1] > found.energy[0] - 0.4 * swing


def test_over_a_bar_it_does_not_pass_through():
    bar = Rigid(
        name="bar", shape=Capsule(0.03, 1.0), position=(0.0, 0.0, 0.8), rotation=(math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0), fixed=True
    )
    body = Rope(name="rope", position=(-0.5, 0.0, 1.0), length=1.0, damping=0.03)
    found = run(bar, body, seconds=1.0)
    for vertices in found.vertices:
        centre = line(body, vertices)
        near = np.abs(centre[:, 1]) < 0.5
        assert (np.hypot(centre[near, 0], centre[near, 2] - 0.8) > 0.03 + 0.4 * body.radius).all()
        assert (centre[:, 2] > 0.4 * body.radius).all()
    middle = line(body, found.vertices[-1])[body.segments // 2]
    assert middle[2] > 0.8
    assert 0 in found.contacts.bodies


def test_wind_and_pushes_do_work_on_it():
    body = Rope(name="rope", position=(0.0, 0.0, 2.0), rotation=about_y(math.pi / 2), length=1.0, start="world")
    blown = run(body, wind=Wind(velocity=(0.0, 6.0, 0.0)), seconds=1.0)
    assert blown.center[-1, 0, 1] > 0.02
    free = Rope(name="rope", position=(0.0, 0.0, 2.0), length=1.0)
    mass = 800 * math.pi * 0.012**2
    pushed = run(free, gravity=(0.0, 0.0, 0.0), pushes=(Push(body="rope", force=(0.0, mass / 0.1, 0.0), duration=0.1),), seconds=0.5)
    assert pushed.velocity[-1, 0, 1] == pytest.approx(1.0, rel=1e-3)
    assert pushed.work[-1] == pytest.approx(mass / 2, rel=0.02)


def test_the_tube_is_closed_and_points_outwards():
    found = matter(Rope(name="rope", length=1.0, span=0.8, radius=0.02))
    a, b, c = (found.points[found.triangles[:, k]] for k in range(3))
    volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
    octagon = 8 / 2 * math.sin(math.pi / 4) * 0.02**2
    assert volume == pytest.approx(octagon * 1.0, rel=0.03)
    edges = np.sort(np.concatenate([found.triangles[:, [0, 1]], found.triangles[:, [1, 2]], found.triangles[:, [2, 0]]]), 1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_the_first_frame_is_the_body_at_rest():
    body = Rope(name="rope", position=(0.3, -0.2, 1.0), rotation=about_y(0.3), length=1.0, span=0.7, start="world", end="world")
    from scipy.spatial.transform import Rotation

    rest = Rotation.from_quat(body.rotation, scalar_first=True).apply(matter(body).points) + body.position
    assert np.abs(run(body, seconds=0.1).vertices[0] - rest).max() < 1e-5


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"length": -1.0}, "length"), ({"segments": 1}, "segments"), ({"span": 1.5}, "span"), ({"damping": -0.1}, "damping"),
        ({"bend": math.nan}, "bend"), ({"start": "nobody"}, "nobody"), ({"start": "world", "velocity": (1.0, 0.0, 0.0)}, "velocity"),
    ],
)  # fmt: skip
def test_wrong_ropes_are_refused(fields, said):
    with pytest.raises(UserError, match=said):
        run(Rope(name="rope", **fields), seconds=0.1)


def test_an_explosion_is_reported():
    with pytest.raises(Failed, match="explodes"):
        run(
            Rope(name="rope", position=(0.0, 0.0, 1.0), rotation=about_y(0.6), start="world", bend=1e13, damping=0.0, segments=6),
            floor=None,
            seconds=0.5,
        )


@pytest.mark.parametrize("base", Ropes.bases)
def test_every_base_scene_keeps_the_law(base):
    world = Ropes(base=base, complexity="two")
    scene = world.draw(stream("rope", 0, 0), 0)
    found = simulate(scene, np.arange(12) / 16)
    found.check()
    energy, swing = found.energy - found.work, np.ptp(found.kinetic.sum(1))
    assert (energy < energy[0] + 0.02 * swing).all()
    again = simulate(replace(scene), np.arange(4) / 16)
    assert found.vertices[:4].tobytes() == again.vertices.tobytes()
