"""Recipes: the papers as compositions of parts. A recipe is a module with a function of its own name, `tiny()` and SOURCES."""

from . import codec, decoder, phyworld, planar, scenes, tokeniser

RECIPES = {"codec": codec, "decoder": decoder, "scenes": scenes, "planar": planar, "phyworld": phyworld, "tokeniser": tokeniser}

__all__ = ["RECIPES", "codec", "decoder", "phyworld", "planar", "scenes", "tokeniser"]
