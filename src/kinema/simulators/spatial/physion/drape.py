"""Physion's drape: does a cloth that falls over two stands sag as far as what is between them?"""

from __future__ import annotations

from ....core.config import part
from ..bodies import Cloth
from .base import Act, Physion
from .objects import Props
from .ranges import Draws

STAND = 0.14  # m wide
ROWS = 17  # of the cloth's vertices along x


@part
class Drape(Physion):
    """A cloth (agent) falls over two stands: does it touch what is between them (patient)?"""

    name = "drape"

    def act(self, draws: Draws, props: Props) -> Act:
        """Put the stands and the patient in place, the cloth above."""
        tall, gap, tilt = draws.real("anchor_height"), draws.real("anchor_gap"), draws.real("anchor_tilt")
        form = draws.among(("cube", "cylinder"))
        for side in (-1, 1):
            high = round(tall + side * tilt / 2, 4)
            props.put(form, (STAND, STAND if form == "cylinder" else 0.3, high), (side * gap / 2, 0.0), fixed=True, friction=0.9)
        wide, high = draws.real("target_size"), min(draws.real("target_height"), tall - abs(tilt) / 2 - 0.03)
        room = max(0.0, (gap - STAND - wide) / 2 - 0.02)
        props.put(
            draws.among(("cone", "cube", "cylinder", "pyramid")), (wide, wide, round(high, 4)), (draws.real("target_offset") * room, 0.0),
            role="patient", mass=3.0,
        )  # fmt: skip
        size = draws.real("cloth_size")
        top = tall + abs(tilt) / 2 + draws.real("drop")
        cloth = Cloth(
            name=props.name("cloth"), position=(draws.real("cloth_offset"), 0.0, round(top, 4)), size=(size, round(0.7 * size, 4)),
            count=(ROWS, 12), density=draws.real("cloth_density"), friction=0.9, look=props.look("agent"),
        )  # fmt: skip
        # The cloth is flat at first: a sliver from aside.
        return Act("A cloth falls over two stands.", 0.75, others=(cloth,), agent=cloth.name, rise=25.0)
