"""Laws of matter that flows."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from kinema.core.errors import UserError
from kinema.simulators import scenario
from kinema.simulators.spatial import Box, Cloth, Compound, Failed, Heater, Key, Particles, Piece, Rigid, Run, Scene, Sphere
from kinema.simulators.spatial.change import Change
from kinema.simulators.spatial.engine import simulate

G = 9.81
TANK = 0.3  # m, inside


def times(frames: int) -> np.ndarray:
    return np.arange(frames) / 16


def tank(inside: float = TANK, height: float = 0.3, thick: float = 0.08, **fields: object) -> Rigid:
    parts = [Piece(Box((inside + 2 * thick, inside + 2 * thick, thick)), position=(0.0, 0.0, -thick / 2))]
    for side in (-1, 1):
        parts.append(Piece(Box((thick, inside + 2 * thick, height)), position=(side * (inside + thick) / 2, 0.0, height / 2)))
        parts.append(Piece(Box((inside, thick, height)), position=(0.0, side * (inside + thick) / 2, height / 2)))
    return Rigid(name="tank", shape=Compound(tuple(parts)), **({"fixed": True, "position": (0.0, 0.0, thick)} | fields))  # type: ignore[arg-type]


@cache
def pool() -> Run:
    """Water 0.2 x 0.3 x 0.2 m let go in a tank 0.3 m wide: 0.1333 m deep at rest."""
    water = Particles(name="water", position=(-0.05, 0.0, 0.19), size=(0.2, 0.3, 0.2), spacing=0.03)
    return simulate(Scene((water, tank(position=(0.0, 0.0, 0.08)))), times(33))


@cache
def column(substance: str, **fields: float) -> Run:
    body = Particles(name="matter", position=(0.0, 0.0, 0.151), size=(0.15, 0.15, 0.3), spacing=0.025, substance=substance, **fields)
    return simulate(Scene((body,)), times(14))


def width(run: Run, frame: int = -1) -> float:
    """How far [m] nine tenths of the particles lie from the axis."""
    return float(np.quantile(np.linalg.norm(run.vertices[frame, :, :2], axis=1), 0.9))


def test_free_fall_and_momentum() -> None:
    body = Particles(name="water", position=(0.0, 0.0, 3.0), size=(0.15, 0.15, 0.15), spacing=0.025, velocity=(1.5, 0.0, 1.0))
    run = simulate(Scene((body,)), times(9))
    t = run.times
    assert np.abs(run.center[:, 0, 2] - (run.center[0, 0, 2] + t - G * t**2 / 2)).max() < 1e-4
    assert np.abs(run.velocity[:, 0, 2] - (1.0 - G * t)).max() < 1e-3
    assert np.abs(run.velocity[:, 0, 0] - 1.5).max() < 1e-4
    assert np.abs(run.energy / run.energy[0] - 1).max() < 1e-3
    assert np.abs(np.ptp(run.vertices, axis=1) - np.ptp(run.vertices[0], axis=0)).max() < 1e-3


def test_water_keeps_its_volume_and_comes_to_rest_level() -> None:
    run = pool()
    settled = run.vertices[-1]
    depth = 2 * (settled[:, 2].mean() - 0.08)
    assert depth == pytest.approx(0.2 * 0.3 * 0.2 / TANK**2, rel=0.1)
    sides = [settled[settled[:, 0] * side > 0.03][:, 2].mean() for side in (-1, 1)]
    assert abs(sides[0] - sides[1]) < 0.015
    assert run.kinetic[-1, 0] < 0.02 * run.kinetic[:, 0].max()


def test_water_stays_in_its_tank() -> None:
    run = pool()
    assert run.strays == 0
    assert np.abs(run.vertices[..., :2]).max() < TANK / 2
    assert run.vertices[..., 2].min() > 0.08


def test_mass_and_count_are_kept() -> None:
    run = pool()
    assert run.vertices.shape[1] == 7 * 10 * 7
    assert run.mass[0] == pytest.approx(490 * 1000 * 0.03**3, rel=1e-5)


def test_energy_never_rises() -> None:
    """By no more than 0.5 % of the energy that the fall sets free: particles that make way for others lift the surface."""
    for run in (pool(), column("sand"), column("honey", viscosity=5.0)):
        assert np.diff(run.energy).max() < 0.005 * (run.energy[0] - run.energy[-1]) + 1e-6


def test_water_spreads_sand_keeps_a_slope() -> None:
    assert width(column("water")) > 2 * width(column("sand"))
    sand = column("sand")
    assert np.abs(sand.vertices[-1] - sand.vertices[-4]).max() < 5e-3
    assert sand.vertices[-1, :, 2].max() > 0.05


def test_the_slope_of_sand_grows_with_friction() -> None:
    runs = column("sand", friction=0.2), column("sand"), column("sand", friction=0.9)
    high = [float(run.vertices[-1, :, 2].mean()) for run in runs]
    assert high[0] < high[1] < high[2]


def test_honey_is_slower_than_water_and_slower_when_thicker() -> None:
    wide = [width(run, 6) for run in (column("water"), column("honey", viscosity=5.0), column("honey", viscosity=60.0))]
    assert wide[0] > wide[1] > wide[2]


@cache
def sinking(density: float, viscosity: float) -> float:
    """The mean speed [m/s] of a ball of 0.1 m radius in syrup, from 0.25 to 0.56 s after it is let go."""
    syrup = Particles(name="syrup", position=(0.0, 0.0, 0.4), size=(0.59, 0.59, 0.6), spacing=0.04, substance="honey", viscosity=viscosity)
    ball = Rigid(name="ball", shape=Sphere(0.1), position=(0.0, 0.0, 0.6), density=density)
    run = simulate(Scene((syrup, tank(0.6, 0.9, 0.1, position=(0.0, 0.0, 0.1)), ball)), times(10))
    fall = -np.diff(run.center[4:, 2, 2]) * 16
    assert np.ptp(fall) < 0.2 * fall.mean()  # it sinks steadily
    return float(fall.mean())


def test_a_dense_body_sinks_as_stokes_has_it() -> None:
    """In a tube three times as wide as the ball, with Faxen's correction for the walls, which slip a little here."""
    wide = 0.2 / 0.6
    walls = 1 - 2.104 * wide + 2.09 * wide**3 - 0.95 * wide**5
    for density, viscosity in ((4000.0, 200.0), (6600.0, 200.0), (6600.0, 400.0)):
        stokes = 2 / 9 * (density - 1400.0) * G * 0.1**2 / viscosity
        assert sinking(density, viscosity) == pytest.approx(walls * stokes, rel=0.35)
    assert sinking(6600.0, 200.0) / sinking(4000.0, 200.0) == pytest.approx(2, rel=0.25)


