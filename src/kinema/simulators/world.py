"""What every world has: a named space of parameters with splits, the clips' size, frames and time step."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch

from ..core.clip import Clip
from ..core.config import part, to_json
from ..core.errors import UserError


@part
class World(ABC):
    """A scenario: `sample(rng, index) -> params`, `simulate(params, rng) -> Clip`. `splits` names what it can draw from.

    `dense` names the dense truth it can render, `default_dense` what comes unless said otherwise.
    """

    name: ClassVar[str]
    splits: ClassVar[Mapping[str, Any]]
    dense: ClassVar[tuple[str, ...]]
    default_dense: ClassVar[tuple[str, ...]]

    size: int = 128
    num_frames: int = 32
    dt: float = 0.1
    fps: float = 10.0

    def __post_init__(self) -> None:
        if self.size < 8 or self.num_frames < 2:
            raise UserError(f"{self.name}: size must be at least 8 px and frames at least 2, got {self.size} and {self.num_frames}")
        for key in ("dt", "fps"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"{self.name}: {key} must be above 0, got {value}")

    @abstractmethod
    def split(self, name: str) -> Self:
        """The same scenario drawing from a named split. Raises UserError listing the splits where there is none of that name."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of one clip, plain JSON values; `index` is its place in the stream, for worlds that walk a list."""

    @abstractmethod
    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """The Clip of these parameters with `fields` of its dense truth (None: `default_dense`).

        Raises UserError where a parameter is missing or a field unknown.
        """

    @property
    @abstractmethod
    def alike(self) -> int:
        """How many neighbouring clips of the stream share their draws."""

    @abstractmethod
    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, torch.Tensor]:
        """Dense truth of a clip's states as its camera sees them. Raises UserError for a field this world does not have."""

    def check_dense(self, fields: Sequence[str]) -> None:
        """Raise UserError for dense truth that this world does not have."""
        for name in fields:
            if name not in self.dense:
                raise UserError(f"{self.name}: there is no dense field {name!r}; there are {', '.join(self.dense)}")

    @cached_property
    def as_json(self) -> str:
        """The scenario as JSON, for the meta of its clips."""
        return json.dumps(to_json(self))
