"""Three-dimensional worlds: scenes of bodies, engines that move them, and a ray-caster that sees everything there is to know."""

from .bodies import KINDS, Balloon, Body, Cloth, Joint, Key, Particles, Rigid, Rope, Soft
from .driving import Driving
from .looks import TEXTURES, Look
from .materials import MATERIALS
from .own import Own, overlaps, read_scene, write_scene
from .phys4d import Articulated, Category, Cloths, Fluids, Granular, Inflatables, Melting, RigidBodies, Ropes, SoftBodies
from .physion import PHYSION, Collide, Contain, Dominoes, Drape, Drop, Link, Physion, Roll, Support
from .run import Failed, Run
from .scene import Floor, Heater, Light, Push, Scene, Sky, Wind
from .shapes import Box, Capsule, Compound, Cylinder, Hull, Piece, Sphere
from .twins import SPATIAL_VIOLATIONS, SpatialTwins
from .views import Crane, Dolly, FirstPerson, Orbit, Still, Tracking
from .world import SpatialWorld

WORLDS: tuple[type[SpatialWorld], ...] = (
    *PHYSION, Driving, Ropes, RigidBodies, Articulated, Cloths, SoftBodies, Inflatables, Fluids, Granular, Melting,
)  # fmt: skip

__all__ = [
    "KINDS",
    "MATERIALS",
    "SPATIAL_VIOLATIONS",
    "TEXTURES",
    "WORLDS",
    "Articulated",
    "Balloon",
    "Body",
    "Box",
    "Capsule",
    "Category",
    "Cloth",
    "Cloths",
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
    "Particles",
    "Piece",
    "Push",
    "Rigid",
    "RigidBodies",
    "Rope",
    "Ropes",
    "Run",
    "Scene",
    "Sky",
    "Soft",
    "SoftBodies",
    "SpatialTwins",
    "SpatialWorld",
    "Sphere",
    "Still",
    "Tracking",
    "Wind",
    "overlaps",
    "read_scene",
    "write_scene",
]
