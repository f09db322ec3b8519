"""Experts: frozen networks that others trained. They say which weights they hold; where these are absent they stop."""

from .i3d import I3D, InceptionI3D
from .text import T5, TextEncoder
from .words import Words

__all__ = ["I3D", "T5", "InceptionI3D", "TextEncoder", "Words"]
