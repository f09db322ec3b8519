"""Motion in closed form against formulas that know nothing of it, and against its own symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from kinema.core import UserError
from kinema.simulators.planar import motion

TIMES = np.arange(0, 40) * 0.1
G = (0.0, -2.5)


def billiard(rng: np.random.Generator, count: int = 3) -> tuple[np.ndarray, ...]:
    """Discs in a box of 10 x 10 m that do not overlap, in general position."""
    while True:
        radius = rng.uniform(0.4, 1.2, count)
        position = rng.uniform(radius.max(), 10 - radius.max(), (count, 2))
        apart = np.linalg.norm(position[:, None] - position[None], axis=-1) - radius[:, None] - radius
        if (apart[~np.eye(count, dtype=bool)] > 0).all():
            return position, rng.uniform(-3, 3, (count, 2)), radius, np.pi * radius**2


BOX = (0.0, 10.0, 0.0, 10.0)


def test_free_motion_is_a_parabola() -> None:
    x, v = np.array([[1.0, 9.0], [8.0, 7.0]]), np.array([[2.0, 0.5], [-0.1, 0.0]])
    run = motion(x, v, np.array([0.5, 0.7]), np.ones(2), TIMES, gravity=G)
    t = TIMES[:, None]
    np.testing.assert_allclose(run.position[..., 0], x[:, 0] + v[:, 0] * t, atol=1e-12)
    np.testing.assert_allclose(run.position[..., 1], x[:, 1] + v[:, 1] * t - 2.5 * t**2 / 2, atol=1e-12)
    np.testing.assert_allclose(run.velocity[..., 1], v[:, 1] - 2.5 * t, atol=1e-12)
    assert run.contacts.time == []


@pytest.mark.parametrize("seed", range(20))
def test_head_on_collision_follows_the_textbook(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (u1, u2), (r1, r2), (m1, m2) = rng.uniform(0.5, 4, 2), rng.uniform(0.3, 1.5, 2), rng.uniform(0.2, 9, 2)
    x1, x2 = 1.0, 8.0
    run = motion(np.array([[x1, 5], [x2, 5]]), np.array([[u1, 0], [-u2, 0]]), np.array([r1, r2]), np.array([m1, m2]), np.array([0, 9.0]))
    after1 = ((m1 - m2) * u1 - 2 * m2 * u2) / (m1 + m2)
    after2 = ((m1 - m2) * u2 + 2 * m1 * u1) / (m1 + m2)
    np.testing.assert_allclose(run.velocity[1, :, 0], [after1, after2], atol=1e-12)
    np.testing.assert_allclose(run.velocity[..., 1], 0, atol=1e-12)
    when = (x2 - x1 - r1 - r2) / (u1 + u2)
    np.testing.assert_allclose(run.contacts.time, [when], atol=1e-12)
    np.testing.assert_allclose(run.contacts.point, [[x1 + u1 * when + r1, 5]], atol=1e-12)
    np.testing.assert_allclose(run.contacts.impulse, [m2 * (after2 + u2)], atol=1e-12)
    met, left = np.array([x1 + u1 * when, x2 - u2 * when]), 9 - when
    np.testing.assert_allclose(run.position[1, :, 0], met + np.array([after1, after2]) * left, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_walls_fold_straight_motion(seed: int) -> None:
    """A bouncing disc is a free one in a row of mirrored rooms."""
    rng = np.random.default_rng(seed)
    r, x, v = 0.8, rng.uniform(1, 9, 2), rng.uniform(-20, 20, 2)
    run = motion(x[None], v[None], np.array([r]), np.ones(1), TIMES, walls=BOX)
    room = 10 - 2 * r
    far = (x - r + v * TIMES[:, None]) % (2 * room)
    np.testing.assert_allclose(run.position[:, 0], r + np.minimum(far, 2 * room - far), atol=1e-10)
    assert len(run.contacts.time) == np.abs((x - r + v * TIMES[-1]) // room).sum()
    assert {pair for _, pair in run.contacts.bodies} == {-1}


def test_a_dropped_disc_comes_back_to_its_height() -> None:
    height, r = 4.0, 0.5
    period = 2 * np.sqrt(2 * height / 2.5)
    times = np.arange(6) * period
    run = motion(np.array([[5, r + height]]), np.zeros((1, 2)), np.array([r]), np.ones(1), times, gravity=G, walls=BOX)
    np.testing.assert_allclose(run.position[:, 0], [[5, r + height]] * 6, atol=1e-9)
    np.testing.assert_allclose(run.contacts.time, period * (np.arange(5) + 0.5), atol=1e-9)


@pytest.mark.parametrize("gravity", [(0.0, 0.0), G])
@pytest.mark.parametrize("seed", range(5))
def test_a_box_of_discs_keeps_energy_and_never_overlaps(seed: int, gravity: tuple[float, float]) -> None:
    x, v, r, m = billiard(np.random.default_rng(seed))
    run = motion(x, v, r, m, np.arange(200) * 0.1, gravity=gravity, walls=BOX)
    energy = (m * (0.5 * (run.velocity**2).sum(-1) - run.position @ np.array(gravity))).sum(-1)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-10)
    assert (run.position >= r[:, None] - 1e-9).all()
    assert (run.position <= 10 - r[:, None] + 1e-9).all()
    for i in range(3):
        for j in range(i):
            assert (np.linalg.norm(run.position[:, i] - run.position[:, j], axis=-1) >= r[i] + r[j] - 1e-9).all()
    assert any(-1 not in pair for pair in run.contacts.bodies), "the discs should meet"
    assert (np.diff(run.contacts.time) >= 0).all()
    assert min(run.contacts.impulse) > 0


@pytest.mark.parametrize("seed", range(5))
def test_momentum_changes_at_walls_only(seed: int) -> None:
    x, v, r, m = billiard(np.random.default_rng(seed))
    run = motion(x, v, r, m, TIMES)
    np.testing.assert_allclose((m[:, None] * run.velocity).sum(1), np.broadcast_to((m[:, None] * v).sum(0), (40, 2)), atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_time_runs_backwards_too(seed: int) -> None:
    x, v, r, m = billiard(np.random.default_rng(seed))
    there = motion(x, v, r, m, TIMES[:20], gravity=G, walls=BOX)
    back = motion(there.position[-1], -there.velocity[-1], r, m, TIMES[:20], gravity=G, walls=BOX)
    np.testing.assert_allclose(back.position[::-1], there.position, atol=1e-7)
    np.testing.assert_allclose(back.velocity[::-1], -there.velocity, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_discs_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, v, r, m = billiard(rng)
    order = rng.permutation(3)
    run = motion(x, v, r, m, TIMES, gravity=G, walls=BOX)
    other = motion(x[order], v[order], r[order], m[order], TIMES, gravity=G, walls=BOX)
    np.testing.assert_allclose(other.position, run.position[:, order], atol=1e-7)
    np.testing.assert_allclose(other.contacts.time, run.contacts.time, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_a_moving_observer_sees_the_same_collisions(seed: int) -> None:
    x, v, r, m = billiard(np.random.default_rng(seed))
    wind = np.array([1.3, -0.4])
    run, moving = motion(x, v, r, m, TIMES), motion(x, v + wind, r, m, TIMES)
    np.testing.assert_allclose(moving.position, run.position + wind * TIMES[:, None, None], atol=1e-9)
    np.testing.assert_allclose(moving.contacts.time, run.contacts.time, atol=1e-9)


def test_times_are_read_off_one_motion() -> None:
    x, v, r, m = billiard(np.random.default_rng(1))
    run, fine = motion(x, v, r, m, TIMES, walls=BOX), motion(x, v, r, m, np.arange(0, 391) * 0.01, walls=BOX)
    np.testing.assert_allclose(fine.position[::10], run.position, atol=1e-9)


@pytest.mark.parametrize("e", [0.0, 0.3, 0.8, 1.0])
def test_restitution_is_the_ratio_of_normal_speeds(e: float) -> None:
    x, v = np.array([[2.0, 4.6], [7.0, 5.2]]), np.array([[3.0, 0.2], [-1.0, 0.1]])
    m = np.array([1.0, 2.5])
    run = motion(x, v, np.array([0.7, 0.9]), m, np.array([0.0, 8.0]), restitution=e)
    time, point = run.contacts.time[0], run.contacts.point[0]
    normal = (x[1] + v[1] * time - point) / 0.9
    across = np.array([-normal[1], normal[0]])
    before, after = v[1] - v[0], run.velocity[1, 1] - run.velocity[1, 0]
    np.testing.assert_allclose(after @ normal, -e * (before @ normal), atol=1e-12)
    np.testing.assert_allclose(run.velocity[1] @ across, v @ across, atol=1e-12)
    np.testing.assert_allclose((m[:, None] * run.velocity[1]).sum(0), (m[:, None] * v).sum(0), atol=1e-12)
    assert len(run.contacts.time) == 1


@pytest.mark.parametrize("e", [0.0, 0.5, 0.9])
def test_a_disc_that_comes_to_rest_is_refused(e: float) -> None:
    """Infinitely many bounces fit into a finite time; until then the motion is exact."""
    drop, r = 2.0, 0.5
    world = {"gravity": G, "walls": BOX, "restitution": e}
    start = (np.array([[5, r + drop]]), np.zeros((1, 2)), np.array([r]), np.ones(1))
    fall = np.sqrt(2 * drop / 2.5)
    run = motion(*start, np.array([0, fall * (1 + e) - 1e-9]), **world)
    np.testing.assert_allclose(run.position[-1, 0, 1], r + e**2 * drop, atol=1e-7)
    with pytest.raises(UserError, match="rest"):
        motion(*start, np.array([0, 100.0]), **world)


def test_a_disc_that_passes_an_impact_hits_the_next() -> None:
    """Newton's cradle: of equal discs in touch, the last one leaves with the whole momentum."""
    x = np.array([[1.0, 5], [4, 5], [5, 5], [6, 5]])
    run = motion(x, np.array([[2.0, 0], [0, 0], [0, 0], [0, 0]]), np.full(4, 0.5), np.ones(4), TIMES)
    np.testing.assert_allclose(run.velocity[-1], [[0, 0], [0, 0], [0, 0], [2, 0]], atol=1e-12)
    assert len(run.contacts.time) == 3


