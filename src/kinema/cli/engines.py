"""What worlds in three dimensions run on here: engines, compiled kernels, CUDA."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata

ENGINES = ("mujoco", "newton", "warp-lang")


def facts() -> Iterator[tuple[str, str]]:
    """Name and finding of each."""
    there = {name: version for name in ENGINES if (version := _version(name)) is not None}
    if missing := [name for name in ENGINES if name not in there]:
        yield "spatial worlds", f"without {', '.join(missing)}; optional: pip install 'kinema[spatial]'"
        return
    yield "spatial worlds", ", ".join(f"{name} {version}" for name, version in there.items())
    yield "kernels", _kernels()
    yield "kernels on CUDA", _cuda()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kernels() -> str:
    from ..core import registry

    folder = registry.cache().parent / "kernels"
    made = [path for path in folder.rglob("*") if path.suffix in (".o", ".cubin", ".ptx")]
    size = sum(path.stat().st_size for path in made) / 1e6
    return f"{len(made)} compiled in {folder}, {size:.1f} MB" if made else f"none in {folder} yet: the first clip compiles them, once"


_LOOK = """
import sys, warp
warp.config.kernel_cache_dir = sys.argv[1]
warp.init()
print("found:" + ", ".join(device.name for device in warp.get_cuda_devices()))
"""


def _cuda() -> str:
    # In another process, with a cache of its own: Warp makes its folders as soon as it looks.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        run = subprocess.run([sys.executable, "-c", _LOOK, folder], capture_output=True, text=True, env=environment, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().rpartition("\n")[2])
    found = run.stdout.rpartition("found:")[2].strip()
    return f"{found}; KINEMA_DEVICE=cuda runs them there" if found else "no device that Warp can use; they run on the CPU"
