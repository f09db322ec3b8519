"""Conditions: a Clip -> one named condition, with its absence."""

from .actions import Actions, read_actions
from .frames import Frames
from .images import Images
from .manoeuvres import PRESETS, preset
from .state import State
from .text import Text, describe

__all__ = ["PRESETS", "Actions", "Frames", "Images", "State", "Text", "describe", "preset", "read_actions"]