def test_simultaneous_impacts_from_both_sides_stay_symmetric() -> None:
    x = np.array([[2.0, 5], [5, 5], [8, 5]])
    run = motion(x, np.array([[1.5, 0], [0, 0], [-1.5, 0]]), np.full(3, 0.6), np.array([1.0, 3.0, 1.0]), TIMES)
    np.testing.assert_allclose((np.array([1, 3, 1]) @ run.velocity[-1])[0], 0, atol=1e-12)
    np.testing.assert_allclose(run.velocity[-1, :, 1], 0, atol=1e-12)
    assert np.isfinite(run.position).all()


def test_discs_that_touch_without_closing_do_not_meet() -> None:
    x = np.array([[4.0, 5], [5, 5]])
    for v in ([[0, 0], [0, 0]], [[1, 0], [1, 0]], [[-1, 0], [1, 0]], [[0, 1], [0, -1]]):
        run = motion(x, np.array(v, float), np.full(2, 0.5), np.ones(2), TIMES)
        assert run.contacts.time == []
        np.testing.assert_allclose(run.position, x + np.array(v) * TIMES[:, None, None], atol=1e-12)


def test_discs_that_miss_do_not_meet() -> None:
    run = motion(np.array([[1.0, 5], [9, 6.01]]), np.array([[2.0, 0], [-2, 0]]), np.full(2, 0.5), np.ones(2), TIMES)
    assert run.contacts.time == []


def test_a_grazing_disc_changes_nothing() -> None:
    run = motion(np.array([[1.0, 5], [9, 6]]), np.array([[2.0, 0], [-2, 0]]), np.full(2, 0.5), np.ones(2), TIMES)
    np.testing.assert_allclose(run.velocity[-1], [[2, 0], [-2, 0]], atol=1e-6)


def test_a_world_without_walls_lets_discs_leave() -> None:
    run = motion(np.array([[9.0, 5]]), np.array([[4.0, 0]]), np.array([1.0]), np.ones(1), TIMES)
    np.testing.assert_allclose(run.position[-1, 0], [9 + 4 * 3.9, 5], atol=1e-12)


def test_an_impact_at_the_time_of_a_frame_is_seen_once() -> None:
    x, v = np.array([[2.0, 5], [5, 5]]), np.array([[1.0, 0], [-1, 0]])
    run = motion(x, v, np.full(2, 0.5), np.ones(2), np.array([0.0, 1.0, 2.0]))  # they meet at t = 1
    np.testing.assert_allclose(run.position[:, :, 0], [[2, 5], [3, 4], [2, 5]], atol=1e-12)
    assert len(run.contacts.time) == 1
