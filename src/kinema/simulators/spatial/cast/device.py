"""The one place where Warp is set up and its device chosen."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def warp() -> Any:
    """Warp, quiet, without adjoints, its kernels cached in the user's cache folder."""
    import warp as wp

    wp.config.log_level = wp.LOG_WARNING
    wp.config.enable_backward = False
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path("~/.cache").expanduser()) / "kinema" / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    wp.config.kernel_cache_dir = str(folder)
    wp.init()
    return wp


def device() -> str:
    """Where kernels run: KINEMA_DEVICE, else the CPU."""
    return os.environ.get("KINEMA_DEVICE", "cpu")
