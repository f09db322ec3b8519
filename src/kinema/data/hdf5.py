"""Files in PhyWorld's HDF5 layout: groups of numbered streams, read piece by piece, written whole or not at all."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UserError
from ..core.files import whole

SUFFIXES = (".hdf5", ".h5")
INIT, POSITION, VIDEO = "init_streams", "position_streams", "video_streams"
ACTION, OBJECT = "action_streams", "object_streams"
KINEMATIC, PHYRE = (INIT, POSITION, VIDEO), (ACTION, OBJECT, VIDEO)  # the streams of the two kinds of files
NOTE = "kinema"  # the attribute in which our own files say what other readers need not know

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Index:
    """Which streams a file holds, and how many items are in the dataset of each key."""

    streams: tuple[str, ...]
    keys: tuple[str, ...]
    stops: tuple[int, ...]  # items up to and with each key
    note: Mapping[str, Any]

    @property
    def length(self) -> int:
        """Number of items."""
        return self.stops[-1]

    def place(self, item: int) -> tuple[str, int]:
        """(key, number within it) of an item."""
        k = bisect_right(self.stops, item)
        return self.keys[k], item - (self.stops[k - 1] if k else 0)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Items of each key."""
        return tuple(int(n) for n in np.diff(self.stops, prepend=0))


def name_of(key: str, number: int) -> str:
    """An item's name, as PhyWorld's evaluator has it in the names of its videos."""
    return f"{key}-{number:05d}"


def chosen(labels: Sequence[str], bucket: str, path: str) -> tuple[int, ...]:
    """The items with this label. Raises UserError naming the labels there are where it is none of them."""
    found = tuple(i for i, label in enumerate(labels) if label == bucket)
    if not found:
        there = ", ".join(f"{name} ({labels.count(name)})" for name in sorted(set(labels)))
        raise UserError(f"{path}: has no clip in bucket {bucket!r}; it has {there}")
    return found


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """The file, open for reading. Raises UserError naming it where it cannot be opened, is no HDF5, or is damaged."""
    import h5py

    if not Path(path).is_file():
        raise UserError(f"{path}: {'is a folder, an HDF5 file was expected' if Path(path).is_dir() else 'there is no such file'}")
    try:
        file = h5py.File(path, "r", locking=False)  # nothing is written, and locks fail on network file systems
    except OSError as error:
        raise UserError(f"{path}: cannot be read as an HDF5 file; it is damaged, cut short or none ({_short(error)})") from None
    with file:
        yield file


def index_of(path: str) -> Index:
    """What a file holds. Raises UserError where that is neither of PhyWorld's two layouts."""
    with opened(path) as file, naming(path, "its index"):
        kinds = [kind for kind in (KINEMATIC, PHYRE) if all(name in file for name in kind)]
        if not kinds:
            raise UserError(
                f"{path}: holds {', '.join(sorted(file)) or 'nothing'}; PhyWorld's files hold {', '.join(KINEMATIC)},"
                f" those of PHYRE {', '.join(PHYRE)}"
            )
        streams = {name: stream(file, name, path) for name in kinds[0]}
        first, *others = kinds[0]
        keys = tuple(sorted(streams[first]))
        for name in others:
            if set(streams[name]) != set(keys):
                odd = sorted(set(streams[name]) ^ set(keys))
                raise UserError(f"{path}: {name} and {first} do not hold the same datasets: {', '.join(odd[:3])}")
        sizes = [_items(streams[first][key], f"{path}: {first}/{key}") for key in keys]
        if not sum(sizes):
            raise UserError(f"{path}: holds no clips")
        return Index(kinds[0], keys, tuple(int(n) for n in np.cumsum(sizes)), _note(file, path))


def stream(file: Any, name: str, path: str) -> Mapping[str, Any]:
    """The datasets of a stream by key. A file that was not merged with others has one dataset in the group's place."""
    import h5py

    found = file[name]
    return {Path(path).stem: found} if isinstance(found, h5py.Dataset) else found


