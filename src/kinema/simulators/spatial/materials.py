"""Named materials: what a body weighs, how it rubs and how it bounces, unless it says otherwise."""

from __future__ import annotations

from typing import NamedTuple

from ...core.errors import UserError


class Material(NamedTuple):
    """Density kg/m^3, Coulomb friction, restitution 0-1."""

    density: float
    friction: float
    restitution: float


MATERIALS: dict[str, Material] = {
    "wood": Material(700.0, 0.4, 0.3),
    "steel": Material(7800.0, 0.3, 0.6),
    "rubber": Material(1100.0, 0.8, 0.75),
    "plastic": Material(950.0, 0.35, 0.5),
    "glass": Material(2500.0, 0.25, 0.6),
    "stone": Material(2600.0, 0.6, 0.2),
    "foam": Material(60.0, 0.6, 0.2),
    "ice": Material(917.0, 0.05, 0.1),
}


def material(name: str) -> Material:
    """The material `name`. Raises UserError listing the names where there is none."""
    if name not in MATERIALS:
        raise UserError(f"there is no material {name!r}; there are {', '.join(MATERIALS)}")
    return MATERIALS[name]
