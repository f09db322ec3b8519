"""Conditions: a Clip -> one named condition, with its absence."""

from .frames import Frames

__all__ = ["Frames"]
