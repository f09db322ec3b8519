"""`kinema dream MODEL --from IMAGE|VIDEO|SCENARIO --text WORDS --actions HOW`: let a world model dream."""

from __future__ import annotations

import json as _json
from pathlib import Path
from typing import Annotated

import tyro

from ..core.clip import FIELDS, Clip
from ..core.errors import UserError
from ..core.video import read_video, write_video
from ..simulators import SCENARIOS, make, scenario
from ..world_model import WorldModel
from .given import driving, fitted, free, state_of, weights, words

SAID = ("text", "actions")


def main(
    model: Annotated[str, tyro.conf.Positional],
    *,
    source: Annotated[str | None, tyro.conf.arg(name="from", metavar="IMAGE|VIDEO|SCENARIO")] = None,
    out: str,
    split: str = "id",
    index: int = 0,
    start: int = 0,
    dt: float | None = None,
    frames: int | None = None,
    steps: int | None = None,
    guidance: tuple[str, ...] = (),
    text: str | None = None,
    actions: Annotated[str | None, tyro.conf.arg(metavar="CSV|PRESET")] = None,
    state: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Let a world model continue a picture, a video or the beginning of a scenario; told words and actions, if it takes them.

    The first frames are taken from the video (its central square, resized) or simulated; the rest is dreamt. A model that was
    trained without first frames too dreams without --from.

    Args:
        model: a model that ships (planar), or a model folder.
        source: a picture, a video file, or the name of a scenario (such as uniform or collision).
        out: the video to write (.mp4 or .mkv, lossless).
        split: of a scenario: id, ood, or one of its levels.
        index: of a scenario: which clip of the stream `seed`.
        start: of a video: the first frame to show the model.
        dt: of a video: physical time between two frames, in s, where it is not 1 / fps.
        frames: length of the dream; beyond the training window it is dreamt window by window.
        steps: of the sampler; the model's own if not given.
        guidance: name=weight, any number of them.
        text: what happens, in words, for a model that takes text; of a scenario, what its clip says unless text or actions are given.
        actions: how the camera's car is driven, for a model that takes actions: a CSV file with a row of speed m/s and yaw_rate
            rad/s per frame, or keep, left, right, accelerate or brake; of a scenario, as in its clip unless text or actions are given.
        state: the bodies at the first frame for a model that takes a state, "x,y,vx,vy,r;..." in m and m/s or a JSON file
            [[x, y, vx, vy, r], ...]; of a scenario, its clip's unless given.
        seed: of the dream's noise (and of the scenario).
        overwrite: replace the file if it is there.
        json: print what was done as JSON.
    """
    if dt is not None and not dt > 0:
        raise UserError(f"--dt must be above 0 s, got {dt:g}")
    target = free(out, overwrite)
    told = words(text) | ({} if state is None else {"state": state_of(state)})
    world = WorldModel.from_pretrained(model)
    told |= driving(world, actions)
    shown: Clip | None = None
    if source in SCENARIOS:
        shown = _scenario(world, source, split, seed, index, frames)
        # Its own words and actions speak of the clip as it is: a user who says something else wants another one.
        own = [name for name in world.takes if name not in SAID or not told.keys() & set(SAID)]
        # What clips of a scenario may lack, such as actions, is among their fields.
        told = {name: shown for name in own if name not in FIELDS or shown.has(name)} | told
    elif source is not None:
        shown = _video(world, source, start, dt)
    elif world.needs_frames:
        raise UserError(f"this model continues a video: give it the first {world.condition_frames} frames, with --from")
    seen = shown if world.condition_frames or source not in SCENARIOS else None  # a model without frames is told of a scenario alone
    dream = world.dream(seen, num_frames=frames, steps=steps, guidance=weights(guidance), seed=seed, **told)
    write_video(target, dream.rgb, dream.fps, dt=dream.dt, given=dream.meta["condition_frames"])
    said = {"out": out, "frames": dream.num_frames, "fps": dream.fps, "dt": dream.dt, **dream.meta}
    print(_json.dumps(said) if json else _said(target, dream))
    return 0


def _scenario(world: WorldModel, name: str, split: str, seed: int, index: int, frames: int | None) -> Clip:
    """The clip of a scenario that a dream is shown; for as long as the dream where it is told its actions."""
    b = world.blueprint
    length = max(b.num_frames, frames or 0) if "actions" in world.takes else b.num_frames
    made = scenario(name, size=b.size, num_frames=length, dt=b.dt, fps=b.fps).split(split)
    clip = make(made, seed, index, ("rgb",))
    return clip if frames is None or frames >= length else clip.frames(0, max(frames, world.condition_frames, 1))


def _video(world: WorldModel, source: str, start: int, dt: float | None) -> Clip:
    """The beginning of a user's video, or a picture, at the model's size and time step."""
    try:
        clip = read_video(source, start=start, dt=dt)
    except UserError as error:
        if not Path(source).exists():
            raise UserError(f"--from {source!r} is neither a file nor a scenario ({', '.join(SCENARIOS)})") from None
        raise error
    return fitted(world, clip, source)


def _said(target: Path, dream: Clip) -> str:
    given, told = dream.meta["condition_frames"], dream.meta["dream"]["told"]
    seen = f"the first {given} as given, the rest dreamt" if given else "all of them dreamt"
    return f"{target}: {dream.num_frames} frames, {seen}{', told ' * bool(told)}{' and '.join(told)}"
