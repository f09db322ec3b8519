"""How rigid bodies meet: Newton's law of impact with Coulomb friction, as parameters of MuJoCo's pairs of geoms.

MuJoCo asks of a contact the acceleration -b v - k r. With b = (1 + e) / h the approach speed v becomes -e v within one step h,
whatever the masses; tangentially b = 1 / h stops the slip as far as friction can. k = PUSH (1 - e) / h^2 takes a share of the
penetration r away at each step: small, for it adds up to PUSH to the restitution. A pair's restitution and friction are the
geometric means of its bodies', its rolling resistance the larger.
"""

from __future__ import annotations

import math
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ..bodies import Rigid, Rope
from ..scene import Scene
from ..shapes import pieces
from .mjcf import child
from .steps import thinnest

PUSH = 0.015
SOFT_SOFTNESS = 0.05  # the same beside cloth, soft bodies and balloons: conjugate gradients get no further in their steps
SOFTNESS = 1e-3  # share of the free acceleration that contacts let through: what keeps many of them at once solvable


class _Surface(NamedTuple):
    geom: str
    body: str
    parent: str | None
    still: bool  # or moves as told
    friction: float
    restitution: float
    rolling: float  # lever of the rolling resistance, m


def add_pairs(root: Element, scene: Scene, step: float) -> None:
    """Add the pairs of all rigid geoms that can touch."""
    surfaces = [surface for body in scene.bodies if isinstance(body, Rigid) and not body.ghost for surface in _surfaces(body)]
    if scene.floor is not None:
        surfaces.insert(0, _Surface("/floor", "", "", True, scene.floor.friction, scene.floor.restitution, 0.0))
    softness = SOFTNESS if all(isinstance(body, Rigid | Rope) for body in scene.bodies) else SOFT_SOFTNESS
    contact = child(root, "contact")
    for k, one in enumerate(surfaces):
        for other in surfaces[k + 1 :]:
            if (one.still and other.still) or one.body == other.body or other.parent == one.body or one.parent == other.body:
                continue
            child(contact, "pair", geom1=one.geom, geom2=other.geom, **_law(one, other, step, softness))


def _surfaces(body: Rigid) -> list[_Surface]:
    friction, restitution = body.property_of("friction"), body.property_of("restitution")
    levers = [body.rolling * thinnest(placed.solid) / 2 for placed in pieces(body.shape)]
    still = body.fixed or body.drive
    return [_Surface(f"{body.name}/{k}", body.name, body.parent, still, friction, restitution, lever) for k, lever in enumerate(levers)]


def _law(one: _Surface, other: _Surface, step: float, softness: float) -> dict[str, str]:
    friction, restitution = math.sqrt(one.friction * other.friction), math.sqrt(one.restitution * other.restitution)
    rolling = max(one.rolling, other.rolling)
    return {
        "condim": "6" if rolling else "3" if friction else "1",
        "friction": f"{friction!r} {friction!r} {rolling!r} {rolling!r} {rolling!r}",
        "solref": f"{-PUSH * (1 - restitution) / step**2!r} {-(1 + restitution) / step!r}",
        "solreffriction": f"0 {-1 / step!r}",
        "solimp": f"{1 - softness!r} {1 - softness!r} 0.001 0.5 2",
    }
