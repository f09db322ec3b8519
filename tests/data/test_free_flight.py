"""Between two frames in which nothing touches it, what bends falls as what is rigid does."""

from __future__ import annotations

from typing import Any

import pytest

from kinema.data.spatial import FLIGHT, flight_error
from kinema.data.spatial_bodies import free_flights
from kinema.simulators import Balloon, Cloth, Own, Push, Scene, Soft, Wind, make

pytest.importorskip("mujoco", reason="spatial worlds need kinema[spatial]")

BODIES = (
    Cloth(name="c", size=(0.4, 0.4), count=(5, 5), position=(0.0, 0.0, 0.3)), Soft(name="s", count=(3, 3, 3), position=(1.0, 0.0, 0.4)),
    Balloon(name="b", subdivisions=1, position=(2.0, 0.0, 3.0)),
)  # fmt: skip
HELD = (
    Cloth(name="c", size=(0.4, 0.4), count=(5, 5), position=(0.0, 0.0, 2.0), pinned="top"),
    Balloon(name="b", subdivisions=1, position=(2.0, 0.0, 3.0), lift=0.2),
)


def clip_of(*bodies: Any, **scene: Any) -> Any:
    return make(Own(Scene(bodies, **scene), num_frames=8, size=16), 0, 0, [])


@pytest.mark.parametrize("n", range(3))
def test_what_bends_and_touches_nothing_falls_freely(n: int) -> None:
    clip = clip_of(*BODIES)
    free = free_flights(clip)[:, n]
    assert free[:2].all()
    assert free.all() == (n == 2)  # cloth and soft body come to the floor
    assert flight_error(clip) < FLIGHT
    hanging = clip.bodies["velocity"].clone()
    hanging[1, n] = hanging[0, n]
    assert flight_error(clip.replace(bodies={**clip.bodies, "velocity": hanging})) > 9.8 / 16


@pytest.mark.parametrize("clip", [lambda: clip_of(*HELD), lambda: clip_of(*BODIES, wind=Wind())], ids=["pinned or lifted", "in the wind"])
def test_what_is_held_or_blown_at_is_not_free(clip: Any) -> None:
    assert not free_flights(clip()).any()


def test_what_is_pushed_is_free_before_and_after() -> None:
    clip = clip_of(BODIES[2], pushes=(Push(body="b", time=0.13, duration=0.05, force=(0.5, 0.0, 0.0)),))
    assert free_flights(clip)[:, 0].tolist() == [True, True, False, True, True, True, True]
    assert flight_error(clip) < FLIGHT
