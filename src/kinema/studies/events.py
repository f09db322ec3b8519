"""How every body of a scene fares after what happens to it."""

from __future__ import annotations

import math

import numpy as np

from ..core.clip import Clip
from ..core.config import part
from ..metrics import compare, read_dream
from ..metrics.law import Comparison, mean
from .judges import Judge, Value
from .looks import Bools

_TAIL = 4  # frames that must come after a contact for it to be judged: a clip may end on one
_COLORS = {(255, 0, 0): "red", (0, 0, 255): "blue"}


@part
class Events(Judge):
    """Per body, named by its colour: `velocity_red` is the mean of |v - v_true| over the dreamt frames after the last contact of
    the red body (all dreamt frames where it has none), `vanished_red` the share of frames after its first contact in which it is
    gone. `velocity` and `vanished` are means over the bodies. A contact in the last 4 frames does not count, and what comes after
    it is left out. NaN where no frame is left.
    """

    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        case = compare(read_dream(dream, truth), truth, first_frame=given)
        figures: dict[str, Value] = {}
        for body, color in enumerate(truth.bodies["color"][0].tolist()):
            first, last, end = _contacts(truth, body)
            name = _COLORS.get(tuple(color), f"{body + 1}")
            figures[f"velocity_{name}"] = _velocity_error(case, body, _between(case, last, end))
            figures[f"vanished_{name}"] = mean((~case.visible[_between(case, first, end), body]).astype(float))
        for what in ("velocity", "vanished"):
            known = [float(v) for key, v in figures.items() if key.startswith(f"{what}_") and not math.isnan(float(v))]
            figures[what] = mean(np.array(known))
        return figures


def _contacts(truth: Clip, body: int) -> tuple[float, float, float]:
    """Times in s of a body's first and last contact that are followed by enough frames, 0 where it has none; and of the next one."""
    latest = (truth.num_frames - 1 - _TAIL) * truth.dt + 1e-9
    times = truth.contacts["time"][(truth.contacts["bodies"] == body).any(1)].tolist()
    judged = [t for t in times if t <= latest] or [0.0]
    return min(judged), max(judged), min((t for t in times if t > latest), default=math.inf)


def _between(case: Comparison, start: float, end: float) -> Bools:
    """[t] judged frames between two times in s."""
    time = np.arange(len(case.frames)) * case.dt
    return np.asarray(case.frames & (time >= start - 1e-9) & (time <= end + 1e-9))


def _velocity_error(case: Comparison, body: int, frames: Bools) -> float:
    error = (case.dream_velocity - case.truth_velocity)[frames[1:] & frames[:-1], body]
    return mean(np.linalg.norm(error, axis=-1))
