"""Physion's dominoes: does the last of a row reach the mat?"""

from __future__ import annotations

import math

from ....core.config import part
from .base import Act, Physion
from .objects import Props, about
from .ranges import Draws

CLOSEST = 0.26  # m between two dominoes, however they are turned


@part
class Dominoes(Physion):
    """A row of dominoes, the first pushed over: does the last (agent) fall onto the mat (patient)?"""

    name = "dominoes"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put the row and the mat in place and push the first domino."""
        size = (draws.real("thickness"), draws.real("width"), draws.real("height"))
        mass, spacing, jitter = draws.real("mass"), draws.real("spacing"), draws.real("spacing_jitter")
        lateral, turned = draws.real("lateral_jitter") * size[1], draws.chance(0.5)
        style, friction, restitution = props.look("other"), draws.real("friction"), 0.1
        x = 0.0
        first = props.put("domino", size, (x, 0.0), mass=mass, friction=friction, restitution=restitution, look=style)
        for _ in range(draws.count("middle")):
            x += self._gap(draws, spacing, jitter)
            turn = math.radians(draws.real("turn")) if turned else 0.0
            y = draws.rng.uniform(-1, 1) * lateral
            props.put("domino", size, (x, y), rotation=about("z", turn), mass=mass, friction=friction, restitution=restitution, look=style)
        x += self._gap(draws, spacing, jitter)
        props.put("domino", size, (x, 0.0), role="agent", mass=mass, friction=friction, restitution=restitution)
        end = x + size[0] / 2 + draws.real("mat_gap") + 0.25
        props.mat((0.5, 0.8), (end, 0.0))
        speed = draws.real("push")
        props.push(first, (speed, 0.0, 0.0), draws.among((0.0, 0.0625, 0.125)), spin=(0.0, mass * speed * 0.3 * size[2], 0.0))
        turn = round(float(draws.rng.uniform(15, 40)), 2)  # towards the mat: from straight aside dominoes are slivers
        return Act("A row of dominoes stands before a mat, and the first is pushed.", 0.55, turn=turn)

    def _gap(self, draws: Draws, spacing: float, jitter: float) -> float:
        return max(CLOSEST, spacing * (1 + float(draws.rng.uniform(-1, 1)) * jitter))
