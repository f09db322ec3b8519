"""PhyWorld's published sets by name: ranges and splits over scenarios, and the grids they are evaluated on.

Numbers are those of the released generators (phyworld/phyworld, id_ood_data). A set is a scenario: `.split("id")` trains,
`replace(a_set, size=64)` resizes, `replace(a_set, grid=a_grid)` evaluates.
"""

from __future__ import annotations

from .attributes import Attributes
from .collision import Collision
from .composition import Spatial, Temporal
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

# Sec. 5.3, attributes in pairs: the first kinds of both (red, ball, small, slow) are trained, and the second.
ATTRIBUTES: dict[str, Attributes] = {
    "color-shape": Attributes(pair=("color", "shape")),  # red balls, blue squares
    "size-shape": Attributes(pair=("radius", "shape")),
    "velocity-shape": Attributes(pair=("speed", "shape")),
    "color-size": Attributes(pair=("color", "radius")),
    "color-velocity": Attributes(pair=("color", "speed")),
    "size-velocity": Attributes(pair=("radius", "speed")),
    "color-size, extremes": Attributes(pair=("color", "radius"), radius=((0.7, 0.7), (1.4, 1.4))),
    "size-velocity, extremes": Attributes(pair=("radius", "speed"), speed=((1.0, 1.0), (4.0, 4.0))),
    "color-shape, ring": Attributes(pair=("color", "shape"), shape=("ball", "ring")),
    "color-size, red only": Attributes(pair=("color", "radius"), color=("red", "red")),
    "color-velocity, red only": Attributes(pair=("color", "speed"), color=("red", "red")),
    "color-velocity, slow red alone": Attributes(pair=("color", "speed"), combinations=((0, 0),)),
    "color-velocity, fast blue alone": Attributes(pair=("color", "speed"), combinations=((1, 1),)),
}

# Sec. 5.4, composition: two kinds of events are trained ("id") and combined at test ("ood").
COMPOSITION: dict[str, Spatial | Temporal] = {
    "spatial": Spatial(),
    "temporal": Temporal(),
    "temporal, red never bounces": Temporal(bouncer="blue", rebound="red"),
}
