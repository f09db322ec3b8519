"""Compiling the solver's kernels before they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..bodies import Particles, Rigid
from ..cast.device import device, warp
from ..scene import Scene
from ..shapes import Box
from .loop import simulate


def ready(announce: Callable[[str], None] | None = None) -> None:
    """Run a small scene, so that every kernel of the solver is compiled and in the cache; `announce` is told before where none is.

    The solver puts its kernels together as it runs, so that it did so for this version and device is noted beside the cache."""
    import newton

    wp = warp()
    mark = Path(wp.config.kernel_cache_dir) / f"mpm-{newton.__version__}-{wp.__version__}-{device().replace(':', '')}"
    if mark.exists():
        return
    if announce is not None:
        announce("compiling the solver of fluids and grains once, about 40 s")
    water = Particles(name="water", position=(0.0, 0.0, 0.1), size=(0.1, 0.1, 0.1), spacing=0.025, viscosity=0.5)
    wax = Particles(name="wax", position=(0.3, 0.0, 0.1), size=(0.1, 0.1, 0.1), spacing=0.025, substance="wax")
    box = Rigid(name="box", shape=Box((0.2, 0.2, 0.04)), position=(0.0, 0.0, 0.02))
    simulate(Scene((water, wax, box)), np.arange(3) / 16)
    simulate(Scene((water,)), np.arange(3) / 16)
    mark.touch()
