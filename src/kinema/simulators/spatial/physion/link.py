"""Physion's link: does a ring get off its post?"""

from __future__ import annotations

from ....core.config import part
from .base import Act, Physion
from .forms import post
from .objects import Props, Role
from .ranges import Draws

FOOT = 0.03  # m


@part
class Link(Physion):
    """A heavy ball runs into rings on a post, which stands loose or is held: does one of them (agent) touch the mat (patient)?"""

    name = "link"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put the rings on their post and push the ball."""
        props.mat((2.2, 1.3), (-0.15, 0.0))
        tall, rod, foot = draws.real("post_height"), draws.real("post_width") / 2, draws.real("foot_width") / 2
        number, thick = draws.count("rings"), draws.real("ring_thickness")
        wide = draws.real("ring_size")
        foot = round(max(foot, (wide - thick) / 2 + 0.01), 4)  # the rings rest on it
        tall = max(tall, 0.01 + FOOT + number * thick + 0.15)
        held, capped = draws.chance(0.2), draws.chance(0.4)
        cap = 1.6 * rod if capped else 0.0
        props.put(
            "post", (2 * foot, 2 * foot, tall), (0.0, 0.0), shape=post(tall, rod, foot, FOOT, cap), bottom=0.01, fixed=held,
            mass=None if held else draws.real("post_mass"), friction=0.9,
        )  # fmt: skip
        agent, bottom = int(draws.rng.integers(number)), 0.01 + FOOT
        for k in range(number):
            role: Role = "agent" if k == agent else "other"
            props.put("ring", (wide, wide, thick), (0.0, 0.0), role=role, bottom=bottom, mass=draws.real("ring_mass"), restitution=0.1)
            bottom += thick
        ball = draws.real("probe_size")
        start = -(max(wide / 2, foot) + ball / 2 + draws.real("distance"))
        probe = props.put("ball", (ball, ball, ball), (start, 0.0), bottom=0.01, mass=draws.real("probe_mass"))
        props.push(probe, (draws.real("speed"), 0.0, draws.real("lift")), draws.among((0.0, 0.0625, 0.125)))
        return Act("Rings lie around a post on a mat, and a ball is pushed at it.", 0.7, ((0.65, -0.2, 0.0), (0.65, 0.2, 0.0)), wide=True)
