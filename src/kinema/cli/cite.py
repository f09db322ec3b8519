"""`kinema cite RECIPE`: the sources of a recipe."""

from __future__ import annotations

import json as _json
from typing import Annotated

import tyro

from .show import find_recipe


def main(recipe: Annotated[str, tyro.conf.Positional], *, json: bool = False) -> int:
    """Print the papers a recipe is built from.

    Args:
        recipe: codec, decoder or phyworld.
        json: print a list.
    """
    sources = find_recipe(recipe).SOURCES
    print(_json.dumps(list(sources), indent=2) if json else "\n".join(sources))
    return 0
