"""`kinema edit inpaint|stylize MODEL --video FILE`: let a world model of tokens dream a part of a video anew."""

from __future__ import annotations

import json as _json
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..core.clip import Clip
from ..core.video import write_video
from ..world_model import WorldModel
from .given import driving, editable, free, weights, words

MODEL = "world-dreamer"


def inpaint(
    model: Annotated[str, tyro.conf.Positional] = MODEL,
    *,
    video: str,
    mask: Annotated[str, tyro.conf.arg(metavar="IMAGE|VIDEO|X,Y,W,H")],
    out: str,
    text: str | None = None,
    actions: Annotated[str | None, tyro.conf.arg(metavar="CSV|PRESET")] = None,
    feather: int = 0,
    start: int = 0,
    frames: int | None = None,
    dt: float | None = None,
    steps: int | None = None,
    guidance: tuple[str, ...] = (),
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Dream the masked pixels of a video anew; all others come back as they were, bit for bit.

    The video is made to fit the model first: its central square, resized, at the model's time step. "As they were" is said of
    the fitted video. The mask is fitted in the same way; a pixel counts as masked where any part of it was.

    Args:
        model: a model of tokens that ships (world-dreamer), or a model folder.
        video: a video file, or a picture.
        mask: of the size of the video: a picture (white is dreamt), a video with a mask for every frame, or a box x,y,w,h in px.
        out: the video to write (.mp4 or .mkv, lossless).
        text: what is to be seen, in words, for a model that takes text.
        actions: how the camera's car is driven, for a model that takes actions: a CSV file or a preset, as in kinema dream.
        feather: px inside the mask, from its edge, over which dream and video are blended.
        start: the first frame that is taken of the video.
        frames: how many are taken of it; all the rest unless said.
        dt: physical time between two frames of the video, in s, where it is not 1 / fps.
        steps: of the sampler; the model's own if not given.
        guidance: name=weight, any number of them.
        seed: of the dream's noise.
        overwrite: replace the file if it is there.
        json: print what was done as JSON.
    """
    target, told = free(out, overwrite), words(text)
    world = WorldModel.from_pretrained(model)
    told |= driving(world, actions)
    shown, masked, fitted = editable(world, video, mask, start, frames, dt)
    made = world.inpaint(shown, masked, steps=steps, guidance=weights(guidance), seed=seed, feather=feather, **told)
    share = made.meta["edit"]["masked"]
    return _write(target, made, fitted, json, f"{100 * share:.3g} % of the pixels dreamt, the others as they were")


def stylize(
    model: Annotated[str, tyro.conf.Positional] = MODEL,
    *,
    video: str,
    text: str,
    out: str,
    strength: float = 0.5,
    actions: Annotated[str | None, tyro.conf.arg(metavar="CSV|PRESET")] = None,
    start: int = 0,
    frames: int | None = None,
    dt: float | None = None,
    steps: int | None = None,
    guidance: tuple[str, ...] = (),
    seed: int = 0,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Dream a share of a video's tokens anew, told another text.

    Args:
        model: a model of tokens that ships (world-dreamer), or a model folder.
        video: a video file, or a picture; made to fit the model first: its central square, resized, at the model's time step.
        text: what is to be seen, in words.
        out: the video to write (.mp4 or .mkv, lossless).
        strength: the share of the tokens that is dreamt, above 0 and at most 1.
        actions: how the camera's car is driven, for a model that takes actions: a CSV file or a preset, as in kinema dream.
        start: the first frame that is taken of the video.
        frames: how many are taken of it; all the rest unless said.
        dt: physical time between two frames of the video, in s, where it is not 1 / fps.
        steps: of the sampler; the model's own if not given.
        guidance: name=weight, any number of them.
        seed: of the dream's noise.
        overwrite: replace the file if it is there.
        json: print what was done as JSON.
    """
    target, told = free(out, overwrite), words(text)
    world = WorldModel.from_pretrained(model)
    told |= driving(world, actions)
    shown, _, fitted = editable(world, video, None, start, frames, dt)
    made = world.stylize(shown, strength=strength, steps=steps, guidance=weights(guidance), seed=seed, **told)
    return _write(target, made, fitted, json, f"{100 * strength:.3g} % of the tokens dreamt")


def _write(target: Path, made: Clip, fitted: str, json: bool, said: str) -> int:
    write_video(target, made.rgb, made.fps, dt=made.dt)
    about: dict[str, Any] = {"out": str(target), "frames": made.num_frames, "fps": made.fps, "dt": made.dt, "fitted": fitted, **made.meta}
    sentence = f"{target}: {made.num_frames} frames, {said}" + (f" (of the video: {fitted})" if fitted else "")
    print(_json.dumps(about) if json else sentence)
    return 0


VERBS = {"inpaint": inpaint, "stylize": stylize}
