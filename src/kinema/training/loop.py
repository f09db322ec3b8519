"""The one training loop. It knows models, objectives and clips; it knows no paper."""

from __future__ import annotations

import math
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from ..core.clip import Clip
from ..core.contracts import Context, Loss, Objective
from ..core.errors import UserError
from ..core.files import make_folder
from ..core.rng import torch_stream
from .batches import Clips, Schedule, batches
from .checkpoint import checkpoints, load_checkpoint, pack_optimizer, save_checkpoint, tidy, unpack_optimizer
from .config import Train
from .ema import Average
from .guard import PATIENCE, Guard
from .log import Bar, Log

Probe = Callable[[nn.Module, int], dict[str, float]]


@dataclass(kw_only=True)
class Run:
    """What one training run needs. `prepare` turns a batch into what the objective takes (a frozen codec's latents, say), and
    `stands_on` stands for its weights, which must be the same on resuming. `probe` judges the averaged model on held-out clips,
    and the lowest figure named `best` marks the best checkpoint."""

    model: nn.Module
    objective: Objective
    clips: Clips
    config: Train
    out: Path
    prepare: Callable[[Clip], Any] | None = None
    probe: Probe | None = None
    best: str | None = None
    stands_on: str = ""
    quiet: bool = False


def train(run: Run, *, resume: bool = False) -> nn.Module:
    """Train to the last step and give the model with its averaged weights.

    The run's folder gets log.jsonl, checkpoints/ (the last `keep`) and best/. Killed at any moment and resumed, a run
    on one CPU process ends in the same weights bit for bit. Raises UserError for a folder that already holds a run
    (unless `resume`), and where the guard finds no way on.
    """
    folder = make_folder(run.out / "checkpoints")
    if checkpoints(folder) and not resume:
        raise UserError(f"{run.out} already holds a training run; use --resume to go on with it, or another folder")
    return _Loop(run, folder).train()


class _Learner(nn.Module):
    """Lets a data-parallel wrapper see one loss as one forward pass, whatever of the model the objective calls."""

    def __init__(self, model: nn.Module, objective: Any) -> None:
        super().__init__()
        self.model = model
        self.objective = objective if isinstance(objective, nn.Module) else None

    def forward(self, losses: Iterator[Loss]) -> Loss | None:
        return next(losses, None)


class _Refused(Exception):
    """The guard refused a step."""


