"""Metrics: (dream, truth) -> a number per clip. Bodies are read from the frames first, so every video can be judged."""

from __future__ import annotations

from .law import (
    EnergyError,
    LawMetric,
    MomentumError,
    PositionError,
    RadiusError,
    Vanished,
    VelocityError,
    VelocityErrorOfMeans,
    bucket,
    compare,
    law_errors,
)
from .parse import parse

__all__ = [
    "EnergyError", "LawMetric", "MomentumError", "PositionError", "RadiusError", "Vanished", "VelocityError",
    "VelocityErrorOfMeans", "bucket", "compare", "law_errors", "parse",
]  # fmt: skip
