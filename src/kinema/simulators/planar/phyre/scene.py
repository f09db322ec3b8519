"""A template's scene without overlaps, and where the red ball starts: drawn anew, a bounded number of times, until it fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pymunk

from ....core.errors import UserError
from ....core.rng import stream
from .objects import COMPONENTS, KINDS, Object
from .shapes import UNITS
from .templates import TEMPLATES

Action = tuple[float, float, float]
Pair = tuple[int, int]

_DRAWS, _SCENES, _PLACES = 60, 200, 100  # tries for an object, for a scene, for the ball by its rule
_ANYWHERE = 2000  # and for the ball elsewhere
_EDGE = 1e-9
_LEVEL = 0.05  # of a turn: below it a bar counts as horizontal
_GAP = 0.05  # of the side, from the floor or the ceiling to the ball's span
_SMALL, _LARGE = 0.02, 0.2  # bounds of the ball's size where the scene's balls do not narrow them


@lru_cache(maxsize=8192)
def scene(template: int, task: int) -> tuple[tuple[Object, ...], Pair]:
    """The objects of task `task` of a template, in the template's order, and the two that its goal says must touch: the
    first that can move and one of another type. The same in every clip of that task.

    Each type is drawn from its published ranges until it lies inside the scene and touches nothing drawn before; where
    one does not fit, the scene begins again. Raises UserError where none of many scenes comes about.
    """
    rng = stream("phyre scene", template, task)
    for _ in range(_SCENES):
        placed: list[Object] = []
        if all(_add(rng, kind, placed) for kind in TEMPLATES[template]):
            return tuple(placed), _goal(rng, placed)
    raise UserError(f"phyre: the objects of template {template} found no room in task {task}; take another number of tasks")


def acceptance(template: int, draws: int) -> float:
    """The share of scenes, all four types drawn at once from the published ranges, that would need no second draw."""
    kept = 0
    for draw in range(draws):
        rng, placed = stream("phyre acceptance", template, draw), list[Object]()
        for kind in TEMPLATES[template]:
            drawn = COMPONENTS[kind](rng)
            if not drawn or not _free(drawn, solid(placed)):
                break
            placed += drawn
        else:
            kept += 1
    return kept / draws


def place(rng: np.random.Generator, objects: Sequence[Object]) -> Action:
    """The action (x, y, r), each in [0, 1], that drops the red ball near a random object (not a level bar), half of the
    time above it and else below; x within .8 of the sum of both radii. Where 100 such draws leave no room, anywhere.

    Raises UserError where the scene has no room for a ball at all.
    """
    balls = [o.length / 2 for o in objects if KINDS[o.kind].shape == "ball"]
    low = max(min(balls) / 2, _SMALL) if balls else _SMALL
    high = min(max(balls) * 4, _LARGE) if balls else _LARGE
    near = [o for o in objects if not (KINDS[o.kind].shape == "bar" and abs(o.angle) / (2 * math.pi) < _LEVEL)] or list(objects)
    solids = solid(objects)
    for attempt in range(_PLACES + _ANYWHERE):
        size = rng.uniform(low, high)
        x, y = _near(rng, near[int(rng.integers(len(near)))], size) if attempt < _PLACES else (rng.uniform(), rng.uniform())
        action = (x, y, size / _LARGE)
        if all(0 <= value <= 1 for value in action) and _free([red_ball(action)], solids):
            return action
    raise UserError("phyre: the red ball found no room in a scene; take another number of tasks")


def red_ball(action: Action) -> Object:
    """The ball of an action: PHYRE maps x and y to 0..511 units and r to a radius of 2..64 units."""
    x, y, r = action
    radius = (2 + r * (UNITS / 8 - 2)) / UNITS
    return Object("red_ball", 2 * radius, x * (UNITS - 1) / UNITS, y * (UNITS - 1) / UNITS)


def solid(objects: Sequence[Object]) -> pymunk.Space:
    """The objects as a space that can be asked what something would touch; lengths in fractions of the side."""
    space = pymunk.Space()
    for item in objects:
        body = _held(item)
        space.add(body, *convex(body, item))
    return space


def convex(body: pymunk.Body, item: Object, scale: float = 1.0) -> list[pymunk.Shape]:
    """An object's convex parts on a body, enlarged by `scale`."""
    it = item.shape
    if not it.parts:
        return [pymunk.Circle(body, it.radius * scale)]
    return [pymunk.Poly(body, [(x * scale, y * scale) for x, y in part]) for part in it.parts]


def _goal(rng: np.random.Generator, objects: Sequence[Object]) -> Pair:
    """The last object of the first type that can move, and the last one of a type drawn from the others."""
    last = {item.kind: i for i, item in enumerate(objects)}
    first = next(kind for kind in last if not KINDS[kind].static)
    others = [i for kind, i in last.items() if kind != first]
    low, high = sorted((last[first], others[int(rng.integers(len(others)))]))
    return low, high


def _near(rng: np.random.Generator, target: Object, size: float) -> tuple[float, float]:
    radius = target.shape.diameter / 2
    dx = rng.uniform(-0.8, 0.8) * (radius + size)
    above = rng.uniform() < 0.5
    ends = (target.y + 0.9 * dx, 1 - radius - _GAP) if above else (radius + _GAP, target.y - 0.9 * dx)
    return target.x + dx, ends[0] + (ends[1] - ends[0]) * rng.uniform()


def _add(rng: np.random.Generator, kind: str, placed: list[Object]) -> bool:
    solids = solid(placed)
    for _ in range(_DRAWS):
        drawn = COMPONENTS[kind](rng)
        if drawn and _free(drawn, solids):
            placed += drawn
            return True
    return False


def _held(item: Object) -> pymunk.Body:
    body = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
    body.position, body.angle = (item.x, item.y), item.angle
    return body


def _free(drawn: Sequence[Object], solids: pymunk.Space) -> bool:
    """Whether new objects lie inside the scene and touch nothing that is there (those of one draw never touch each other)."""
    for item in drawn:
        left, right, bottom, top = item.bounds
        if left < -_EDGE or right > 1 + _EDGE or bottom < -_EDGE or top > 1 + _EDGE:
            return False
    return not any(solids.shape_query(shape) for item in drawn for shape in convex(_held(item), item))
