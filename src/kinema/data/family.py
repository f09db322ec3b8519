"""What the making of a dataset owes to the family its world is of: closed-form planar worlds are cheap, spatial ones are not."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TypeGuard

from ..core.errors import UserError
from ..core.rng import stream
from ..simulators import Pairs, Particles, SpatialWorld, World
from ..simulators.spatial.missing import missing

Announce = Callable[[str], None]

COMMON = ("av", "kinema", "numpy", "safetensors", "torch")
PLANAR, SPATIAL = ("pymunk",), ("mujoco", "newton", "scipy", "warp-lang")  # what moves and draws them


def base(world: World) -> World:
    """The world itself, where twins are drawn of it."""
    return world.scenario if isinstance(world, Pairs) else world


def is_spatial(world: World) -> TypeGuard[SpatialWorld]:
    """Whether a world is moved by engines and rendered by rays."""
    return isinstance(world, SpatialWorld)


def versions(world: World) -> dict[str, str]:
    """Versions of what has a say in the bytes of a world's datasets. Raises UserError where an engine is not installed."""
    names = (*COMMON, *(SPATIAL if is_spatial(base(world)) else PLANAR))
    try:
        return {name: version(name) for name in sorted(names)}
    except ModuleNotFoundError as error:  # its name is that of the distribution
        raise UserError(f"spatial worlds need {error.name}: pip install 'kinema[spatial]'") from None


def ready(world: World, announce: Announce | None = None) -> None:
    """Compile what a world's clips need, once, before workers would each do so; `announce` is told what the wait is.

    Raises UserError where an engine is not installed."""
    own = base(world)
    if not is_spatial(own):
        return
    try:
        from ..simulators.spatial.cast.device import ready as compile_rays

        compile_rays(announce)
        scene = own.draw(stream(own.name, 0, 0), 0)
        if any(isinstance(body, Particles) for body in scene.bodies):
            from ..simulators.spatial.mpm import ready as compile_particles

            compile_particles(announce)
    except ModuleNotFoundError as error:
        raise missing(error) from None


def clips_per_worker(world: World) -> int:
    """Below this many clips a second process costs more than it brings."""
    return 6 if is_spatial(base(world)) else 64


def shard_size(world: World, num: int, store: str) -> int:
    """Clips of a shard, unless said otherwise: the same for every number of workers.

    At least eight shards where there are clips enough, so that there is work to share. Those of spatial worlds are small, so that
    sixteen cores end together and little is lost on interruption; all cameras of a run are in one, because it is simulated once.
    """
    if not is_spatial(base(world)):
        return min(256 if store == "bodies" else 32, -(-num // 8))
    runs = min(16 if store == "bodies" else 8, -(-num // 32))
    return -(-runs // world.alike) * world.alike
