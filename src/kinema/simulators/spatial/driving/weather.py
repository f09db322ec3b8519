"""Light and sky over a street: time of day and weather."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..looks import Look
from ..scene import Floor, Light, Sky

TIMES = ("noon", "afternoon", "dusk", "overcast")


def surroundings(rng: np.random.Generator) -> tuple[Floor, Light, Sky, str]:
    """Ground, sun and sky, and the time of day and the weather in a word."""
    time = str(rng.choice(TIMES, p=[0.3, 0.25, 0.2, 0.25]))
    around, seed = float(rng.uniform(0, 2 * math.pi)), int(rng.integers(1000))
    height = {"noon": 1.6, "afternoon": 0.8, "dusk": 0.32, "overcast": 1.5}[time]
    direction = (round(math.cos(around), 4), round(math.sin(around), 4), -height)
    light, sky = {
        "noon": (
            Light(direction=direction, strength=0.95, ambient=0.45),
            Sky(zenith=(75, 130, 205), horizon=(200, 220, 238), clouds=0.3, seed=seed),
        ),
        "afternoon": (
            Light(direction=direction, color=(255, 236, 205), strength=0.95, ambient=0.42),
            Sky(zenith=(85, 135, 200), horizon=(222, 220, 212), clouds=0.4, seed=seed),
        ),
        "dusk": (
            Light(direction=direction, color=(255, 190, 130), strength=0.8, ambient=0.32),
            Sky(zenith=(70, 80, 130), horizon=(240, 170, 120), clouds=0.4, seed=seed),
        ),
        "overcast": (
            Light(direction=direction, strength=0.15, ambient=0.75),
            Sky(zenith=(165, 170, 176), horizon=(205, 208, 210), clouds=0.9, seed=seed),
        ),
    }[time]
    hazy = bool(rng.random() < 0.2)
    sky = replace(sky, haze=round(float(rng.uniform(0.012, 0.022) if hazy else rng.uniform(0.002, 0.005)), 4), scenery="skyline")
    grass = bool(rng.random() < 0.5)
    color, second = ((96, 124, 66), (78, 104, 54)) if grass else ((140, 136, 128), (120, 117, 110))
    floor = Floor(look=Look(color=color, second=second, texture="grass" if grass else "concrete", scale=1.5, gloss=0.0))
    return floor, light, sky, time + " haze" * hazy
