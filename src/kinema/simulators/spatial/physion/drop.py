"""Physion's drop: does what falls touch what stands below, or fall beside it?"""

from __future__ import annotations

import math

from ....core.config import part
from .base import Act, Physion
from .objects import Props, about
from .ranges import Draws

FALLING = ("ball", "cube", "cylinder", "cone", "pentagon", "pyramid", "ring", "dumbbell")
TARGETS = ("bowl", "cube", "cylinder", "pipe", "cone", "pyramid", "table")


@part
class Drop(Physion):
    """A body (agent) falls from above, onto a target (patient) or beside it: do they touch?"""

    name = "drop"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put the target on the floor and the agent above."""
        wide, form = draws.real("target_size"), draws.among(TARGETS)
        tall = round(wide * (0.5 if form == "bowl" else float(draws.rng.uniform(0.6, 1.2))), 4)
        turn = about("z", float(draws.rng.uniform(0, 2 * math.pi)))
        props.put(form, (wide, wide, tall), (0.0, 0.0), role="patient", rotation=turn, mass=draws.real("mass"))
        size, form, high = draws.real("size"), draws.among(FALLING), draws.real("height")
        far, way = draws.real("offset"), float(draws.rng.uniform(0, 2 * math.pi))
        turn = about("z", float(draws.rng.uniform(0, 2 * math.pi)))
        thick = 0.32 * size if form == "ring" else size
        props.put(
            form, (size, size, round(thick, 4)), (far * math.cos(way), far * math.sin(way)), role="agent", center=max(high, tall + size),
            rotation=turn, mass=draws.real("mass"),
        )  # fmt: skip
        below = (round(far * math.cos(way), 4), round(far * math.sin(way) - size / 2, 4), 0.0)  # where it lands, if beside
        return Act(f"A {form} falls.", 0.9, (below,), rise=24.0)