def test_a_light_body_floats() -> None:
    water = Particles(name="water", position=(0.0, 0.0, 0.19), size=(0.3, 0.3, 0.2), spacing=0.03)
    ball = Rigid(name="ball", shape=Sphere(0.06), position=(0.0, 0.0, 0.4), density=300.0)
    run = simulate(Scene((water, tank(height=0.4), ball)), times(25))
    surface = np.quantile(run.vertices[-1, :, 2], 0.95)
    assert surface - 0.06 < run.center[-1, 2, 2] < surface + 0.07
    assert abs(run.velocity[-1, 2, 2]) < 0.1


def test_wax_stands_while_cold_and_flows_when_hot() -> None:
    wax = Particles(name="wax", position=(0.0, 0.0, 0.08), size=(0.15, 0.15, 0.15), spacing=0.025, substance="wax")
    cold = simulate(Scene((wax,)), times(13))
    hot = simulate(Scene((wax,), heaters=(Heater(temperature=200.0, rate=4.0, reach=0.1),)), times(25))
    assert cold.temperature is not None
    assert hot.temperature is not None
    assert np.abs(cold.vertices[-1] - cold.vertices[2]).max() < 0.01
    assert np.allclose(cold.temperature, 20.0)
    assert hot.vertices[-1, :, 2].mean() < 0.6 * cold.vertices[-1, :, 2].mean()
    assert (np.diff(hot.temperature[:, 0]) > 0).all()
    assert hot.temperature[-1, 0] < 200.0


def test_conduction_keeps_heat() -> None:
    warm = Particles(name="warm", position=(0.075, 0.0, 0.08), size=(0.15, 0.15, 0.15), spacing=0.025, substance="wax", temperature=50.0)
    cool = Particles(name="cool", position=(-0.075, 0.0, 0.08), size=(0.15, 0.15, 0.15), spacing=0.025, substance="wax", temperature=10.0)
    run = simulate(Scene((warm, cool)), times(12))
    assert run.temperature is not None
    assert run.temperature.mean(1) == pytest.approx(np.full(12, 30.0), abs=1e-6)
    assert run.temperature[-1, 0] < 49.0
    assert run.temperature[-1, 1] > 11.0