class _Loop:
    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.config, self.folder = run, run.config, folder
        # A second run in one process may want another precision than the first.
        AcceleratorState._reset_state(reset_partial_state=False)
        on_cpu = not torch.cuda.is_available()
        if on_cpu and self.config.precision == "fp16":
            raise UserError("train.precision fp16 needs a GPU: use bf16 or no")
        unused = DistributedDataParallelKwargs(find_unused_parameters=isinstance(run.objective, nn.Module))
        self.accelerator = Accelerator(mixed_precision=self.config.precision, cpu=on_cpu, kwargs_handlers=[unused])
        self.device, self.rank = self.accelerator.device, self.accelerator.process_index
        self.main = self.accelerator.is_main_process
        self.model = run.model.to(self.device)
        # An objective may learn too: a discriminator, say, which is no part of the model.
        self.judge = run.objective.to(self.device) if isinstance(run.objective, nn.Module) else None
        self.groups = _together(self.model, self.judge)
        self.average = Average(self.model, self.config.ema) if self.config.ema else None
        raw = {name: self._optimizer(list(group.values())) for name, group in self.groups.items()}
        if self.config.compile:
            _compile(self.model, self.device)
        self.learner = self.accelerator.prepare(_Learner(self.model, run.objective))
        self.optimizers = {name: self.accelerator.prepare(optimizer) for name, optimizer in raw.items()}
        self.guard = Guard(self.config.spike)
        self.step, self.lowest, self.rollbacks = 0, math.inf, 0
        self.waited = self.worked = 0.0
        self.counted = 0  # steps since the last log line
        self.asked: Callable[[], bool] = lambda: False
        self.stopping = False
        if run.clips.length == 0:
            raise UserError("there is no clip to train on")
        c, processes = self.config, self.accelerator.num_processes
        self.schedule = Schedule(run.clips.length, c.batch, c.accumulate, processes, c.seed)

    def _optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        c = self.config
        return torch.optim.AdamW(parameters, lr=c.lr, betas=c.betas, weight_decay=c.weight_decay, fused=True)

    # --- the run -----------------------------------------------------------------------------------------------------

    def train(self) -> nn.Module:
        self._restore()
        log = Log(self.run.out / "log.jsonl", self.step) if self.main else None
        bar = Bar(self.config.steps, self.step, show=self.main and not self.run.quiet)
        self.learner.train()
        try:
            with _interruptible() as asked:
                self.asked = asked
                while self.step < self.config.steps and not self.stopping:
                    self._stretch(log, bar)
                if self.step < self.config.steps:
                    self._save()
                    bar.say(f"stopped after step {self.step}; go on with --resume")
                    raise KeyboardInterrupt
        finally:
            bar.close()
        self.accelerator.wait_for_everyone()
        return self.average.copy_of(self.model) if self.average else self.model

    def _stretch(self, log: Log | None, bar: Bar) -> None:
        """Steps until the end, an interruption, or a roll-back."""
        source = batches(self.run.clips, self.schedule, self.rank, self.step, self.config.steps, self.config.workers)
        while self.step < self.config.steps and not self.stopping:
            began = time.perf_counter()
            micros = [next(source) for _ in range(self.config.accumulate)]
            fetched = time.perf_counter()
            try:
                figures = {} if self.step in self.guard.skipped else self._take(micros)
            except _Refused as reason:
                self._roll_back(str(reason), log, bar)
                return
            self.step += 1
            self.counted += 1
            self.waited += fetched - began
            self.worked += time.perf_counter() - began
            self._after(figures, log, bar)
            self.stopping = self._agreed(self.asked())

    def _take(self, micros: list[Clip]) -> dict[str, float]:
        """One step of every optimiser the objective asks for; the figures to log."""
        key = ("train", self.config.seed, self.step, self.rank)
        torch.manual_seed(torch_stream(*key).initial_seed())
        context = Context(torch_stream(*key, device=self.device), self.step, self.config.steps)
        pending = [self.run.objective.losses(self.model, self._prepared(batch), context) for batch in micros]
        figures: dict[str, float] = {}
        while True:
            losses = [self._backward(iterator, last=k == len(pending) - 1) for k, iterator in enumerate(pending)]
            done = [loss for loss in losses if loss is not None]
            if not done:
                break
            figures |= self._descend(done)
        if self.average:
            self.average.update(self.model, self.step)
        return figures

    def _prepared(self, batch: Clip) -> Any:
        batch = batch.map(lambda x: x.to(self.device, non_blocking=True))
        if self.run.prepare is None:
            return batch
        with torch.no_grad(), self.accelerator.autocast():
            return self.run.prepare(batch)

    def _backward(self, losses: Iterator[Loss], *, last: bool) -> Loss | None:
        with nullcontext() if last else self.accelerator.no_sync(self.learner):
            with self.accelerator.autocast():
                loss: Loss | None = self.learner(losses)
            if loss is not None:
                self.accelerator.backward(loss.value / self.config.accumulate)
        return loss

    def _descend(self, losses: list[Loss]) -> dict[str, float]:
        group = losses[0].group
        value = self._mean([loss.value.detach() for loss in losses])
        norm = self.accelerator.clip_grad_norm_(list(self.groups[group].values()), self.config.clip)
        norm = float(norm) if norm is not None else 0.0
        # 16-bit gradients may overflow: the scaler then leaves the step out and scales less.
        reason = self.guard.verdict(value, 0.0 if self.accelerator.scaler else norm, group)
        if reason:
            raise _Refused(reason)
        optimizer = self.optimizers[group]
        for settings in optimizer.param_groups:
            settings["lr"] = self.config.rate(self.step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.guard.accept(value, group)
        prefix = "" if group == "model" else f"{group}."
        parts = {key: self._mean([torch.as_tensor(loss.log[key]) for loss in losses]) for key in losses[0].log}
        return {f"{prefix}{key}": v for key, v in {"loss": value, "grad_norm": norm, **parts}.items()}

    def _mean(self, values: list[Tensor]) -> float:
        mean = torch.stack([value.float().to(self.device) for value in values]).mean()
        return float(self.accelerator.reduce(mean, "mean")) if self.accelerator.num_processes > 1 else float(mean)

    def _agreed(self, asked: bool) -> bool:
        """Whether any process was asked to stop: all must stop at the same step."""
        if self.accelerator.num_processes == 1:
            return asked
        return bool(self.accelerator.reduce(torch.tensor(float(asked), device=self.device), "sum") > 0)

    # --- between steps -----------------------------------------------------------------------------------------------

    def _after(self, figures: dict[str, float], log: Log | None, bar: Bar) -> None:
        c, step = self.config, self.step
        last = step == c.steps
        if figures:
            bar.update(step, ", ".join(f"{key} {value:.4g}" for key, value in figures.items() if key.endswith("loss")))
        if log and figures and (step % c.log_every == 0 or last):
            clips = c.batch * c.accumulate * self.schedule.processes * self.counted
            rates = {"clips_per_s": clips / max(self.worked, 1e-9), "wait_share": self.waited / max(self.worked, 1e-9)}
            log.write({"step": step, **figures, "lr": c.rate(step - 1), **rates})
        if step % c.log_every == 0:
            self.waited, self.worked, self.counted = 0.0, 0.0, 0
        probed = self._probe(log, bar) if self.run.probe and (step % c.probe_every == 0 or last) else {}
        if self.run.best and probed.get(self.run.best, math.inf) < self.lowest:
            self.lowest = probed[self.run.best]
            save_checkpoint(self.run.out / "best", step, {"model": self._weights()}, {"figures": probed}, keep=1)
        if step % c.save_every == 0 or last:
            self._save()
            self.rollbacks = 0

    def _probe(self, log: Log | None, bar: Bar) -> dict[str, float]:
        """Figures of the averaged model on held-out clips, on the main process; its random numbers are its own."""
        if not (self.main and self.run.probe):
            return {}
        self.model.eval()
        with self.average.applied(self.model) if self.average else nullcontext(), torch.no_grad(), self.accelerator.autocast():
            figures = self.run.probe(self.model, self.step)
        self.model.train()
        if log:
            log.write({"step": self.step, **{f"probe.{key}": value for key, value in figures.items()}})
        bar.say(f"step {self.step}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        return figures

    # --- state -------------------------------------------------------------------------------------------------------

    def _weights(self) -> dict[str, Tensor]:
        """The averaged weights with the model's buffers."""
        state = dict(self.model.state_dict())
        return {**state, **self.average.shadow} if self.average else state

    def _save(self) -> None:
        if self.main:
            tensors = {"model": dict(self.model.state_dict())}
            if self.judge is not None:
                tensors["objective"] = dict(self.judge.state_dict())
            if self.average:
                tensors["average"] = self.average.shadow
            for name, optimizer in self.optimizers.items():
                tensors[f"optimizer-{name}"] = pack_optimizer(optimizer.optimizer, list(self.groups[name]))
            scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler else None
            guard = {"recent": self.guard.recent, "skipped": self.guard.skipped}
            state = {**guard, "lowest": self.lowest, "scaler": scaler, "stands_on": self.run.stands_on}
            save_checkpoint(self.folder, self.step, tensors, state, self.config.keep)
        self.accelerator.wait_for_everyone()

    def _restore(self) -> None:
        """Go back to the newest checkpoint; a new run writes its first one, so that there is always one."""
        if self.main:
            tidy(self.folder)
            tidy(self.run.out / "best")
        self.accelerator.wait_for_everyone()
        found = checkpoints(self.folder)
        self.accelerator.wait_for_everyone()  # nobody writes before all have looked
        if not found:
            return self._save()
        tensors, state = load_checkpoint(found[-1])
        if state.get("stands_on", self.run.stands_on) != self.run.stands_on:  # older checkpoints do not say
            raise UserError(
                f"{self.run.out}: this run learnt from the latents of a codec whose weights have changed since: bring them back, "
                "or train in another folder"
            )
        try:
            self.model.load_state_dict(tensors["model"])
            if self.judge is not None:
                self.judge.load_state_dict(tensors["objective"])
            if self.average:
                self.average.load(tensors["average"])
            for name, optimizer in self.optimizers.items():
                unpack_optimizer(optimizer.optimizer, list(self.groups[name]), tensors[f"optimizer-{name}"])
            if self.accelerator.scaler and state["scaler"]:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            self.guard.recent = state["recent"]
            self.guard.skipped = sorted({*self.guard.skipped, *state["skipped"]})
            self.step, self.lowest = state["step"], state["lowest"]
        except (KeyError, RuntimeError) as error:
            raise UserError(f"{found[-1]}: this checkpoint is of another model or other settings ({str(error).splitlines()[0]})") from None
        return None

    def _roll_back(self, reason: str, log: Log | None, bar: Bar) -> None:
        """Leave this step's batch out for good, say so, and return to the newest checkpoint."""
        bad = self.step
        places = [(micro, rank) for micro in range(self.config.accumulate) for rank in range(self.accelerator.num_processes)]
        clips = [index for place in places for index in self.schedule.indices(bad, *place)]
        where = f"step {bad}, clips {', '.join(map(str, clips))}"
        self.rollbacks += 1
        if self.rollbacks > PATIENCE:
            raise UserError(
                f"training was given up after {PATIENCE} roll-backs in a row; the last: {reason} ({where}); if every batch ends so, "
                "start again in another folder with a lower train.lr or a longer train.warmup"
            )
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        if self.accelerator.scaler:
            self.accelerator.scaler.update()  # else it would refuse to unscale the next step's gradients; its scale is restored
        self.guard.skipped.append(bad)
        lowest = self.lowest
        self._restore()
        self.lowest = min(lowest, self.lowest)  # best/ still holds what had that figure
        if log:
            log.rewind(self.step)
            log.write({"step": self.step, "left_out": bad, "clips": clips, "reason": reason})
        bar.say(f"{reason} ({where}): that batch is left out, going on from step {self.step}")


def _compile(model: nn.Module, device: torch.device) -> None:
    """Compile in place, so that weights keep their names; a model without a forward of its own (a codec) child by child."""
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        raise UserError("train.compile needs a C++ compiler on a CPU, and there is none")
    for module in (model,) if type(model).forward is not nn.Module.forward else model.children():
        module.compile(dynamic=False)  # a run has few shapes, and all of them are known


def _groups(model: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """Named parameters per optimiser: the model says which, or all belong to "model"."""
    split = getattr(model, "parameter_groups", None)
    groups = split() if split else {"model": dict(model.named_parameters())}
    return {name: {key: p for key, p in group.items() if p.requires_grad} for name, group in groups.items()}


def _together(model: nn.Module, judge: nn.Module | None) -> dict[str, dict[str, nn.Parameter]]:
    """The groups of a model and of an objective that learns. Raises UserError where both would step under one name."""
    groups = _groups(model)
    own = {} if judge is None or not any(p.requires_grad for p in judge.parameters()) else _groups(judge)
    for name in sorted(groups.keys() & own.keys()):
        raise UserError(
            f"{type(judge).__name__} has parameters of its own in a group {name!r}, which is the model's: an objective that learns "
            "names its groups in parameter_groups()"
        )
    return groups | own


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM ask the loop to stop after the step; a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals stay as they are
        old = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
