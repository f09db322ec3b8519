"""Change: what happens in a run against every law, for impossible twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .shapes import Vector


@dataclass(frozen=True)
class Change:
    """A breach of law at frame `frame`; every frame before it is that of the run without it.

    At that frame the bodies in `vanish` (places in the scene) are gone, and those in `moved` stand at the given positions m of
    their frames with the velocities they had. From the frame before on, the two bodies in `passing` (-1: the floor) go through
    each other, and `gravity` m/s^2 is another. Then all goes on by the law.
    """

    frame: int
    vanish: tuple[int, ...] = ()
    moved: Mapping[int, Vector] = field(default_factory=dict)
    passing: tuple[int, int] | None = None
    gravity: Vector | None = None
