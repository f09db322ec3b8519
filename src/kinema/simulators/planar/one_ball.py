"""What the scenarios of one ball share: PhyWorld's ranges and levels, and a start with a horizontal speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.config import part
from .scenario import ONE_BALL, Planar, Ranges, Start, as_array


@part
class OneBall(Planar):
    """One red ball that starts at (x, y) in m with `speed` m/s to the right (PhyWorld sec. C.1; ranges of the released code)."""

    splits = ONE_BALL

    radius: Ranges = ((0.7, 1.4),)
    speed: Ranges = ((1.0, 4.0),)
    radius_outside: Ranges = ((0.3, 0.6), (1.5, 2.0))
    speed_outside: Ranges = ((0.0, 0.8), (4.5, 6.0))

    def _start(self, params: Mapping[str, Any]) -> Start:
        return Start(as_array(params["x"], params["y"])[None], as_array(params["speed"], 0.0)[None], as_array(params["radius"]))
