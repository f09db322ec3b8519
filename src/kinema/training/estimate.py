"""What a run will take, before it starts: memory from shapes alone, time from a step or two that are really done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..core.clip import Clip
from ..core.contracts import Context, Loss
from ..core.path import Affine
from .processes import processes
from .stage import Stage, assemble, check_clips, freeze_but, with_codec

BUDGET = 1e11  # FLOPs of the timed step at most: some seconds of one CPU core
RATE_SIZE = 1024  # side of the matrix products that give a rate where even one clip is over the budget
SHARE = 0.4  # of that rate which a whole step is taken to reach


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run takes per process: memory in bytes, arithmetic in FLOPs and time in s per step.

    Parameters are the model's; weights, gradients and optimiser are those of an objective that learns, too. What is counted and
    timed is the last step, at which all that joins on the way has joined. `activations` are those kept for the backward pass of
    one micro-batch. `timed` is the number of clips in the step that
    was timed, 0 where the time follows from FLOPs and the rate of matrix products.
    """

    parameters: int
    frozen_parameters: int
    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    cache: int
    memory: int
    available: int
    flops: float
    step_seconds: float
    timed: int
    steps: int
    clips_per_step: int
    device: str

    @property
    def seconds(self) -> float:
        """Time of all steps, without dreams on held-out clips and checkpoints."""
        return self.steps * self.step_seconds

    @property
    def warning(self) -> str | None:
        """A sentence where the memory will not do."""
        if self.memory <= self.available:
            return None
        need, have = _bytes(self.memory), _bytes(self.available)
        ways = "lower train.batch, recompute activations (the model's checkpoint), or keep no latents (cache)"
        return f"this run needs at least {need} of memory and {self.device} has {have}: {ways}"

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values."""
        return {**asdict(self), "seconds": self.seconds, "warning": self.warning}

    def table(self) -> str:
        """The figures as lines of text, each with how it is known; the warning last, if there is one."""
        if self.timed:
            how = f"extrapolated from a step on {self.timed} clips, timed here"
        else:
            how = f"extrapolated: FLOPs at {SHARE:.0%} of the rate of matrix products, timed here"
        rows = [
            ("parameters", f"{self.parameters / 1e6:.2f} M trained, {self.frozen_parameters / 1e6:.2f} M frozen", "counted"),
            ("weights", _bytes(self.weights), "counted"),
            ("gradients", _bytes(self.gradients), "counted"),
            ("optimiser", _bytes(self.optimizer), "counted"),
            ("averaged weights", _bytes(self.average), "counted"),
            ("activations", _bytes(self.activations), "counted on one micro-batch without data; short-lived buffers come on top"),
            ("latents kept", _bytes(self.cache), "counted"),
            ("memory", f"{_bytes(self.memory)} of {_bytes(self.available)} ({self.device})", "the sum"),
            ("arithmetic", f"{self.flops / 1e9:.3g} GFLOP per step of {self.clips_per_step} clips", "counted: products and convolutions"),
            ("time per step", f"{self.step_seconds:.3g} s", how),
            (f"{self.steps} steps", _duration(self.seconds), "extrapolated, without dreams and checkpoints"),
        ]
        wide = [max(len(row[i]) for row in rows) for i in range(2)]
        lines = [f"{name:<{wide[0]}}  {value:<{wide[1]}}  {source}" for name, value, source in rows]
        return "\n".join([*lines, *([self.warning] if self.warning else [])])


def estimate(stage: Stage) -> Estimate:
    """Memory and time of a stage on this machine, before it runs; nothing is written.

    Raises UserError where the stage does not fit together.
    """
    stage = replace(with_codec(stage), metrics=())
    check_clips(stage)
    with torch.random.fork_rng(devices=[]):
        parts = _count(stage)
        timed, seconds = _time(stage, parts["flops"] / stage.train.batch)
    c, group = stage.train, processes()
    state = ("weights", "gradients", "optimizer", "average", "activations", "cache")
    return Estimate(
        **{**parts, "flops": parts["flops"] * c.accumulate},
        memory=sum(parts[key] for key in state),
        available=_memory(group.device),
        step_seconds=seconds * c.batch * c.accumulate,
        timed=timed,
        steps=c.steps,
        clips_per_step=c.batch * c.accumulate * group.num_processes,
        device=str(group.device),
    )


# --- memory and arithmetic, without data -----------------------------------------------------------------------------


def _count(stage: Stage) -> dict[str, Any]:
    """Numbers of parameters (of 4 bytes), bytes, and FLOPs of one micro-batch, from tensors that have a shape but no memory."""
    objective = stage.blueprint.objective.build()
    _warm(stage)
    clip, batch = stage.data[0], stage.train.batch
    told = {name: condition.take(clip, batch, "cpu") for name, condition in stage.blueprint.told.items()}
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, _Draws():
        codec, network = stage.blueprint.build()
        model = codec if network is None else network
        if stage.only:
            freeze_but(model, stage.only)
        rgb = torch.empty(batch, *clip.rgb.shape)
        given: Any = Clip(rgb=rgb, fps=clip.fps, dt=clip.dt, batched=True)
        if network is not None:
            with torch.no_grad(), _autocast(stage, "cpu"):
                given = stage.blueprint.encode(codec.eval(), given, known=told)
        judge = objective if isinstance(objective, nn.Module) else nn.Module()
        saved = _Saved(model, *map(mode.from_tensor, (*judge.parameters(), *judge.buffers())))
        with FlopCounterMode(display=False) as counter, saved.counting():
            _descend(stage, objective.losses(model.train(), given, _context(stage)), "cpu")
        kept = 2 * given.latents.data[:1].numel() * (stage.data.length or 0) if stage.cache else 0
    whole = sum(_size(p) for p in model.parameters())
    learnt = sum(map(_size, _learning(model)))
    own, trained = (sum(map(_size, found)) for found in (judge.parameters(), _learning(judge)))
    codec_alone = 0 if network is None else sum(_size(p) for p in codec.parameters())
    buckets = 2 if processes().num_processes > 1 else 1  # the gradients' buckets that processes share
    return {
        "parameters": learnt // 4,
        "frozen_parameters": (whole - learnt + codec_alone) // 4,
        "weights": whole + codec_alone + own,
        "gradients": buckets * (learnt + trained),
        "optimizer": 2 * (learnt + trained),
        "average": whole if stage.train.ema else 0,
        "activations": saved.bytes,
        "cache": kept,
        "flops": float(counter.get_total_flops()),
    }


class _Draws(TorchFunctionMode):
    """Random numbers without a generator, which tensors without memory have no use for; drawn places are the first."""

    def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {key: value for key, value in (kwargs or {}).items() if key != "generator"}
        if function is torch.randint and () in args:
            return torch.tensor(0)
        return function(*args, **kwargs)


class _Saved:
    """Counts the bytes that a forward pass keeps for the backward pass, each piece of memory once, weights left out."""

    def __init__(self, model: nn.Module, *others: Tensor) -> None:
        self.bytes = 0
        self.seen = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers(), *others)}
        self.alive: list[Tensor] = [*others]  # so that no two pieces of memory ever have the same name

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is kept inside."""
        with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor):
            yield

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.seen:
            self.seen.add(storage._cdata)
            self.alive.append(tensor)
            self.bytes += storage.nbytes()
        return tensor


