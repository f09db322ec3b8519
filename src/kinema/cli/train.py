"""`kinema train RECIPE`: every field of the recipe's stage is a flag."""

from __future__ import annotations

import inspect
import json as _json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from ..core.config import to_json
from ..data import Fitted, PublishedFile, open_dataset, split
from ..recipes import RECIPES
from ..training import Stage, run
from ..training.estimate import estimate
from ..training.processes import processes


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
        data: str | None = None,
        out: str = f"runs/{name}",
        resume: bool = False,
        dry_run: bool = False,
        json: bool = False,
    ) -> int:
        if data is not None:
            stage = _fed(stage, data)
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
        data: a dataset folder to learn from in place of the recipe's simulated clips: shards, videos + txt, or metadata.csv/jsonl.
        out: folder of the run: stage.json, log.jsonl, checkpoints, dreams, and the trained model.
        resume: go on with the run that is in the folder.
        dry_run: say what would be built, its memory and time, and stop.
        json: print the result as JSON.
    """
    return main


def _parameters(recipe: Callable[..., Stage]) -> str:
    values = {f"--{key.replace('_', '-')}": p.default for key, p in inspect.signature(recipe).parameters.items()}
    return ", ".join(f"{flag} {' '.join(v) if isinstance(v, tuple) else v}" for flag, v in values.items())


def _fed(stage: Stage, folder: str) -> Stage:
    """The stage learning from a folder, cut and resized as its model wants; `probes` of its clips are held out."""
    b, found = stage.blueprint, open_dataset(folder, fields=("rgb",))
    if isinstance(found, PublishedFile):  # whose videos play at any rate: the time between their frames counts
        found = replace(found, fps=b.fps * b.dt / found.dt)
    clips = Fitted(found, size=b.size, num_frames=b.num_frames, fps=b.fps)
    learnt, held_out = split(clips, stage.probes)
    return replace(stage, data=learnt, held_out=held_out)


VERBS: dict[str, Callable[..., Any]] = {name: _command(name, recipe, getattr(recipe, name)()) for name, recipe in RECIPES.items()}
