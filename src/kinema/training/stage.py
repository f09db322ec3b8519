"""Stage: a blueprint, the clips it learns from, and the loop's settings; and how one is run."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..core.clip import Clip
from ..core.config import from_json, part, to_json
from ..core.contracts import Latents
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.video import write_video
from ..data import Dataset
from ..world_model import Blueprint, WorldModel, find, fingerprint, load_blueprint, load_weights, said_in, save_weights
from .config import Train
from .loop import Run, train
from .processes import processes

SETTLING = 256  # clips that give a new codec what it fixes once, such as its latents' scale


@part
class Stage:
    """One training run: what is built, what it learns from, how the loop runs, what judges it on the way.

    `codec` names a trained codec (a model folder, or one that ships) whose weights and shape are taken; where it is empty
    the stage trains the blueprint's codec itself. `start` names a model whose weights training begins from.
    `metrics` judge `probes` clips of `held_out`; the first one, if lower is better, marks the best checkpoint.
    `only` names the one submodule that is trained; the rest keeps its weights. A tokeniser's codes move with its encoder alone.
    `cache` keeps every clip's latents in memory (as 16-bit numbers) once they are encoded, for data that has an end.
    """

    blueprint: Blueprint
    data: Dataset
    held_out: Dataset
    train: Train = Train()
    metrics: tuple[Any, ...] = ()
    probes: int = 16
    codec: str = ""
    start: str = ""
    only: str = ""
    cache: bool = False

    def __post_init__(self) -> None:
        if self.probes < 1:
            raise UserError(f"probes must be at least 1, got {self.probes}")
        if self.cache and self.blueprint.model is None:
            raise UserError("cache keeps latents for a network to learn from: a stage that trains its codec has none to keep")


def run(stage: Stage, out: Path, *, resume: bool = False) -> Path:
    """Train a stage in the folder `out` and write the result to out/model; gives that folder.

    Going on with a run that is done changes nothing. Raises UserError where the folder holds another run, or the stage does
    not fit together.
    """
    stage = with_codec(stage)
    _check_folder(stage, out, resume)
    folder = out / "model"
    if resume and folder.exists():
        return folder
    prepared = assemble(stage, out)
    processes().wait_for_everyone()  # nobody writes before all have looked
    if processes().is_main_process:
        if resume:
            _sweep(out)
        else:
            make_folder(out)
            write_json(out / "stage.json", to_json(stage))
    trained = train(prepared, resume=resume)
    if processes().is_main_process:
        _write_model(stage, prepared, trained, folder)
    processes().wait_for_everyone()
    return folder


def assemble(stage: Stage, out: Path) -> Run:
    """What the loop takes of a stage whose codec is settled (`with_codec`). Raises UserError where parts do not fit together."""
    torch.manual_seed(stage.train.seed)
    codec, network = stage.blueprint.build()
    if stage.codec:
        load_weights(codec, find(stage.codec) / "codec.safetensors")
    model = codec if network is None else network
    if stage.start:
        started = find(stage.start) / ("codec.safetensors" if network is None else "model.safetensors")
        load_weights(model, started)
        if network is not None and said_in(started).get("codec", fingerprint(codec)) != fingerprint(codec):  # older ones do not say
            kind, ours = "tokeniser" if codec.codes else "codec", stage.codec or type(stage.blueprint.codec).__name__
            raise UserError(f"start: {stage.start} was trained with another {kind} than this stage's, {ours}: name its own with --codec")
    if stage.only:
        freeze_but(model, stage.only)
    if network is not None:
        codec = codec.eval().requires_grad_(False)
    elif not any(p.requires_grad for p in codec.parameters()):
        raise UserError("this stage has nothing to train: its codec holds no weights, or frozen ones, and there is no model")
    if stage.cache and stage.data.length is None:
        raise UserError("cache keeps the latents of all clips in memory: the data needs a length")
    check_clips(stage)
    judge = stage.metrics[0] if stage.metrics else None
    return Run(
        model=model,
        objective=stage.blueprint.objective.build(),
        clips=_OnceInFull(stage.data, stage.blueprint) if stage.cache else stage.data,
        config=stage.train,
        out=out,
        prepare=None if network is None else _Encoder(stage.blueprint, codec, stage.cache),
        stands_on="" if network is None else fingerprint(codec),
        probe=_Probe(stage, codec, out / "dreams") if judge else None,
        best=judge.name if judge and not judge.higher_is_better else None,
    )


def _write_model(stage: Stage, prepared: Run, trained: nn.Module, folder: Path) -> None:
    """The model's folder, whole or not at all."""
    temporary = folder.with_name(".tmp-model")
    shutil.rmtree(temporary, ignore_errors=True)
    if isinstance(prepared.prepare, _Encoder):
        WorldModel(stage.blueprint, prepared.prepare.codec, trained).save_pretrained(temporary)
    else:
        if not stage.codec:  # one that was trained before keeps its scale, on which models stand
            trained.settle(_first(stage.data, SETTLING))  # type: ignore[operator]
        write_codec(stage.blueprint, trained, temporary)
    temporary.rename(folder)


