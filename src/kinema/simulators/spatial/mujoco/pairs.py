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
FREE, STILL = 16, 32  # bits of contact, where pairs are not listed
MANY = 60  # geoms: the pairs of more are not listed, for their number grows with its square
SOFTNESS = 1e-3  # share of the free acceleration that contacts let through: what keeps many of them at once solvable


class Surface(NamedTuple):
    """What a rigid geom, or the floor, brings to whom it meets."""

    geom: str
    body: str
    parent: str | None
    still: bool  # or moves as told
    friction: float
    restitution: float
    rolling: float  # lever of the rolling resistance, m


def listed(scene: Scene) -> bool:
    """Whether a scene's pairs are listed; where they are too many, MuJoCo looks for who is near whom (see meetings.py). Beside
    cloth, soft bodies and balloons they always are: MuJoCo finds their stiffness in a stage that cannot be called by itself."""
    return _flexible(scene) or len(surfaces(scene)) <= MANY


def add_pairs(root: Element, scene: Scene, step: float) -> None:
    """Add the pairs of all rigid geoms that can touch, or, where they are many, let MuJoCo find them."""
    found, contact = surfaces(scene), child(root, "contact")
    if not listed(scene):
        _by_bits(root, contact, found)
        return
    soft = softness(scene)
    for k, one in enumerate(found):
        for other in found[k + 1 :]:
            if (one.still and other.still) or one.body == other.body or other.parent == one.body or one.parent == other.body:
                continue
            child(contact, "pair", geom1=one.geom, geom2=other.geom, **_law(one, other, step, soft))


def _by_bits(root: Element, contact: Element, found: list[Surface]) -> None:
    """Give geoms bits by which what is free meets all, and what stands still or moves as told only what is free."""
    geoms = {geom.get("name"): geom for geom in root.iter("geom")}
    for one in found:
        geoms[one.geom].attrib.update(contype=str(1 | (STILL if one.still else FREE)), conaffinity="0" if one.still else str(FREE | STILL))
    for child_, parent in sorted({(one.body, one.parent) for one in found if one.parent}):
        child(contact, "exclude", body1=parent, body2=child_)


def softness(scene: Scene) -> float:
    """The softness of a scene's rigid contacts."""
    return SOFT_SOFTNESS if _flexible(scene) else SOFTNESS


def _flexible(scene: Scene) -> bool:
    return not all(isinstance(body, Rigid | Rope) for body in scene.bodies)


def surfaces(scene: Scene) -> list[Surface]:
    """Those of a scene."""
    found = [surface for body in scene.bodies if isinstance(body, Rigid) and not body.ghost for surface in _surfaces(body)]
    if scene.floor is not None:
        found.insert(0, Surface("/floor", "", "", True, scene.floor.friction, scene.floor.restitution, 0.0))
    return found


def _surfaces(body: Rigid) -> list[Surface]:
    friction, restitution = body.property_of("friction"), body.property_of("restitution")
    levers = [body.rolling * thinnest(placed.solid) / 2 for placed in pieces(body.shape)]
    still = body.fixed or body.drive
    return [Surface(f"{body.name}/{k}", body.name, body.parent, still, friction, restitution, lever) for k, lever in enumerate(levers)]


def _law(one: Surface, other: Surface, step: float, softness: float) -> dict[str, str]:
    friction, restitution = math.sqrt(one.friction * other.friction), math.sqrt(one.restitution * other.restitution)
    rolling = max(one.rolling, other.rolling)
    return {
        "condim": "6" if rolling else "3" if friction else "1",
        "friction": f"{friction!r} {friction!r} {rolling!r} {rolling!r} {rolling!r}",
        "solref": f"{-PUSH * (1 - restitution) / step**2!r} {-(1 + restitution) / step!r}",
        "solreffriction": f"0 {-1 / step!r}",
        "solimp": f"{1 - softness!r} {1 - softness!r} 0.001 0.5 2",
    }
