"""Scenes as people write them: plain JSON without the names of parts, shapes and looks laid flat, and every mistake named."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from ...core.errors import UserError
from .looks import Color, Look
from .scene import Scene
from .styles import NAMED

_LOOK = {"second": "second_color", "scale": "texture_scale", "seed": "texture_seed"}
LOOK = {_LOOK.get(field.name, field.name): field.name for field in dataclasses.fields(Look)}  # what a file calls a look's fields
ITEMS = {"bodies": "body", "views": "camera", "pushes": "push", "heaters": "heater", "pieces": "piece", "path": "key"}
RENAMED = {"views": "cameras"}  # fields of a Scene that a file calls otherwise
_COUNT = {2: "two", 3: "three", 4: "four"}


def read(data: Any, where: str, settings: tuple[str, ...] = ()) -> Scene:
    """The scene that `data` describes; its keys `settings` are not the scene's. Raises UserError naming `where`, body and field."""
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: must be an object {{...}}, got {_shown(data)}")
    given = {key: value for key, value in data.items() if key not in settings}
    if isinstance(given.get("gravity"), int | float) and not isinstance(given["gravity"], bool):
        given["gravity"] = [0.0, 0.0, -float(given["gravity"])]
    if "bodies" not in given:
        raise UserError(f"{where}: lacks bodies, a list of what the scene is made of")
    scene = _object(Scene, given, where, settings)
    assert isinstance(scene, Scene)
    return scene


def write(scene: Scene) -> dict[str, Any]:
    """A scene as `read` reads it; what is as it would be without saying so is left out."""
    return _plain(scene)


def _object(cls: Any, data: Any, where: str, also: tuple[str, ...] = ()) -> Any:
    """A part from an object's keys; `also` are keys that are read elsewhere."""
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: must be an object {{...}}, got {_shown(data)}")
    given, values = dict(data), dict[str, Any]()
    hints, fields = typing.get_type_hints(cls), {field.name: field for field in dataclasses.fields(cls)}
    known = [RENAMED.get(name, name) for name in fields if name not in ("look", "shape")] + list(also)
    if "shape" in fields:
        known += ["shape", *_shape(hints["shape"], given, values, where)]
    if "look" in fields:
        known += LOOK
        _look(_default(fields["look"]), given, values, where)
    if "rotation" in fields:
        known.append("turn")
        _turn(given, values, where)
    for key, value in given.items():
        name = next((field for field, other in RENAMED.items() if other == key and field in fields), key)
        if key not in known or name in ("look", "shape"):
            near = difflib.get_close_matches(str(key), known, 1)
            instead = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise UserError(f"{where}: there is no {key!r}; {instead}")
        values[name] = _value(hints[name], value, where, name)
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{where}: lacks {name}, {_wanted(hints[name])}")
    return _made(cls, values, where)


def _made(cls: Any, values: dict[str, Any], where: str) -> Any:
    try:
        return cls(**values)
    except UserError as error:
        outer, _, last = where.rpartition(": ")
        raise UserError(f"{outer if outer and str(error).startswith(last) else where}: {error}") from None  # a body says its own name


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    """A field's value, of the type that its hint says."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        options = [arg for arg in args if arg is not type(None)]
        if value is None or (value is False and options and dataclasses.is_dataclass(options[0])):
            if len(options) < len(args):
                return None
            raise UserError(f"{where}: {name} must be {_wanted(hint)}, got {_shown(value)}")
        return _value(options[0], value, where, name) if len(options) == 1 else _chosen(options, value, where)
    if dataclasses.is_dataclass(hint):
        return _object(hint, value, where if name in ITEMS else f"{where}: {name}")
    if hint == Color and isinstance(value, str) and name != "count":
        return _color(value, where, name)
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is Ellipsis:
            return tuple(_value(args[0], item, _item(where, name, k, item), name) for k, item in enumerate(value))
        if len(args) == len(value):
            return tuple(_value(arg, item, where, name) for arg, item in zip(args, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _value(args[1], item, where, f"{name} {key!r}") for key, item in value.items()}
    if origin is Literal and value in args:
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    near = difflib.get_close_matches(value, args, 1) if origin is Literal and isinstance(value, str) else []
    hint_at = f"; did you mean {near[0]!r}?" if near else ""
    raise UserError(f"{where}: {name} must be {_wanted(hint)}, got {_shown(value)}{hint_at}")


def _item(where: str, name: str, k: int, item: Any) -> str:
    """What to call entry k of a list."""
    if name not in ITEMS:
        return where
    named = isinstance(item, Mapping) and isinstance(item.get("name"), str)
    return f"{where}: {ITEMS[name]} {item['name']!r}" if named else f"{where}: {ITEMS[name]} {k + 1}"


def _chosen(options: list[Any], value: Any, where: str) -> Any:
    """A part of the kind that it says it is, the first unless it does."""
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: must be an object {{...}}, got {_shown(value)}")
    cls = _named(options, value.get("kind", _name(options[0])), where, "kind")
    return _object(cls, {key: item for key, item in value.items() if key != "kind"}, where, ("kind",))


def _named(options: list[Any], value: Any, where: str, key: str) -> Any:
    names = {_name(option): option for option in options}
    if not isinstance(value, str) or value not in names:
        near = difflib.get_close_matches(str(value), names, 1)
        raise UserError(
            f"{where}: {key} must be one of {', '.join(names)}, got {_shown(value)}{f'; did you mean {near[0]!r}?' if near else ''}"
        )
    return names[value]


def _name(cls: type) -> str:
    """What a file calls a kind of part: "rigid", "first person"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()


