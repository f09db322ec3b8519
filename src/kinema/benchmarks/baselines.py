"""Yardsticks beside every dream: the last frame repeated, and the textbook, which knows the law and measures the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ..core.clip import Clip, as_uint8
from ..core.errors import UserError
from ..metrics import parse
from ..metrics.parse import WHOLE, Array, colors_of
from ..simulators import rebuild
from ..simulators.planar import Planar
from ..simulators.planar.shapes import BALL, PUBLISHED_RIM, outline


def given(truth: Clip, frames: int) -> Clip:
    """What a model is shown: the first `frames` frames as pixels, with the clip's meta."""
    return truth.only("rgb", "text").frames(0, frames)


def repeat_last(truth: Clip, frames: int) -> Clip:
    """The first `frames` frames, then the last of them for the rest of the clip."""
    held = truth.rgb[frames - 1 : frames].expand(truth.num_frames - frames, -1, -1, -1)
    return truth.only("rgb").replace(rgb=torch.cat([truth.rgb[:frames], held]), meta=_meta(truth, frames))


def textbook(truth: Clip, frames: int) -> Clip:
    """The law in closed form, started from what the first `frames` frames show, and rendered like the world itself.

    Radii, positions and velocities come from the parser (least squares over the given frames), masses from the radii,
    gravity and walls from the scenario, shapes from the truth (balls where it states none). `truth` needs rgb, and meta of
    its scenario; nothing after the given frames is looked at. Raises UserError for a clip that does not come from a scenario.
    """
    world = replace(world_of(truth), size=truth.size[0])  # a clip may have been resized since
    stated = truth.bodies if truth.has("bodies") else {}
    seen = parse(given(truth, frames), colors=colors_of(truth) if stated else None, subpixel=True)
    position, velocity, radius = fit(seen, world.gravity)
    bodies = {"color": seen.bodies["color"][:1]}
    if "shape" in stated:
        bodies["shape"] = stated["shape"][:1]
    codes = bodies["shape"][0].tolist() if "shape" in bodies else [BALL] * len(radius)
    area: Array = np.array([outline(code, 1.0).area for code in codes])
    inked = [1 - PUBLISHED_RIM / 2 if world.box2d_compatible and code == BALL else 1.0 for code in codes]
    radius = radius * np.sqrt(np.pi / (area * inked))  # the parser takes what it sees for balls
    mass: Array = area * radius**2
    times: Array = np.arange(truth.num_frames, dtype=float) * truth.dt
    run = world.move(position, velocity, radius, mass, times)
    bodies |= {"position": torch.from_numpy(run.position), "radius": torch.from_numpy(radius)[None]}
    bodies = {key: value.expand(truth.num_frames, *value.shape[1:]).clone() for key, value in bodies.items()}
    rgb = world.render(bodies, ("rgb",))["rgb"]
    meta = _meta(truth, frames) | ({"render_width": world.size} if world.box2d_compatible else {})
    return truth.only().replace(rgb=torch.cat([as_uint8(truth.rgb[:frames]), rgb[frames:]]), meta=meta)


def fit(seen: Clip, gravity: tuple[float, float]) -> tuple[Array, Array, Array]:
    """(position [n,2] m, velocity [n,2] m/s at the first frame, radius [n] m) of parsed bodies, by least squares.

    Frames that do not show a ball whole are left out while enough others do. Raises UserError where a ball is never seen.
    """
    all_times = np.arange(seen.num_frames) * seen.dt
    position, velocity, radius = [], [], []
    for body in range(seen.bodies["radius"].shape[1]):
        x, r, state = (seen.bodies[name][:, body].numpy() for name in ("position", "radius", "state"))
        use = state == WHOLE if (state == WHOLE).sum() > 1 else ~np.isnan(r)
        if not use.any():
            raise UserError("a ball is in none of the given frames: the law has nothing to start from")
        time = all_times[use]
        free = x[use] - 0.5 * np.array(gravity) * time[:, None] ** 2
        design = np.stack([np.ones_like(time), time], 1)[:, : len(time)]
        solution = np.linalg.lstsq(design, free, rcond=None)[0]
        position.append(solution[0])
        velocity.append(solution[1] if len(solution) > 1 else np.zeros(2))
        radius.append(np.median(r[use]))
    return np.array(position), np.array(velocity), np.array(radius)


def has_law(clip: Clip) -> bool:
    """Whether a clip says that it came from a world in closed form; a table's column of that name may say other things."""
    said = clip.meta.get("scenario")
    return isinstance(said, Mapping) and isinstance(rebuild(said, "meta.scenario"), Planar)


def world_of(clip: Clip) -> Planar:
    """The world in closed form that a clip came from. Raises UserError where its meta names none."""
    if not has_law(clip):
        raise UserError("the textbook needs to know the law: this clip does not come from a world in closed form")
    world = rebuild(clip.meta["scenario"], "meta.scenario")
    assert isinstance(world, Planar)
    return world


def _meta(truth: Clip, frames: int) -> dict[str, object]:
    return {**truth.meta, "condition_frames": frames}
