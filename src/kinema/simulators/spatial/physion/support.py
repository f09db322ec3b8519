"""Physion's support: does the cap of a tower fall to the mat?"""

from __future__ import annotations

import math

from ....core.config import part
from .base import Act, Physion
from .objects import Props, about
from .ranges import Draws

BLOCKS = ("cube", "cylinder", "pentagon")
CAPS = ("cube", "cylinder", "cone", "pipe", "ring", "ball", "bowl", "pyramid")


@part
class Support(Physion):
    """A ball runs into a tower of blocks: does the tower's cap (agent) fall onto the mat it stands on (patient)?"""

    name = "support"

    def act(self, draws: Draws, props: Props) -> Act:
        """Build the tower on its mat and push the ball."""
        props.mat((2.4, 1.4), (-0.1, 0.0))
        width, gradient, jitter = draws.real("block_width"), draws.real("gradient"), draws.real("jitter")
        x, top = 0.0, 0.01
        for k in range(draws.count("blocks")):
            wide = round(width * (1 + gradient) ** k, 4)
            size = (wide, wide, draws.real("block_height"))
            x = float(draws.rng.uniform(-1, 1)) * min(jitter, 0.3 * wide)
            y = float(draws.rng.uniform(-1, 1)) * min(jitter, 0.3 * wide)
            turn = about("z", math.radians(draws.real("turn")))
            props.put(draws.among(BLOCKS), size, (x, y), bottom=top, rotation=turn, mass=draws.real("block_mass"))
            top += size[2]
        wide, form = draws.real("cap_size"), draws.among(CAPS)
        tall = {"ring": 0.25, "bowl": 0.5, "ball": 1.0}.get(form, 1.0)
        props.put(form, (wide, wide, round(wide * tall, 4)), (x, y), role="agent", bottom=top, mass=draws.real("block_mass"))
        ball = draws.real("probe_size")
        start = -(draws.real("distance") + width / 2 + ball / 2 + 0.05)
        probe = props.put("ball", (ball, ball, ball), (start, 0.0), bottom=0.01, mass=draws.real("probe_mass"))
        props.push(probe, (draws.real("speed"), 0.0, 0.0), draws.among((0.0, 0.0625, 0.125)))
        text = "A tower stands on a mat, and a ball is pushed at it."
        return Act(text, 0.75, ((0.6, -0.3, 0.0), (0.6, 0.3, 0.0)), wide=True)
