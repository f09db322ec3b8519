"""Random streams keyed by what they are for, so that worker count, order and resume never change a byte."""

from __future__ import annotations

import hashlib
import json
import operator
from typing import Any

import numpy as np
import torch

Key = str | int


def _digest(key: tuple[Key, ...]) -> bytes:
    if not key:
        raise ValueError("a random stream needs a key, such as stream('uniform', seed, index)")
    plain = tuple(str(k) if isinstance(k, str) else operator.index(k) for k in key)  # np.int64(1) must mean 1
    return hashlib.blake2b(repr(plain).encode(), digest_size=16).digest()


def digest(value: Any) -> str:
    """Twelve hexadecimal digits that stand for a JSON value.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=6).hexdigest()


def stream(*key: Key) -> np.random.Generator:
    """A NumPy generator that depends on the key alone.

    >>> bool(stream("uniform", 0, 7).random() == stream("uniform", 0, 7).random())
    True
    """
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(key), "little")))


def torch_stream(*key: Key, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on `device` that depends on the key alone."""
    seed = int.from_bytes(_digest(key)[:8], "little") >> 1
    return torch.Generator(device=device).manual_seed(seed)