def item(file: Any, name: str, key: str, number: int, path: str) -> NDArray[Any]:
    """One entry of a stream. Raises UserError naming file and item where it is missing or cannot be read."""
    where = f"{path}: {name}/{key}"
    with naming(path, f"{name}/{key}[{number}]"):
        data = stream(file, name, path)[key]
        if number >= _items(data, where):
            raise UserError(f"{where} holds {len(data)} items; item {number} is not among them")
        return np.asarray(data[number])


def numbers(file: Any, name: str, key: str, path: str, ndim: tuple[int, ...]) -> Array:
    """A whole dataset as float64. Raises UserError where it holds no numbers or has other axes."""
    with naming(path, f"{name}/{key}"):
        return _numbers(stream(file, name, path)[key][()], f"{path}: {name}/{key}", ndim)


def as_numbers(data: NDArray[Any], where: str, ndim: tuple[int, ...]) -> Array:
    """One item as float64. Raises UserError where it holds no numbers, not finite ones, or has other axes."""
    array = _numbers(data, where, ndim)
    if not np.isfinite(array).all():
        raise UserError(f"{where}: holds NaN or infinite numbers")
    return array


@contextmanager
def naming(path: str, what: str) -> Iterator[None]:
    """What h5py raises on a damaged or missing entry, as a sentence."""
    try:
        yield
    except KeyError:
        raise UserError(f"{path}: {what} is missing") from None
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise UserError(f"{path}: {what} cannot be read; the file is damaged or of another layout ({_short(error)})") from None


@contextmanager
def created(path: Path) -> Iterator[tuple[Any, Steady]]:
    """A new file that takes its place if the block succeeds, and what the disk says to it."""
    import h5py

    with whole(path) as temporary, temporary.open("r+b", buffering=0) as raw:
        disk = Steady(raw)
        with h5py.File(disk, "w") as file:
            yield file, disk
        disk.check()


class Steady:
    """A file that HDF5 writes to and that never fails, because HDF5 crashes, and Python with it, where the disk is full. What
    failed is kept, and `check` raises it."""

    def __init__(self, raw: FileIO) -> None:
        self.raw, self.read, self.readinto, self.seek, self.tell = raw, raw.read, raw.readinto, raw.seek, raw.tell
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the first error there was."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write all of `data`, or nothing more once an error has been."""
        left = memoryview(data).cast("B")
        size = len(left)
        while len(left) and self.error is None:
            try:
                left = left[self.raw.write(left) or 0 :]
            except OSError as error:
                self.error = error
        return size

    def truncate(self, size: int) -> int:
        """Set the file's length."""
        try:
            return self.raw.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size

    def flush(self) -> None:
        """Nothing is buffered."""


def add_videos(file: Any, key: str, items: int | None) -> Any:
    """The stream of videos under a key, of so many items; one that grows if None."""
    import h5py

    shape = {"shape": (items,)} if items is not None else {"shape": (0,), "maxshape": (None,), "chunks": (64,)}
    return file.create_dataset(f"{VIDEO}/{key}", dtype=h5py.vlen_dtype(np.dtype("uint8")), **shape)


def add_note(file: Any, **said: Any) -> None:
    """What other readers need not know."""
    file.attrs[NOTE] = json.dumps(said, sort_keys=True)


def _numbers(data: NDArray[Any], where: str, ndim: tuple[int, ...]) -> Array:
    if data.dtype.kind not in "fiu" or data.ndim not in ndim:
        axes = " or ".join(map(str, ndim))
        raise UserError(f"{where}: holds {data.dtype} of shape {data.shape}; numbers with {axes} axes were expected")
    return data.astype(np.float64)


def _items(data: Any, where: str) -> int:
    if not getattr(data, "shape", ()):
        raise UserError(f"{where} is no dataset of items")
    return int(data.shape[0])


def _note(file: Any, path: str) -> Mapping[str, Any]:
    if NOTE not in file.attrs:
        return {}
    try:
        note = json.loads(file.attrs[NOTE])
    except (TypeError, ValueError):
        note = None
    if not isinstance(note, dict):
        raise UserError(f"{path}: its attribute {NOTE!r} is no JSON object")
    return note


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0].strip("'\"")[:200]
