"""What is read off a dream: a row of figures per clip, and figures of the whole set where a test asks for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import SetMetric
from ..core.video import fit
from ..metrics import compare, read_dream
from ..metrics.law import Comparison, mean
from ..metrics.law import VelocityErrorOfMeans as OfMeans

Value = float | str
VERSION = 3  # of what judges read off dreams; raised when the same dream gives other figures


@part
class Judge(ABC):
    """(dream, truth) -> named figures of one clip, NaN where undefined."""

    @abstractmethod
    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        """The figures of one clip whose first `given` frames were given."""


@part
class SetJudge(Judge):
    """A judge that has figures of the whole set too; such a test is asked in one go."""

    @abstractmethod
    def sets(self) -> Mapping[str, SetMetric]:
        """New metrics of a set of clips, by name."""


@part
class Motion(Judge):
    """Balls: error of the velocity per frame (`velocity`) and of its mean (`velocity_of_means`), of `position` and radius
    (`radius_error`), the share of frames in which a ball is gone (`vanished`), and what is seen of ball 1, 2, ...: its mean
    velocity along the true direction of travel (`v1` beside `true_v1`; NaN where it is gone for more than half of the time) and
    its radius (`r1`, `true_r1`).

    After collisions, velocities are those after the impact. `paper` > 0 adds `velocity_paper`: error of means as the released
    evaluator has it, at that many px a side.
    """

    paper: int = 0

    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        case = compare(read_dream(dream, truth), truth, first_frame=given)
        error = (case.dream_velocity - case.truth_velocity)[case.pairs]
        figures: dict[str, Value] = {
            "velocity": mean(np.linalg.norm(error, axis=-1)),
            "velocity_of_means": mean(np.linalg.norm(error.mean(0), axis=-1)) if len(error) else float("nan"),
            "position": mean(np.linalg.norm(case.dream - case.truth, axis=-1)[case.frames]),
            "radius_error": mean(np.abs(case.dream_radius - case.truth_radius)[case.frames]),
            "vanished": mean((~case.visible[case.frames]).astype(float)),
            **_balls(case),
        }
        if self.paper:
            figures["velocity_paper"] = float(OfMeans(first_frame=given, paper_compatible=True)(fit(dream, self.paper), truth))
        return figures


def _balls(case: Comparison) -> dict[str, Value]:
    seen: dict[str, Value] = {}
    for ball in range(case.truth.shape[1]):
        there = case.pairs & case.visible[1:, ball] & case.visible[:-1, ball]  # one that is gone is held where it was: no velocity
        true = case.truth_velocity[case.pairs][:, ball]
        most = 2 * there.sum() >= case.pairs.sum()
        dreamt = case.dream_velocity[there][:, ball] if most else np.empty((0, 2))
        way = np.sign(true[:, 0].sum()) or 1.0 if len(true) else 1.0
        seen[f"v{ball + 1}"] = mean(way * dreamt[:, 0])
        seen[f"true_v{ball + 1}"] = mean(way * true[:, 0])
        for name, radius in (("r", case.dream_radius), ("true_r", case.truth_radius)):
            known = radius[case.frames][:, ball]
            known = known[~np.isnan(known)]
            seen[f"{name}{ball + 1}"] = float(np.median(known)) if len(known) else float("nan")
    return seen
