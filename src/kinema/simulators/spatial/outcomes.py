"""Labels of a run: whether, and when, the agent touches the patient."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .run import Run
from .scene import Scene


def outcome(scene: Scene, run: Run) -> dict[str, Tensor]:
    """`contact`: whether the agent touches the patient at any time; `contact_time`: when first, s (NaN: never); `final_distance`: between
    their centres of mass at the end, m. Nothing where the scene names no agent and patient."""
    if scene.agent is None or scene.patient is None:
        return {}
    pair = sorted((scene.index(scene.agent), scene.index(scene.patient)))
    met = run.contacts.time[(np.sort(run.contacts.bodies, 1) == pair).all(1)]
    apart = float(np.linalg.norm(run.center[-1, pair[0]] - run.center[-1, pair[1]]))
    time = float(met.min()) if len(met) else math.nan
    numbers = {"contact_time": time, "final_distance": apart}
    return {"contact": torch.tensor(bool(len(met))), **{key: torch.tensor(value, dtype=torch.float64) for key, value in numbers.items()}}
