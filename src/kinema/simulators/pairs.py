"""Pairs of clips that are one up to a frame, from which on the second does what cannot be: what planar and spatial ones share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ..core.config import part
from ..core.errors import UserError
from .world import World

EFFECT = 0.05  # of the image's width: the side of a square of as many pixels as must differ between the twins soon after
_LEVELS = 32  # by which a pixel of the two must differ, of 255
_SCENES = 40  # tries for a scene that offers the violation

Violation = dict[str, Any]


@part
class Pairs(World):
    """Clip 2i is possible, clip 2i + 1 the same with one thing in it that cannot be; `violations` take turns from pair to pair."""

    name = "twins"
    splits: ClassVar[Mapping[str, Any]] = {}
    kinds: ClassVar[tuple[str, ...]]

    scenario: World = field(kw_only=False)
    violations: tuple[str, ...] = ("vanish",)
    context: int = 4
    after: int = 4
    size: int = field(init=False)
    num_frames: int = field(init=False)
    dt: float = field(init=False)
    fps: float = field(init=False)

    def __post_init__(self) -> None:
        for key in ("size", "num_frames", "dt", "fps"):
            object.__setattr__(self, key, getattr(self.scenario, key))
        self._check_scenario()
        for kind in self.violations:
            if kind not in self.kinds:
                raise UserError(f"twins: there is no violation {kind!r} of {self.scenario.name}; there are {', '.join(self.kinds)}")
        if not self.violations:
            raise UserError(f"twins: violations names none of {', '.join(self.kinds)}")
        if self.context < 1 or self.after < 1 or self.context + self.after > self.num_frames:
            raise UserError(
                f"twins: {self.num_frames} frames do not hold a context of {self.context} and {self.after} after the violation,"
                " each of which must be at least 1"
            )

    @property
    def alike(self) -> int:
        """Two: the clips of a pair."""
        return 2

    @abstractmethod
    def _check_scenario(self) -> None:
        """Raise UserError where there are no such twins of the scenario."""

    @abstractmethod
    def _found(self, kind: str, scene: Mapping[str, Any], rng: np.random.Generator) -> Violation | None:
        """A violation of this kind that can be seen in the scene; None where some tries found none."""

    def split(self, name: str) -> Self:
        """Twins of the same scenario drawing from its split."""
        return replace(self, scenario=self.scenario.split(name))

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of clip `index`: those of the scene, the violation, and whether it is the possible one."""
        kind = self.violations[index // 2 % len(self.violations)]
        for _ in range(_SCENES):
            scene = self.scenario.sample(rng, index // 2)
            violation = self._found(kind, scene, rng)
            if violation is not None:
                return {"scene": scene, "violation": violation, "possible": index % 2 == 0}
        what = "no two bodies meet" if kind == "pass_through" else "no body can be seen to do so"
        raise UserError(
            f"twins: found no place for {kind!r} in {_SCENES} scenes of {self.scenario.name}: {what} between frames {self.context} and"
            f" {self.num_frames - self.after}"
        )

    @property
    def _frames(self) -> range:
        """The frames at which a violation may lie."""
        return range(self.context, self.num_frames - self.after + 1)


def check_pair(params: Mapping[str, Any]) -> None:
    """Raise UserError where the parameters are not those of a pair's clip."""
    for key in ("scene", "violation", "possible"):
        if key not in params:
            raise UserError(f"twins: the parameters lack {key!r}; there are {', '.join(params) or 'none'}")


def effect(ours: Tensor, theirs: Tensor) -> float:
    """The side in px of a square of as many pixels as differ between two videos [t,3,h,w] uint8 in the frame in which most do."""
    differ = ((ours.short() - theirs.short()).abs().amax(1) > _LEVELS).sum((1, 2))
    return float(torch.sqrt(differ.max().double()))


def seen_enough(side: float, size: int) -> bool:
    """Whether an effect of `side` px is large enough in images of `size` px."""
    return side >= EFFECT * size

