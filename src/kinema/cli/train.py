"""`kinema train RECIPE`: every field of the recipe's stage is a flag."""

from __future__ import annotations

import inspect
import json as _json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from ..conditions import Actions, Images
from ..core.config import to_json
from ..core.errors import UserError
from ..data import Dataset, Fitted, Joined, NuScenes, Only, Prompted, PublishedFile, Stills, open_dataset, split
from ..recipes import RECIPES
from ..training import Stage, run
from ..training.estimate import estimate
from ..training.processes import processes
from ..world_model import Blueprint

IMAGE_SHARE = 0.25  # of the samples, of joint training


def variant(name: str, arguments: list[str]) -> tuple[Callable[..., int], list[str]]:
    """The command of a recipe whose own parameters (--size, --network, ...) are taken out of the arguments.

    They come first because they decide many fields at once; the fields stay flags on top of them.
    """
    recipe = getattr(RECIPES[name], name)
    flags = {f"--{key.replace('_', '-')}" for key in inspect.signature(recipe).parameters}
    own: list[str] = []
    others: list[str] = []
    target = others
    for argument in arguments:
        if argument.startswith("--"):
            target = own if argument.partition("=")[0].replace("_", "-") in flags else others
        target.append(argument)
    stage: Stage = tyro.cli(recipe, args=own, prog=f"kinema train {name}") if own else recipe()
    return _command(name, RECIPES[name], stage), others


def _command(name: str, recipe: ModuleType, default: Stage) -> Callable[..., int]:
    def main(
        stage: Annotated[Stage, tyro.conf.arg(name="")] = default,
        *,
        data: tuple[str, ...] = (),
        images: str | None = None,
        image_share: float = IMAGE_SHARE,
        out: str = f"runs/{name}",
        resume: bool = False,
        dry_run: bool = False,
        json: bool = False,
    ) -> int:
        if not data and images is not None:
            raise UserError("--images are learnt from beside videos: name these with --data")
        if data:
            stage = _fed(stage, data, images, image_share)
        if dry_run:
            made = estimate(stage)
            print(_json.dumps({"stage": to_json(stage), "estimate": made.to_json()}, indent=2) if json else made.table())
            return 0
        if not resume and not (Path(out) / "stage.json").exists() and processes().is_main_process:
            print(estimate(stage).table(), file=sys.stderr, flush=True)
        model = run(stage, Path(out), resume=resume)
        if processes().is_main_process:
            print(_json.dumps({"model": str(model)}) if json else f"the trained model is in {model}")
        return 0

    main.__doc__ = f"""{(recipe.__doc__ or "").strip()}

    Variants of the recipe: {_parameters(getattr(recipe, name))}.

    Killed in any way, the same command with --resume goes on where it stopped and ends in the same weights.

    Args:
        stage: what is built, what it learns from, how the loop runs.
        data: dataset folders to learn from in place of the recipe's simulated clips: shards, videos + txt, metadata.csv/jsonl,
            recordings with poses.csv, or nuScenes' layout.
        images: a folder of pictures with captions (or of videos, whose frames are taken) to learn from beside the data; independent
            pictures then stand in for the frames of a clip.
        image_share: how many of the samples are pictures.
        out: folder of the run: stage.json, log.jsonl, checkpoints, dreams, and the trained model.
        resume: go on with the run that is in the folder.
        dry_run: say what would be built, its memory and time, and stop.
        json: print the result as JSON.
    """
    return main


def _parameters(recipe: Callable[..., Stage]) -> str:
    values = {f"--{key.replace('_', '-')}": p.default for key, p in inspect.signature(recipe).parameters.items()}
    return ", ".join(f"{flag} {' '.join(v) if isinstance(v, tuple) else v}" for flag, v in values.items())


def _fed(stage: Stage, folders: str | tuple[str, ...], images: str | None = None, share: float = IMAGE_SHARE) -> Stage:
    """The stage learning from folders, cut and resized as its model wants, with the words and actions that its conditions read;
    `probes` of its clips are held out, and the others standardise its actions. Pictures of `images` make up `share` of what it learns
    from."""
    if images is not None and stage.blueprint.model is not None and not any(isinstance(c, Images) for c in stage.blueprint.conditions):
        raise UserError("--images: this model would take pictures for videos; it has no Images condition")
    b = stage.blueprint
    found = [_fitted(folder, b) for folder in ((folders,) if isinstance(folders, str) else folders)]
    told = any(c.name in ("text", "actions") for c in b.conditions)
    alike = tuple(Prompted(clips) if told else Only(clips, fps=b.fps, dt=clips[0].dt) for clips in found)  # worlds differ in their fields
    learnt, held_out = split(found[0] if len(found) == 1 else Joined(alike), stage.probes)
    stage = _standardised(stage, learnt)
    if images is None:
        return replace(stage, data=_told(stage, learnt), held_out=_told(stage, held_out))
    if not 0 < share < 1:
        raise UserError(f"--image-share must lie in (0, 1), got {share:g}")
    count = max(1, round(len(learnt) * share / (1 - share)))
    stills = Stills(open_dataset(images), num_frames=b.num_frames, size=b.size, fps=b.fps, dt=b.dt, seed=stage.train.seed, length=count)
    return replace(stage, data=Prompted(Joined((learnt, stills))), held_out=Prompted(held_out))


def _fitted(folder: str, b: Blueprint) -> Fitted:
    """The clips of a folder as a blueprint's model takes them."""
    found = open_dataset(folder, fields=("rgb",))
    if isinstance(found, PublishedFile):  # whose videos play at any rate: the time between their frames counts
        found = replace(found, fps=b.fps * b.dt / found.dt)
    if isinstance(found, NuScenes):
        found = replace(found, num_frames=math.ceil(b.num_frames * found.fps / b.fps), short_side=b.size)
    return Fitted(found, size=b.size, num_frames=b.num_frames, fps=b.fps)


def _standardised(stage: Stage, learnt: Dataset) -> Stage:
    """The stage with its actions standardised by the clips it learns from; with the numbers of the model that it starts from, if any."""
    conditions = stage.blueprint.conditions
    if stage.start or not any(isinstance(c, Actions) for c in conditions):
        return stage
    fitted = tuple(c.refitted(learnt) if isinstance(c, Actions) else c for c in conditions)
    return replace(stage, blueprint=replace(stage.blueprint, conditions=fitted))


def _told(stage: Stage, clips: Dataset) -> Dataset:
    """Clips with nothing but what words and actions are read from, so that those that lack them fit beside those that do not;
    as they are where a condition reads the bodies, or none reads anything but frames."""
    conditions = stage.blueprint.conditions
    bodies = any(c.name == "state" or getattr(c, "describe", "") == "state" for c in conditions)
    return Prompted(clips) if not bodies and any(c.name in ("text", "actions", "images") for c in conditions) else clips


VERBS: dict[str, Callable[..., Any]] = {name: _command(name, recipe, getattr(recipe, name)()) for name, recipe in RECIPES.items()}
