"""Appearance and cameras drawn at random: what every scenario dresses its scenes with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .looks import Color, Look, Texture
from .scene import Floor, Light, Scenery, Sky
from .shapes import Quaternion, Vector
from .views import AnyView, Crane, Dolly, Orbit, Still, Tracking

# The colours that captions name: saturated, or white, grey and black; floors are duller than any of them.
NAMED: dict[str, Color] = {
    "red": (205, 50, 40), "orange": (240, 135, 30), "yellow": (240, 205, 45), "green": (55, 155, 70), "teal": (35, 155, 160),
    "blue": (45, 90, 190), "purple": (125, 65, 165), "pink": (235, 135, 165), "brown": (120, 78, 45), "white": (238, 238, 232),
    "grey": (135, 135, 138), "black": (42, 42, 46),
}  # fmt: skip
WEIGHTS: dict[Texture, float] = {
    "plain": 9, "checker": 2, "stripes": 2, "dots": 2, "noise": 1.5, "wood": 2.5, "marble": 2, "metal": 2.5, "fabric": 1.5, "concrete": 1.5,
    "tiles": 1, "terrazzo": 1.5, "bricks": 1,
}  # fmt: skip
BOLD: tuple[Texture, ...] = ("checker", "stripes", "dots", "tiles", "terrazzo")  # their second colour may be any


class Ground(NamedTuple):
    """A kind of floor: texture, its colours, and the range of its scale in m, gloss and mirror."""

    texture: Texture
    color: Color
    second: Color
    scale: tuple[float, float]
    gloss: float = 0.05
    mirror: float = 0.0


OUTDOORS = (
    Ground("grass", (118, 128, 72), (70, 88, 45), (0.35, 0.6)),
    Ground("asphalt", (112, 112, 115), (72, 72, 76), (0.25, 0.45)),
    Ground("concrete", (172, 169, 162), (132, 129, 122), (0.4, 0.9)),
    Ground("sand", (205, 182, 142), (165, 138, 100), (0.3, 0.6)),
    Ground("bricks", (166, 130, 112), (196, 188, 176), (0.3, 0.5)),
    Ground("tiles", (186, 178, 164), (140, 132, 120), (0.4, 0.7)),
)
INDOORS = (
    Ground("planks", (186, 150, 108), (120, 88, 58), (1.0, 1.8), 0.25, 0.03),
    Ground("planks", (142, 110, 82), (86, 62, 46), (1.0, 1.8), 0.25, 0.03),
    Ground("tiles", (208, 204, 196), (150, 146, 138), (0.3, 0.6), 0.4, 0.06),
    Ground("checker", (214, 210, 202), (150, 150, 152), (0.3, 0.6), 0.35, 0.05),
    Ground("carpet", (134, 128, 136), (96, 92, 102), (0.5, 1.0)),
    Ground("carpet", (168, 152, 132), (128, 112, 94), (0.5, 1.0)),
    Ground("terrazzo", (206, 202, 194), (138, 122, 110), (0.3, 0.6), 0.35, 0.04),
    Ground("marble", (218, 214, 208), (140, 138, 138), (0.6, 1.2), 0.45, 0.07),
    Ground("concrete", (158, 156, 152), (122, 120, 117), (0.5, 1.0), 0.15),
)
STUDIO = (
    Ground("plain", (188, 188, 190), (188, 188, 190), (1.0, 1.0)),
    Ground("plain", (168, 178, 190), (168, 178, 190), (1.0, 1.0)),
    Ground("plain", (196, 184, 172), (196, 184, 172), (1.0, 1.0)),
    Ground("checker", (200, 200, 200), (172, 172, 172), (0.4, 0.6)),
    Ground("fabric", (176, 172, 168), (138, 134, 130), (0.4, 0.8)),
)
DAYS: tuple[tuple[Color, Color, Color, float], ...] = (  # zenith, horizon, sun, strength
    ((88, 136, 205), (208, 222, 236), (255, 250, 240), 0.80),  # clear
    ((70, 118, 196), (196, 214, 232), (255, 246, 228), 0.85),
    ((158, 168, 180), (212, 216, 220), (240, 244, 250), 0.50),  # overcast
    ((92, 106, 158), (244, 186, 140), (255, 206, 150), 0.78),  # evening
    ((104, 132, 178), (246, 214, 176), (255, 224, 180), 0.80),  # morning
)
WALLS: tuple[Color, ...] = ((214, 206, 192), (190, 200, 204), (202, 190, 178), (184, 192, 178), (208, 204, 208), (172, 180, 194))


def look(rng: np.random.Generator, color: str | None = None) -> Look:
    """A random surface, of the colour named (None: any of `NAMED`)."""
    names = tuple(NAMED)
    first = color or names[int(rng.integers(len(names)))]
    base = np.array(NAMED[first]) + rng.integers(-10, 11, 3)
    textures = tuple(WEIGHTS)
    texture = textures[int(rng.choice(len(textures), p=np.array(tuple(WEIGHTS.values())) / sum(WEIGHTS.values())))]
    shade, bold = rng.uniform(0.5, 0.75), rng.random()
    second = base * shade
    if texture in BOLD and bold < 0.5:
        # Light on dark and dark on light, so that the first colour stays the body's.
        second = base * 0.35 + (150 if base.mean() < 140 else 20)
    shine = rng.uniform(0.3, 0.9) if texture in ("plain", "metal", "marble", "tiles") else rng.uniform(0.0, 0.3)
    mirror = rng.uniform(0.12, 0.3) if texture == "metal" else 0.0
    return Look(
        color=_color(base), second=_color(second), texture=texture, scale=_draw(rng, 0.05, 0.14), gloss=round(float(shine), 3),
        mirror=round(float(mirror), 3), seed=int(rng.integers(1000)),
    )  # fmt: skip


def surroundings(rng: np.random.Generator) -> tuple[Floor, Light, Sky]:
    """A random floor, sun and sky that go together: outdoors, in a room or in a studio."""
    place = ("outdoors", "room", "studio")[int(rng.choice(3, p=(0.45, 0.35, 0.2)))]
    grounds = {"outdoors": OUTDOORS, "room": INDOORS, "studio": STUDIO}[place]
    ground = grounds[int(rng.integers(len(grounds)))]
    tone = rng.uniform(0.92, 1.06)
    dressed = Look(
        color=_color(np.array(ground.color) * tone), second=_color(np.array(ground.second) * tone), texture=ground.texture,
        scale=_draw(rng, *ground.scale), gloss=ground.gloss, mirror=ground.mirror, seed=int(rng.integers(1000)),
    )  # fmt: skip
    seed = int(rng.integers(1000))
    if place == "outdoors":
        zenith, horizon, warm, strength = DAYS[int(rng.integers(len(DAYS)))]
        scenery: Scenery = ("open", "hills", "skyline")[int(rng.integers(3))]
        clouds = _draw(rng, 0.2, 0.8) if rng.random() < 0.7 else 0.0
        tint: Color = (96, 112, 88) if scenery == "hills" else (118, 116, 120)
        sky = Sky(zenith=zenith, horizon=horizon, ground=tint, clouds=clouds, scenery=scenery, haze=_draw(rng, 0.008, 0.02), seed=seed)
        return Floor(look=dressed), _sun(rng, warm, strength, (30, 65)), sky
    wall = WALLS[int(rng.integers(len(WALLS)))]
    if place == "room":
        skirting = _color(np.array(wall) * (0.55 if rng.random() < 0.5 else 1.12))
        sky = Sky(zenith=(232, 230, 226), horizon=wall, ground=skirting, scenery="room", haze=0.0, seed=seed)
        return Floor(look=dressed), _sun(rng, (255, 244, 226), 0.6, (45, 75), size=3.0, ambient=0.5), sky
    paper = _color(np.array(dressed.color) * 1.04)
    sky = Sky(zenith=_color(np.array(paper) * 0.72), horizon=paper, ground=paper, scenery="studio", haze=0.07, seed=seed)
    return Floor(look=dressed), _sun(rng, (255, 252, 248), 0.62, (45, 75), size=4.0, ambient=0.5), sky


def _sun(
    rng: np.random.Generator, color: Color, strength: float, heights: tuple[float, float], size: float = 1.5, ambient: float = 0.4
) -> Light:
    around, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*heights))
    direction = vector(np.array([np.cos(height) * np.cos(around), np.cos(height) * np.sin(around), -np.sin(height)]))
    stronger, more = rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
    return Light(direction=direction, color=color, strength=round(strength * stronger, 3), ambient=round(ambient * more, 3), size=size)


def views(rng: np.random.Generator, target: Vector, extent: float, body: str | None = None) -> tuple[AnyView, ...]:
    """Five cameras about `target` m for a scene `extent` m wide to each side: three still, then two that move (orbit, dolly,
    crane or, where a `body` is named, tracking)."""
    found: list[AnyView] = []
    for base in (-90.0, -30.0, -150.0):
        angle, far = np.radians(base + rng.uniform(-15, 15)), extent * rng.uniform(3.2, 4.0)
        offset = np.array([far * np.cos(angle), far * np.sin(angle), far * rng.uniform(0.18, 0.5)])
        found.append(Still(eye=vector(np.array(target) + offset), target=target, fov=45.0))
    far = round(float(extent * rng.uniform(3.2, 4.0)), 4)
    eye = (target[0], target[1] - far, target[2] + far * 0.4)
    moving: list[AnyView] = [
        Orbit(target=target, radius=far, height=round(far * 0.4, 4), start=_draw(rng, -120, -60), rate=_draw(rng, 8, 25)),
        Dolly(eye=eye, target=target, velocity=(_draw(rng, -0.4 * extent, 0.4 * extent), _draw(rng, -0.2 * extent, 0.4 * extent), 0.0)),
        Crane(eye=eye, target=target, rate=_draw(rng, 0.2 * extent, 0.6 * extent)),
    ]
    if body is not None:
        moving.append(Tracking(body=body, offset=(0.0, -far, round(far * 0.4, 4))))
    return (*found, *(moving[int(k)] for k in rng.permutation(len(moving))[:2]))


def rotation(rng: np.random.Generator) -> Quaternion:
    """A rotation (w, x, y, z), any as likely as any other."""
    q = rng.normal(size=4)
    w, x, y, z = (float(c) for c in q / np.linalg.norm(q))
    return (w, x, y, z)


def vector(values: np.ndarray) -> Vector:
    """Three numbers, rounded to 0.1 mm, as a scene holds them."""
    x, y, z = (round(float(value), 4) for value in values)
    return (x, y, z)


def _draw(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)


def _color(channels: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(c) for c in np.clip(channels, 0, 255))
    return (red, green, blue)
