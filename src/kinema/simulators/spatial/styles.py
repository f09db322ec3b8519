"""Appearance and cameras drawn at random: what every scenario dresses its scenes with."""

from __future__ import annotations

import numpy as np

from .looks import TEXTURES, Look
from .scene import Floor, Light, Sky
from .shapes import Quaternion, Vector
from .views import AnyView, Crane, Dolly, Orbit, Still, Tracking

NAMED = {
    "red": (205, 55, 45), "orange": (235, 135, 35), "yellow": (235, 200, 50), "green": (60, 150, 70), "blue": (50, 95, 185),
    "purple": (125, 70, 160), "brown": (125, 85, 55), "pink": (230, 140, 165), "white": (235, 235, 230), "grey": (135, 135, 135),
    "black": (45, 45, 48),
}  # fmt: skip


def look(rng: np.random.Generator, color: str | None = None) -> Look:
    """A random surface, of the colour named (None: any)."""
    names = tuple(NAMED)
    first = color or names[int(rng.integers(len(names)))]
    base = np.array(NAMED[first]) + rng.integers(-12, 13, 3)
    second = base * rng.uniform(0.45, 0.75) + rng.uniform(0, 40)
    texture = TEXTURES[int(rng.integers(len(TEXTURES)))]
    return Look(
        color=_color(base), second=_color(second), texture=texture, scale=round(float(rng.uniform(0.03, 0.12)), 4),
        gloss=round(float(rng.uniform(0, 0.6)), 3), seed=int(rng.integers(1000)),
    )  # fmt: skip


def surroundings(rng: np.random.Generator) -> tuple[Floor, Light, Sky]:
    """A random floor, sun and sky."""
    around = rng.uniform(0, 2 * np.pi)
    light = Light(direction=(round(float(np.cos(around)), 4), round(float(np.sin(around)), 4), round(float(-rng.uniform(0.8, 2.0)), 4)))
    return Floor(), light, Sky()


def views(rng: np.random.Generator, target: Vector, extent: float, body: str | None = None) -> tuple[AnyView, ...]:
    """Five cameras about `target` m for a scene `extent` m wide to each side: three still, then two that move (orbit, dolly,
    crane or, where a `body` is named, tracking)."""
    found: list[AnyView] = []
    for base in (-90.0, -30.0, -150.0):
        angle, far = np.radians(base + rng.uniform(-15, 15)), extent * rng.uniform(3.2, 4.0)
        offset = np.array([far * np.cos(angle), far * np.sin(angle), far * rng.uniform(0.3, 0.6)])
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
