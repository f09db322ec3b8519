"""Ranges: what is inside and outside, what is refused, and the page that lists them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from kinema.core.config import part
from kinema.core.errors import UserError
from kinema.simulators.spatial.bodies import Rigid
from kinema.simulators.spatial.driving.ranges import USUAL
from kinema.simulators.spatial.phys4d.base import Category
from kinema.simulators.spatial.phys4d.ranges import RANGES, Range, Ranges
from kinema.simulators.spatial.physion import ranges as physion
from kinema.simulators.spatial.ranges import page
from kinema.simulators.spatial.scene import Scene
from kinema.simulators.spatial.shapes import Sphere

PAGE = Path(__file__).parents[3] / "docs" / "spatial-ranges.md"


def _ball(rng, ranges, complexity):
    count = {"single": 1, "two": 2, "multi": 4}[complexity]
    bodies = [
        Rigid(name=f"ball{k}", shape=Sphere(0.1), position=(0.3 * k, 0.0, 0.5), density=ranges.draw(rng, "rigid.density"))
        for k in range(count)
    ]
    return Scene(tuple(bodies))


@part
class Balls(Category):
    """Balls fall."""

    name = "balls"
    windy: ClassVar[bool] = True
    bases: ClassVar = {"fall": _ball, "drop": _ball}


def drawn(world, n, seed=0):
    return [world.draw(np.random.default_rng((seed, k)), k) for k in range(n)]


def test_the_page_is_the_tables_of_all_three_families():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    named = [*RANGES, *(f"{r.scenario}.{r.name}" for r in physion.RANGES), *(f"driving.{f.name}" for f in fields(USUAL))]
    assert [cells[0].strip(" `") for cells in rows] == named
    assert all(len(cells) in (5, 6) and all(cell.strip() for cell in cells) for cells in rows)


def test_physions_sources_say_where_numbers_differ():
    for r in physion.RANGES:
        if r.unit == "m/s":
            assert r.source.startswith("project default"), r
        assert "narrowed" not in r.source or "adapted" not in r.source, r


@pytest.mark.parametrize("row", RANGES.values(), ids=lambda row: row.name)
def test_draws_lie_inside_or_outside(row):
    for share in np.linspace(0, 1, 41):
        assert row.contains(row.at(share, outside=False))
        if row.widens and 0 < share < 1:
            value = row.at(share, outside=True)
            assert row.ood_low <= value <= row.ood_high
            assert not row.low < value < row.high


def test_a_logarithmic_range_halves_at_the_geometric_mean():
    row = Range("x.density", "", 1.0, 100.0, 0.01, 10000.0, "log")
    assert row.at(0.5, outside=False) == pytest.approx(10.0)
    assert row.at(0.25, outside=True) == pytest.approx(0.1)
    assert row.at(0.75, outside=True) == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rope.denstiy": (1.0, 2.0)}, "rope.density"),
        ({"rope.density": (900.0, 500.0)}, "rope.density"),
        ({"rope.density": (float("nan"), 500.0)}, "rope.density"),
        ({"rope.density": (-5.0, 500.0)}, "above 0"),
        ({"inflatable.mass": (0.0, 1.0)}, "above 0"),
        ({"soft.poisson": (0.2, 0.5)}, "below 0.5"),
        ({"rigid.restitution": (0.2, 1.5)}, "at most 1"),
        ({"air.temperature": (-300.0, 20.0)}, "-273.15"),
    ],
)
def test_wrong_ranges_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        Balls(ranges=values)


def test_inside_stays_inside_and_outside_leaves():
    for scene in drawn(Balls(), 30):
        assert all(RANGES[key.partition("/")[0]].contains(value) for key, value in scene.drawn.items())
    for scene in drawn(Balls().split("ood"), 30):
        assert not all(RANGES[key.partition("/")[0]].contains(value) for key, value in scene.drawn.items())
        assert scene.gravity[2] == -scene.drawn["gravity"]


def test_out_of_range_is_the_same_scene_but_for_what_moved():
    inside, outside = drawn(Balls(), 1)[0], drawn(Balls(outside=True), 1)[0]
    moved = {key for key in inside.drawn if inside.drawn[key] != outside.drawn[key]}
    assert moved
    assert moved < set(inside.drawn)
    assert inside.tags == outside.tags


def test_own_ranges_are_drawn_from():
    for scene in drawn(Balls(ranges={"rigid.density": (500.0, 501.0)}), 10):
        assert all(500 <= body.density <= 501 for body in scene.bodies)
    everything = {key: (row.ood_low, row.ood_high) for key, row in RANGES.items()}
    with pytest.raises(UserError, match="nothing outside"):
        drawn(Balls(ranges=everything, outside=True), 1)


def test_curriculum_is_30_35_35():
    scenes = drawn(Balls(), 600)
    for complexity, share in {"single": 0.30, "two": 0.35, "multi": 0.35}.items():
        found = np.mean([scene.tags["complexity"] == complexity for scene in scenes])
        assert found == pytest.approx(share, abs=3 * np.sqrt(0.25 / 600))
    assert {scene.tags["base"] for scene in scenes} == {"fall", "drop"}


def test_splits():
    assert set(Balls.splits) == {"id", "ood", "fall", "drop", "single", "two", "multi"}
    world = Balls().split("ood+drop+two")
    assert (world.outside, world.base, world.complexity) == (True, "drop", "two")
    assert all(scene.tags["base"] == "drop" and len(scene.bodies) == 2 for scene in drawn(world, 5))
    with pytest.raises(UserError, match=r"fall.*drop"):
        Balls().split("fly")
    with pytest.raises(UserError, match=r"fall.*drop"):
        Balls(base="fly")


def test_wind_blows_where_it_acts():
    assert drawn(Balls(), 1)[0].wind is None
    scene = drawn(Balls(wind=True), 1)[0]
    assert np.linalg.norm(scene.wind.velocity) == pytest.approx(scene.drawn["wind.speed"], abs=1e-3)


def test_names_drawn_twice_are_kept_apart():
    ranges, rng = Ranges(), np.random.default_rng(0)
    values = [ranges.draw(rng, "rope.density") for _ in range(3)]
    assert list(ranges.drawn.items()) == list(zip(["rope.density", "rope.density/2", "rope.density/3"], values, strict=True))
    with pytest.raises(UserError, match=r"rope\.density"):
        ranges.draw(rng, "rope.densty")
