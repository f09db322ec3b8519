"""Labels of a run: whether, and when, the agent touches the patient."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .run import Run
from .scene import Scene


def outcome(scene: Scene, run: Run) -> dict[str, Tensor]:
    """`contact`: whether the agent touches the patient at any time; `contact_time`: when first, s (NaN: never). Nothing where the
    scene names no agent and patient."""
    if scene.agent is None or scene.patient is None:
        return {}
    pair = sorted((scene.index(scene.agent), scene.index(scene.patient)))
    met = run.contacts.time[(np.sort(run.contacts.bodies, 1) == pair).all(1)]
    time = float(met.min()) if len(met) else math.nan
    return {"contact": torch.tensor(bool(len(met))), "contact_time": torch.tensor(time, dtype=torch.float64)}
