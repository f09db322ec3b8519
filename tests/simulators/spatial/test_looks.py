"""Looks, light and surroundings: every texture and scenery draws, the same in every process; wrong values are refused by name."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.simulators.spatial import TEXTURES, Box, Floor, Light, Look, Rigid, Run, Scene, Sky, Sphere, Still, styles
from kinema.simulators.spatial.scene import SCENERIES
from kinema.simulators.spatial.views import camera

pytest.importorskip("warp")

from kinema.simulators.spatial.cast import cast

RED, GREY = (200, 50, 40), (60, 60, 60)


def picture(scene: Scene, size: int = 48, samples: int = 2) -> np.ndarray:
    """Its first frame [3,h,w]; nothing moves."""
    n = len(scene.bodies)
    position = np.repeat(np.array([[body.position for body in scene.bodies]], float), 2, 0)
    rotation = np.repeat(np.array([[body.rotation for body in scene.bodies]], float), 2, 0)
    none = np.zeros((2, n))
    run = Run(
        times=np.arange(2) / 16, position=position, rotation=rotation, center=position, velocity=none, angular_velocity=none,
        mass=np.ones(n), kinetic=none, potential=none, elastic=none, vertices=np.zeros((2, 0, 3), np.float32),
    )  # fmt: skip
    seen = camera(scene.view(0), run.times, lambda name: (position[:, 0], rotation[:, 0]), size)
    return np.asarray(cast(scene, run, seen, size, ("rgb",), samples)["rgb"][0])


def table(look: Look, **keys: object) -> Scene:
    bodies = (
        Rigid(name="ball", shape=Sphere(0.3), position=(-0.4, 0, 0.3), look=look),
        Rigid(name="box", shape=Box((0.5, 0.5, 0.5)), position=(0.4, 0, 0.25), look=look),
    )
    return Scene(bodies, views=(Still(eye=(0, -1.8, 0.7), target=(0, 0, 0.3)),), **keys)  # type: ignore[arg-type]


def test_every_texture_is_another_one() -> None:
    drawn = [picture(table(Look(color=RED, second=GREY, texture=texture, scale=0.15))) for texture in TEXTURES]
    for a in range(len(TEXTURES)):
        for b in range(a):
            assert np.abs(drawn[a].astype(float) - drawn[b]).mean() > 0.3, (TEXTURES[a], TEXTURES[b])


@pytest.mark.parametrize("key", ["gloss", "mirror", "clear"])
def test_a_finish_changes_bodies_alone(key: str) -> None:
    plain, finished = (picture(table(Look(color=RED, **{"gloss": 0.0, key: share}))) for share in (0.0, 0.8))
    differ = (plain != finished).any(0)
    assert 0.01 < differ.mean() < 0.6
    assert not differ[:3].any()


def test_a_plain_colour_is_shown_as_it_is() -> None:
    """Lit from above at a strength that just balances: linear light of the ambient and the sun sums to 1."""
    sky = Sky(zenith=(255, 255, 255), horizon=(255, 255, 255), haze=0.0)
    light = Light(direction=(0, 0, -1), color=(255, 255, 255), strength=0.6, ambient=0.4, size=0.0)
    floor = Floor(look=Look(color=(120, 60, 180), gloss=0.0))
    far = Rigid(name="far", shape=Sphere(0.1), position=(0, 50, 0.1))
    scene = Scene((far,), floor=floor, light=light, sky=sky, views=(Still(eye=(0, -1, 2)),))
    assert np.abs(picture(scene)[:, 40, 24].astype(int) - [120, 60, 180]).max() <= 2


def test_the_brighter_the_sun_the_brighter_the_picture() -> None:
    dark, bright = (picture(table(Look(color=RED), light=Light(strength=strength))).mean() for strength in (0.2, 0.9))
    assert bright > 1.15 * dark


def test_every_scenery_is_another_one() -> None:
    drawn = [picture(table(Look(), sky=Sky(scenery=scenery, clouds=0.5), floor=None)) for scenery in SCENERIES]
    assert len({image.tobytes() for image in drawn}) == len(SCENERIES)


def test_drawn_looks_keep_to_their_colour() -> None:
    rng = np.random.default_rng(0)
    for name, color in styles.NAMED.items():
        for _ in range(5):
            found = styles.look(rng, name)
            apart = {other: np.abs(np.subtract(found.color, there)).sum() for other, there in styles.NAMED.items()}
            assert min(apart, key=apart.__getitem__) == name
            assert np.abs(np.subtract(found.color, color)).max() <= 10


def test_drawn_surroundings_come_back_from_json_and_are_the_streams_alone() -> None:
    for seed in range(40):
        one, two = (styles.surroundings(np.random.default_rng(seed)) for _ in range(2))
        assert one == two
        assert tuple(from_json(to_json(part)) for part in one) == one
    assert len({sky.scenery for _, _, sky in (styles.surroundings(np.random.default_rng(k)) for k in range(60))}) == len(SCENERIES)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Look(texture="velvet"), "texture must be one of plain, checker"),
        (lambda: Look(scale=0.0), "scale must be above 0"),
        (lambda: Look(mirror=1.5), "mirror must be from 0 to 1"),
        (lambda: Look(color=(0, 0, 300)), "color must be three numbers"),
        (lambda: Light(size=90.0), "size must be from 0 to 60"),
        (lambda: Sky(scenery="moon"), "scenery must be one of open"),
        (lambda: Sky(clouds=2.0), "clouds must be from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()  # type: ignore[operator]


PROGRAM = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from test_looks import picture, table, Look
from kinema.simulators.spatial.cast.device import ready
ready(print)
print(hashlib.sha256(picture(table(Look(texture="marble", mirror=0.2)), 32).tobytes()).hexdigest())
"""


def test_another_process_draws_the_same_bytes_and_says_nothing_else() -> None:
    program = PROGRAM.format(folder=os.path.dirname(__file__))
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    own = hashlib.sha256(picture(table(Look(texture="marble", mirror=0.2)), 32).tobytes()).hexdigest()
    assert run.stdout == own + "\n"
    assert run.stderr == ""
