"""Tables of nuScenes: large JSON lists read entry by entry, and links between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UserError

CHUNK = 1 << 20
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Tables:
    """The JSON tables of one version of nuScenes. Raises UserError naming the file and the field that is missing or wrong."""

    folder: Path

    def rows(self, name: str, *fields: str) -> Iterator[Entry]:
        """Every entry of a table with the named fields, one at a time: sample_data alone takes more than 1 GB."""
        path = self.folder / f"{name}.json"
        for number, row in enumerate(_entries(path)):
            if not isinstance(row, dict):
                raise UserError(f"{path}: entry {number} is no JSON object")
            for field in fields:
                if field not in row:
                    raise UserError(f"{path}: entry {number} has no field {field!r}; it has {', '.join(row)}")
            yield row

    def by_token(self, name: str, *fields: str, wanted: Callable[[str], bool] | None = None) -> dict[str, Entry]:
        """Entries by their token."""
        rows = self.rows(name, "token", *fields)
        return {row["token"]: {f: row[f] for f in fields} for row in rows if wanted is None or wanted(row["token"])}

    def link(self, name: str, row: Entry, field: str, table: Mapping[str, Any]) -> Any:
        """What a field of an entry of `name` points to."""
        if row[field] not in table:
            raise UserError(f"{self.folder / name}.json: {field} {row[field]!r} is not in {field.removesuffix('_token')}.json")
        return table[row[field]]

    def numbers(self, name: str, row: Entry, field: str, *shape: int) -> Any:
        """Numbers of a fixed shape in an entry, as a float64 array."""
        import numpy as np

        try:
            value = np.array(row[field], dtype=np.float64)
        except (TypeError, ValueError):
            value = np.zeros(0)
        if value.shape != shape or not np.isfinite(value).all():
            raise UserError(f"{self.folder / name}.json: {field} must hold {' x '.join(map(str, shape))} numbers, got {row[field]!r}")
        return value


def _entries(path: Path) -> Iterator[Any]:
    """The items of a JSON list, decoded as they are read."""
    decode, buffer, at = json.JSONDecoder().raw_decode, "", 0
    try:
        with path.open(encoding="utf-8") as file:
            buffer = file.read(CHUNK).lstrip()
            if not buffer.startswith("["):
                raise UserError(f"{path}: a JSON list was expected")
            at = 1
            while True:
                at = _past(buffer, at)
                if buffer[at : at + 1] == "]":
                    return
                try:
                    item, at = decode(buffer, at)
                except ValueError as error:
                    more = file.read(CHUNK)
                    if not more:
                        raise UserError(f"{path}: cannot be read as JSON ({error})") from None
                    buffer, at = buffer[at:] + more, 0
                    continue
                yield item
    except FileNotFoundError:
        raise UserError(f"{path}: this table of nuScenes is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _past(buffer: str, at: int) -> int:
    """Behind spaces and the comma between items."""
    while at < len(buffer) and buffer[at] in " \t\r\n,":
        at += 1
    return at
