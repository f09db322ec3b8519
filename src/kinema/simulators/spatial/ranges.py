"""The page that lists what the three families of spatial worlds draw at random."""

from __future__ import annotations


def page() -> str:
    """The page docs/spatial-ranges.md, one table per family."""
    from .driving import ranges as driving
    from .phys4d import ranges as phys4d
    from .physion import ranges as physion

    opening = "# Ranges of the spatial worlds\n\nWhat is drawn for every clip. Written by `kinema.simulators.spatial.ranges.page()`.\n"
    return "\n".join((opening, phys4d.table(), physion.table(), driving.table()))
