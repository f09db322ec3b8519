"""Parts: frozen dataclasses that are configuration, schema of the command line and content of a model folder at once."""

from __future__ import annotations

import dataclasses
import importlib
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, dataclass_transform

import typeguard

from .errors import UserError

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def part(cls: type[T]) -> type[T]:
    """Make a class a part: a frozen, keyword-only dataclass that can be written to JSON and rebuilt from it.

    A leading positional field is declared with `dataclasses.field(kw_only=False)`.
    """
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    made.__kinema_part__ = True  # type: ignore[attr-defined]
    return made


def name_of(cls: type) -> str:
    """`package.Class` below `kinema`, under which a part is stored: `codecs.VAE`; `module:Class`, which no file rebuilds, elsewhere."""
    if not cls.__module__.startswith("kinema."):
        return f"{cls.__module__}:{cls.__name__}"
    return f"{cls.__module__.split('.')[1]}.{cls.__name__}"


def to_json(value: Any) -> Any:
    """A part, or a container of parts, as plain JSON values; a part becomes {"part": name, **fields}."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"part": name_of(type(value)), **fields}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} cannot be written to JSON: parts hold numbers, strings, tuples and parts")


def from_json(data: Any, where: str = "config") -> Any:
    """Rebuild what `to_json` wrote; only kinema's own parts are built, so a file cannot run code.

    Raises UserError naming the part and field that is unknown, missing or of the wrong type.
    """
    if isinstance(data, Mapping) and "part" in data:
        cls = _resolve(data["part"], where)
        hints = _hints(cls)
        known = {f.name: f for f in dataclasses.fields(cls) if f.init}
        given = {key: value for key, value in data.items() if key != "part"}
        for key in given:
            if key not in known:
                raise UserError(f"{where}: {data['part']} has no field {key!r}; it has {', '.join(known)}")
        values = {key: _as(hints[key], from_json(value, f"{where}.{key}"), f"{where}.{key}") for key, value in given.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise UserError(f"{where}: {data['part']}: {error}") from None
    if isinstance(data, Mapping):
        return {key: from_json(value, f"{where}.{key}") for key, value in data.items()}
    if isinstance(data, list):
        return tuple(from_json(item, f"{where}[{i}]") for i, item in enumerate(data))
    return data


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _as(hint: Any, value: Any, where: str) -> Any:
    """`value` as `hint`: JSON has no floats without a point and no tuples of one kind."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is hint:
        return value  # typeguard takes its time
    try:
        return typeguard.check_type(value, hint, collection_check_strategy=typeguard.CollectionCheckStrategy.ALL_ITEMS)
    except typeguard.TypeCheckError:
        wanted = hint if isinstance(hint, types.UnionType) else getattr(hint, "__name__", hint)
        raise UserError(f"{where}: expected {wanted}, got {value!r}") from None


def _resolve(name: Any, where: str) -> type:
    package, _, cls_name = str(name).partition(".")
    cls = None
    if package.isidentifier() and cls_name.isidentifier():
        try:
            cls = getattr(importlib.import_module(f"kinema.{package}"), cls_name, None)
        except ModuleNotFoundError:
            cls = None
    if not isinstance(cls, type) or not cls.__dict__.get("__kinema_part__"):
        raise UserError(f"{where}: kinema has no part named {name!r}")
    return cls
