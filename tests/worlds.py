"""Every scenario at toy size, for tests that go through all of them."""

from __future__ import annotations

from typing import Any

from kinema.simulators import SCENARIOS, SpatialWorld, World, scenario

SPATIAL = [name for name, cls in SCENARIOS.items() if issubclass(cls, SpatialWorld)]  # rendered by rays, moved by engines: slow
FLAT = [name for name in SCENARIOS if name not in SPATIAL]


def small(name: str, **fields: Any) -> World:
    """The scenario `name` as small as it still shows what it is about; `fields` come before that."""
    toy = {"size": 32, "num_frames": 5, "supersampling": 1, "tracks": 8} if name in SPATIAL else {"size": 32}
    return scenario(name, **{**toy, **fields})
