"""Physion's roll: does what rolls or slides reach the patient?"""

from __future__ import annotations

import math

from ....core.config import part
from ..shapes import UPRIGHT, Quaternion
from .base import Act, Physion
from .forms import compose, lying
from .objects import Props, about
from .ranges import Draws

LYING = ("cylinder", "pipe", "dumbbell", "ring")  # these roll when they lie across the way
AGENTS = ("ball", "cube", "pentagon", "cone", *LYING)
TARGETS = ("cube", "cylinder", "pentagon", "cone", "bowl", "pipe")


@part
class Roll(Physion):
    """A body (agent) goes down a ramp, is pushed over a ledge or along the floor, rolling or sliding: does it reach the patient?"""

    name = "roll"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put the way, the agent on it and the patient in place."""
        kind = draws.among(("ramp", "ramp", "ledge", "floor"))
        size, form, friction = draws.real("size"), draws.among(AGENTS), draws.real("friction")
        if kind == "ramp":
            text = f"A {form} is let go on a ramp."
            self._ramp(draws, props, form, size, friction)
        else:
            text = f"A {form} is pushed {'towards a ledge' if kind == 'ledge' else 'along the floor'}."
            self._pushed(draws, props, form, size, friction, ledge=kind == "ledge")
        way, wide = draws.real("distance"), draws.real("target_size")
        if draws.chance(0.5):
            props.mat((0.4, 0.6), (way + 0.2, 0.0))
        else:
            y = float(draws.rng.uniform(-1, 1)) * 0.7 * (size + wide)
            kind = draws.among(TARGETS)
            tall = round(0.5 * wide, 4) if kind == "bowl" else wide
            props.put(kind, (wide, wide, tall), (way + wide / 2, y), role="patient", mass=2.0)
        return Act(text, 0.65)

    def _ramp(self, draws: Draws, props: Props, form: str, size: float, friction: float) -> None:
        """A ramp that ends at x = 0 and the agent on its upper end."""
        length, wide, tall = draws.real("ramp_length"), draws.real("ramp_width"), draws.real("ramp_height")
        props.put("ramp", (length, wide, tall), (-length / 2, 0.0), fixed=True, friction=friction, restitution=0.1)
        slope = math.atan2(tall, length)
        full, high, rotation = _pose(form, size, slope)
        down = 0.55 * size + 0.02  # along the slope, from its upper edge
        x, z = -length + down * math.cos(slope), tall - down * math.sin(slope)
        spot = (x + (high + 5e-4) * math.sin(slope), 0.0)
        props.put(
            form, full, spot, role="agent", center=z + (high + 5e-4) * math.cos(slope), rotation=rotation, mass=draws.real("mass"),
            friction=friction, restitution=0.1,
        )  # fmt: skip

    def _pushed(self, draws: Draws, props: Props, form: str, size: float, friction: float, ledge: bool) -> None:
        """The agent on a ledge that ends at x = 0, or on the floor as far from there, and its push."""
        length, tall = draws.real("ledge_length"), 0.0
        if ledge:
            tall = draws.real("ledge_height")
            props.put("ledge", (length, 0.6, tall), (-length / 2, 0.0), fixed=True, friction=friction)
        full, high, rotation = _pose(form, size, 0.0)
        agent = props.put(
            form, full, (0.6 * size - length, 0.0), role="agent", center=tall + high, rotation=rotation, mass=draws.real("mass"),
            friction=friction, restitution=0.2,
        )  # fmt: skip
        speed, angle = draws.real("speed"), math.radians(draws.real("angle"))
        props.push(agent, (speed * math.cos(angle), speed * math.sin(angle), 0.0))


def _pose(form: str, size: float, slope: float) -> tuple[tuple[float, float, float], float, Quaternion]:
    """The agent's size, how high its origin is above what it lies on, and its rotation on a slope that falls along x."""
    if form in LYING:
        long = {"ring": 0.25, "dumbbell": 1.4}.get(form, 1.0) * size
        full = (size, size, round(long, 4))
        return full, round(lying(form, full), 5), compose(about("y", slope), about("x", math.pi / 2))
    return (size, size, size), size / 2, UPRIGHT if form == "ball" else about("y", slope)
