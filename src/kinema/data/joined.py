"""Datasets one after the other."""

from __future__ import annotations

from dataclasses import field
from itertools import accumulate

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from .dataset import Dataset


@part
class Joined(Dataset):
    """The clips of several datasets, one dataset after the other. Raises UserError for one without end.

    >>> from kinema.data import Simulated
    >>> from kinema.simulators import scenario
    >>> first, second = (Simulated(scenario(name, size=32), length=2) for name in ("uniform", "collision"))
    >>> len(Joined((first, second))), Joined((first, second))[2].meta["scenario"]["part"]
    (4, 'simulators.Collision')
    """

    datasets: tuple[Dataset, ...] = field(kw_only=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", tuple(self.datasets))
        for dataset in self.datasets:
            if dataset.length is None:
                raise UserError("datasets without end cannot be joined: give each a length, or mix them")

    @property
    def length(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)

    def read(self, index: int) -> Clip:
        ends = list(accumulate(len(dataset) for dataset in self.datasets))
        which = next(i for i, end in enumerate(ends) if index < end)
        return self.datasets[which][index - ends[which] + len(self.datasets[which])]
