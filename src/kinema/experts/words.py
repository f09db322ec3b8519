"""Words as fixed random vectors: a text encoder that needs no weights, for models that learn what words mean."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import field
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..core.config import part
from ..core.errors import UserError

LONGEST = 256  # words
PLACE = 32  # numbers that say where in the text a word stands
END = ""  # the word that ends every text, and that no text holds
_WORDS = re.compile(r"(?<![\w.)])[+-]?\d+(?:\.\d+)?|\w+(?:['’-]\w+)*|[^\w\s]")


@part
class Words:
    """Each word is a fixed pseudo-random unit vector of `size` numbers, drawn by a hash of the word (the same everywhere), beside
    sinusoids of its place in the text.

    Nothing is pretrained and nothing is known about a word: what it means is learnt by the first layer of the model that is told,
    for the words of the captions it was trained with. Lower case; punctuation is words of its own, a number such as 0.4 is one.
    """

    size: int = field(kw_only=False, default=256)
    pretrained: ClassVar[bool] = False
    weights: ClassVar[str] = "none: words are learnt by the model"

    def __post_init__(self) -> None:
        if self.size < 8:
            raise UserError(f"Words: size must be at least 8, got {self.size}")

    @property
    def width(self) -> int:
        """Numbers of a word."""
        return self.size + PLACE

    def encode(self, text: str, device: torch.device | str = "cpu") -> Tensor:
        """[s, width], the end of the text included. Raises UserError for a text of more than 256 words."""
        words = split(text)
        if len(words) > LONGEST:
            raise UserError(f"Words takes texts of at most {LONGEST} words, got {len(words)}: {text[:60]!r}...")
        data = torch.stack([_vector(word, self.size) for word in (*words, END)])
        return torch.cat([data, _places(len(data))], 1).to(device)


def split(text: str) -> list[str]:
    """The words of a text.

    >>> split("Two-lane road; a ball of 0.4 m, at (-1.50, 2).")
    ['two-lane', 'road', ';', 'a', 'ball', 'of', '0.4', 'm', ',', 'at', '(', '-1.50', ',', '2', ')', '.']
    """
    return _WORDS.findall(text.lower())


@lru_cache(maxsize=4096)
def _vector(word: str, size: int) -> Tensor:
    """Signs, each a bit of the word's hash: nearly orthogonal for different words (cosines have a spread of 1 / sqrt(size))."""
    count = -(-size // 512)
    digest = b"".join(hashlib.blake2b(word.encode(), salt=i.to_bytes(8, "little")).digest() for i in range(count))
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))[:size].astype(np.float32)
    return torch.from_numpy((2 * bits - 1) / np.float32(math.sqrt(size)))


def _places(count: int) -> Tensor:
    """Unit vectors [count, PLACE]."""
    half = PLACE // 2
    turns = torch.arange(count)[:, None] * LONGEST ** -(torch.arange(half) / half)
    return torch.cat([turns.sin(), turns.cos()], 1) / math.sqrt(half)
