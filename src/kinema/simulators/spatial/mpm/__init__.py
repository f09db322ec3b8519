"""Newton's implicit MPM: fluid, granular and melting matter, with rigid bodies in it."""

from .loop import simulate

__all__ = ["simulate"]
