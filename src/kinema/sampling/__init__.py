"""Walking a path back, from noise to data: samplers, guidance, rollout."""

from .denoise import Denoise, Reader, reader
from .guide import Guided, Without, WithoutGroup, guide
from .ode import DDIM, Euler, Heun, Spacing, times
from .parallel import Parallel
from .rollout import rollout, windows

__all__ = [
    "DDIM",
    "Denoise",
    "Euler",
    "Guided",
    "Heun",
    "Parallel",
    "Reader",
    "Spacing",
    "Without",
    "WithoutGroup",
    "guide",
    "reader",
    "rollout",
    "times",
    "windows",
]
