"""kinema: video world models that obey physics. Simulate worlds, train generators, dream, judge the dream."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.clip import Clip
    from .world_model import WorldModel

__version__ = version("kinema")
__all__ = ["Clip", "WorldModel", "__version__"]

_HOMES = {"Clip": ".core.clip", "WorldModel": ".world_model"}


def __getattr__(name: str) -> Any:
    # torch takes a second to import: `import kinema` and `kinema --help` should not.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module 'kinema' has no attribute {name!r}")
