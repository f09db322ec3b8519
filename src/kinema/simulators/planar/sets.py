"""PhyWorld's published sets by name: ranges and splits over scenarios, and the grids they are evaluated on.

Numbers are those of the released generators (phyworld/phyworld, id_ood_data). A set is a scenario: `.split("id")` trains,
`replace(a_set, size=64)` resizes, `replace(a_set, grid=a_grid)` evaluates.
"""

from __future__ import annotations

from .collision import Collision
from .grid import Grid
from .uniform import Uniform

# Sec. 5.1, uniform motion: the middle of the speeds is missing; then parts of it are brought back.
UNIFORM_GAPS: dict[str, Uniform] = {
    "whole": Uniform(),
    "gap 2-3": Uniform(speed=((1.0, 2.0), (3.0, 4.0))),
    "gap 1.75-3.25": Uniform(speed=((1.0, 1.75), (3.25, 4.0))),
    "gap 1.5-3.5": Uniform(speed=((1.0, 1.5), (3.5, 4.0))),
    "gap 1.25-3.75": Uniform(speed=((1.0, 1.25), (3.75, 4.0))),
    "three islands": Uniform(speed=((1.0, 1.25), (2.375, 2.625), (3.75, 4.0))),
    "four islands": Uniform(speed=((1.0, 1.25), (1.875, 2.125), (2.875, 3.125), (3.75, 4.0))),
}
UNIFORM_GRID = Grid((("radius", 0.7, 1.4, 36), ("speed", 1.0, 4.0, 121)))
UNIFORM_EXTRAPOLATION = {
    "slower": Grid((("radius", 0.7, 1.4, 36), ("speed", 0.0, 1.0, 41))),
    "faster": Grid((("radius", 0.7, 1.4, 36), ("speed", 4.0, 6.0, 81))),
}

# Sec. 5.1, collision: squares of (red, blue) speeds are missing, or all but a frame of slow ones, or a square of radii.
COLLISION_HOLES: dict[str, Collision] = {
    "whole": Collision(),
    "square 2-3": Collision(speed_holes=(((2.0, 3.0), (2.0, 3.0)),)),
    "square 1.75-3.25": Collision(speed_holes=(((1.75, 3.25), (1.75, 3.25)),)),
    "square 1.5-3.5": Collision(speed_holes=(((1.5, 3.5), (1.5, 3.5)),)),
    "square 1.25-3.75": Collision(speed_holes=(((1.25, 3.75), (1.25, 3.75)),)),
    "square 1.1-3.9": Collision(speed_holes=(((1.1, 3.9), (1.1, 3.9)),)),
    "three holes": Collision(
        speed_holes=(((1.2, 2.2), (2.7, 3.7)), ((2.7, 3.7), (1.2, 2.2)), ((2.9, 3.5), (3.3, 3.9))),
    ),
    "one slow": Collision(speed_holes=(((1.25, 4.0), (1.25, 4.0)),)),  # trained where v1 <= 1.25 or v2 <= 1.25
    "masses": Collision(radius_holes=(((0.8, 1.2), (0.8, 1.2)),)),  # the code's "mass" is the radius
}
COLLISION_GRID = Grid((("radius1", 0.5, 1.5, 5), ("radius2", 0.5, 1.5, 5), ("speed1", 0.0, 4.5, 21), ("speed2", 1.0, 4.0, 13)))
COLLISION_MASS_GRID = Grid((("radius1", 0.5, 2.0, 7), ("radius2", 0.5, 1.5, 5), ("speed1", 1.0, 4.0, 13), ("speed2", 1.0, 4.0, 13)))
COLLISION_GRID_BEFORE = 4  # frames before the impact in the evaluation sets, where training has 8

# Sec. 5.2, memorisation: fast balls in one direction or, flipped, in both; then slow ones are shown.
MEMORY: dict[str, Uniform] = {
    "one direction": Uniform(speed=((2.5, 4.0),)),
    "both directions": Uniform(speed=((2.5, 4.0),), flip=True),
}
MEMORY_TEST = Uniform(speed=((1.0, 2.5),))
