"""Where a study keeps what it has made: points by the hash of what was trained, rows by the hash of clips and judge."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..training.checkpoint import checkpoints
from ..training.stage import changed
from .rows import Row, load
from .strips import FILE
from .study import Point, Test, digest, slug

KIND = "kinema study"
_POLL = 2.0  # s between looks at a lock


@dataclass(frozen=True)
class Store:
    """The folder of `--out`: points/, yardsticks/, and a page per study."""

    out: Path

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, make: bool = True) -> Store:
        """The store in a folder, begun if there is none. Raises UserError where the folder holds anything else."""
        out = Path(folder)
        mark = out / "study.json"
        if mark.exists():
            said = read_json(mark)
            if not (isinstance(said, dict) and said.get("kind") == KIND):
                raise UserError(f"{mark}: belongs to something else; name another folder with --out")
            return cls(out)
        if out.exists() and not out.is_dir():
            raise UserError(f"{out}: is a file; a folder was expected")
        if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
            raise UserError(f"{out}: holds something else; name an empty folder or a new one with --out")
        if make:
            make_folder(out)
            write_json(mark, {"kind": KIND})
        return cls(out)

    def folder(self, point: Point) -> Path:
        """The folder of a point: the one that is there, whatever the point was called when it was made, or a new name.

        Raises UserError where what is there was trained with other settings: keys do not see a default that has changed since.
        """
        folder = _known(self.out / "points", point.key) or self.out / "points" / point.folder
        stage = folder / "stage.json"
        if stage.exists() and (said := changed(stage, point.stage)):
            raise UserError(f"{folder}: was trained with other settings ({said}): name another folder with --out, or remove that one")
        return folder

    def model(self, point: Point) -> Path:
        """Where a point's trained model is, or will be."""
        return self.folder(point) / "model"

    def rows_of(self, point: Point, test: Test) -> Path:
        """The file of a point's dreams on a test."""
        folder = self.folder(point) / "tests"
        return (_known(folder, test.key) or folder / f"{slug(test.name)}-{test.key}") / "rows.csv"

    def yardsticks_of(self, point: Point, test: Test) -> Path:
        """The file of what stands beside the dreams of all points with this codec and number of given frames."""
        key = digest(test.key, point.stage.codec, point.stage.blueprint.codec, _given(point))
        folder = self.out / "yardsticks"
        return (_known(folder, key) or folder / f"{slug(test.name)}-{key}") / "rows.csv"

    def done(self, point: Point) -> bool:
        """Whether a point's model and all its rows are there."""
        return self.trained(point) and not self.missing(point)

    def trained(self, point: Point) -> bool:
        """Whether a point's model is there."""
        return (self.model(point) / "blueprint.json").exists()

    def left(self, point: Point) -> float:
        """The share of a point's training that is still to be done."""
        if self.trained(point):
            return 0.0
        found = checkpoints(self.folder(point) / "checkpoints")
        return 1.0 - int(found[-1].name.removeprefix("step-")) / point.stage.train.steps if found else 1.0

    def missing(self, point: Point) -> list[Test]:
        """The tests of a point whose rows are not all there."""
        return [t for t in point.tests if not (finished(self.rows_of(point, t)) and finished(self.yardsticks_of(point, t)))]

    def shown(self, point: Point) -> dict[tuple[str, str], Path]:
        """The files of a point's strips by (point, test)."""
        files = {(point.name, test.name): self.rows_of(point, test).with_name(FILE) for test in point.tests}
        return {place: file for place, file in files.items() if file.exists()}

    def read(self, point: Point) -> list[Row]:
        """All rows of a point that are there, with its labels and its tests'."""
        found = []
        for test in point.tests:
            labels = {**point.labels, **test.labels, "point": point.name, "test": test.name}
            files = (self.rows_of(point, test), self.yardsticks_of(point, test))
            found += [row for file in files if file.exists() for row in load(file, labels)]
        return found

    @contextlib.contextmanager
    def only_one(self, key: str, wait: Callable[[], object] = lambda: None) -> Iterator[None]:
        """One process at a time works on what `key` names; another one waits, having called `wait` once."""
        try:
            import fcntl
        except ImportError:
            yield
            return
        with (make_folder(self.out / ".locks") / key).open("w") as file:
            asked = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if not asked:
                        wait()
                    asked = True
                    time.sleep(_POLL)
            yield

    def busy(self, key: str) -> bool:
        """Whether another process holds the lock of `key`."""
        try:
            import fcntl
        except ImportError:
            return False
        with (make_folder(self.out / ".locks") / key).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False


def parts_of(rows: Path) -> list[Path]:
    """The files in which rows grow before they are whole."""
    return sorted(rows.parent.glob("part-*.csv"))


def finished(rows: Path) -> bool:
    """Whether a file of rows is there, and its parts are gone."""
    return rows.exists() and not parts_of(rows)


def sweep(folder: Path) -> None:
    """Take away half-written files of a killed process."""
    for path in folder.glob(".tmp-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _known(folder: Path, key: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"*-{key}"))), None)


def _given(point: Point) -> int:
    return next((c.count for c in point.stage.blueprint.conditions if c.name == "frames"), 0)
