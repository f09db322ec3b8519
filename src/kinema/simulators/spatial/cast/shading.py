"""A scene's looks, light and sky as the kernels' Shading."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.rng import stream
from ..looks import TEXTURES, Color, Look, Texture
from ..scene import SCENERIES, Light, Scene
from .device import warp
from .geometry import Geometry

Floats = NDArray[np.float64]
# How much of the second colour a texture has on average: what it fades to where it is finer than a pixel.
MEAN: dict[Texture, float] = {
    "plain": 0, "checker": 0.5, "stripes": 0.5, "dots": 0.27, "noise": 0.5, "wood": 0.33, "marble": 0.2, "bricks": 0.33,
    "metal": 0.35, "fabric": 0.4, "concrete": 0.45, "grass": 0.45, "asphalt": 0.4, "tiles": 0.2, "sand": 0.42,
    "terrazzo": 0.2, "carpet": 0.4, "planks": 0.33,
}  # fmt: skip
# How deep its relief is, in units of the scale.
BUMP: dict[Texture, float] = {
    "bricks": 0.03, "metal": 0.006, "fabric": 0.03, "concrete": 0.02, "grass": 0.05, "asphalt": 0.04, "tiles": 0.02, "sand": 0.04,
    "carpet": 0.02, "planks": 0.01,
}  # fmt: skip


def shading(g: Geometry, scene: Scene, origin: Floats) -> Any:
    """The kernels' Shading of a scene; the look of the floor comes first."""
    wp = warp()
    from .kernels import Shading

    floor = scene.floor.look if scene.floor is not None else Look()
    looks = (floor, *g.looks)
    s = Shading()
    s.color, s.second = (wp.array(np.array([linear(getattr(look, key)) for look in looks]), dtype=wp.vec3) for key in ("color", "second"))
    s.texture = wp.array([TEXTURES.index(look.texture) for look in looks], dtype=int)
    for name, values in (("mean", MEAN), ("bump", BUMP)):
        setattr(s, name, wp.array([float(values.get(look.texture, 0.0)) for look in looks], dtype=float))
    for key in ("scale", "gloss", "mirror", "clear"):
        setattr(s, key, wp.array([float(getattr(look, key)) for look in looks], dtype=float))
    s.shift = wp.array([[(look.seed * p) % 31 for p in (0.37, 0.73, 0.11)] for look in looks], dtype=wp.vec3)
    s.table, s.tones = (wp.array(array) for array in (_table(), _tones()))
    s.origin = wp.vec3(*origin)
    _sun(s, scene)
    sky = scene.sky
    s.zenith, s.horizon, s.ground = (wp.vec3(*linear(color)) for color in (sky.zenith, sky.horizon, sky.ground))
    # In front of hills and houses the floor fades into what they stand on.
    fog = linear(sky.horizon) if sky.scenery in ("open", "room", "studio") else 0.45 * linear(sky.horizon) + 0.4 * linear(sky.ground)
    s.fog = wp.vec3(*fog)
    s.clouds, s.haze, s.around = sky.clouds, sky.haze, SCENERIES.index(sky.scenery)
    s.turn = float((sky.seed * 0.618) % 31)
    return s


def sun_of(light: Light) -> tuple[Floats, float]:
    """The direction towards the sun, and the tangent of its angular radius."""
    return -np.array(light.direction) / np.linalg.norm(light.direction), float(np.tan(np.radians(light.size / 2)))


def _sun(s: Any, scene: Scene) -> None:
    wp, light, sky = warp(), scene.light, scene.sky
    sun, radius = sun_of(light)
    across = np.cross(sun, (1.0, 0.0, 0.0) if abs(sun[0]) < 0.9 else (0.0, 1.0, 0.0))
    across *= radius / np.linalg.norm(across)
    s.sun, s.sun_x, s.sun_y = wp.vec3(*sun), wp.vec3(*across), wp.vec3(*np.cross(sun, across))
    s.sun_color = wp.vec3(*(light.strength * linear(light.color)))
    # Light from all sides has something of the sky's colour from above, and of the floor's from below.
    above = 0.5 * (linear(sky.zenith) + linear(sky.horizon))
    below = linear(scene.floor.look.color) if scene.floor is not None else linear(sky.ground)
    s.above = wp.vec3(*(light.ambient * (0.65 + 0.35 * above / max(above.mean(), 1e-3))))
    s.below = wp.vec3(*(light.ambient * (0.3 + 0.45 * below)))


def linear(color: Color) -> Floats:
    """Linear light of a colour."""
    return np.asarray((np.array(color) / 255.0) ** 2.2)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float32]:
    return stream("noise").uniform(-1, 1, 32**3).astype(np.float32)


@lru_cache(maxsize=1)
def _tones() -> NDArray[np.uint8]:
    """Bytes by the root of linear light: a colour stays what it is up to 0.7, and brighter light approaches white."""
    light = (np.arange(2048) / 1447.0) ** 2
    light = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    return np.round(255 * np.minimum(light, 1) ** (1 / 2.2)).astype(np.uint8)
