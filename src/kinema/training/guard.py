"""The guard against NaN and loss spikes: judged before the weights move, and the same again when a run is replayed."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

WINDOW = 100
SETTLED = 20  # losses seen before a spike can be told from a start
PATIENCE = 5  # roll-backs in a row before the run is given up


@dataclass
class Guard:
    """Remembers recent losses and the steps whose batches were refused."""

    factor: float
    recent: list[float] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)

    def verdict(self, loss: float, norm: float, group: str = "model") -> str | None:
        """Why this step must not be taken, or None. `norm` is the gradient's before clipping.

        Of other groups than the model's the loss need only be finite: an adversary's jumps whenever the model gains on it.
        """
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}"
        if group == "model" and len(self.recent) >= SETTLED:
            median = statistics.median(self.recent)
            if 0 < self.factor * median < loss:
                return f"the loss {loss:.4g} is more than {self.factor:g} times the recent median {median:.4g}"
        return None

    def accept(self, loss: float, group: str = "model") -> None:
        """Remember the loss of a step that was taken."""
        if group == "model":
            self.recent = [*self.recent[-(WINDOW - 1) :], loss]
