"""Model folders: finding one, reading its blueprint, reading and writing its weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..core.config import from_json
from ..core.errors import UserError
from ..core.files import read_json, write_whole
from .blueprint import Blueprint

# What in a codec's state makes no latents: decoders (`post_quant_conv` is the first layer of a VQModel's), and shares of codes in use.
ASIDE = frozenset({"decoder", "post_quant_conv", "usage", "share"})


def shipped() -> dict[str, Path]:
    """Folders of the models and codecs that ship, by name."""
    root = Path(str(resources.files("kinema"))) / "weights"
    return {path.parent.name: path.parent for path in sorted(root.glob("*/blueprint.json"))}


def find(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a model. Raises UserError listing the models that ship where there is none."""
    folder = Path(name_or_folder)
    if (folder / "blueprint.json").is_file():
        return folder
    models = shipped()
    if str(name_or_folder) in models:
        return models[str(name_or_folder)]
    if folder.exists():
        raise UserError(f"{folder} is no model folder: it has no blueprint.json")
    raise UserError(f"there is no model {str(name_or_folder)!r}: give a model folder or one that ships ({', '.join(models) or 'none'})")


def load_blueprint(folder: Path) -> Blueprint:
    """The blueprint of a model folder. Raises UserError where it is damaged or of parts kinema does not have."""
    path = folder / "blueprint.json"
    data = read_json(path)
    try:
        blueprint = from_json(data, str(path))
    except UserError as error:  # a part that refuses its fields does not know the file
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    if not isinstance(blueprint, Blueprint):
        raise UserError(f"{path} holds no blueprint")
    for name, asked, parts in _asked(blueprint):
        for value in parts:
            if not all(hasattr(value, attribute) for attribute in asked):
                raise UserError(f"{path}: {name} must be a part that has {', '.join(asked)}, got {value!r}")
    return blueprint


def _asked(b: Blueprint) -> Iterator[tuple[str, tuple[str, ...], tuple[Any, ...]]]:
    """What is asked of the parts in every place of a blueprint: name, attributes, parts."""
    yield "codec", ("build",), (b.codec,)
    yield "objective", ("build",) if b.model is None else ("build", "path", "predict"), (b.objective,)
    yield "model", ("build",), () if b.model is None else (b.model,)
    yield "conditions", ("name", "enters", "drop", "read"), b.conditions
    yield "sampler", ("steps", "__call__"), (b.sampler,)
    yield "sources", ("name", "without"), b.sources


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network from a safetensors file, as 32-bit numbers. Raises UserError naming the file where it does not fit."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: the weights cannot be read ({error})") from None
    wanted = module.state_dict()
    for key in _differing(wanted, tensors):
        raise UserError(f"{path}: these are the weights of another network (at {key!r})")
    module.load_state_dict({key: value.to(wanted[key].dtype) for key, value in tensors.items()})


def save_weights(module: nn.Module, path: Path, *, half: bool = False, said: Mapping[str, str] | None = None) -> None:
    """Write a network's weights as safetensors, whole or not at all; `half` stores floating-point numbers in 16 bits.

    `said` goes into the header of the file, for `said_in` to read. Raises UserError for weights that are no numbers.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    for key, value in state.items():
        if value.isnan().any():
            raise UserError(f"{path}: {key!r} is NaN: the training diverged, or the weights of a pretrained part are not at hand")
    state = {key: _halved(value) if half else value for key, value in state.items()}
    write_whole(path, save(state, dict(said) if said else None))


def said_in(path: Path) -> Mapping[str, str]:
    """What was said when the weights were written. Raises UserError naming the file where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: the weights cannot be read ({error})") from None


def fingerprint(codec: nn.Module) -> str:
    """Hexadecimal digits that stand for the weights by which a codec makes latents, the same stored in 32 bits or in 16.

    Not for its decoder's, which may go on learning alone while models stay valid, nor for the record of which codes are used.
    """
    state, found = codec.state_dict(), hashlib.blake2b(digest_size=16)
    for key in sorted(key for key in state if ASIDE.isdisjoint(key.split("."))):
        value = _halved(state[key].detach().cpu()).contiguous()
        found.update(f"{key} {tuple(value.shape)} {value.dtype} ".encode())
        found.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _differing(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    yield from sorted(wanted.keys() ^ given.keys())
    yield from (key for key in wanted if key in given and wanted[key].shape != given[key].shape)
