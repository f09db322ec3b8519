"""Moving air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..scene import Wind


def air(wind: Wind, time: float) -> NDArray[np.float64]:
    """The air's velocity [3] m/s at `time` s."""
    return np.array(wind.velocity) * (1 + wind.gusts * np.sin(2 * np.pi * time / wind.period))
