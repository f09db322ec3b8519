"""Recipes: the papers as compositions of parts. A recipe is a module with a function of its own name, `tiny()` and SOURCES."""

from . import codec, decoder, dreamer, phyworld, planar, scenes, tokeniser, world_dreamer

RECIPES = {
    "codec": codec,
    "decoder": decoder,
    "tokeniser": tokeniser,
    "scenes": scenes,
    "planar": planar,
    "dreamer": dreamer,
    "phyworld": phyworld,
    "world_dreamer": world_dreamer,
}

__all__ = ["RECIPES", "codec", "decoder", "dreamer", "phyworld", "planar", "scenes", "tokeniser", "world_dreamer"]