def with_codec(stage: Stage) -> Stage:
    """The stage with the shape of the trained codec it names. Raises UserError where a network has no codec to stand on."""
    if stage.codec:
        return replace(stage, blueprint=replace(stage.blueprint, codec=load_blueprint(find(stage.codec)).codec))
    if stage.blueprint.model is not None and any(p.requires_grad for p in stage.blueprint.codec.build().parameters()):
        raise UserError("this stage trains a network on a codec that has to be trained first: name it with --codec")
    return stage


def freeze_but(model: nn.Module, only: str) -> None:
    parts = [name for name, _ in model.named_children()]
    if only not in parts:
        raise UserError(f"only: the model has no part named {only!r}; it has {', '.join(parts)}")
    for name, child in model.named_children():
        child.requires_grad_(name == only)


def _sweep(out: Path) -> None:
    """Take away files that a killed process left half-written."""
    for place in (out, out / "dreams"):
        for path in [path for path in place.glob(".tmp-*") if path.is_file()]:
            path.unlink()


def _first(data: Dataset, count: int) -> list[Clip]:
    return [data[i] for i in range(count if data.length is None else min(count, data.length))]


def check_clips(stage: Stage) -> None:
    """Raise UserError unless the clips are what the blueprint is made for."""
    b = stage.blueprint
    for where, data in (("data", stage.data), ("held_out", stage.held_out)):
        if data.length is not None and data.length < 1:
            raise UserError(f"{where}: there is no clip")
        clip = data[0]
        if (clip.num_frames, *clip.size) != (b.num_frames, b.size, b.size):
            height, width = clip.size
            wanted, got = f"{b.num_frames} frames of {b.size} x {b.size} px", f"{clip.num_frames} frames of {width} x {height} px"
            raise UserError(f"{where}: the blueprint is made for {wanted}, the clips have {got}")
        if b.model is not None and abs(clip.dt - b.dt) > 1e-6:
            raise UserError(f"{where}: the blueprint is made for a time step of {b.dt:g} s, the clips have {clip.dt:g} s")
        try:
            for condition in b.told.values():
                condition.take(clip, 1, "cpu")
        except UserError as error:
            raise UserError(f"{where}: {error}") from None


def write_codec(blueprint: Blueprint, codec: nn.Module, folder: Path, *, half: bool = False) -> None:
    """A codec's folder: blueprint.json and codec.safetensors."""
    make_folder(folder)
    save_weights(codec, folder / "codec.safetensors", half=half)
    write_json(folder / "blueprint.json", to_json(blueprint))


def _check_folder(stage: Stage, out: Path, resume: bool) -> None:
    """Raise UserError unless `out` is free, or with `resume` holds the run of this very stage."""
    path = out / "stage.json"
    if not path.exists():
        if resume:
            raise UserError(f"there is no run to resume in {out}: it has no stage.json")
        for name in ("model", "checkpoints"):
            if (out / name).exists():
                raise UserError(f"{out / name} exists, but no stage.json beside it: train in another folder")
        return
    if not resume:
        raise UserError(f"{out} already holds a training run; use --resume to go on with it, or another folder")
    for where in _differences(_written(path), to_json(stage)):
        raise UserError(f"{out} holds a run with other settings (at {where}): resume with the same ones, or use another folder")


def changed(path: Path, stage: Stage) -> str:
    """What differs first between a stage and the one written in a file, as "field: value there, value now"; empty where nothing does.

    A field that the file lacks is newer than the run. The shape of a codec that the stage names is the codec's own affair.
    """
    old, new = read_json(path), to_json(stage)
    if stage.codec and isinstance(old, dict) and isinstance(old.get("blueprint"), dict):
        new["blueprint"]["codec"] = old["blueprint"].get("codec")
    return next(iter(_changes(old, new, "stage")), "")


