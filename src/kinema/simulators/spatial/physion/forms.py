"""Forms that scenes are furnished with, made of convex pieces: each fills a box of `size` m about its origin."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..shapes import Box, Capsule, Compound, Cylinder, Hull, Piece, Quaternion, Shape, Sphere, Vector

SIDES = 12  # of what is round and hollow
FLARE = 0.3  # rad that a bowl's wall leans outwards
RIM = 0.07  # of a vessel's width: its wall's thickness


def ball(size: Vector) -> Sphere:
    """A ball as wide as `size` is in x."""
    return Sphere(size[0] / 2)


def cube(size: Vector) -> Box:
    """A box."""
    return Box(size)


def cylinder(size: Vector) -> Cylinder:
    """An upright cylinder."""
    return Cylinder(size[0] / 2, size[2])


def cone(size: Vector) -> Hull:
    """An upright cone."""
    base = [_point(size[0] / 2, k / 24, -size[2] / 2) for k in range(24)]
    return Hull((*base, (0.0, 0.0, size[2] / 2)))


def pyramid(size: Vector) -> Hull:
    """A pyramid on a rectangle."""
    x, y, z = (side / 2 for side in size)
    return Hull(((-x, -y, -z), (x, -y, -z), (x, y, -z), (-x, y, -z), (0.0, 0.0, z)))


def pentagon(size: Vector) -> Hull:
    """An upright prism on a regular pentagon."""
    return Hull(tuple(_point(size[0] / 2, k / 5, side * size[2] / 2) for side in (-1, 1) for k in range(5)))


def wedge(size: Vector) -> Hull:
    """A ramp that falls along x, from its full height to nothing."""
    x, y, z = (side / 2 for side in size)
    return Hull(((-x, -y, -z), (x, -y, -z), (x, y, -z), (-x, y, -z), (-x, -y, z), (-x, y, z)))


def dumbbell(size: Vector) -> Compound:
    """Two discs on an upright bar."""
    disc = Cylinder(size[0] / 2, 0.25 * size[2])
    ends = tuple(Piece(disc, position=(0.0, 0.0, side * 0.375 * size[2])) for side in (-1, 1))
    return Compound((*ends, Piece(Cylinder(0.2 * size[0], 0.5 * size[2]))))


def ring(size: Vector) -> Compound:
    """A torus that lies flat, of tubes size[2] m thick, its outer diameter that of x."""
    tube = size[2] / 2
    middle = (size[0] / 2 - tube) * math.cos(math.pi / SIDES)
    rod = Capsule(tube, round(2 * middle * math.tan(math.pi / SIDES), 6))
    return Compound(tuple(Piece(rod, position=_point(middle, k / SIDES, 0.0), rotation=_along(k)) for k in range(SIDES)))


def pipe(size: Vector) -> Compound:
    """An upright tube."""
    return Compound(_walls(size, 0.12 * size[0], 0.0))


def bowl(size: Vector) -> Compound:
    """A round dish whose wall leans outwards."""
    return _vessel(size, FLARE)


def cup(size: Vector) -> Compound:
    """A round vessel with an upright wall."""
    return _vessel(size, 0.0)


def crate(size: Vector) -> Compound:
    """An open box."""
    x, y, z = size
    wall = 0.06 * x
    long, short = Box((x, wall, z)), Box((wall, y - 2 * wall, z))
    sides = [Piece(long, position=(0.0, side * (y - wall) / 2, 0.0)) for side in (-1, 1)]
    sides += [Piece(short, position=(side * (x - wall) / 2, 0.0, 0.0)) for side in (-1, 1)]
    return Compound((Piece(Box((x - 2 * wall, y - 2 * wall, wall)), position=(0.0, 0.0, (wall - z) / 2)), *sides))


def table(size: Vector) -> Compound:
    """A board on four legs."""
    x, y, z = size
    board, leg = 0.12 * z, 0.1 * x
    legs = [
        Piece(Box((leg, leg, z - board)), position=(i * (x - leg) / 2, j * (y - leg) / 2, -board / 2)) for i in (-1, 1) for j in (-1, 1)
    ]
    return Compound((Piece(Box((x, y, board)), position=(0.0, 0.0, (z - board) / 2)), *legs))


def post(height: float, radius: float, foot: float, thickness: float, cap: float) -> Compound:
    """An upright rod on a disc of radius `foot` and `thickness` m, `height` m in all from the floor to its top; a ball of radius
    `cap` m sits on it (0: none). The origin is in the middle of the height."""
    bottom = -height / 2
    rod = height - thickness - 2 * cap
    parts = [
        Piece(Cylinder(foot, thickness), position=(0.0, 0.0, bottom + thickness / 2)),
        Piece(Cylinder(radius, rod), position=(0.0, 0.0, bottom + thickness + rod / 2)),
    ]
    knob = [Piece(Sphere(cap), position=(0.0, 0.0, height / 2 - cap))] if cap else []
    return Compound((*parts, *knob))


FORMS: dict[str, Callable[[Vector], Shape]] = {
    "ball": ball, "cube": cube, "cylinder": cylinder, "cone": cone, "pyramid": pyramid, "pentagon": pentagon, "dumbbell": dumbbell,
    "ring": ring, "pipe": pipe, "bowl": bowl, "cup": cup, "crate": crate, "table": table, "ramp": wedge, "mat": cube,
    "domino": cube, "ledge": cube,
}  # fmt: skip


def inside(size: Vector, flare: float = 0.0) -> float:
    """The radius of the floor of a vessel of `size` whose wall leans outwards by `flare` rad."""
    return max(_outer(size) - RIM * size[0] - (size[2] - RIM * size[0]) * math.tan(flare), 0.1 * size[0])


def lying(form: str, size: Vector) -> float:
    """How high the origin of a round form is above the floor where it lies on its side."""
    if form == "pipe":
        return _outer(size)
    if form == "ring":
        return (size[0] - size[2]) / 2 * math.cos(math.pi / SIDES) + size[2] / 2
    return size[0] / 2


def _outer(size: Vector) -> float:
    return size[0] / 2 * math.cos(math.pi / SIDES)  # the corners reach size / 2


def _vessel(size: Vector, flare: float) -> Compound:
    rim = RIM * size[0]
    bottom = Piece(Cylinder(inside(size, flare) + rim, rim), position=(0.0, 0.0, (rim - size[2]) / 2))
    raised = [
        Piece(wall.shape, position=(wall.position[0], wall.position[1], wall.position[2] + rim / 2), rotation=wall.rotation)
        for wall in _walls((size[0], size[1], size[2] - rim), rim, flare)
    ]
    return Compound((bottom, *raised))


def _walls(size: Vector, thickness: float, flare: float) -> tuple[Piece, ...]:
    """Boxes around z that lean outwards by `flare` rad."""
    radius = _outer(size) - thickness / 2 - size[2] / 2 * math.tan(flare)
    tall = size[2] / math.cos(flare) - thickness * math.sin(flare)
    wall = Box((thickness * math.cos(flare), 2 * _outer(size) * math.tan(math.pi / SIDES), tall))
    return tuple(
        Piece(wall, position=_point(radius, k / SIDES, 0.0), rotation=_turn(2 * math.pi * k / SIDES, flare)) for k in range(SIDES)
    )


def _along(k: int) -> Quaternion:
    """Turns z to lie along side k of a polygon about z."""
    return compose(_turn(2 * math.pi * k / SIDES, 0.0), (math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0))


def _point(radius: float, turn: float, z: float) -> Vector:
    angle = 2 * math.pi * turn
    return (round(radius * math.cos(angle), 6), round(radius * math.sin(angle), 6), round(z, 6))


def _turn(about_z: float, about_y: float) -> Quaternion:
    """Turned about y first, then about z."""
    return compose((math.cos(about_z / 2), 0.0, 0.0, math.sin(about_z / 2)), (math.cos(about_y / 2), 0.0, math.sin(about_y / 2), 0.0))


def compose(a: Quaternion, b: Quaternion) -> Quaternion:
    """The rotation by b, then by a."""
    w = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]
    x = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
    y = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1]
    z = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0]
    return (round(w, 6), round(x, 6), round(y, 6), round(z, 6))
