"""Which clips a step sees: a function of seed and step alone, so that resume needs no state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader

from ..core.clip import Clip
from ..core.rng import stream


class Clips(Protocol):
    """A source of clips by index; one whose `length` is None has a clip for every index."""

    @property
    def length(self) -> int | None: ...
    def __getitem__(self, index: int) -> Clip: ...


@dataclass(frozen=True)
class Schedule:
    """Indices of every micro-batch. An endless source is read in order, a finite one in a new order every epoch."""

    length: int | None
    batch: int
    accumulate: int
    processes: int
    seed: int

    def indices(self, step: int, micro: int, rank: int) -> list[int]:
        """The clips of micro-batch `micro` of process `rank` in `step`."""
        first = ((step * self.accumulate + micro) * self.processes + rank) * self.batch
        places = range(first, first + self.batch)
        if self.length is None:
            return list(places)
        return [self._shuffled(place) for place in places]

    def _shuffled(self, place: int) -> int:
        epoch, offset = divmod(place, self.length or 1)
        if getattr(self, "_epoch", None) != epoch:
            object.__setattr__(self, "_epoch", epoch)
            object.__setattr__(self, "_order", stream("epoch", self.seed, epoch).permutation(self.length))
        return int(self._order[offset])  # type: ignore[attr-defined]


class _Order(torch.utils.data.Sampler[list[int]]):
    def __init__(self, schedule: Schedule, rank: int, start: int, stop: int) -> None:
        self.schedule, self.rank, self.start, self.stop = schedule, rank, start, stop

    def __len__(self) -> int:
        return (self.stop - self.start) * self.schedule.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.stop):
            for micro in range(self.schedule.accumulate):
                yield self.schedule.indices(step, micro, self.rank)


def batches(clips: Clips, schedule: Schedule, rank: int, start: int, stop: int, workers: int) -> Iterator[Clip]:
    """Micro-batches of steps start..stop-1, loaded ahead by `workers` processes (0: in this one)."""
    loader: Any = DataLoader(
        clips,  # type: ignore[arg-type]
        batch_sampler=_Order(schedule, rank, start, stop),
        collate_fn=Clip.stack,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=2 if workers else None,
    )
    return iter(loader)