def _warm(stage: Stage) -> None:
    # A path may remember its table, which must be a real one.
    path = getattr(stage.blueprint.objective, "path", None)
    if isinstance(path, Affine):
        path.coefficients(torch.zeros(1))


# --- time, on real data ----------------------------------------------------------------------------------------------


def _time(stage: Stage, flops_per_clip: float) -> tuple[int, float]:
    """(clips of the timed step, s per clip); no clips where one alone is too much to try."""
    device = processes().device
    clips = min(stage.train.batch, int(BUDGET / max(flops_per_clip, 1.0)))
    if clips < 1:
        return 0, flops_per_clip / (SHARE * _rate(device))
    run = assemble(stage, Path())
    model = run.model.to(device).train()
    judge = run.objective.to(device) if isinstance(run.objective, nn.Module) else nn.Module()
    optimizer = torch.optim.AdamW([*_learning(model), *_learning(judge)], fused=True)

    def step() -> None:
        read = [run.clips[i] for i in range(clips)]
        batch = Clip.stack([clip.replace(meta={**clip.meta, "place": i}) for i, clip in enumerate(read)]).map(lambda x: x.to(device))
        with torch.no_grad(), _autocast(stage, device.type):
            given = batch if run.prepare is None else run.prepare(batch)
        _descend(stage, run.objective.losses(model, given, _context(stage, device)), device.type)
        optimizer.step()
        optimizer.zero_grad()

    step()
    return clips, min(_seconds(step, device) for _ in range(2)) / clips


def _rate(device: torch.device) -> float:
    """FLOPs per second of matrix products."""
    a = torch.randn(RATE_SIZE, RATE_SIZE, device=device)
    return 2 * RATE_SIZE**3 / min(_seconds(lambda: a @ a, device) for _ in range(5))


def _seconds(work: Any, device: torch.device) -> float:
    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    began = now()
    work()
    return now() - began


# --- small things ----------------------------------------------------------------------------------------------------


def _descend(stage: Stage, losses: Iterator[Loss], device: str) -> None:
    while True:
        with _autocast(stage, device):
            loss = next(losses, None)
        if loss is None:
            return
        torch.autograd.backward(loss.value)


def _context(stage: Stage, device: torch.device | str = "cpu") -> Context:
    return Context(torch.Generator(device=device).manual_seed(0), stage.train.steps - 1, stage.train.steps)


def _learning(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def _autocast(stage: Stage, device: str) -> Any:
    dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
    precision = stage.train.precision
    return torch.autocast(device, dtypes[precision]) if precision in dtypes else nullcontext()


def _memory(device: torch.device) -> int:
    """Bytes of memory of the device."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
