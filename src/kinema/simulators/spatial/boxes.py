"""Boxes about bodies, along the world's axes: whether there is room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bodies import Rigid
from .matter import corners, matter
from .run import Run
from .scene import Scene

Floats = NDArray[np.float64]


def bounds(scene: Scene, run: Run, frame: int) -> tuple[Floats, Floats]:
    """Lowest and highest corners [n,3] m of boxes that hold the bodies in a frame."""
    from scipy.spatial.transform import Rotation

    low, high, first = np.zeros((len(scene.bodies), 3)), np.zeros((len(scene.bodies), 3)), 0
    for n, body in enumerate(scene.bodies):
        if isinstance(body, Rigid):
            turn = Rotation.from_quat(run.rotation[frame, n], scalar_first=True)
            points = turn.apply(corners(body)) + run.position[frame, n]
        else:
            count = len(matter(body).points)
            points = run.vertices[frame, first : first + count].astype(np.float64)
            first += count
        low[n], high[n] = points.min(0), points.max(0)
    return low, high


def clear(low: Floats, high: Floats, lows: Floats, highs: Floats, but: tuple[int, ...]) -> bool:
    """Whether a box keeps clear of all the others but some."""
    others = np.array([n not in but for n in range(len(lows))])
    apart = (low > highs[others]) | (high < lows[others])
    return bool(apart.any(1).all())
