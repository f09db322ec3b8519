"""`kinema dream MODEL --from VIDEO|SCENARIO`: let a world model go on with a video."""

from __future__ import annotations

import json as _json
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..core.clip import Clip
from ..core.errors import UserError
from ..core.files import read_json
from ..core.video import fit, read_video, write_video
from ..simulators import SCENARIOS, make, scenario
from ..world_model import WorldModel


def main(
    model: Annotated[str, tyro.conf.Positional],
    *,
    source: Annotated[str, tyro.conf.arg(name="from", metavar="VIDEO|SCENARIO")],
    out: str,
    split: str = "id",
    index: int = 0,
    start: int = 0,
    dt: float | None = None,
    frames: int | None = None,
    steps: int | None = None,
    guidance: tuple[str, ...] = (),
    text: str | None = None,
    state: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Let a world model continue a video, or a scenario it is shown the beginning of.

    The first frames are taken from the video (its central square, resized) or simulated; the rest is dreamt.

    Args:
        model: a model that ships (planar), or a model folder.
        source: a video file, or the name of a scenario (such as uniform or collision).
        out: the video to write (.mp4 or .mkv, lossless).
        split: of a scenario: id, ood, or one of its levels.
        index: of a scenario: which clip of the stream `seed`.
        start: of a video: the first frame to show the model.
        dt: of a video: physical time between two frames, in s, where it is not 1 / fps.
        frames: length of the dream; beyond the training window it is dreamt window by window.
        steps: of the sampler; the model's own if not given.
        guidance: name=weight, any number of them.
        text: what happens, in words, for a model that takes text; of a scenario, what its clip says unless given.
        state: the bodies at the first frame for a model that takes a state, "x,y,vx,vy,r;..." in m and m/s or a JSON file
            [[x, y, vx, vy, r], ...]; of a scenario, its clip's unless given.
        seed: of the dream's noise (and of the scenario).
        overwrite: replace the file if it is there.
        json: print what was done as JSON.
    """
    if dt is not None and not dt > 0:
        raise UserError(f"--dt must be above 0 s, got {dt:g}")
    target = Path(out)
    if target.exists() and not overwrite:
        raise UserError(f"{target} is already there; use --overwrite to replace it")
    world = WorldModel.from_pretrained(model)
    shown = _scenario(world, source, split, seed, index) if source in SCENARIOS else _video(world, source, start, dt)
    told: dict[str, Any] = dict.fromkeys(world.takes, shown) if source in SCENARIOS else {}
    told |= {} if text is None else {"text": text}
    told |= {} if state is None else {"state": _state(state)}
    dream = world.dream(shown, num_frames=frames, steps=steps, guidance=_weights(guidance), seed=seed, **told)
    write_video(target, dream.rgb, dream.fps, dt=dream.dt, given=world.condition_frames)
    said = {"out": out, "frames": dream.num_frames, "fps": dream.fps, "dt": dream.dt, **dream.meta}
    given = world.condition_frames
    print(_json.dumps(said) if json else f"{target}: {dream.num_frames} frames, the first {given} as given, the rest dreamt")
    return 0


def _scenario(world: WorldModel, name: str, split: str, seed: int, index: int) -> Clip:
    b = world.blueprint
    return make(scenario(name, size=b.size, num_frames=b.num_frames, dt=b.dt, fps=b.fps).split(split), seed, index, ("rgb",))


def _video(world: WorldModel, source: str, start: int, dt: float | None) -> Clip:
    """The beginning of a user's video at the model's size and time step."""
    b = world.blueprint
    try:
        clip = read_video(source, start=start, dt=dt)
    except UserError as error:
        if not Path(source).exists():
            raise UserError(f"--from {source!r} is neither a file nor a scenario ({', '.join(SCENARIOS)})") from None
        raise error
    if clip.num_frames > 1 and clip.dt > b.dt * 1.001:
        raise UserError(
            f"{source}: one frame every {clip.dt:g} s is too few, the model wants one every {b.dt:g} s (--dt if the physical step differs)"
        )
    if clip.num_frames > 1 and abs(clip.dt - b.dt) > 1e-6:
        clip = fit(clip, b.size, fps=clip.fps * clip.dt / b.dt)
    return fit(clip, b.size).replace(fps=b.fps, dt=b.dt)


def _state(given: str) -> Any:
    """Rows of numbers, from a JSON file or written out."""
    if given.endswith(".json"):
        return read_json(Path(given))
    try:
        return [[float(number) for number in body.split(",")] for body in given.strip("; ").split(";")]
    except ValueError:
        raise UserError(f"--state takes x,y,vx,vy,r;... in m and m/s or a JSON file, got {given!r}") from None


def _weights(given: tuple[str, ...]) -> dict[str, float]:
    weights = {}
    for entry in given:
        name, _, value = entry.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise UserError(f"--guidance takes name=weight, got {entry!r}") from None
    return weights
