"""Who moves: the ego body, cars and people as bodies driven along keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..bodies import Key, Rigid
from ..looks import Look
from ..shapes import Shape, Sphere
from ..styles import NAMED
from . import figures
from .plan import Plan
from .street import HEIGHT, KERB, Street
from .traffic import Floats


def movers(plan: Plan, times: Floats) -> list[Rigid]:
    """The ego body, and everybody who moves or is parked."""
    town, bodies = plan.town, []
    ego = tuple(
        Key(time=round(float(t), 6), position=(round(float(x), 7), round(float(y), 7), HEIGHT), rotation=figures.turned(float(a), 9))
        for t, (x, y, a) in zip(times, town.tracks[:, 0], strict=True)
    )
    carrier = Sphere(0.1)
    bodies.append(Rigid(name="ego", shape=carrier, position=ego[0].position, rotation=ego[0].rotation, path=ego, ghost=True, mass=1.0))
    for n, car in enumerate(town.cars):
        name, look = ("own car" if n == 0 else car.name), figures.paint(car.color)
        path = keys(times, town.tracks[:, n], HEIGHT)
        mass = 2200.0 if car.style == "van" else 1400.0
        bodies.append(_mover(name, figures.car(car), look, path, mass))
    for m, walker in enumerate(town.walkers):
        track, height = town.steps[:, m], HEIGHT + KERB
        path = keys(times, track, height)
        if walker.kerb is not None:
            flat = keys(times, track, HEIGHT, thin=False)
            path = tuple(replace(key, position=(*key.position[:2], _stepped(plan.street, key.position[1]))) for key in flat)
        bodies.append(_mover(walker.name, figures.person(walker), Look(color=NAMED[walker.colors[0]]), path, 70.0))
    return bodies


def _stepped(street: Street, y: float) -> float:
    """The height of a foot beside or on the main road, which it steps down to."""
    return round(HEIGHT + KERB * min(1.0, max(0.0, (abs(y) - street.main.half + 0.1) / 0.3)), 4)


def _mover(name: str, shape: Shape, look: Look, path: tuple[Key, ...], mass: float) -> Rigid:
    if all(key.position == path[0].position and key.rotation == path[0].rotation for key in path):
        return Rigid(name=name, shape=shape, look=look, position=path[0].position, rotation=path[0].rotation, mass=mass, fixed=True)
    return Rigid(name=name, shape=shape, look=look, position=path[0].position, rotation=path[0].rotation, path=path, mass=mass)


def keys(times: Floats, track: Floats, height: float, thin: bool = True) -> tuple[Key, ...]:
    """Poses [t,3] as keys, to the tenth of a millimetre; those that straight lines between others give to 3 mm are left out."""
    kept, last = [0], 0
    for k in range(1, len(times)):
        if k == len(times) - 1:
            kept.append(k)
            break
        share = ((times[last : k + 2] - times[last]) / (times[k + 1] - times[last]))[:, None]
        line = track[last] * (1 - share) + track[k + 1] * share
        if not thin or np.abs(line - track[last : k + 2]).max() > 3e-3:
            kept.append(k)
            last = k
    return tuple(
        Key(
            time=round(float(times[k]), 6), position=(round(float(track[k, 0]), 4), round(float(track[k, 1]), 4), height),
            rotation=figures.turned(float(track[k, 2])),
        )
        for k in kept
    )
