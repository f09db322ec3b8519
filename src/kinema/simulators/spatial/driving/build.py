"""What stands: roads, markings, pavements, buildings, trees, lamps, traffic lights, as bodies."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..bodies import Rigid
from ..looks import Color, Look
from ..shapes import Box, Compound, Cylinder, Piece, Shape, Vector
from . import figures
from .paths import Path
from .plan import Plan
from .street import AHEAD, BEHIND, HEIGHT, KERB, Road, Street, clear_of
from .traffic import Floats

ASPHALT = Look(color=(84, 86, 90), second=(70, 71, 75), texture="asphalt", scale=1.2, gloss=0.03)
PAINT = Look(color=(225, 225, 220), gloss=0.05)
STONE = Look(color=(172, 169, 162), second=(140, 138, 132), texture="tiles", scale=0.9, gloss=0.03)
WALLS: tuple[Color, ...] = (
    (178, 150, 122), (150, 92, 74), (196, 186, 168), (132, 138, 146), (214, 202, 178), (166, 120, 92), (110, 118, 124), (190, 172, 140)
)  # fmt: skip
PANES: Color = (52, 64, 80)
SAGITTA = 0.05  # m by which a straight piece may miss a bend


def fixed(name: str, shape: Shape, look: Look, position: Vector = (0.0, 0.0, 0.0), angle: float = 0.0) -> Rigid:
    """A body that never moves."""
    return Rigid(name=name, shape=shape, look=look, position=position, rotation=figures.turned(angle), material="stone", fixed=True)


def spans(path: Path, start: float, stop: float, longest: float = 1e3) -> list[tuple[float, float]]:
    """From `start` to `stop` m along a path in pieces that are nearly straight."""
    found = []
    while start < stop - 0.05:
        step = 0.5
        while start + step < stop and step < longest:
            turn = np.ptp(path.at(np.array([start, start + (step + 0.5) / 2, start + step + 0.5]))[:, 2])
            if (step + 0.5) * turn / 8 > SAGITTA:
                break
            step += 0.5
        end = min(start + step, stop)
        found.append((start, end))
        start = end
    return found


def strip(path: Path, start: float, stop: float, offset: float, width: float, low: float, high: float) -> list[Piece]:
    """Boxes `width` m wide, `offset` m to the left of a path, from height `low` to `high` m."""
    found = []
    for a, b in spans(path, start, stop):
        ends = path.at(np.array([a, b]))
        x, y = (float(c) for c in ends[:, :2].mean(0))
        angle = math.atan2(ends[1, 1] - ends[0, 1], ends[1, 0] - ends[0, 0])
        x, y = x - offset * math.sin(angle), y + offset * math.cos(angle)
        over = width * abs(ends[1, 2] - ends[0, 2]) + 2 * abs(offset) * math.sin(abs(ends[1, 2] - ends[0, 2]) / 2)
        length = math.dist(ends[0, :2], ends[1, :2]) + over
        place = (round(float(x), 3), round(float(y), 3), round((low + high) / 2, 4))
        size = (round(length, 3), round(width, 3), round(high - low, 4))
        found.append(Piece(Box(size), position=place, rotation=figures.turned(angle, 5)))
    return found


def ground(street: Street) -> list[Rigid]:
    """Roads, markings and pavements."""
    main, cross = street.main, street.cross
    roads = strip(main.center, 0.0, main.center.length, 0.0, 2 * main.half + 1, HEIGHT - 0.2, HEIGHT)
    if cross is not None:
        roads += strip(cross.center, 0.0, cross.center.length, 0.0, 2 * cross.half + 1, HEIGHT - 0.2, HEIGHT)
        reach = 2 * (cross.half + street.corner)
        size = (round(reach, 3), round(2 * (main.half + street.corner), 3), 0.2)
        roads.append(Piece(Box(size), position=(street.at, 0.0, HEIGHT - 0.1)))
    bodies = [fixed("road", Compound(tuple(roads)), ASPHALT)]
    bodies.append(fixed("markings", Compound(tuple(markings(street))), PAINT))
    bodies.append(fixed("pavement", Compound(tuple(pavements(street))), STONE))
    return bodies


def markings(street: Street) -> list[Piece]:
    """Lines between lanes and beside them, stop lines and zebra crossings."""
    low, high, found = HEIGHT - 0.01, HEIGHT + 0.006, []
    for way in street.roads:
        for start, stop in stretches(street, way):
            for k in range(-way.lanes + 1, way.lanes):
                if k == 0 and way.lanes > 1:
                    for offset in (-0.12, 0.12):
                        found += strip(way.center, start, stop, offset, 0.1, low, high)
                    continue
                at = start
                while at < min(stop, BEHIND + 62.0) - 3:
                    if way is not street.main or at > BEHIND - 20:
                        found += strip(way.center, at, at + 3.0, k * way.width, 0.13, low, high)
                    at += 9.0
            for side in (-1, 1):
                found += strip(way.center, start, stop, side * way.lanes * way.width, 0.11, low, high)
    main, cross = street.main, street.cross
    zebras = [street.zebra] if street.zebra is not None else []
    if cross is not None:
        zebras += [street.halt + 2.2] + ([street.beyond() - 2.2] if "ahead" in street.arms else [])
        lines = [(street.halt, -main.half / 2)] + ([(street.beyond(), main.half / 2)] if "ahead" in street.arms else [])
        found += [
            Piece(Box((0.4, round(main.half - 0.3, 3), 0.016)), position=(round(x, 3), round(y, 3), HEIGHT - 0.002)) for x, y in lines
        ]
    for x in zebras:
        count = int(2 * main.half / 1.1)
        aside = [round((k - (count - 1) / 2) * 1.1, 3) for k in range(count)]
        found += [Piece(Box((2.6, 0.5, 0.016)), position=(round(x, 3), y, HEIGHT - 0.002)) for y in aside]
    return found


def stretches(street: Street, way: Road) -> list[tuple[float, float]]:
    """Where along a road there are lines: not in the junction, nor on a crossing."""
    length = way.center.length
    if street.cross is None:
        gaps = [] if street.zebra is None else [(BEHIND + street.zebra - 2.2, BEHIND + street.zebra + 2.2)]
    elif way is street.main:
        gaps = [(BEHIND + street.halt + 0.3, BEHIND + street.beyond() - 0.3)]
    else:
        middle = float(way.center.nearest(np.array([[street.at, 0.0]]))[0][0])
        gaps = [(middle - street.main.half - street.corner, middle + street.main.half + street.corner)]
    found, start = [], 0.0
    for a, b in gaps:
        found.append((start, a))
        start = b
    return [(a, b) for a, b in [*found, (start, length)] if b - a > 2.0]


def pavements(street: Street) -> list[Piece]:
    """Raised pavements along all roads, round at the corners of a junction."""
    main, cross, wide, top = street.main, street.cross, street.pavement, HEIGHT + KERB
    if cross is None:
        return [
            piece for side in (-1, 1)
            for piece in strip(main.center, 0.0, main.center.length, side * (main.half + wide / 2), wide, -0.1, top)
        ]  # fmt: skip
    found: list[Piece] = []
    r = street.corner
    box = _boxes(found, top)
    for side, arm in ((-1, "right"), (1, "left")):
        if arm not in street.arms:
            box(-BEHIND, AHEAD if "ahead" in street.arms else street.at + cross.half + wide, side * main.half, side * (main.half + wide))
            continue
        edge = side * (main.half + r)
        box(-BEHIND, street.at - cross.half - r, side * main.half, side * (main.half + wide))
        box(street.at - cross.half - wide, street.at - cross.half, edge, side * 90.0)
        _round(found, street.at - cross.half - r, edge, r, top)
        if "ahead" in street.arms:
            box(street.at + cross.half + r, AHEAD, side * main.half, side * (main.half + wide))
            box(street.at + cross.half, street.at + cross.half + wide, edge, side * 90.0)
            _round(found, street.at + cross.half + r, edge, r, top)
    if "ahead" not in street.arms:
        low, high = (side * (90.0 if arm in street.arms else main.half) for side, arm in ((-1, "right"), (1, "left")))
        box(street.at + cross.half, street.at + cross.half + wide, low, high)
    return found


def _boxes(found: list[Piece], top: float) -> Callable[[float, float, float, float], None]:
    def box(x0: float, x1: float, y0: float, y1: float) -> None:
        size = (round(abs(x1 - x0), 3), round(abs(y1 - y0), 3), round(top + 0.1, 3))
        found.append(Piece(Box(size), position=(round((x0 + x1) / 2, 3), round((y0 + y1) / 2, 3), round((top - 0.1) / 2, 4))))

    return box


def _round(found: list[Piece], x: float, y: float, radius: float, top: float) -> None:
    found.append(Piece(Cylinder(radius, round(top + 0.1, 3)), position=(round(x, 3), round(y, 3), round((top - 0.1) / 2, 4))))


def beside(rng: np.random.Generator, plan: Plan) -> list[Rigid]:
    """Buildings, trees, lamps and traffic lights."""
    street = plan.street
    bodies: list[Rigid] = []
    taken: list[tuple[Floats, float]] = []
    tall = bool(rng.random() < 0.5)
    for way in street.roads:
        middle = BEHIND if way is street.main else float(way.center.nearest(np.array([[street.at, 0.0]]))[0][0])
        first, last = (middle - 20.0, middle + 85.0) if way is street.main else (middle - 45.0, middle + 45.0)
        for side in (-1, 1):
            s = max(first, 0.0) + rng.uniform(0, 4)
            while s < min(last, way.center.length):
                # Even numbers of windows each way: their pattern starts in the middle of a box.
                square = round(float(rng.uniform(2.7, 3.5)), 2)
                wide, deep = (round(2 * int(rng.integers(*most)) * square, 3) for most in ((2, 4), (2, 3)))
                high = round(2 * int(rng.integers(2, 5) if tall else rng.integers(1, 3)) * square, 3)
                x, y, angle = way.center.beside(side * (way.half + street.pavement + rng.uniform(0.5, 3.0) + deep / 2)).at(s + wide / 2)
                corners = np.array([(a * wide / 2, b * deep / 2) for a in (-1, 0, 1) for b in (-1, 0, 1)])
                turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
                spot, reach = np.array([x, y]), math.hypot(wide, deep) / 2
                free = all(np.linalg.norm(corners @ turn.T + spot - other, axis=1).min() > 0.72 * far for other, far in taken)
                if free and clear_of(street, corners @ turn.T + spot, street.pavement):
                    wall = WALLS[int(rng.integers(len(WALLS)))]
                    look = Look(color=wall, second=PANES, texture="windows", scale=square, gloss=0.0)
                    name, place = f"building {len(taken) + 1}", (round(float(x), 3), round(float(y), 3), round(high / 2, 3))
                    bodies.append(fixed(name, Box((wide, deep, high)), look, place, float(angle)))
                    taken.append((spot, reach))
                s += wide + float(rng.choice([0.3, 0.3, 3.0, 6.0]))
    return bodies + furniture(rng, plan)


def furniture(rng: np.random.Generator, plan: Plan) -> list[Rigid]:
    """Trees and lamps along the kerb of the main road, and the junction's traffic lights."""
    street, main = plan.street, plan.street.main
    bodies: list[Rigid] = []
    trees = bool(rng.random() < 0.75)
    base = round(HEIGHT + KERB, 3)
    for side in (-1, 1):
        line = main.center.beside(side * (main.half + 0.6))
        s, k = BEHIND - 12.0 + rng.uniform(0, 8), 0
        while s < min(BEHIND + 62.0, line.length - 5):
            x, y, angle = (float(c) for c in line.at(s))
            crossed = street.zebra is not None and abs(x - street.zebra) < 3.0
            if not crossed and (street.cross is None or abs(x - street.at) > street.cross.half + street.corner + 1.5):
                place = (round(x, 3), round(y, 3), base)
                if k % 2 == 0 and trees:
                    around = round(float(rng.uniform(0, 6)), 3)
                    bodies.append(fixed(f"tree {len(bodies) + 1}", *figures.tree(rng), place, around))
                elif k % 2:
                    bodies.append(fixed(f"lamp {len(bodies) + 1}", figures.lamp(), figures.METAL, place, angle - side * math.pi / 2))
            s, k = s + rng.uniform(8.0, 13.0), k + 1
    if street.cross is not None:
        spot = (round(street.halt + 0.6, 3), round(-main.half - 0.5, 3), base)
        bodies.append(fixed("traffic light", figures.light(plan.green), figures.METAL, spot))
    return bodies
