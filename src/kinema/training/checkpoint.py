"""Training state as safetensors + JSON: the last few and the best, each written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from ..core.errors import UserError

State = dict[str, Tensor]


def pack_optimizer(optimizer: Optimizer, names: list[str]) -> State:
    """An optimiser's tensors by parameter name: `exp_avg/blocks.0.weight`."""
    packed: State = {}
    for group in optimizer.param_groups:
        for name, parameter in zip(names, group["params"], strict=True):
            for key, value in optimizer.state.get(parameter, {}).items():
                packed[f"{key}/{name}"] = torch.as_tensor(value)
    return packed


def unpack_optimizer(optimizer: Optimizer, names: list[str], packed: Mapping[str, Tensor]) -> None:
    """Put back what `pack_optimizer` took."""
    parameters = dict(zip(names, (p for group in optimizer.param_groups for p in group["params"]), strict=True))
    optimizer.state.clear()
    for entry, value in packed.items():
        key, _, name = entry.partition("/")
        parameter = parameters[name]
        optimizer.state[parameter][key] = value.to(parameter.device).clone()  # the step count too: fused AdamW wants it there


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, State], state: Mapping[str, Any], keep: int) -> Path:
    """Write `folder/step-<step>` (one safetensors file per entry of `tensors`, and state.json), keep it and the newest others: `keep`.

    A checkpoint of the same step is replaced; at no moment is there none. Raises UserError where the disk is full or closed.
    """
    target = _place(folder, step)
    temporary, former = folder / f".tmp-{step:09d}", folder / f".old-{step:09d}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, entries in tensors.items():
            save_file({key: value.detach().contiguous().cpu() for key, value in entries.items()}, temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps({"step": step, **state}))
        for file in temporary.iterdir():
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
        if target.exists():
            target.rename(former)
        temporary.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(f"{target}: the checkpoint cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        tidy(folder)
    others = [path for path in checkpoints(folder) if path != target]
    for old in others[: max(0, len(others) - keep + 1)]:
        old.rename(folder / f".tmp-{old.name}")  # first, so that a half-removed one is not taken for a checkpoint
    tidy(folder)
    return target


def tidy(folder: Path) -> None:
    """Finish what a killed process left: half-written folders go, a checkpoint moved aside goes back if nothing took its place."""
    for former in folder.glob(".old-*"):
        target = _place(folder, int(former.name.removeprefix(".old-")))
        if target.exists():
            shutil.rmtree(former)
        else:
            former.rename(target)
    for temporary in folder.glob(".tmp-*"):
        shutil.rmtree(temporary)


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").exists())


def _place(folder: Path, step: int) -> Path:
    return folder / f"step-{step:09d}"


def load_checkpoint(path: Path) -> tuple[dict[str, State], dict[str, Any]]:
    """Tensors and state of one checkpoint. Raises UserError naming the file that is damaged."""
    try:
        file = path / "state.json"
        state = json.loads(file.read_text())
        tensors: dict[str, State] = {}
        for file in sorted(path.glob("*.safetensors")):
            tensors[file.stem] = load_file(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{file}: the checkpoint cannot be read ({error}); remove its folder to resume from an older one") from None
    return tensors, state
