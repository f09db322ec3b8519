"""The one place where Warp is set up, its device chosen and its kernels made ready."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ....core.errors import UserError
from ..missing import missing


@lru_cache(maxsize=1)
def warp() -> Any:
    """Warp, quiet, without adjoints, its kernels cached in the user's cache folder. Raises UserError where it is not installed."""
    try:
        import warp as wp
    except ModuleNotFoundError as error:
        raise missing(error) from None

    wp.config.log_level = wp.LOG_WARNING
    wp.config.enable_backward = False
    if os.environ.get("KINEMA_DEVICE", "cpu") != "cpu":
        wp.config.deterministic = wp.DeterministicMode.RUN_TO_RUN
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path("~/.cache").expanduser()) / "kinema" / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    wp.config.kernel_cache_dir = str(folder)
    with _silent():
        wp.init()  # type: ignore[no-untyped-call]
    return wp


@lru_cache(maxsize=1)
def device() -> str:
    """Where kernels run: KINEMA_DEVICE ("cpu", "cuda", "cuda:1"), else the CPU. Raises UserError where there is no such device."""
    wp = warp()
    name = os.environ.get("KINEMA_DEVICE", "cpu")
    try:
        return str(wp.get_device(name).alias)
    except Exception:
        there = ", ".join(found.alias for found in wp.get_devices())
        raise UserError(f"KINEMA_DEVICE={name}: there is no such device; there are {there}") from None


def strip_of(size: int) -> int:
    """How many pixels of a row one thread does: all on a CPU, where starting a thread costs as much as a pixel; 1 on CUDA."""
    return size if device() == "cpu" else 1


def ready(announce: Callable[[str], None] | None = None) -> None:
    """Compile the kernels unless the cache has them; `announce` is told before, so that a user knows what the wait is.

    Several processes may do so at once: each puts a whole folder in place, and the first one stays."""
    wp = warp()
    from . import kernels

    where = wp.get_device(device())
    for module in {kernel.module.name: kernel.module for kernel in (kernels.primary, kernels.picture)}.values():
        threads = 1 if where.is_cpu else module.options["block_dim"]
        folder = Path(wp.config.kernel_cache_dir) / module.get_module_identifier(threads)
        if announce is not None and not folder.is_dir():
            announce("compiling the ray-caster once, about 10 s")
            announce = None
        module.load(where, threads)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing written to the file descriptor of stderr: Warp's library warns there that it finds no CUDA, and has no option not to."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
