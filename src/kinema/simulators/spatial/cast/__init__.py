"""The ray-caster: pixels and truth of a run, from its states alone."""

from .caster import cast
from .tracks import follow

__all__ = ["cast", "follow"]
