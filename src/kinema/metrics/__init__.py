"""Metrics: (dream, truth) -> a number per clip. Bodies are read from the frames first, so every video can be judged.

>>> list(METRICS)[:3]
['velocity', 'velocity_of_means', 'position']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..core.contracts import Encoder, Metric
from ..core.errors import UserError
from .abnormal import Abnormal
from .drift import EnergyDrift, Lost, MomentumDrift, New, OwnMetric, RadiusDrift
from .egomotion import EgoMotion, MotionMetric, SpeedError, YawError, speed_of, yaw_of
from .frechet import CONVENTIONS, FVD, Convention, frechet, fvd_name
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
    read_dream,
)
from .lpips import LPIPS, Perceptual
from .parse import parse
from .similarity import PSNR, SSIM, psnr, ssim
from .surprise import relative_accuracy

LAW = (VelocityError, VelocityErrorOfMeans, PositionError, MomentumError, EnergyError, RadiusError, Vanished)
OWN = (Lost, New, RadiusDrift, MomentumDrift, EnergyDrift)
PICTURE = (PSNR, SSIM, LPIPS)
DRIVE = (YawError, SpeedError)  # of drives alone, by their actions, so not among METRICS

METRICS: dict[str, type[Any]] = {cls.name: cls for cls in (*LAW, *OWN, *PICTURE, Abnormal)}
# Of two sets of clips, made with an encoder: FVD by its conventions, "fvd" the original one.
SET_METRICS: dict[str, Callable[[Encoder], FVD]] = {fvd_name(convention): partial(FVD, convention=convention) for convention in CONVENTIONS}

__all__ = [
    "CONVENTIONS", "DRIVE", "FVD", "LAW", "LPIPS", "METRICS", "OWN", "PICTURE", "PSNR", "SET_METRICS", "SSIM", "Abnormal",
    "Convention", "EgoMotion", "EnergyDrift", "EnergyError", "LawMetric", "Lost", "MomentumDrift", "MomentumError", "MotionMetric",
    "New", "OwnMetric", "Perceptual", "PositionError", "RadiusDrift", "RadiusError", "SpeedError", "Vanished", "VelocityError",
    "VelocityErrorOfMeans", "YawError", "bucket", "compare", "frechet", "metric", "parse", "psnr", "read_dream",
    "relative_accuracy", "select", "speed_of", "ssim", "yaw_of",
]  # fmt: skip


def metric(name: str, *, first_frame: int | None = None, paper_compatible: bool = False) -> Metric:
    """The metric `name`; `first_frame` is the first dreamt one, `paper_compatible` the released evaluator's protocol where it has one.

    Raises UserError listing the names if there is none.
    """
    if name not in METRICS:
        raise UserError(f"there is no metric named {name!r}; there are {', '.join((*METRICS, *SET_METRICS))}")
    cls, options = METRICS[name], {"first_frame": first_frame, "paper_compatible": paper_compatible}
    known = {field.name for field in dataclasses.fields(cls)}
    made: Metric = cls(**{key: value for key, value in options.items() if key in known})
    return made


def select(names: Iterable[str], *, first_frame: int | None = None, paper_compatible: bool = False) -> list[Metric]:
    """The named metrics, in the order given, each once."""
    return [metric(name, first_frame=first_frame, paper_compatible=paper_compatible) for name in dict.fromkeys(names)]
