"""Warp kernels: rays against primitives, triangles and balls, what they hit carried to other times, and light.

The same kernels run on CPU and CUDA. Only this package imports Warp, and is itself imported inside functions alone.
"""

from .light import Shading, Surface, picture, scenery
from .rays import FEW, Hit, World
from .truth import motion, pick, primary, pursue, tiles

__all__ = ["FEW", "Hit", "Shading", "Surface", "World", "motion", "pick", "picture", "primary", "pursue", "scenery", "tiles"]
