"""Guidance from any number of sources: full + sum_i w_i (full - without_i)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..core import Conditions, Prediction, Source, UserError, part


@part
class Without:
    """Guidance by a condition: the variant has it absent. `Without("text")` is classifier-free guidance."""

    name: str = field(kw_only=False)

    def without(self, x: Tensor, conditions: Conditions) -> tuple[Tensor, Conditions]:
        """(x, conditions with this one absent). Raises UserError where there is no such condition."""
        if self.name not in conditions:
            raise UserError(f"guidance by {self.name!r} needs that condition; given: {', '.join(conditions) or 'none'}")
        return x, {**conditions, self.name: conditions[self.name].absent()}


@part
class WithoutGroup:
    """Guidance by the model's own guess: the variant has channels start..stop-1 of x set to 0 (DreamWorld eq. 11).

    `WithoutGroup("flow", channels=latents.groups["flow"])`.
    """

    name: str = field(kw_only=False)
    channels: tuple[int, int]

    def without(self, x: Tensor, conditions: Conditions) -> tuple[Tensor, Conditions]:
        """(x [b,t,c,h,w] with the group at 0, conditions). Raises UserError where x has no such channels."""
        start, stop = self.channels
        if not 0 <= start < stop <= x.shape[2]:
            raise UserError(f"guidance by {self.name!r} takes away channels {start} to {stop}, but x has {x.shape[2]}")
        x = x.clone()
        x[:, :, start:stop] = 0
        return x, conditions


@dataclass(frozen=True)
class Guided:
    """A `Model` whose output is guided; `guide` makes one."""

    model: Any
    sources: Sequence[Source]
    weights: Mapping[str, float]

    def __call__(self, x: Tensor, tau: Tensor, conditions: Conditions) -> Prediction:
        full: Prediction = self.model(x, tau, conditions)
        output = full.output
        for source in self.sources:
            weight = self.weights.get(source.name, 0.0)
            if weight != 0:
                without: Tensor = self.model(*_with_time(source.without(x, conditions), tau)).output
                output = output + weight * (full.output - without)
        return Prediction(output, full.features)


def _with_time(variant: tuple[Tensor, Conditions], tau: Tensor) -> tuple[Tensor, Tensor, Conditions]:
    x, conditions = variant
    return x, tau, conditions


def guide(model: Any, sources: Sequence[Source], weights: Mapping[str, float]) -> Guided:
    """The model with output full + sum_i w_i (full - without_i), one more forward pass per source with w_i != 0.

    `weights` names sources; w is what is added, so the usual classifier-free scale is 1 + w. Outputs are mixed before
    they are read, as velocities are in the papers: a source may change x, and the path then knows the unchanged one.
    Raises UserError where a weight names no source or is not finite.

    >>> import torch
    >>> from kinema.core import Value
    >>> says = lambda x, tau, c: Prediction(x + c["text"].present.float())
    >>> text = {"text": Value(torch.zeros(1), torch.ones(1, dtype=torch.bool))}
    >>> guide(says, [Without("text")], {"text": 4.0})(torch.zeros(1), torch.ones(1), text).output
    tensor([5.])
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise UserError(f"guidance sources must have different names, got {', '.join(names)}")
    for name, weight in weights.items():
        if name not in names:
            raise UserError(f"this model has no guidance named {name!r}; it has {', '.join(names) or 'none'}")
        if not abs(weight) < float("inf"):
            raise UserError(f"guidance {name!r} must have a finite weight, got {weight}")
    return Guided(model, tuple(sources), dict(weights))
