"""What PhyWorld's two kinds of HDF5 files share as datasets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from typing import ClassVar

from ..core.config import part
from ..core.errors import UserError
from .dataset import Dataset
from .hdf5 import KINEMATIC, Index, chosen, index_of


@part
class PublishedFile(Dataset):
    """The clips of one .hdf5 file in PhyWorld's layout; with `bucket`, those of one label. The file is never held open."""

    streams: ClassVar[tuple[str, ...]]
    known: ClassVar[tuple[str, ...]]  # fields of its clips
    step: ClassVar[float]  # s

    path: str = field(kw_only=False)
    bucket: str | None = None
    fields: tuple[str, ...] | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        for name in self.fields or ():
            if name not in self.known:
                raise UserError(f"{self.path}: has no field {name!r}; it has {', '.join(self.known)}")

    @property
    def length(self) -> int:
        return self.index.length if self.bucket is None else len(self._chosen)

    @property
    def dt(self) -> float:
        """Time in s between two frames."""
        return self.step

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """The bucket of every clip of the file."""

    @abstractmethod
    def check(self) -> None:
        """Raise UserError where the file is of another kind, or a wanted bucket is not in it."""

    @cached_property
    def index(self) -> Index:
        """Which clips the file holds, and where."""
        found = index_of(self.path)
        if found.streams != self.streams:
            kind, reader = ("kinematic scenarios", "PhyWorldFile") if found.streams == KINEMATIC else ("PHYRE's scenes", "PhyreFile")
            raise UserError(f"{self.path}: is a file of {kind}: {reader} reads it")
        return found

    def whole(self, index: int) -> int:
        """The number in the whole file of clip `index` of the bucket."""
        return index if self.bucket is None else self._chosen[index]

    @cached_property
    def _chosen(self) -> tuple[int, ...]:
        return chosen(self.labels, self.bucket or "", self.path)
