"""What every sampler walks with: a model read through its path, as a function of x and tau alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ..core import Conditions, Path, Predict


class Denoise(Protocol):
    """(x_tau [b,t,c,h,w], tau [b]) -> (x0, eps), both shaped as x_tau; `path` is what x_tau lies on, `conditions` what is told.

    Of tokens x_tau [b,t,h,w] it gives (logits [b,t,h,w,codes], which ones are masked [b,t,h,w])."""

    @property
    def path(self) -> Any: ...
    @property
    def conditions(self) -> Conditions: ...

    def __call__(self, x_tau: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Reader:
    """A `Denoise`: `model` asked for `predict` on `path`, under fixed `conditions`; `reader` makes one."""

    model: Any
    path: Path
    predict: Predict
    conditions: Conditions = field(default_factory=dict)

    def __call__(self, x_tau: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        output = self.model(self.path.network_input(x_tau, tau), self.path.network_time(tau), self.conditions).output
        return self.path.read(self.predict, output, x_tau, tau)


def reader(model: Any, path: Path, predict: Predict, conditions: Conditions | None = None) -> Reader:
    """The model as samplers want it: (x_tau [b,t,c,h,w], tau [b]) -> (x0, eps).

    `model` is (x, tau, conditions) -> Prediction; it sees x scaled by `path.network_input` and tau as `path.network_time`.

    >>> import torch
    >>> from kinema.core import Linear, Prediction
    >>> denoise = reader(lambda x, tau, conditions: Prediction(x), Linear(), "x0")
    >>> denoise(torch.ones(1, 1, 1, 1, 1), torch.tensor([0.5]))[0].item()
    1.0
    """
    return Reader(model, path, predict, conditions or {})
