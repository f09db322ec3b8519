"""Moving air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..scene import Wind

Floats = NDArray[np.float64]
SIDEWAYS = 0.5  # a gust's part across the wind, of its part along it
RATIO = 1.618  # of the periods along and across: they never repeat together


def air(wind: Wind, time: float, points: Floats | None = None) -> Floats:
    """The air's velocity m/s at `time` s: [3], or [n,3] at `points` m.

    Gusts are waves along and across the wind that drift with it, as Taylor's frozen turbulence does: what is downwind feels
    them later.
    """
    velocity = np.array(wind.velocity)
    if points is None:
        return _gust(wind, velocity, np.array(time / wind.period))
    speed = np.linalg.norm(velocity)
    if not wind.gusts or not speed:
        return np.broadcast_to(velocity, points.shape)
    return _gust(wind, velocity, (time - points @ velocity / speed**2) / wind.period)


def _gust(wind: Wind, velocity: Floats, phase: Floats) -> Floats:
    across = np.array([-velocity[1], velocity[0], 0.0])
    along = 1 + wind.gusts * np.sin(2 * np.pi * phase)
    sideways = SIDEWAYS * wind.gusts * np.sin(2 * np.pi * phase / RATIO)
    return np.asarray(along[..., None] * velocity + sideways[..., None] * across)
