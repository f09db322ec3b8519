"""Which clips a step sees: a function of seed and step alone, so that resume needs no state."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from ..core.clip import Clip
from ..core.errors import UserError
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
        assert self.length is not None
        epoch, offset = divmod(place, self.length)
        return int(_order(self.length, self.seed, epoch)[offset])


@lru_cache(maxsize=2)  # a step may span two epochs
def _order(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return stream("epoch", seed, epoch).permutation(length)


class _Order(torch.utils.data.Sampler[list[int]]):
    def __init__(self, schedule: Schedule, rank: int, start: int, stop: int) -> None:
        self.schedule, self.rank, self.start, self.stop = schedule, rank, start, stop

    def __len__(self) -> int:
        return (self.stop - self.start) * self.schedule.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.stop):
            for micro in range(self.schedule.accumulate):
                yield self.schedule.indices(step, micro, self.rank)


class _Batches:
    """Clips read by the batch, each with its index as meta "place". A UserError is handed over as a value: a worker
    process would wrap it in a traceback."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __getitems__(self, indices: list[int]) -> Clip | UserError:
        try:
            return Clip.stack([_placed(self.clips[index], index) for index in indices])
        except UserError as error:
            return UserError(f"clips {', '.join(map(str, indices))}: {error}")


def _placed(clip: Clip, index: int) -> Clip:
    return clip.replace(meta={**clip.meta, "place": index})


def batches(clips: Clips, schedule: Schedule, rank: int, start: int, stop: int, workers: int) -> Iterator[Clip]:
    """Micro-batches of steps start..stop-1, loaded ahead by `workers` processes (0: in this one).

    Raises UserError naming the clips of a batch that cannot be read.
    """
    loader: Any = DataLoader(
        _Batches(clips),  # type: ignore[arg-type]
        batch_sampler=_Order(schedule, rank, start, stop),
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_leave_interrupts,
    )
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


def _as_it_is(batch: Any) -> Any:
    return batch


def _leave_interrupts(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the training process ends the workers