def test_a_cup_that_tips_pours_out() -> None:
    path = tuple(Key(time=k / 8, position=(0.0, 0.0, 0.6), rotation=(np.cos(k * 0.13), 0.0, np.sin(k * 0.13), 0.0)) for k in range(9))
    cup = tank(0.15, 0.15, 0.06, fixed=False, path=path, position=(0.0, 0.0, 0.6))
    water = Particles(name="water", position=(0.0, 0.0, 0.67), size=(0.14, 0.14, 0.12), spacing=0.025)
    run = simulate(Scene((water, cup)), times(25))
    assert run.vertices[2, :, 2].min() > 0.59
    assert (run.vertices[-1, :, 2] < 0.3).mean() > 0.8


def test_a_twin_is_the_run_until_the_law_breaks() -> None:
    body = Particles(name="water", position=(0.0, 0.0, 0.6), size=(0.15, 0.15, 0.15), spacing=0.03)
    board = Rigid(name="board", shape=Box((0.5, 0.5, 0.1)), position=(0.0, 0.0, 0.35), fixed=True)
    scene = Scene((body, board))
    plain = simulate(scene, times(10))
    gone = simulate(scene, times(10), Change(frame=5, vanish=(1,)))
    up = simulate(scene, times(10), Change(frame=5, gravity=(0.0, 0.0, 5.0)))
    for broken in (gone, up):
        assert np.array_equal(broken.vertices[:5], plain.vertices[:5])
        assert np.array_equal(broken.velocity[:5], plain.velocity[:5])
    assert gone.visible is not None
    assert gone.cut is not None
    assert gone.visible[:, 1].tolist() == [True] * 5 + [False] * 5
    assert gone.cut[5].tolist() == [False, True]
    assert gone.vertices[-1, :, 2].min() < 0.3 < plain.vertices[-1, :, 2].max()
    assert up.velocity[-1, 0, 2] > 1.0


def test_most_sand_runs_through_its_funnel() -> None:
    world = scenario("granular", base="hourglass", complexity="two")
    scene = world.draw(np.random.default_rng(1), 0)
    run = simulate(scene, times(32))
    through = (run.vertices[..., 2] < scene.body("funnel").position[2]).mean(1)
    assert through[0] == 0
    assert through[-1] > 0.5
    assert run.strays == 0


def _hash(run: Run) -> str:
    digest = hashlib.sha256()
    for array in (run.vertices, run.center, run.velocity, run.energy):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@cache
def splash() -> Run:
    water = Particles(name="water", position=(0.0, 0.0, 0.2), size=(0.2, 0.2, 0.2), spacing=0.03)
    return simulate(Scene((water, Rigid(name="ball", shape=Sphere(0.05), position=(0.02, 0.0, 0.4)))), times(6))


def test_the_same_bytes_in_another_process() -> None:
    code = "from test_mpm import _hash, splash; print(_hash(splash()))"
    found = subprocess.run([sys.executable, "-c", code], cwd=__file__.rpartition("/")[0], capture_output=True, text=True, check=True)
    assert found.stdout.split()[-1] == _hash(splash())


def test_contacts_say_who_touches() -> None:
    run = splash()
    pairs = {tuple(pair) for pair in run.contacts.bodies.tolist()}
    assert {(-1, 0), (0, 1)} <= pairs
    landing = run.contacts.time[(run.contacts.bodies == (-1, 0)).all(1)].min()
    assert landing == pytest.approx(np.sqrt(2 * 0.1 / G), abs=0.05)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Particles(name="a", substance="lava"),  # type: ignore[arg-type]
        lambda: Particles(name="a", viscosity=-1.0),
        lambda: Particles(name="a", poisson=0.5),
        lambda: Particles(name="a", size=(0.1, 0.1, 0.1), spacing=0.2),
        lambda: Heater(rate=-1.0),
        lambda: simulate(Scene((Particles(name="a"), Cloth(name="b", position=(0.0, 0.0, 1.0)))), times(3)),
        lambda: simulate(Scene((Particles(name="a"),)), times(3), Change(frame=1, passing=(-1, 0))),
        lambda: Scene((Particles(name="a"),), heaters=(Heater(body="b"),)),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UserError):
        make()


def test_walls_that_leak_are_reported() -> None:
    sheet = Rigid(name="sheet", shape=Box((0.9, 0.9, 0.8)), position=(0.0, 0.0, 0.4), fixed=True)
    inside = Particles(name="water", position=(0.0, 0.0, 0.4), size=(0.2, 0.2, 0.1), spacing=0.03)
    with pytest.raises(Failed, match="solids"):
        simulate(Scene((inside, sheet)), times(3))
