"""Newton's implicit MPM: fluid, granular and melting matter, with rigid bodies in it."""

from .loop import simulate
from .ready import ready

__all__ = ["ready", "simulate"]
