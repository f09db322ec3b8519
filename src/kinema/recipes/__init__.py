"""Recipes: the papers as compositions of parts. A recipe is a module with a function of its own name, `tiny()` and SOURCES."""

from . import codec, phyworld

RECIPES = {"codec": codec, "phyworld": phyworld}

__all__ = ["RECIPES", "codec", "phyworld"]