def _shape(hint: Any, given: dict[str, Any], values: dict[str, Any], where: str) -> list[str]:
    """Take a shape and its sizes out of what is given; the names of its sizes."""
    options = list(typing.get_args(hint))
    if "shape" not in given:
        raise UserError(f"{where}: lacks shape, one of {', '.join(map(_name, options))}")
    cls = _named(options, given.pop("shape"), where, "shape")
    sizes = [field.name for field in dataclasses.fields(cls)]
    values["shape"] = _object(cls, {key: given.pop(key) for key in sizes if key in given}, where)
    return sizes


def _look(default: Look | None, given: dict[str, Any], values: dict[str, Any], where: str) -> None:
    """Take a look's keys out of what is given."""
    hints, found = typing.get_type_hints(Look), {key: given.pop(key) for key in LOOK if key in given}
    if found:
        changed = {LOOK[key]: _value(hints[LOOK[key]], value, where, key) for key, value in found.items()}
        values["look"] = _made(Look, {**vars(default or Look()), **changed}, where)


def _turn(given: dict[str, Any], values: dict[str, Any], where: str) -> None:
    """Take a rotation in degrees about x, then y, then z out of what is given."""
    from scipy.spatial.transform import Rotation

    if "turn" not in given:
        return
    if "rotation" in given:
        raise UserError(f"{where}: has both rotation and turn; give one of them")
    turn = _value(tuple[float, float, float], given.pop("turn"), where, "turn")
    w, x, y, z = (round(float(c), 12) for c in Rotation.from_euler("xyz", turn, degrees=True).as_quat(scalar_first=True))
    values["rotation"] = (w, x, y, z)


def _color(name: str, where: str, field: str) -> Color:
    if name not in NAMED:
        raise UserError(f"{where}: {field} must be one of {', '.join(NAMED)}, or three numbers from 0 to 255, got {name!r}")
    return NAMED[name]


def _wanted(hint: Any) -> str:
    """What a hint asks for, in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (float, int, str, bool):
        return {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}[hint]
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin is tuple and args[-1] is Ellipsis:
        return "a list"
    if origin is tuple:
        kinds = {_wanted(arg).removeprefix("a ") for arg in args}
        return f"a list of {_COUNT.get(len(args), len(args))} {kinds.pop()}s" if len(kinds) == 1 else "a list"
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if arg is type(None) else _wanted(arg) for arg in args)
    return "an object {...}"


def _shown(value: Any) -> str:
    shown = json.dumps(value, default=repr)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value: Any) -> Any:
    """What `_value` makes `value` from."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return dict(value) if isinstance(value, Mapping) else value
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        own, default = getattr(value, field.name), _default(field)
        if field.name == "shape":
            found |= {"shape": _name(type(own)), **_plain(own)}
        elif own is None or own == default:
            if default is not None and own is None:
                found[field.name] = None
        elif field.name == "look":
            found |= _flat(own, default)
        else:
            found[RENAMED.get(field.name, field.name)] = _kinds(own) if field.name in ("bodies", "views") else _plain(own)
    return found


def _kinds(parts: Any) -> list[Any]:
    return [{"kind": _name(type(part)), **_plain(part)} for part in parts]


def _flat(look: Look, default: Look | None) -> dict[str, Any]:
    """A look as keys of what has it; where there would be none without, its colour always."""
    base = default or Look()
    found = {key: _plain(getattr(look, name)) for key, name in LOOK.items() if getattr(look, name) != getattr(base, name)}
    if default is None or not found:
        found["color"] = _plain(look.color)
    names = {color: name for name, color in NAMED.items()}
    return {key: names.get(tuple(value), value) if key in ("color", "second_color") else value for key, value in found.items()}
