"""`kinema doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from json import dumps
from pathlib import Path
from typing import Literal

import tyro

# Nothing heavy is imported at the top: a broken installation is just what is to be told.


@dataclass(frozen=True)
class Finding:
    """One line of the report: `found` says how it is, `todo` what to do where it is not well."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    todo: str | None = None


def main(*, json: tyro.conf.FlagCreatePairsOff[bool] = False) -> int:
    """Say what works on this machine, and what to do about the rest; exit status 1 if something essential does not.

    Args:
        json: Print a JSON list instead of lines.
    """
    findings = list(examine())
    if json:
        print(dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    return int(any(finding.state == "fail" for finding in findings))


def examine() -> Iterator[Finding]:
    """Every check's findings; a check that breaks is itself a finding."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:
            yield Finding(check.__name__.strip("_"), "fail", f"the check broke: {type(error).__name__}: {error}", "reinstall kinema")


def python() -> Iterator[Finding]:
    version, found = sys.version_info[:2], f"{sys.version.split()[0]} at {sys.executable}"
    if version < (3, 11):
        yield Finding("python", "fail", found, "use Python 3.11 to 3.13")
    elif version > (3, 13):
        yield Finding("python", "warn", found, "kinema is tested on Python 3.11 to 3.13")
    else:
        yield Finding("python", "ok", found)


def dependencies() -> Iterator[Finding]:
    """Each requirement of the installed package against the version that is here; extras as one line each."""
    from packaging.requirements import Requirement  # comes with accelerate

    extras: dict[str, list[str]] = {}
    for line in metadata.requires("kinema") or []:
        need = Requirement(line)
        extra = next((e for e in metadata.metadata("kinema").get_all("Provides-Extra") or [] if _of_extra(need, e)), None)
        version = _version(need.name)
        fits = version is not None and need.specifier.contains(version, prereleases=True)
        if extra is not None:
            extras.setdefault(extra, []).extend([] if fits else [need.name])
        elif need.marker is None or need.marker.evaluate():
            found = f"{version or 'missing'} (needs {need.specifier})"
            yield Finding(need.name, "ok" if fits else "fail", found, None if fits else f"pip install '{need.name}{need.specifier}'")
    for extra, missing in extras.items():
        found = f"without {', '.join(missing)}; optional: pip install 'kinema[{extra}]'" if missing else "complete"
        yield Finding(f"extra {extra}", "ok", found)


def _of_extra(need: object, extra: str) -> bool:
    marker = getattr(need, "marker", None)
    return marker is not None and "extra" in str(marker) and marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def devices() -> Iterator[Finding]:
    """Processor and accelerators, threads, and whether bf16 pays."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    todo = None if threads <= cores else f"set OMP_NUM_THREADS={cores}: more threads than cores slow each other down"
    yield Finding("cpu", "warn" if todo else "ok", f"{cores} cores, {threads} threads", todo)
    yield _bf16("cpu")
    if not torch.cuda.is_available():
        if Path("/proc/driver/nvidia/version").exists():
            reason = f"torch {torch.__version__} cannot use it"
            yield Finding(
                "gpu", "warn", f"an NVIDIA driver is here, but {reason}", "install torch for its CUDA version: https://pytorch.org"
            )
        else:
            yield Finding("gpu", "ok", "none; training and dreaming run on the CPU, small models only")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        yield Finding(f"gpu {index}", "ok", f"{torch.cuda.get_device_name(index)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
        yield _bf16(f"cuda:{index}")


def _bf16(device: str) -> Finding:
    import torch

    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        side = 384 if device == "cpu" else 4096  # a smaller product on a GPU would time its launch
        a = torch.ones(side, side, device=device, dtype=dtype)
        runs = []
        for _ in range(6):
            start = time.perf_counter()
            (a @ a).sum().item()
            runs.append(time.perf_counter() - start)
        seconds[dtype] = sorted(runs)[1]
    ratio = seconds[torch.float32] / seconds[torch.bfloat16]
    found = f"a matrix product takes {1 / ratio:.1f}x the time of float32"
    slow = ratio < 0.8
    return Finding(f"bf16 on {device}", "warn" if slow else "ok", found, "train in float32 here: bf16 is emulated" if slow else None)


def spatial() -> Iterator[Finding]:
    """Engines of worlds in three dimensions, their compiled kernels, and whether these run on CUDA."""
    from .engines import facts

    yield from (Finding(name, "ok", found) for name, found in facts())


def video() -> Iterator[Finding]:
    """Every way kinema writes videos, there and back."""
    import torch

    from ..core.video import read_video, write_video

    rgb = torch.randint(0, 256, (4, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for suffix, lossless in ((".mp4", True), (".mkv", True), (".mp4", False)):
        name = f"video {suffix[1:]}, {'lossless' if lossless else 'lossy'}"
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"clip{suffix}"
                write_video(path, rgb, 10, lossless=lossless)
                back = read_video(path)
        except Exception as error:  # whatever FFmpeg says of a codec it was built without
            yield Finding(name, "fail", str(error), "pip install --force-reinstall av: its own builds have every codec")
            continue
        same = back.rgb.shape == rgb.shape and (not lossless or torch.equal(back.rgb, rgb))
        yield Finding(
            name, "ok" if same else "fail", "written and read" if same else "comes back changed", None if same else "reinstall av"
        )


def models() -> Iterator[Finding]:
    """The models that ship with kinema."""
    import kinema

    folders = [path for path in sorted((Path(kinema.__file__).parent / "weights").glob("*")) if path.is_dir() and path.name[0] not in "._"]
    if not folders:
        yield Finding("models", "warn", "none ship with this installation", "train one with `kinema train`, or reinstall kinema")
    for folder in folders:
        yield _model(folder)


def _model(folder: Path) -> Finding:
    from safetensors.torch import load_file

    from ..core import from_json
    from ..core.files import read_json

    try:
        parts = sum(1 for path in sorted(folder.glob("*.json")) if from_json(read_json(path), path.name) is not None)
        tensors = [tensor for path in sorted(folder.glob("*.safetensors")) for tensor in load_file(path).values()]
        if not parts or not tensors:
            raise ValueError("its files are incomplete")
        if not all(tensor.isfinite().all() for tensor in tensors):
            raise ValueError("its weights are not finite")
    except Exception as error:
        return Finding(f"model {folder.name}", "fail", f"does not load: {error}", "reinstall kinema")
    return Finding(
        f"model {folder.name}", "ok", f"{sum(tensor.numel() for tensor in tensors) / 1e6:.2f} M numbers in {len(tensors)} tensors"
    )


def weights() -> Iterator[Finding]:
    """The pretrained weights that metrics and experts ask for by name."""
    from ..core import UserError, registry

    given = os.environ.get("KINEMA_WEIGHTS")
    if given and not Path(given).expanduser().is_dir():
        yield Finding("KINEMA_WEIGHTS", "warn", f"{given} is no folder", "set it to the folder your weights are in, or unset it")
    for name, entry in registry.WEIGHTS.items():
        try:
            yield Finding(f"weights {name}", "ok", str(registry.find(name)))
        except registry.MissingWeights:
            yield Finding(f"weights {name}", "warn", f"missing; {entry.use}", registry.how_to_get(entry))
        except UserError as error:
            yield Finding(f"weights {name}", "fail", str(error), "remove the file and get it anew")


def disk() -> Iterator[Finding]:
    """Room, and folders that can be written."""
    from ..core import registry

    cache = registry.cache()
    wanted = {"current folder": Path.cwd(), "cache": cache, "temporary folder": Path(tempfile.gettempdir())}
    for name, folder in wanted.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())  # a folder not yet made is made in there
        free = shutil.disk_usage(there).free / 1e9
        found = f"{folder}, {free:.1f} GB free"
        if not (there.is_dir() and _writable(there)):
            todo = "set XDG_CACHE_HOME to a folder you may write in" if name == "cache" else "write elsewhere (--out, TMPDIR)"
            yield Finding(name, "fail" if name == "temporary folder" else "warn", f"{folder} cannot be written", todo)
        elif free < 2:
            yield Finding(name, "warn", found, "make room before you simulate or train")
        else:
            yield Finding(name, "ok", found)


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
            file.flush()
    except OSError:
        return False
    return True


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (python, dependencies, devices, spatial, video, models, weights, disk)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(finding.name) for finding in findings)
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    for finding in findings:
        console.print(Text(f"{finding.state:<5}", styles[finding.state]) + Text(f"{finding.name:<{width}}  {finding.found}"))
        if finding.todo:
            console.print(Text(f"{'':<{width + 7}}-> {finding.todo}", "bold"))
    counts = {state: sum(finding.state == state for finding in findings) for state in styles}
    console.print(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
