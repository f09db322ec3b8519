"""A user's own scene: a file, or a few lines of Python, simulated with the same truth and the same commands as all others."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ...core.config import part
from ...core.errors import UserError
from . import plain, styles
from .bodies import AnyBody, Balloon, Cloth, Particles, Rigid, Rope, Soft
from .looks import Color, Look
from .matter import extent, matter
from .scene import Floor, Scene
from .views import AnyView, Crane, Dolly, Orbit, Still
from .world import SpatialWorld

SETTINGS = ("duration", "fps", "size", "supersampling")
DURATION, FPS = 2.0, 16.0  # s, frames/s


@part
class Own(SpatialWorld):
    """One scene, given. Every clip is the same physics unless `vary` shifts what stands free by some per cent of its size and
    draws colours, light and camera angle anew for every clip.

    >>> Own(Scene((Rigid(name="ball", shape=Sphere(0.1), position=(0.0, 0.0, 1.0)),)))  # doctest: +SKIP
    """

    name = "scene"
    splits: ClassVar[Mapping[str, Any]] = {"id": None}

    given: Scene = field(kw_only=False)
    vary: bool = False

    def split(self, name: str) -> Self:
        """The same scene; its only split is "id"."""
        if name not in self.splits:
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return self

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene, as it is or varied."""
        return varied(self.given, rng) if self.vary else self.given


def read_scene(source: str | Path | Mapping[str, Any]) -> Own:
    """The world of a scene.json, or of what such a file holds: the scene, its duration in s, fps, size and supersampling; every
    camera of the scene films it.

    Raises UserError naming the file, the body and the field where something is wrong, and what was expected.
    """
    where, data = (str(source), _loaded(Path(source))) if isinstance(source, str | Path) else ("scene", source)
    scene = plain.read(data, where, SETTINGS)
    given = {key: _setting(data[key], key, where) for key in SETTINGS if key in data}
    fps = given.get("fps", FPS)
    frames = round(given.get("duration", DURATION) * fps)
    fields: dict[str, Any] = {key: int(given[key]) for key in ("size", "supersampling") if key in given}
    if frames < 2:
        raise UserError(f"{where}: duration must hold at least two frames, got {frames} at {fps:g} frames per second")
    try:
        return Own(scene, num_frames=frames, fps=fps, dt=1 / fps, cameras=len(scene.views), **fields)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def write_scene(world: SpatialWorld | Scene, path: str | Path | None = None) -> dict[str, Any]:
    """A scene, or a world's with its settings, as `read_scene` reads it; written to `path` as well where one is given.

    Raises UserError where a world has no one scene: draw one of it first.
    """
    if isinstance(world, Scene):
        data = plain.write(world)
    elif isinstance(world, Own):
        settings = {"duration": world.num_frames * world.dt, "fps": 1 / world.dt, "size": world.size, "supersampling": world.supersampling}
        data = {**{key: round(value, 9) for key, value in settings.items()}, **plain.write(world.given)}
    else:
        raise UserError(f"{world.name} draws another scene for every clip: write one of them, world.draw(rng, index)")
    if path is not None:
        Path(path).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return data


def overlaps(scene: Scene) -> list[str]:
    """Sentences on bodies that stand, by more than 2 mm, inside rigid bodies or the floor at the start: they will be pushed out."""
    rigid = [body for body in scene.bodies if isinstance(body, Rigid) and not body.ghost]
    deepest = _among(rigid, scene.floor) if rigid else {}
    for body in scene.bodies:
        if isinstance(body, Cloth | Soft | Balloon | Particles):
            deepest |= _inside(body, rigid, scene.floor)
    return [f"{one} and {other} overlap by {deep * 1000:.0f} mm at the start" for (one, other), deep in deepest.items() if deep > 0.002]


