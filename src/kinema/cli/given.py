"""What commands that dream are given: videos, masks, actions, weights of guidance, and where the result goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..conditions import PRESETS, read_actions
from ..core.clip import Clip, as_float
from ..core.errors import UserError
from ..core.files import read_json
from ..core.video import fit, nearest_frames, read_video
from ..sampling.edit import fit_mask
from ..world_model import WorldModel


def free(out: str, overwrite: bool) -> Path:
    """The file to write. Raises UserError where there is one."""
    target = Path(out)
    if target.exists() and not overwrite:
        raise UserError(f"{target} is already there; use --overwrite to replace it")
    return target


def fitted(world: WorldModel, clip: Clip, name: str) -> Clip:
    """A user's clip at the model's size and time step; a picture is one frame of any time step."""
    b = world.blueprint
    if clip.num_frames == 1 or abs(clip.dt - b.dt) <= 1e-6:
        return fit(clip, b.size).replace(fps=b.fps, dt=b.dt)
    if clip.dt > b.dt * 1.001:
        raise UserError(
            f"{name}: one frame every {clip.dt:g} s is too few, the model wants one every {b.dt:g} s (--dt if the physical step differs)"
        )
    return fit(clip, b.size, fps=clip.fps * clip.dt / b.dt).replace(fps=b.fps, dt=b.dt)


def editable(world: WorldModel, video: str, mask: str | None, start: int, frames: int | None, dt: float | None) -> tuple[Clip, Tensor, str]:
    """(the video as the model takes it, its mask [t,h,w] bool, full where None is given, and how the video was fitted, in words)."""
    world.check_edits()
    if dt is not None and not dt > 0:
        raise UserError(f"--dt must be above 0 s, got {dt:g}")
    if start < 0 or (frames is not None and frames < 1):
        raise UserError(f"--start must be 0 or more and --frames 1 or more, got {start} and {frames}")
    stop = None if frames is None else start + frames
    drawn = None if mask is None else _mask_file(mask)
    moving = drawn is not None and len(drawn) > 1
    clip = read_video(video, dt=dt) if moving else read_video(video, start, stop, dt=dt)
    masked = _masked(mask, drawn, clip, video)
    if moving:
        end = clip.num_frames if stop is None else stop
        if not start < end <= clip.num_frames:
            raise UserError(f"{video}: frames {start} to {end} were asked of a video of {clip.num_frames} frames")
        clip, masked = clip.frames(start, end), masked[start:end]
    made = fitted(world, clip, video)
    b = world.blueprint
    resampled = made.num_frames != clip.num_frames or (clip.num_frames > 1 and abs(clip.dt - b.dt) > 1e-6)
    picks = nearest_frames(clip.num_frames, clip.fps, clip.fps * clip.dt / b.dt) if resampled else torch.arange(clip.num_frames)
    masked = fit_mask(masked[picks], b.size)
    if not masked.any():
        raise UserError(f"--mask {mask}: nothing of {video} is masked, there is nothing to dream (the central square is what counts)")
    return made, masked, _said(clip, made, resampled)


def _said(clip: Clip, made: Clip, resampled: bool) -> str:
    """How a video was fitted; empty where nothing was changed."""
    (height, width), side = clip.size, made.size[0]
    said = [] if height == width else [f"the central square of {width} x {height} px"]
    said += [] if min(height, width) == side else [f"resized to {side} px"]
    said += [f"{made.num_frames} of its {clip.num_frames} frames"] if resampled else []
    return ", ".join(said)


def _mask_file(mask: str) -> Tensor | None:
    """A mask [t,h,w] bool from a picture or a video, white where it is to be dreamt; None for a box."""
    if re.fullmatch(r"[-+\d.,\s]+", mask):
        return None
    if not Path(mask).exists():
        raise UserError(f"--mask {mask!r} is neither a file nor a box x,y,w,h in px")
    return as_float(read_video(mask).rgb).mean(1) > 0.5


def _masked(mask: str | None, drawn: Tensor | None, clip: Clip, video: str) -> Tensor:
    """The mask [t,h,w] of a clip. Raises UserError where it does not fit."""
    height, width = clip.size
    whole = (clip.num_frames, height, width)
    if mask is None:
        return torch.ones(whole, dtype=torch.bool)
    if drawn is None:
        return _box(mask, width, height).expand(whole)
    if tuple(drawn.shape[1:]) != (height, width):
        raise UserError(f"--mask {mask}: is {drawn.shape[2]} x {drawn.shape[1]} px, and {video} {width} x {height} px")
    if len(drawn) not in (1, clip.num_frames):
        raise UserError(f"--mask {mask}: has {len(drawn)} frames, and {video} {clip.num_frames}: one for all, or one for each")
    return drawn.expand(whole)


def _box(box: str, width: int, height: int) -> Tensor:
    """The mask [h,w] of a box x,y,w,h in px."""
    numbers = box.replace(" ", "").split(",")
    if len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"--mask takes a picture, a video or a box x,y,w,h in whole px, got {box!r}")
    x, y, w, h = map(int, numbers)
    if not (w and h and x + w <= width and y + h <= height):
        raise UserError(f"--mask {box}: the box must hold pixels and lie in the video, which has {width} x {height} px")
    masked = torch.zeros(height, width, dtype=torch.bool)
    masked[y : y + h, x : x + w] = True
    return masked


def words(text: str | None) -> dict[str, Any]:
    """`text` as a condition, none where it was not given. Raises UserError where it is empty."""
    if text is not None and not text.strip():
        raise UserError("--text is empty: say what happens, or leave it out")
    return {} if text is None else {"text": text}


def driving(world: WorldModel, given: str | None) -> dict[str, Any]:
    """`actions` as a condition, none where they were not given: the table in a file, or the name of a preset."""
    if given is None:
        return {}
    condition = world.blueprint.told.get("actions")
    if condition is None or given in PRESETS:
        return {"actions": given}
    if not Path(given).suffix and not Path(given).exists():
        raise UserError(f"--actions {given!r} is neither a CSV file nor a preset ({', '.join(PRESETS)})")
    return {"actions": read_actions(given, condition.kind)}  # type: ignore[attr-defined]


def state_of(given: str) -> Any:
    """Rows of numbers, from a JSON file or written out."""
    if given.endswith(".json"):
        return read_json(Path(given))
    try:
        return [[float(number) for number in body.split(",")] for body in given.strip("; ").split(";")]
    except ValueError:
        raise UserError(f"--state takes x,y,vx,vy,r;... in m and m/s or a JSON file, got {given!r}") from None


def weights(given: tuple[str, ...]) -> dict[str, float]:
    """Weights of guidance by name, from name=weight."""
    found = {}
    for entry in given:
        name, _, value = entry.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise UserError(f"--guidance takes name=weight, got {entry!r}") from None
    return found
