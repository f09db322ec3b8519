"""Simulators: a seed in, a Clip out. `make(scenario("collision"), seed=0, index=7)` is the same clip everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from ..core.clip import Clip
from ..core.config import from_json, name_of
from ..core.errors import UserError
from ..core.rng import digest, stream
from .pairs import EFFECT, Pairs
from .planar import Attributes, Bounce, Collision, Grid, Parabola, Spatial, Temporal, Uniform
from .planar.phyre import Phyre, PhyreAmbiguity
from .spatial import (
    SPATIAL_VIOLATIONS,
    Articulated,
    Balloon,
    Box,
    Capsule,
    Category,
    Cloth,
    Cloths,
    Collide,
    Compound,
    Contain,
    Crane,
    Cylinder,
    Dolly,
    Dominoes,
    Drape,
    Driving,
    Drop,
    Failed,
    FirstPerson,
    Floor,
    Fluids,
    Granular,
    Heater,
    Hull,
    Inflatables,
    Joint,
    Key,
    Light,
    Link,
    Look,
    Melting,
    Orbit,
    Own,
    Particles,
    Physion,
    Piece,
    Push,
    Rigid,
    RigidBodies,
    Roll,
    Rope,
    Ropes,
    Scene,
    Sky,
    Soft,
    SoftBodies,
    SpatialTwins,
    SpatialWorld,
    Sphere,
    Still,
    Support,
    Tracking,
    Wind,
)  # fmt: skip
from .spatial import WORLDS as SPATIAL_WORLDS
from .twins import VIOLATIONS, Twins
from .world import World

VERSION = 1  # of the closed-form worlds' pixels and numbers; raised when the same seed gives other bytes
SPATIAL_VERSION = 1  # of the spatial worlds' scenes, physics and pixels

_WORLDS: tuple[type[World], ...] = (Uniform, Parabola, Collision, Bounce, Attributes, Spatial, Temporal, Phyre, PhyreAmbiguity)
SCENARIOS: dict[str, type[World]] = {cls.name: cls for cls in (*_WORLDS, *SPATIAL_WORLDS)}

__all__ = [
    "EFFECT",
    "SCENARIOS",
    "SPATIAL_VIOLATIONS",
    "VIOLATIONS",
    "Articulated",
    "Attributes",
    "Balloon",
    "Bounce",
    "Box",
    "Capsule",
    "Category",
    "Cloth",
    "Cloths",
    "Collision",
    "Compound",
    "Crane",
    "Cylinder",
    "Dolly",
    "Driving",
    "Drop",
    "Support",
    "Roll",
    "Physion",
    "Link",
    "Drape",
    "Dominoes",
    "Contain",
    "Collide",
    "Failed",
    "FirstPerson",
    "Floor",
    "Fluids",
    "Granular",
    "Grid",
    "Heater",
    "Hull",
    "Inflatables",
    "Joint",
    "Key",
    "Light",
    "Look",
    "Melting",
    "Orbit",
    "Own",
    "Pairs",
    "Parabola",
    "Particles",
    "Phyre",
    "PhyreAmbiguity",
    "Piece",
    "Push",
    "Rigid",
    "RigidBodies",
    "Rope",
    "Ropes",
    "Scene",
    "Sky",
    "Soft",
    "SoftBodies",
    "Spatial",
    "SpatialTwins",
    "SpatialWorld",
    "Sphere",
    "Still",
    "Temporal",
    "Tracking",
    "Twins",
    "Uniform",
    "Wind",
    "World",
    "make",
    "rebuild",
    "remake",
    "scenario",
    "twins",
]


def scenario(name: str, **fields: Any) -> World:
    """The registered scenario `name` with some of its fields set.

    Raises UserError listing the names if there is none, and naming a field that is unknown or wrong.
    """
    if name not in SCENARIOS:
        close = get_close_matches(name, SCENARIOS, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise UserError(f"there is no scenario named {name!r}{meant}; there are {', '.join(SCENARIOS)}")
    world: World = from_json({"part": name_of(SCENARIOS[name]), **fields}, f"scenario {name}")
    return world


def twins(world: World, **fields: Any) -> Pairs:
    """Possible/impossible pairs of a scenario's clips, `Twins` of planar and `SpatialTwins` of spatial ones.

    >>> twins(scenario("uniform"), violations=("vanish",)).kinds
    ('vanish', 'teleport', 'speed', 'shape', 'colour', 'pass_through')
    """
    return SpatialTwins(world, **fields) if isinstance(world, SpatialWorld) else Twins(world, **fields)


def rebuild(data: Any, where: str) -> World:
    """The scenario that was written to JSON as `data`. Raises UserError, naming `where` it was read, if that is none."""
    world = from_json(data, where)
    if not isinstance(world, World):
        raise UserError(f"{where}: is no scenario of kinema, got {data!r}")
    return world


def make(world: World, seed: int, index: int, fields: Sequence[str] | None = None) -> Clip:
    """Clip `index` of a scenario's stream `seed`, bit for bit the same in every process.

    `fields` names the dense truth to render (rgb, segmentation, flow, backward_flow, occlusion; of spatial worlds depth,
    scene_flow and normals too); None gives all, of planar worlds all but the backward flow. Bodies, contacts, energy, camera
    and caption always come.

    >>> clip = make(scenario("uniform", size=32), seed=0, index=7)
    >>> list(clip.rgb.shape), list(clip.flow.shape)
    ([32, 3, 32, 32], [31, 2, 32, 32])
    """
    rng = stream(world.name, seed, index // world.alike)
    clip = world.simulate(world.sample(rng, index), rng, fields)
    spatial = isinstance(world, SpatialWorld | SpatialTwins)
    clip.meta.update(seed=seed, index=index, versions={"spatial": SPATIAL_VERSION} if spatial else {"planar": VERSION})
    if isinstance(world, SpatialWorld):
        clip.meta["run"] = f"{world.name}-{digest(clip.meta['params']['scene'])}"
    return clip


def remake(clip: Clip, fields: Sequence[str] | None = None) -> Clip:
    """The same clip simulated and rendered again from its `meta`. Raises UserError where it does not come from a scenario."""
    missing = [key for key in ("scenario", "seed", "index") if key not in clip.meta]
    if missing:
        raise UserError(f"this clip does not say how it was simulated: its meta lacks {', '.join(missing)}")
    return make(rebuild(clip.meta["scenario"], "meta.scenario"), clip.meta["seed"], clip.meta["index"], fields)
