"""Results of slow work, kept in a folder under a digest of what they were made from, so that a benchmark can be run again at no cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .. import __version__
from ..core.clip import Clip
from ..core.files import make_folder, write_whole
from ..core.rng import digest

MADE = 1  # raised whenever a sampler, a simulator or a metric changes what it gives for the same arguments


class Kept:
    """Tensors by what they were made from, in files of `folder`; without a folder they are made every time."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = None if folder is None else make_folder(folder)

    def tensors(self, name: str, key: Any, make: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """What `make` gives, read from a file where this version made it before from the same `key` (a JSON value)."""
        if self.folder is None:
            return make()
        file = self.folder / f"{name}-{digest([__version__, MADE, key])}.safetensors"
        try:
            return load_file(file)
        except (OSError, SafetensorError):  # not there, or cut short
            made = {k: v.detach().cpu().contiguous() for k, v in make().items()}
            write_whole(file, save(made))
            return made


def key_of(clips: Iterable[Clip]) -> str:
    """A digest of clips' pixels, words and actions."""
    made = hashlib.blake2b(digest_size=8)
    for clip in clips:
        made.update(repr((clip.fps, clip.dt, clip.fields.get("text"))).encode())
        for name in ("rgb", "actions"):
            if clip.has(name):
                made.update(clip.fields[name].detach().cpu().contiguous().numpy().tobytes())
    return made.hexdigest()


def key_of_weights(*modules: Any) -> str:
    """A digest of networks' weights."""
    made = hashlib.blake2b(digest_size=8)
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            made.update(name.encode())
            made.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return made.hexdigest()
