"""Stage: a blueprint, the clips it learns from, and the loop's settings; and how one is run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.clip import Clip
from ..core.config import from_json, part, to_json
from ..core.contracts import Latents
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.video import write_video
from ..data import Dataset
from ..world_model import Blueprint, WorldModel, find, load_blueprint, load_weights, save_weights
from .config import Train
from .loop import Run, train

STANDARDISE = 256  # clips whose latents give a new codec its mean and scale


@part
class Stage:
    """One training run: what is built, what it learns from, how the loop runs, what judges it on the way.

    `codec` names a trained codec (a model folder, or one that ships) whose weights and shape are taken; where it is empty
    the stage trains the blueprint's codec itself. `start` names a model whose weights training begins from.
    `metrics` judge `probes` clips of `held_out`; the first one, if lower is better, marks the best checkpoint.
    """

    blueprint: Blueprint
    data: Dataset
    held_out: Dataset
    train: Train = Train()
    metrics: tuple[Any, ...] = ()
    probes: int = 16
    codec: str = ""
    start: str = ""


def run(stage: Stage, out: Path, *, resume: bool = False) -> Path:
    """Train a stage in the folder `out` and write the result to out/model; gives that folder.

    Raises UserError where the folder holds another run, or the stage does not fit together.
    """
    stage = with_codec(stage)
    _claim(stage, out, resume)
    if not resume and stage.train.steps < 1:
        raise UserError("there is nothing to train: train.steps is 0")
    torch.manual_seed(stage.train.seed)
    codec, network = stage.blueprint.build()
    if stage.codec:
        load_weights(codec, find(stage.codec) / "codec.safetensors")
    learns_codec = network is None
    model = codec if network is None else network
    if stage.start:
        load_weights(model, find(stage.start) / ("codec.safetensors" if learns_codec else "model.safetensors"))
    prepare = None
    if not learns_codec:
        codec = codec.eval().requires_grad_(False)
        prepare = _Encoder(stage.blueprint, codec)
    probe = _Probe(stage, codec, out / "dreams") if stage.metrics else None
    best = stage.metrics[0].name if stage.metrics and not stage.metrics[0].higher_is_better else None
    trained = train(
        Run(
            model=model, objective=stage.blueprint.objective.build(), clips=stage.data, config=stage.train, out=out,
            prepare=prepare, probe=probe, best=best,
        ),
        resume=resume,
    )  # fmt: skip
    folder = out / "model"
    if learns_codec:
        standardise(trained, [stage.data[i] for i in range(STANDARDISE)])
        write_codec(stage.blueprint, trained, folder)
    else:
        WorldModel(stage.blueprint, codec, trained).save_pretrained(folder)
    return folder


def with_codec(stage: Stage) -> Stage:
    """The stage with the shape of the trained codec it names. Raises UserError where a network has no codec to stand on."""
    from dataclasses import replace

    if not stage.codec:
        learnt = any(True for _ in stage.blueprint.codec.build().parameters()) if stage.blueprint.model is not None else False
        if learnt:
            raise UserError("this stage trains a network on a codec that has to be trained first: name it with --codec")
        return stage
    return replace(stage, blueprint=replace(stage.blueprint, codec=load_blueprint(find(stage.codec)).codec))


def write_codec(blueprint: Blueprint, codec: nn.Module, folder: Path, *, half: bool = False) -> None:
    """A codec's folder: blueprint.json and codec.safetensors."""
    make_folder(folder)
    save_weights(codec, folder / "codec.safetensors", half=half)
    write_json(folder / "blueprint.json", to_json(blueprint))


@torch.no_grad()
def standardise(codec: Any, clips: Sequence[Clip]) -> None:
    """Set a codec's mean and std [c] from the latents of these clips, so that every channel is centred and of unit scale."""
    codec.eval()
    codec.mean.zero_()
    codec.std.fill_(1)
    device = codec.mean.device
    batches = [Clip.stack(clips[i : i + 16]).map(lambda x: x.to(device)) for i in range(0, len(clips), 16)]
    data = torch.cat([codec.encode(batch).data.double() for batch in batches])
    codec.mean.copy_(data.mean((0, 1, 3, 4)))
    codec.std.copy_(data.std((0, 1, 3, 4)).clamp_min(1e-6))


def _claim(stage: Stage, out: Path, resume: bool) -> None:
    """Write the resolved stage into the run's folder, or check that it is the one that was started there."""
    path, config = out / "stage.json", to_json(stage)
    if not path.exists():
        if resume:
            raise UserError(f"there is no run to resume in {out}: it has no stage.json")
        make_folder(out)
        write_json(path, config)
        return
    if not resume:
        raise UserError(f"{out} already holds a training run; use --resume to go on with it, or another folder")
    from_json(read_json(path), str(path))
    for where in _differences(read_json(path), config):
        raise UserError(f"{out} holds a run with other settings (at {where}): resume with the same ones, or use another folder")


def _differences(old: Any, new: Any, where: str = "stage") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [place for key in keys for place in _differences(old.get(key), new.get(key), f"{where}.{key}")]
    return [] if old == new else [where]


class _Encoder:
    """Turns a batch into latents and conditions with the frozen codec, moved to the batch's device."""

    def __init__(self, blueprint: Blueprint, codec: nn.Module) -> None:
        self.blueprint, self.codec = blueprint, codec

    def __call__(self, batch: Clip) -> Any:
        return self.blueprint.encode(self.codec.to(batch.rgb.device), batch)


class _Probe:
    """Dreams (or reconstructs) held-out clips, judges them, and leaves a video of the first ones."""

    def __init__(self, stage: Stage, codec: nn.Module, folder: Path) -> None:
        self.stage, self.codec, self.folder = stage, codec, folder
        self.truth = Clip.stack([stage.held_out[i] for i in range(stage.probes)])

    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        dream = self._dream(model)
        figures = {metric.name: float(torch.nanmean(metric(dream, self.truth).double())) for metric in self.stage.metrics}
        make_folder(self.folder)
        shown = torch.cat([torch.cat(list(clip.rgb[:4]), -1) for clip in (self.truth, dream)], -2)
        write_video(self.folder / f"step-{step:09d}.mp4", (shown * 255).round().to(torch.uint8), self.truth.fps)
        for old in sorted(self.folder.glob("step-*.mp4"))[:-20]:
            old.unlink()
        return figures

    def _dream(self, model: nn.Module) -> Clip:
        device = next(model.parameters()).device
        if self.stage.blueprint.model is None:
            codec: Any = model
            rgb = self.truth.rgb.to(device)
            guess = codec.pixels(codec.moments(rgb)[0]).clamp(0, 1).cpu()
            return Clip(rgb=guess, fps=self.truth.fps, dt=self.truth.dt, batched=True)
        training = model.training
        world = WorldModel(self.stage.blueprint, self.codec, model)
        dream = world.dream(self.truth, seed=self.stage.train.seed)
        model.train(training)
        return dream


def describe(stage: Stage) -> dict[str, Any]:
    """Settings of the loop as plain values, for a card."""
    return asdict(stage.train)


def copy_run(source: Path, target: Path) -> None:
    """Copy a run's model folder, whole."""
    shutil.copytree(source / "model", target)
