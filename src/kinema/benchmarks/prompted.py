"""How well a prompted world model obeys: actions, words, masks, and what its dreams are worth for the time they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.clip import Clip, as_float
from ..core.errors import UserError
from ..core.registry import MissingWeights, find
from ..data import Dataset, Simulated, open_dataset
from ..experts import I3D
from ..metrics import LPIPS
from ..simulators import scenario
from . import filling, obedience, tradeoff, worded
from .baselines import repeat_last
from .findings import Findings
from .subject import Progress, Subject, subjects
from .systems import reconstructions
from .table import Sample, Table

SCENARIOS = ("driving", "dominoes", "collide", "drop", "roll")
TESTS = ("actions", "words", "inpainting", "quality")
HELD_OUT = 1_000_003  # the seed of clips that no training stream uses
PROMPTS = ("text", "actions")


@dataclass
class Prompted:
    """Four tests of world models on held-out clips: `clips` of each scenario, models side by side, by the same seeds.

    actions: yaw and speed of dreamt drives, read from their pixels, against what each preset and the clip's own actions tell.
    words: dreams from captions alone, looked at by a classifier of scenarios. inpainting: a box is hidden. quality: FVD, LPIPS and
    seconds of dreams from first frames, words and actions, at each number of `steps`, and times at equal quality.
    What needs weights that are not on this machine, or what a model cannot do, is left out by name. With `folder`, dreams and
    measurements are kept there and never made twice.
    """

    clips: int = 32
    tests: Sequence[str] = TESTS
    steps: Sequence[int] = (1, 2, 4, 8, 12, 16, 24)
    timed: int = 5
    batch: int = 8
    seed: int = 0
    guidance: Mapping[str, float] = field(default_factory=dict)
    folder: Path | None = None
    progress: Progress = field(default=lambda what, done, total: None)
    _skipped: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.clips < 2 or self.batch < 1 or self.timed < 1:
            got = f"{self.clips}, {self.batch} and {self.timed}"
            raise UserError(f"prompted: clips must be at least 2, batch and timed at least 1; got {got}")
        for name in self.tests:
            if name not in TESTS:
                raise UserError(f"there is no test named {name!r}; there are {', '.join(TESTS)}")
        if not self.steps or min(self.steps) < 1:
            raise UserError(f"prompted: steps must be numbers of at least 1, got {tuple(self.steps)}")

    def run(self, models: Mapping[str, Any], truths: Mapping[str, Sequence[Clip] | Dataset] | None = None) -> Findings:
        """The tests of all models; `truths` are held-out clips by scenario, simulated unless given.

        Raises UserError where models differ in size, frames or time step, or clips do not fit them.
        """
        self._skipped.clear()
        asked = subjects(models, self.folder, self.seed, self.batch, self.guidance, self.progress)
        given = held_out(asked[0].model, self.clips) if truths is None else truths
        groups = self._fitting(given, asked[0].model)
        tables: dict[str, Table] = {}
        drives: list[obedience.Drive] = []
        confusion: dict[str, Any] = {}
        equal: list[dict[str, Any]] = []
        if "actions" in self.tests:
            drives = self._drives(asked, groups.get("driving", []))
            tables |= {"actions": obedience.table_of(drives, self.seed)} if drives else {}
        if "words" in self.tests and len(groups) > 1:
            tables["words"], confusion = self._words(asked, groups)
        if "inpainting" in self.tests:
            tables["inpainting"] = self._inpainting(asked, groups)
        if "quality" in self.tests:
            tables["quality"], equal = self._quality(asked, groups)
        model = asked[0].model
        protocol = {
            "models": list(models), "size_px": model.size, "num_frames": model.num_frames, "condition_frames": model.condition_frames,
            "dt_s": model.blueprint.dt, "clips": {name: len(clips) for name, clips in groups.items()}, "seed": self.seed,
            "guidance": dict(self.guidance), "batch": self.batch, "threads": torch.get_num_threads(), "device": str(model.device),
            "steps_by_default": {s.name: s.model.blueprint.sampler.steps for s in asked},
            "parameters": {s.name: sum(p.numel() for p in s.model.network.parameters()) for s in asked},
        }  # fmt: skip
        return Findings(tables, tuple(drives), confusion, tuple(equal), tuple(self._skipped), protocol)

    # --- the tests ---------------------------------------------------------------------------------------------------

    def _drives(self, asked: Sequence[Subject], clips: Sequence[Clip]) -> list[obedience.Drive]:
        if not clips:
            self._skipped.append("actions: there are no clips of driving")
            return []
        if asked[0].model.size < 32:
            self._skipped.append("actions: the camera's motion is read from frames of at least 32 px")
            return []
        kept, given = asked[0].kept, max(asked[0].model.condition_frames, 1)
        told = []
        for i, clip in enumerate(clips):
            told.append(obedience.retold(clip, kept))
            self.progress("true drives", i + 1, len(clips))
        truth = {name: [one[name] for one in told] for name in obedience.TELLINGS}
        rows: list[obedience.Drive] = []
        for s in asked:
            if not s.takes("actions"):
                self._skipped.append(f"actions: {s.name} takes no actions")
                continue
            shown = {name: s.dreams(videos, ("actions",), what=f"told {name}") for name, videos in truth.items()}
            rows += obedience.drives(s.name, told, shown, kept)
            rows += obedience.drives(f"{s.name}: codec", told, {n: reconstructions(s.model.codec, v) for n, v in truth.items()}, kept)
        still = {name: [repeat_last(clip.only("rgb"), given) for clip in videos] for name, videos in truth.items()}
        return [*rows, *obedience.drives("repeat", told, still, kept), *obedience.drives("truth", told, truth, kept)]

    def _words(self, asked: Sequence[Subject], groups: Mapping[str, Sequence[Clip]]) -> tuple[Table, dict[str, Any]]:
        names, every = list(groups), [clip for clips in groups.values() for clip in clips]
        labels = np.concatenate([np.full(len(clips), k) for k, clips in enumerate(groups.values())])
        look, kept = worded.Look(_looks(asked[0].model), str(asked[0].model.device)), asked[0].kept
        dreams = {}
        for s in asked:
            if not s.takes("text") or s.model.needs_frames:
                why = "was never trained without first frames" if s.takes("text") else "takes no words"
                self._skipped.append(f"words: {s.name} {why}")
                continue
            dreamt = [d for clips in groups.values() for d in s.dreams(clips, ("text",), frames=False, what="from words")]
            dreams[s.name] = look(dreamt, kept)
            dreams[f"{s.name}: codec"] = look(reconstructions(s.model.codec, every), kept)
        seen = worded.judged(look(every, kept), labels, dreams, self.seed)
        confusion = {source: worded.confusion(names, labels, found) for source, found in seen.items()}
        return worded.table_of(names, labels, seen, look.name, self.seed), confusion

    def _inpainting(self, asked: Sequence[Subject], groups: Mapping[str, Sequence[Clip]]) -> Table:
        clips = [clip for some in groups.values() for clip in some]
        mask, lpips = filling.box(asked[0].model.size), self._lpips("inpainting", asked[0].model)
        samples: list[Sample] = []
        for s in asked:
            if not s.model.codec.codes:
                self._skipped.append(f"inpainting: {s.name} is of continuous latents, which no mask is kept in")
                continue
            done = [as_float(c.rgb) for some in groups.values() for c in filling.inpainted(s, some, mask, PROMPTS)]
            samples += filling.samples_of(s.name, clips, done, mask, lpips)
            coded = zip(reconstructions(s.model.codec, clips), clips, strict=True)
            codec = [torch.where(mask, as_float(c.rgb), as_float(t.rgb)) for c, t in coded]
            samples += filling.samples_of(f"{s.name}: codec", clips, codec, mask, lpips)
        for name, fill in filling.FILLS.items():
            samples += filling.samples_of(name, clips, [fill(c, mask) for c in clips], mask, lpips)
        return filling.table_of(samples, lpips, self.seed)

    def _quality(self, asked: Sequence[Subject], groups: Mapping[str, Sequence[Clip]]) -> tuple[Table, list[dict[str, Any]]]:
        every, kept, model = [c for clips in groups.values() for c in clips], asked[0].kept, asked[0].model
        lpips, fvd = self._lpips("quality", model), _looks(model)
        if not fvd:
            self._skipped.append("quality: fvd needs the weights of I3D, and clips of 9 frames or more")
        look = worded.Look(True, str(model.device))

        def point(steps: int, dreams: Sequence[Clip], seconds: Sequence[float]) -> tradeoff.Point:
            near, sharp = tradeoff.pictures(dreams, every, lpips, kept)
            return tradeoff.Point(steps, tuple(seconds), near, sharp, tradeoff.as_floats(look(dreams, kept)) if fvd else None)

        truth = tradeoff.as_floats(look(every, kept)) if fvd else None
        curves: dict[str, list[tradeoff.Point]] = {}
        rest: dict[str, tradeoff.Point] = {}
        for s in asked:
            curves[s.name] = []
            for steps in sorted({*self.steps, s.model.blueprint.sampler.steps}):
                dreams = [d for c in groups.values() for d in s.dreams(c, PROMPTS, steps=steps, what=f"{steps} steps")]
                curves[s.name].append(point(steps, dreams, s.seconds(every[: self.timed], PROMPTS, steps)))
            codec = [c.replace(meta={"condition_frames": s.model.condition_frames}) for c in reconstructions(s.model.codec, every)]
            rest[f"{s.name}: codec"] = point(0, codec, ())
        given = max(model.condition_frames, 1)
        still = [repeat_last(c.only("rgb"), given).replace(meta={"condition_frames": given}) for c in every]
        rest["repeat"] = point(0, still, ())
        named = {f"{name}, {p.steps} steps": p for name, points in curves.items() for p in points}
        return tradeoff.table_of({**named, **rest}, truth, self.seed), tradeoff.pairs(curves, truth, len(every), lpips, fvd)

    # --- what they share ---------------------------------------------------------------------------------------------

    def _lpips(self, test: str, model: Any) -> bool:
        there = _has(LPIPS().weights) and model.size >= 32
        if not there:
            self._skipped.append(f"{test}: lpips needs its weights, and frames of 32 px or more")
        return there

    def _fitting(self, truths: Mapping[str, Sequence[Clip] | Dataset], model: Any) -> dict[str, list[Clip]]:
        groups = {}
        for name, clips in truths.items():
            groups[name] = [clips[i] for i in range(min(self.clips, len(clips)))]
            for i, clip in enumerate(groups[name]):
                got = clip.num_frames, clip.size, round(clip.dt, 6)
                want = model.num_frames, (model.size,) * 2, round(model.blueprint.dt, 6)
                if got != want:
                    raise UserError(f"{name}, clip {i}: frames, px and time step are {got}, the models' {want}")
                self.progress(name, i + 1, len(groups[name]))
        return groups


def held_out(model: Any, clips: int) -> dict[str, Sequence[Clip] | Dataset]:
    """The first held-out clips of each scenario, as a model sees them."""
    b = model.blueprint
    worlds = {name: scenario(name, size=b.size, num_frames=b.num_frames, fps=b.fps, dt=b.dt) for name in SCENARIOS}
    return {name: Simulated(world, seed=HELD_OUT, length=clips) for name, world in worlds.items()}


def held_in(folders: Sequence[str | Path]) -> dict[str, Sequence[Clip] | Dataset]:
    """The datasets of some folders by scenario, one that tells none by its folder's name. Raises UserError where two are of one."""
    groups: dict[str, Sequence[Clip] | Dataset] = {}
    for folder in folders:
        dataset = open_dataset(folder, ("rgb",))
        said = dataset[0].meta.get("scenario")  # a world's JSON, or its name in published files and tables
        world = said.get("part") if isinstance(said, Mapping) else said
        name = str(world or Path(folder).name).rsplit(".", 1)[-1].lower()
        if name in groups:
            raise UserError(f"{folder}: there are clips of {name} already; give one folder per scenario")
        groups[name] = dataset
    return groups


def _has(weights: str) -> bool:
    try:
        find(weights)
    except MissingWeights:
        return False
    return True


def _looks(model: Any) -> bool:
    """Whether I3D can look at its dreams."""
    return _has(I3D().weights) and model.num_frames >= I3D().shortest
