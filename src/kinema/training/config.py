"""Training settings: what the loop obeys, and nothing about what is learnt."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ..core.config import part
from ..core.errors import UserError

Precision = Literal["no", "bf16", "fp16"]


@part
class Train:
    """Settings of the loop. `batch` counts clips per process and micro-batch; a step sees batch x accumulate x processes.

    AdamW with linear `warmup` steps and cosine decay to `final_lr` x `lr`; gradients clipped to norm `clip`; `ema` is the
    decay of the averaged weights (0: none). `spike`: a loss above so many times the recent median rolls back. `workers`
    processes read clips ahead (0: the training process does). Raises UserError for values that make no run.
    """

    steps: int = 1000
    batch: int = 16
    accumulate: int = 1
    lr: float = 1e-4
    warmup: int = 100
    final_lr: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    precision: Precision = "no"
    compile: bool = False
    spike: float = 10.0
    seed: int = 0
    workers: int = 0
    log_every: int = 10
    save_every: int = 500
    keep: int = 2
    probe_every: int = 1000

    def __post_init__(self) -> None:
        for key in ("steps", "batch", "accumulate", "log_every", "save_every", "keep", "probe_every"):
            if getattr(self, key) < 1:
                raise UserError(f"train.{key} must be at least 1, got {getattr(self, key)}")
        for key in ("lr", "clip", "spike"):
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) > 0):
                raise UserError(f"train.{key} must be a finite number above 0, got {getattr(self, key)}")
        for key in ("weight_decay", "final_lr"):
            if not (math.isfinite(getattr(self, key)) and getattr(self, key) >= 0):
                raise UserError(f"train.{key} must be a finite number of 0 or more, got {getattr(self, key)}")
        for name, decay in (("ema", self.ema), ("betas", self.betas[0]), ("betas", self.betas[1])):
            if not 0 <= decay < 1:
                raise UserError(f"train.{name} must lie in [0, 1), got {getattr(self, name)}")
        if self.precision not in get_args(Precision):
            raise UserError(f"train.precision must be one of {', '.join(get_args(Precision))}, got {self.precision!r}")
        if not -(2**63) <= self.seed < 2**63:
            raise UserError(f"train.seed must be a number of 64 bits, got {self.seed}")
        if self.warmup < 0 or self.workers < 0:
            raise UserError(f"train.warmup and train.workers must not be negative, got {self.warmup} and {self.workers}")

    def rate(self, step: int) -> float:
        """Learning rate of step 0, 1, ...: linear warm-up, then a cosine to `final_lr` x `lr` at the last step."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (self.final_lr + (1 - self.final_lr) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
