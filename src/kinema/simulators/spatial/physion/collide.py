"""Physion's collide: does what is thrown hit the target?"""

from __future__ import annotations

import math

from ....core.config import part
from .base import Act, Physion
from .objects import Props, about
from .ranges import Draws

PROBES = ("ball", "ball", "ball", "cube", "cylinder", "pentagon", "dumbbell")
TARGETS = ("bowl", "cone", "cube", "cylinder", "dumbbell", "pentagon", "pipe", "pyramid")


@part
class Collide(Physion):
    """A ball or another body (agent) is pushed or thrown towards a target (patient), or past it: does it touch it?"""

    name = "collide"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put probe and target in place and push the probe."""
        way = draws.real("distance")
        wide = draws.real("target_size")
        form = draws.among(TARGETS)
        tall = round(wide * (0.5 if form == "bowl" else float(draws.rng.uniform(0.8, 1.6))), 4)
        turn = about("z", float(draws.rng.uniform(0, 2 * math.pi)))
        props.put(form, (wide, wide, tall), (way / 2, 0.0), role="patient", rotation=turn, mass=draws.real("target_mass"))
        probe, form = draws.real("probe_size"), draws.among(PROBES)
        agent = props.put(form, (probe, probe, probe), (-way / 2, 0.0), role="agent", mass=draws.real("probe_mass"))
        speed, angle = draws.real("speed"), math.radians(draws.real("angle"))
        thrown = draws.chance(1 / 3)
        lift = draws.real("lift") if thrown else 0.0
        props.push(agent, (speed * math.cos(angle), speed * math.sin(angle), lift), draws.among((0.0, 0.0625, 0.125)))
        verb = "thrown" if thrown else "pushed"
        return Act(f"The {form} is {verb} towards what stands on the floor.", 0.75)
