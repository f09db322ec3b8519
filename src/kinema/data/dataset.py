"""Datasets: things that give Clips by index. They are parts, so a training stage stores the one it was fed."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import field
from typing import Any

import torch

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.rng import stream
from ..simulators import World, make


class Dataset(ABC):
    """Clips by index: `dataset[i]`, `len(dataset)`, iteration. What is read depends on the index alone, so worker
    processes may each hold a copy and share the indices."""

    @property
    @abstractmethod
    def length(self) -> int | None:
        """Number of clips; None where there is no end."""

    @abstractmethod
    def read(self, index: int) -> Clip:
        """Clip `index`, which lies inside the length."""

    def __len__(self) -> int:
        if self.length is None:
            raise TypeError("this dataset has no end: give it a length")
        return self.length

    def __bool__(self) -> bool:
        return self.length != 0

    def __getitem__(self, index: int) -> Clip:
        if not hasattr(index, "__index__"):  # a slice, for one
            raise TypeError("a dataset is read clip by clip; Subset(dataset, indices=(...)) names several, Clip.stack batches them")
        length = self.length
        place = index + length if index < 0 and length is not None else index
        if place < 0 or (length is not None and place >= length):
            raise IndexError(f"there is no clip {index} in a dataset of {'endless' if length is None else length} clips")
        return self.read(place)

    def __iter__(self) -> Iterator[Clip]:
        index = 0
        while self.length is None or index < self.length:
            yield self.read(index)
            index += 1

    def __getstate__(self) -> dict[str, Any]:
        # Indices and open files stay behind: a worker process finds its own.
        return {f.name: self.__dict__[f.name] for f in dataclasses.fields(self)}  # type: ignore[arg-type]


@part
class Simulated(Dataset):
    """The clips of (scenario, seed), simulated when read; endless unless `length` is given.

    Clip i is `simulators.make(scenario, seed, first + i, fields)`; `fields` None gives all dense truth.

    >>> from kinema.simulators import scenario
    >>> Simulated(scenario("uniform", size=32), seed=1)[5].rgb.shape
    torch.Size([32, 3, 32, 32])
    """

    scenario: World = field(kw_only=False)
    seed: int = 0
    fields: tuple[str, ...] | None = ("rgb",)
    first: int = 0
    length: int | None = None

    def read(self, index: int) -> Clip:
        return make(self.scenario, self.seed, self.first + index, self.fields)


@part
class Mixture(Dataset):
    """Clips of several datasets in proportion to `weights` (equal if None); endless unless `length` is given.

    Which dataset clip i comes from, and which of its clips it is, depend on (seed, i) alone. A dataset without end gives
    its clip i. Raises UserError where the weights do not fit the datasets.
    """

    datasets: tuple[Dataset, ...] = field(kw_only=False)
    weights: tuple[float, ...] | None = None
    seed: int = 0
    length: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", tuple(self.datasets))
        if not self.datasets:
            raise UserError("a mixture needs at least one dataset")
        if any(dataset.length == 0 for dataset in self.datasets):
            raise UserError("a mixture cannot draw from an empty dataset")
        if self.weights is None:
            return
        object.__setattr__(self, "weights", tuple(self.weights))
        if len(self.weights) != len(self.datasets):
            raise UserError(f"a mixture of {len(self.datasets)} datasets was given {len(self.weights)} weights")
        if min(self.weights) < 0 or not 0 < sum(self.weights) < float("inf"):
            raise UserError(f"weights of a mixture must be 0 or more, and not all 0; got {self.weights}")

    def read(self, index: int) -> Clip:
        rng = stream("mixture", self.seed, index)
        weights = self.weights or (1.0,) * len(self.datasets)
        dataset = self.datasets[int(rng.choice(len(weights), p=[w / sum(weights) for w in weights]))]
        return dataset[index if dataset.length is None else int(rng.integers(dataset.length))]


@part
class Only(Dataset):
    """The clips of a dataset with these fields alone, so that clips of different worlds fit into one batch.

    `fps` and `dt` [s], where given, stand in place of the clips' own: for what looks at pictures and not at time.
    """

    dataset: Dataset = field(kw_only=False)
    fields: tuple[str, ...] = ("rgb",)
    fps: float | None = None
    dt: float | None = None

    @property
    def length(self) -> int | None:
        return self.dataset.length

    def read(self, index: int) -> Clip:
        clip = self.dataset[index].only(*self.fields)
        return clip.replace(fps=self.fps or clip.fps, dt=self.dt or clip.dt)


@part
class Prompted(Dataset):
    """The clips of a dataset as a prompted model takes them: rgb, text and actions, and nothing else.

    A clip without words has the text "", one without actions has NaN [t, `actions`], so that clips of different worlds fit into
    one batch; conditions take both for absent. `fps` and `dt` [s], where given, stand in place of the clips' own.
    """

    dataset: Dataset = field(kw_only=False)
    actions: int = 4
    fps: float | None = None
    dt: float | None = None

    @property
    def length(self) -> int | None:
        return self.dataset.length

    def read(self, index: int) -> Clip:
        clip = self.dataset[index]
        actions = clip.actions if clip.has("actions") else torch.full((clip.num_frames, self.actions), torch.nan, dtype=torch.float64)
        if actions.shape != (clip.num_frames, self.actions):
            where = clip.meta.get("file", f"clip {index}")
            raise UserError(f"{where}: actions [{clip.num_frames}, {self.actions}] were expected, got {list(actions.shape)}")
        text = clip.text if clip.has("text") else ""
        fps, dt = self.fps or clip.fps, self.dt or clip.dt
        return clip.only("rgb").replace(text=text, actions=actions.double(), fps=fps, dt=dt)


@part
class Subset(Dataset):
    """The clips of a dataset at `indices`, in that order."""

    dataset: Dataset = field(kw_only=False)
    indices: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Clip:
        return self.dataset[self.indices[index]]


def split(dataset: Dataset, held_out: int | float, seed: int = 0) -> tuple[Subset, Subset]:
    """(the rest, the clips held out): `held_out` clips, or that share of them, drawn by (seed, length) alone.

    Raises UserError where nothing would remain on one of the sides.

    >>> from kinema.simulators import scenario
    >>> train, test = split(Simulated(scenario("uniform"), length=10), 0.2)
    >>> len(train), len(test)
    (8, 2)
    """
    total = len(dataset)
    count = round(held_out * total) if isinstance(held_out, float) else held_out
    if not 0 < count < total:
        raise UserError(f"{held_out} of {total} clips cannot be held out: both sides need at least one")
    order = [int(i) for i in stream("split", seed, total).permutation(total)]
    return Subset(dataset, indices=tuple(sorted(order[count:]))), Subset(dataset, indices=tuple(sorted(order[:count])))
