"""Physion's contain: does what lies in a vessel get out of it?"""

from __future__ import annotations

import math

from ....core.config import part
from .base import Act, Physion
from .forms import FLARE, RIM, inside
from .objects import PUSH, Props
from .ranges import Draws

VESSELS = ("bowl", "cup", "crate")
BASES = ("cylinder", "cube", "pentagon")
CONTENTS = ("ball", "cube", "cylinder", "pentagon")


@part
class Contain(Physion):
    """A ball runs into a vessel with things in it: does one of them (agent) get out, onto the mat below (patient)?"""

    name = "contain"

    def act(self, draws: Draws, props: Props) -> Act:
        """Fill the vessel on its mat and push the ball."""
        props.mat((2.2, 1.3), (-0.1, 0.0))
        wide, tall, form = draws.real("vessel_size"), draws.real("vessel_height"), draws.among(VESSELS)
        tall = min(tall, 0.3 * wide + 0.1) if form == "bowl" else tall
        low = 0.01
        if draws.chance(5 / 6):
            base, high = draws.real("base_size"), draws.real("base_height")
            props.put(draws.among(BASES), (base, base, high), (0.0, 0.0), bottom=low, mass=draws.real("base_mass"), restitution=0.1)
            low += high
        props.put(form, (wide, wide, tall), (0.0, 0.0), bottom=low, mass=draws.real("vessel_mass"), restitution=0.1)
        number, thing = draws.count("middle"), draws.among(CONTENTS)
        ring = 0.0 if number == 1 else 0.76 if thing == "cube" else 0.62  # how far from the middle they lie, in their size
        reach = ring + (0.71 if thing == "cube" else 0.5)
        room = inside((wide, wide, tall), FLARE if form == "bowl" else 0.0)
        size = round(min(draws.real("middle_size"), 0.97 * room / reach), 4)
        agent = number - 1  # on top where there are two layers, and in front: a vessel's wall hides the others
        side = min(number, 3)
        front = -math.pi / 2 + (0.0 if thing == "cube" else float(draws.rng.uniform(-0.4, 0.4)))
        for k in range(number):  # up to three side by side, the rest on top of them
            layer, place = divmod(k, 3)
            turn = front + 2 * math.pi * (place - agent % 3) / side
            spot = (ring * size * math.cos(turn), ring * size * math.sin(turn))
            bottom = low + 0.002 + RIM * wide + layer * 1.01 * size
            props.put(
                thing, (size, size, size), spot, role="agent" if k == agent else "other", bottom=bottom,
                mass=draws.real("middle_mass"), restitution=0.1,
            )  # fmt: skip
        ball, way, speed = draws.real("probe_size"), draws.real("distance"), draws.real("speed")
        start = -(wide / 2 + ball / 2 + way)
        probe = props.put("ball", (ball, ball, ball), (start, 0.0), bottom=0.01, mass=draws.real("probe_mass"))
        thrown = draws.chance(0.75)
        time = way / speed + PUSH / 2
        rise = max(0.0, low + tall / 2 + draws.real("aim") - ball / 2)
        lift = (rise + 4.9 * time**2) / (time - PUSH / 2) if thrown else 0.0
        props.push(probe, (speed, 0.0, round(lift, 4)), draws.among((0.0, 0.0625, 0.125)))
        text = f"A {form} with things in it stands over a mat, and a ball is {'thrown' if thrown else 'pushed'} at it."
        return Act(text, 0.7, ((0.95, -0.2, 0.0), (0.95, 0.2, 0.0)), wide=True, rise=22.0)
