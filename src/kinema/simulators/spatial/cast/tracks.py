"""Points on surfaces, followed through a run."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ....core.camera import Camera
from ..run import Run
from ..scene import Scene


def follow(scene: Scene, run: Run, camera: Camera, size: int, count: int) -> dict[str, NDArray[Any]]:
    """`tracks` [t,n,3] m of surface points that the camera sees at some time, `track_visible` [t,n] whether it does, `track_ids`
    [t,n] of their bodies."""
    del scene, run, camera, size, count
    return {}
