"""Conditions: a Clip -> one named condition, with its absence."""

from .frames import Frames
from .state import State
from .text import Text, describe

__all__ = ["Frames", "State", "Text", "describe"]
