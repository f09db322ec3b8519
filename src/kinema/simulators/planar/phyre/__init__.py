"""PHYRE's scenes: PhyWorld's 70 templates and its ambiguity tasks, on pymunk."""

from .ambiguity import FATES, PhyreAmbiguity
from .features import features
from .objects import KINDS
from .phyre import Phyre
from .shapes import SHAPES, SIDE
from .templates import TEMPLATES
from .world import Scenes

__all__ = ["FATES", "KINDS", "SHAPES", "SIDE", "TEMPLATES", "Phyre", "PhyreAmbiguity", "Scenes", "features"]
