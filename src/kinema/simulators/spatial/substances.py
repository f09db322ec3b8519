"""Named substances: how matter that flows behaves, unless a body says otherwise."""

from __future__ import annotations

from typing import NamedTuple

from ...core.errors import UserError

RIGID = 1e15  # Pa: stiffer and stronger than anything; the solver takes it as infinite


class Substance(NamedTuple):
    """Density kg/m^3; viscosity Pa s; friction of grains against each other; Young's modulus Pa and Poisson's ratio; stress at
    which it yields to shear, and pressure at which it yields to compression, Pa; the part of either that it bears in tension
    (0: it falls apart, 1: it holds together); how strongly it hardens when compressed; `grip`, the part of a wall's friction
    that it feels; the temperature in C at which it melts (None: it does not)."""

    density: float
    viscosity: float = 0.0
    friction: float = 0.0
    young: float = RIGID
    poisson: float = 0.3
    yield_stress: float = 0.0
    yield_pressure: float = RIGID
    tension: float = 1.0
    hardening: float = 0.0
    grip: float = 1.0
    melting: float | None = None


SUBSTANCES: dict[str, Substance] = {
    "water": Substance(1000.0, viscosity=0.001, grip=0.0),
    "honey": Substance(1400.0, viscosity=10.0),
    "sand": Substance(1600.0, friction=0.65, tension=0.0),
    "snow": Substance(300.0, friction=0.4, young=1.4e6, yield_pressure=2e4, tension=0.2, hardening=5.0),
    "mud": Substance(1600.0, viscosity=50.0, yield_stress=300.0),
    "wax": Substance(900.0, viscosity=2.0, young=1e6, yield_stress=2e4, melting=60.0),
    "ice": Substance(917.0, viscosity=0.002, young=5e6, yield_stress=1e5, grip=0.1, melting=0.0),
    "jelly": Substance(1050.0, young=3e4, poisson=0.4, yield_stress=RIGID),
}


def substance(name: str) -> Substance:
    """The substance `name`. Raises UserError listing the names where there is none."""
    if name not in SUBSTANCES:
        raise UserError(f"there is no substance {name!r}; there are {', '.join(SUBSTANCES)}")
    return SUBSTANCES[name]
