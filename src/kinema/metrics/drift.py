"""What a dream says about itself, without a truth: bodies lost or added, sizes, momentum and energy that drift."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch

from ..core import Clip
from ..core.config import part
from .law import Array, energy, gravity_of, mean, momentum
from .parse import WHOLE, colors_of, is_parsed, parse, readable


@part
class OwnMetric(ABC):
    """A number per clip from the parsed dream alone; NaN where nothing can be judged, or pixels are NaN.

    A truth only lends its balls' colours.

    `subpixel` parses with weights by colour instead of masks, `paper_compatible` with the released evaluator's parser.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = False

    subpixel: bool = True
    paper_compatible: bool = False

    def __call__(self, dream: Clip, truth: Clip | None = None) -> torch.Tensor:
        """[b]; a single clip counts as b = 1."""
        dreams = list(dream) if dream.batched else [dream]
        truths = list(truth) if truth is not None and truth.batched else [truth] * len(dreams)
        cases = zip(readable(dream), dreams, truths, strict=True)
        return torch.tensor([self._value(self._read(d, t)) if known else torch.nan for known, d, t in cases], dtype=torch.float64)

    def _read(self, dream: Clip, truth: Clip | None) -> Clip:
        if is_parsed(dream):
            return dream
        colors = colors_of(truth) if truth is not None and truth.has("bodies") and "color" in truth.bodies else None
        return parse(dream, colors=colors, subpixel=self.subpixel and not self.paper_compatible, paper_compatible=self.paper_compatible)

    @abstractmethod
    def _value(self, dream: Clip) -> float:
        """The number for one parsed clip."""


@part
class Lost(OwnMetric):
    """Share of balls and frames in which a ball is gone that was not last seen at the border."""

    name = "lost"
    unit = "share"

    def _value(self, dream: Clip) -> float:
        return float(dream.outcome["lost"].double().mean()) / max(dream.bodies["radius"].shape[1], 1)


@part
class New(OwnMetric):
    """Largest number of balls in a frame that were not there in the first one."""

    name = "new"
    unit = "balls"

    def _value(self, dream: Clip) -> float:
        return float(dream.outcome["new"].max())


@part
class RadiusDrift(OwnMetric):
    """Mean over balls of max r - min r over the frames that show the ball whole (PhyWorld's shape drift)."""

    name = "radius_drift"
    unit = "m"

    def _value(self, dream: Clip) -> float:
        radius, state = dream.bodies["radius"].numpy(), dream.bodies["state"].numpy()
        seen = [r[s == WHOLE] for r, s in zip(radius.T, state.T, strict=True)]
        return mean(np.array([np.ptp(r) if len(r) else np.nan for r in seen]))


@part
class MomentumDrift(OwnMetric):
    """RMS over time of the change of total momentum, less gravity's share (the acceleration the balls show most of the time).

    Only frames that show every ball whole count. A bounce off a wall changes the momentum, rightly.
    """

    name = "momentum_drift"
    unit = "kg m/s"

    def _value(self, dream: Clip) -> float:
        _, velocity, mass, gravity, whole = _state(dream)
        pull = np.arange(len(velocity))[:, None] * dream.dt * gravity * mass.sum()
        return _rms((momentum(velocity, mass) - pull)[whole])


@part
class EnergyDrift(OwnMetric):
    """RMS over time of the change of kinetic plus potential energy, in the gravity the balls show most of the time.

    Only frames that show every ball whole count.
    """

    name = "energy_drift"
    unit = "J"

    def _value(self, dream: Clip) -> float:
        position, velocity, mass, gravity, whole = _state(dream)
        return _rms(energy(position, velocity, mass, gravity)[whole])


def _state(dream: Clip) -> tuple[Array, Array, Array, Array, np.ndarray]:
    position, mass = dream.bodies["position"].numpy(), dream.bodies["mass"].numpy()[0]
    whole = (dream.bodies["state"].numpy() == WHOLE).all(1)
    velocity = np.diff(position, axis=0) / dream.dt
    return position, velocity, mass, gravity_of(position, dream.dt), whole[1:] & whole[:-1]


def _rms(values: Array) -> float:
    if not len(values):
        return float("nan")
    return float(np.sqrt(((values - values.mean(0)) ** 2).reshape(len(values), -1).sum(1).mean()))
