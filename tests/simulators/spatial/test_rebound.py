"""Rigid bodies rebound by the same law whoever else is about."""

import numpy as np
import pytest

from kinema.simulators.spatial import Box, Cloth, Floor, Rigid, Rope, Scene, Sphere
from kinema.simulators.spatial.bodies import Body
from kinema.simulators.spatial.engine import simulate
from kinema.simulators.spatial.run import Run

ABOUT = [
    pytest.param(Cloth(name="c", position=(5, 0, 3), size=(0.4, 0.4), count=(4, 4), pinned="corners"), id="cloth"),
    pytest.param(Rope(name="c", position=(5, 0, 3), length=0.5, segments=4, start="world"), id="rope"),
]


def run(*bodies: Body, frames: int, dt: float, **scene: object) -> Run:
    return simulate(Scene(bodies, **scene), np.arange(frames) * dt)


def rebound(found: Run, rest: float) -> float:
    """The share of its speed with which body 0 leaves the floor, by the height it comes from and goes to above `rest`."""
    height = found.position[:, 0, 2] - rest
    later = height[found.times > found.contacts.time[0] + 0.03]
    return float(np.sqrt(max(later.max(), 0.0) / height[0]))


@pytest.mark.parametrize("other", ABOUT)
@pytest.mark.parametrize("restitution", [0.3, 0.8, 1.0])
def test_a_ball_rebounds_beside_what_is_flexible(restitution: float, other: Body) -> None:
    ball = Rigid(name="a", shape=Sphere(0.1), position=(0, 0, 0.6), restitution=restitution)
    found = run(ball, other, frames=150, dt=1 / 200, floor=Floor(restitution=restitution))
    assert rebound(found, 0.1) == pytest.approx(restitution, abs=0.05)
    assert found.position[:, 0, 2].min() > 0.08
    own = found.kinetic[:, 0] + found.potential[:, 0]
    assert np.diff(own).max() < 0.01 * own[0]


@pytest.mark.parametrize("other", ABOUT)
@pytest.mark.parametrize("ratio", [1.0, 20.0])
def test_spheres_collide_beside_what_is_flexible(ratio: float, other: Body) -> None:
    pair = [
        Rigid(name=name, shape=Sphere(0.1), position=(x, 0, 0), velocity=(v, 0, 0), mass=m, restitution=0.7)
        for name, x, v, m in (("a", -0.3, 2.0, 1.0), ("b", 0.3, -1.0, ratio))
    ]
    found = run(*pair, other, frames=6, dt=1 / 16, floor=None, gravity=(0, 0, 0))
    momentum = found.mass[:2] @ found.velocity[:, :2, 0].T
    np.testing.assert_allclose(momentum, momentum[0], atol=1e-9)
    assert found.velocity[-1, 1, 0] - found.velocity[-1, 0, 0] == pytest.approx(0.7 * 3, rel=0.02)
    np.testing.assert_allclose(found.contacts.impulse.sum(), ratio / (1 + ratio) * 3 * 1.7, rtol=0.02)


def test_a_box_lands_flat_and_a_row_passes_the_blow_on() -> None:
    cloth = ABOUT[0].values[0]
    box = Rigid(name="a", shape=Box((0.3, 0.3, 0.1)), position=(0, 0, 0.45), restitution=0.5)
    found = run(box, cloth, frames=120, dt=1 / 200, floor=Floor(restitution=0.5))
    assert rebound(found, 0.05) == pytest.approx(0.5, abs=0.05)
    assert np.abs(found.angular_velocity[:, 0]).max() < 0.1
    row = [Rigid(name=f"b{k}", shape=Sphere(0.1), position=(0.2001 * k, 0, 0), restitution=1.0) for k in range(3)]
    hit = Rigid(name="h", shape=Sphere(0.1), position=(-0.5, 0, 0), velocity=(2, 0, 0), restitution=1.0)
    after = run(hit, *row, cloth, frames=9, dt=1 / 16, floor=None, gravity=(0, 0, 0)).velocity[-1, :4, 0]
    assert after.sum() == pytest.approx(2.0)
    assert (after**2).sum() < 4.0 + 1e-6