def _changes(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [said for key in sorted(old) for said in _changes(old[key], new.get(key), f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [said for i, both in enumerate(zip(old, new, strict=True)) for said in _changes(*both, f"{where}[{i}]")]
    return [] if old == new else [f"{where}: {old!r} there, {new!r} now"]


def _written(path: Path) -> Any:
    """A stage as it was written; a field that is newer than the run has its default, unless the stage holds a user's own part."""
    said = read_json(path)
    return said if _holds_own(said) else to_json(from_json(said, str(path)))


def _holds_own(said: Any) -> bool:
    """Whether JSON names a part of a user's own module, as `module:Class`, which no file rebuilds."""
    if isinstance(said, dict):
        return ":" in str(said.get("part", "")) or any(_holds_own(value) for value in said.values())
    return isinstance(said, list) and any(_holds_own(value) for value in said)


def _differences(old: Any, new: Any, where: str = "stage") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [place for key in keys for place in _differences(old.get(key), new.get(key), f"{where}.{key}")]
    return [] if old == new else [where]


MARKS = ("images", "captions")  # what conditions read of a clip's meta


class _Encoder:
    """Turns a batch into latents and conditions with the frozen codec, moved to the batch's device.

    With `cache`, each clip is encoded alone, so that what is kept does not depend on which clips came with it.
    """

    def __init__(self, blueprint: Blueprint, codec: Any, cache: bool) -> None:
        self.blueprint, self.codec = blueprint, codec
        self.kept: dict[int, Tensor] | None = {} if cache else None
        self.groups: Mapping[str, tuple[int, int]] = {}

    def __call__(self, batch: Clip) -> Any:
        self.codec.to(batch.rgb.device)
        if self.kept is None:
            return self.blueprint.encode(self.codec, batch)
        places = [clip["place"] for clip in batch.meta["clips"]]
        for clip in batch.meta["clips"]:
            if clip["place"] not in self.kept:
                alone = Clip.stack([Clip(rgb=clip["video"], fps=batch.fps, dt=batch.dt)]).map(lambda x: x.to(batch.rgb.device))
                latents = self.codec.encode(alone)
                self.kept[clip["place"]], self.groups = latents.packed()[0].cpu(), latents.groups
        data = torch.stack([Latents.unpacked(self.kept[place]).data for place in places]).to(batch.rgb.device)
        return self.blueprint.encode(self.codec, batch, Latents(data, self.groups))


class _OnceInFull:
    """Clips whose pixels are read once: they travel as meta "video", to be encoded and kept.

    What is stacked has one pixel, for its number of frames, and what the other conditions read.
    """

    def __init__(self, clips: Dataset, blueprint: Blueprint) -> None:
        self.clips, self.length = clips, clips.length
        seen = all(condition.name == "frames" for condition in blueprint.conditions)
        self.fields = ("rgb",) if seen else ("rgb", "text", "bodies", "actions")
        self.rest: dict[int, Clip] = {}

    def __getitem__(self, index: int) -> Clip:
        if index in self.rest:
            return self.rest[index]
        clip = self.clips[index]
        rest = clip.only(*self.fields).replace(meta={key: clip.meta[key] for key in MARKS if key in clip.meta})
        self.rest[index] = rest.replace(rgb=clip.rgb[..., :1, :1].clone())
        return self.rest[index].replace(meta={**self.rest[index].meta, "video": clip.rgb})


class _Probe:
    """Dreams (or reconstructs) held-out clips, judges them, and leaves a video of the first ones."""

    def __init__(self, stage: Stage, codec: nn.Module, folder: Path) -> None:
        self.stage, self.codec, self.folder = stage, codec, folder
        self.truth = Clip.stack(_first(stage.held_out, stage.probes))

    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        dream = self._dream(model)
        if not torch.isfinite(dream.rgb).all():  # a mean over the clips that can be judged would hide it
            return {metric.name: math.nan for metric in self.stage.metrics}
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
            guess = codec.reconstruct(self.truth.rgb.to(device)).cpu()
            return Clip(rgb=guess, fps=self.truth.fps, dt=self.truth.dt, batched=True)
        training = model.training
        world = WorldModel(self.stage.blueprint, self.codec, model).to(device)
        told: dict[str, Any] = dict.fromkeys(world.takes, self.truth)
        dream = world.dream(self.truth, seed=self.stage.train.seed, **told)
        model.train(training)
        return dream
