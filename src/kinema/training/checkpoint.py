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
        optimizer.state[parameter][key] = value.clone() if key == "step" else value.to(parameter.device).clone()


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, State], state: Mapping[str, Any], keep: int) -> Path:
    """Write `folder/step-<step>` (one safetensors file per entry of `tensors`, and state.json), keep the newest `keep`."""
    target = folder / f"step-{step:09d}"
    temporary = folder / f".tmp-{step:09d}"
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
            shutil.rmtree(target)
        temporary.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(f"{target}: the checkpoint cannot be written ({getattr(error, 'strerror', None) or error})") from error
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").exists())


def load_checkpoint(path: Path) -> tuple[dict[str, State], dict[str, Any]]:
    """Tensors and state of one checkpoint. Raises UserError naming the file that is damaged."""
    try:
        state = json.loads((path / "state.json").read_text())
        return {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}, state
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{path}: the checkpoint cannot be read ({error}); remove the folder to resume from an older one") from None
