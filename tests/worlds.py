"""Every scenario at toy size, for tests that go through all of them."""

from __future__ import annotations

from typing import Any

from kinema.simulators import SCENARIOS, SpatialWorld, World, scenario

SPATIAL = [name for name, cls in SCENARIOS.items() if issubclass(cls, SpatialWorld)]  # rendered by rays, moved by engines: slow
FLAT = [name for name in SCENARIOS if name not in SPATIAL]

FLOWING = ("fluid", "granular", "melting")
RIGID = ("dominoes", "support", "collide", "contain", "drop", "roll", "link", "rigid", "articulated")


def small(name: str, **fields: Any) -> World:
    """The scenario `name` as small as it still shows what it is about; `fields` come before that."""
    toy = {"size": 32, "num_frames": 5, "supersampling": 1, "tracks": 8} if name in SPATIAL else {"size": 32}
    return scenario(name, **{**toy, **fields})


def eventful(name: str) -> World:
    """The spatial scenario `name` at toy size, but for so long that bodies meet where that costs little."""
    longer: dict[str, Any] = {"num_frames": 5}  # of particles: slow
    if name in RIGID:
        longer = {"num_frames": 12, "dt": 1 / 6, "size": 48}
    elif name not in FLOWING:
        longer = {"num_frames": 8, "dt": 1 / 8}
    return small(name, **longer)
