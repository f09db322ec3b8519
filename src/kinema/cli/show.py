"""`kinema show RECIPE`: what a recipe is made of."""

from __future__ import annotations

import json as _json
from dataclasses import fields, is_dataclass
from typing import Annotated, Any

import tyro

from ..core.config import name_of, to_json
from ..core.errors import UserError
from ..recipes import RECIPES


def main(recipe: Annotated[str, tyro.conf.Positional], *, json: bool = False) -> int:
    """Print the composition of a recipe: its parts and their fields.

    Args:
        recipe: codec, decoder or phyworld.
        json: print the stage as JSON, as it is stored in a run's folder.
    """
    stage = getattr(find_recipe(recipe), recipe)()
    print(_json.dumps(to_json(stage), indent=2) if json else "\n".join(_lines(stage)))
    return 0


def find_recipe(name: str) -> Any:
    if name not in RECIPES:
        raise UserError(f"there is no recipe named {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def _lines(value: Any, label: str = "", depth: int = 0) -> list[str]:
    """A part as an indented outline: plain fields on its own line, parts below it."""
    indent = "  " * depth
    if isinstance(value, tuple):
        return [line for item in value for line in _lines(item, label, depth)]
    held = {f.name: getattr(value, f.name) for f in fields(value)}
    inner = {key: item for key, item in held.items() if _has_parts(item)}
    plain = ", ".join(f"{key}={item!r}" for key, item in held.items() if key not in inner)
    head = f"{indent}{label + ': ' if label else ''}{name_of(type(value))}" + (f"({plain})" if plain else "")
    return [head, *(line for key, item in inner.items() for line in _lines(item, key, depth + 1))]


def _has_parts(value: Any) -> bool:
    return is_dataclass(value) or (isinstance(value, tuple) and any(is_dataclass(item) for item in value))