def _among(rigid: list[Rigid], floor: Floor | None) -> dict[tuple[str, str], float]:
    """How deep rigid bodies are in each other, and in the floor [m]; what stands still may."""
    import mujoco

    from .mujoco.model import model

    names = [body.name for body in rigid]
    built = model(Scene(tuple(replace(body, velocity=(0.0, 0.0, 0.0)) for body in rigid), floor=floor), 0.001)
    data = mujoco.MjData(built)
    mujoco.mj_forward(built, data)
    deepest: dict[tuple[str, str], float] = {}
    for contact in data.contact:
        pair = sorted((built.body(built.geom_bodyid[geom]).name for geom in contact.geom), key=[*names, "world"].index)
        one, other = (name if name in names else "the floor" for name in pair)
        deepest[one, other] = max(deepest.get((one, other), 0.0), -float(contact.dist))
    return deepest


def _inside(body: Cloth | Soft | Balloon | Particles, rigid: list[Rigid], floor: Floor | None) -> dict[tuple[str, str], float]:
    """How deep the vertices or particles of a body are in rigid ones, and in the floor [m]; pinned ones too."""
    from scipy.spatial.transform import Rotation

    from .mpm.distance import distance

    turn = Rotation.from_quat(body.rotation, scalar_first=True)
    points = turn.apply(matter(body).points) + body.position
    found = {
        (body.name, other.name): -float(distance(other, np.array(other.position), np.array(other.rotation), points).min())
        for other in rigid
    }
    return found | ({(body.name, "the floor"): -float(points[:, 2].min())} if floor is not None else {})


def varied(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene seen anew: starts shifted by up to 3 % of a body's width where nothing holds it, colours, light, cameras."""
    tied = {end for body in scene.bodies if isinstance(body, Rope) for end in (body.start, body.end)}
    tied |= {body.parent for body in scene.bodies if isinstance(body, Rigid)}
    bodies = tuple(_shifted(replace(body, look=_recolored(body.look, rng)), tied, rng) for body in scene.bodies)
    _, light, sky = styles.surroundings(rng)
    floor = scene.floor and replace(scene.floor, look=_recolored(scene.floor.look, rng))
    return replace(scene, bodies=bodies, floor=floor, light=light, sky=sky, views=tuple(_moved(view, rng) for view in scene.views))


def _shifted(body: AnyBody, tied: set[str | None], rng: np.random.Generator) -> AnyBody:
    shift = rng.uniform(-0.03, 0.03, 2) * extent(body)[:2].min()
    held = isinstance(body, Rope) and (body.start is not None or body.end is not None)
    held = held or (isinstance(body, Rigid) and (body.fixed or body.drive or body.joint is not None or body.name in tied))
    if held or (isinstance(body, Cloth) and body.pinned != "none"):
        return body
    return replace(body, position=styles.vector(np.array(body.position) + np.array([*shift, 0.0])))


def _recolored(look: Look, rng: np.random.Generator) -> Look:
    first, second = (_near(color, rng) for color in (look.color, look.second))
    return replace(look, color=first, second=second, seed=int(rng.integers(1000)))


def _near(color: Color, rng: np.random.Generator) -> Color:
    red, green, blue = (min(max(channel + int(rng.integers(-18, 19)), 0), 255) for channel in color)
    return (red, green, blue)


def _moved(view: AnyView, rng: np.random.Generator) -> AnyView:
    turn, far = rng.uniform(-15, 15), rng.uniform(0.93, 1.08)
    if isinstance(view, Orbit):
        return replace(view, start=round(view.start + turn, 3), radius=round(view.radius * far, 4))
    if isinstance(view, Still | Dolly | Crane):
        x, y, z = far * (np.array(view.eye) - view.target)
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        return replace(view, eye=styles.vector(np.array(view.target) + np.array([c * x - s * y, s * x + c * y, z])))
    return view


def _loaded(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text in UTF-8") from None


def _setting(value: Any, key: str, where: str) -> float:
    whole = key in ("size", "supersampling")
    kinds = int if whole else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise UserError(f"{where}: {key} must be {'a whole number' if whole else 'a number'} above 0, got {json.dumps(value)}")
    return float(value)
