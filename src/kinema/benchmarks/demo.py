"""The tour: a collision and a throw the model has never seen, in and out of its training range, dreamt and judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.clip import Clip
from ..core.config import part, to_json
from ..core.errors import UserError
from ..metrics import select
from ..simulators import make, scenario
from ..simulators.planar import Planar
from .phyworld import RESERVED_SEEDS, judge_with_yardsticks, worst
from .result import Result, Scene
from .systems import System
from .table import Sample, Table, columns_of

GROUPS = (("collision", "id"), ("collision", "v1v2"), ("parabola", "id"), ("parabola", "v"))
METRIC_NAMES = ("velocity", "velocity_of_means", "momentum", "energy", "vanished")
SEED_NOTE = (
    f"Seeds from {RESERVED_SEEDS:,} on are kept for demonstrations and benchmarks: no training stream draws from them, "
    "so the model has never seen these clips."
)


@part
class Demo:
    """`num` clips of a two-ball collision and of a throw, each in distribution and with speeds no training clip had."""

    num: int = 4
    seed: int = RESERVED_SEEDS + 1

    def __post_init__(self) -> None:
        if self.num < 1:
            raise UserError(f"a demo needs at least 1 clip of each kind, got num {self.num}")
        if self.seed < RESERVED_SEEDS:
            raise UserError(f"a demo's seed must be at least {RESERVED_SEEDS}: lower ones belong to training")

    def truths(self, case: str, split: str, *, size: int, num_frames: int) -> list[Clip]:
        """The true clips of one group."""
        world = scenario(case, size=size, num_frames=num_frames).split(split)
        return [make(world, self.seed, i, ("rgb",)) for i in range(self.num)]

    def run(self, system: System, progress: Callable[[str, int, int], Any] = lambda what, done, total: None) -> Result:
        """Simulate, dream, judge; `progress(what, steps done, steps in all)`."""
        frames, total = system.condition_frames, len(GROUPS) * self.num * 2
        metrics = select(METRIC_NAMES, first_frame=frames)
        samples: list[Sample] = []
        scenes: list[Scene] = []
        for i, (case, split) in enumerate(GROUPS):
            at, kind = 2 * i * self.num, f"{case}, {'seen' if split == 'id' else 'unseen'} speeds"
            progress(f"simulate: {kind}", at, total)
            truths = self.truths(case, split, size=system.size, num_frames=system.num_frames)
            names = [f"{case}-{'id' if split == 'id' else 'ood'}-{k}" for k in range(self.num)]
            progress(f"dream: {kind}", at, total)
            dreams = system.dreams(truths, names, lambda n, k=kind, a=at: progress(f"dream: {k}", a + n, total))  # type: ignore[misc]
            progress(f"judge: {kind}", at + self.num, total)
            short = "id" if split == "id" else "ood"
            rows, books = judge_with_yardsticks(case, short, truths, dreams, metrics, frames)
            samples += rows
            scenes += sorted(worst(case, short, truths, dreams, books, rows, names, metrics, frames, self.num), key=lambda s: s.name)
            progress(f"judge: {kind}", at + 2 * self.num, total)
        table = Table(columns_of(metrics), tuple(samples), seed=self.seed)
        protocol = {
            "demo": to_json(self), "size_px": system.size, "num_frames": system.num_frames, "fps": Planar.fps, "dt_s": Planar.dt,
            "condition_frames": frames, "parser": "kinema, sub-pixel", "seeds": SEED_NOTE,
        }  # fmt: skip
        return Result("A judged dream", table, tuple(scenes), protocol)
