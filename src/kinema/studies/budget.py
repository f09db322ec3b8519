"""What a study may cost: size of the network, steps, training videos, test clips; and the stage these make of some data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..benchmarks.phyworld import RESERVED_SEEDS
from ..conditions import Frames
from ..core.config import part
from ..core.errors import UserError
from ..data import Dataset, Simulated
from ..models.dit import SIZES, SMALL
from ..recipes import phyworld
from ..simulators import Grid, World
from ..simulators.planar import Planar
from ..training import Stage
from .judges import Motion

TOY = "toy"  # the machinery in seconds: it learns nothing
PAPER_STEPS = 100_000
PAPER_PX = 256  # side of the frames that the released evaluator parses


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What goes with a size of network unless said otherwise."""

    steps: int
    videos: int
    resolution: int
    num_frames: int
    given: int
    codec: str
    scenes: str = ""  # codec for worlds that show more than balls


_TOY = Scale(steps=4, videos=8, resolution=16, num_frames=8, given=3, codec="")
_SMALL = Scale(steps=1500, videos=3000, resolution=64, num_frames=33, given=5, codec="planar-codec", scenes="scenes-codec")
_PUBLISHED = Scale(steps=PAPER_STEPS, videos=30_000, resolution=128, num_frames=31, given=3, codec="")


@part
class Budget:
    """`size` and `videos` may list several, which some studies combine; what is None is the size's own.

    `num` is about the number of clips of one test. `codec` names a trained codec for the networks that bring none,
    `text_encoder` what turns words into tokens for models that are told in words. `per_template` training videos of each of
    PHYRE's templates take the place of `videos` in all. `fvd`: whether sets of pictures are judged by it, which takes seconds
    a clip on a CPU (None: from size S on). `paper_compatible` asks for the released evaluator's velocity error beside ours.
    Raises UserError for values that make no study.
    """

    size: tuple[str, ...] = ("nano",)
    steps: int | None = None
    videos: tuple[int, ...] = ()
    num: int = 256
    resolution: int | None = None
    num_frames: int | None = None
    seed: int = 0
    codec: str = ""
    text_encoder: str = ""
    per_template: int | None = None
    fvd: bool | None = None
    paper_compatible: bool = False

    def __post_init__(self) -> None:
        known = (TOY, *SIZES)
        for size in self.size:
            if size not in known:
                raise UserError(f"--size: there is no size {size!r}; there are {', '.join(known)}")
        if not self.size:
            raise UserError(f"--size names no size; there are {', '.join(known)}")
        for key, values in (
            ("steps", (self.steps,)), ("videos", self.videos), ("num", (self.num,)), ("resolution", (self.resolution,)),
            ("per-template", (self.per_template,)),
        ):  # fmt: skip
            for value in values:
                if value is not None and value < 1:
                    raise UserError(f"--{key} must be at least 1, got {value}")
        if self.num < 4:
            raise UserError(f"--num must be at least 4 clips, so that there is an interval, got {self.num}")
        if len({scale(size) for size in self.size}) > 1:
            raise UserError(f"--size {' '.join(self.size)} go with different frames and settings: run them apart")
        for key in ("size", "videos"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise UserError(f"--{key} names one value twice")

    def pairs(self) -> list[tuple[str, int]]:
        """Every size with every number of videos, from the smallest network on the fewest to the largest on most."""
        return [(size, videos) for size in self.sizes for videos in sorted(self.videos or (scale(size).videos,))]

    @property
    def sizes(self) -> tuple[str, ...]:
        """The sizes, the smallest network first, in whatever order they were named."""
        return tuple(sorted(self.size, key=(TOY, *SIZES).index))

    def one(self, size: str, videos: int) -> Budget:
        """The budget of one of the pairs."""
        return replace(self, size=(size,), videos=(videos,))

    # --- the values of a budget of one pair ---------------------------------------------------------------------------

    @property
    def network(self) -> str:
        """The (smallest) size."""
        return self.sizes[0]

    @property
    def amount(self) -> int:
        """The (least) number of training videos."""
        return self.pairs()[0][1]

    @property
    def all_steps(self) -> int:
        """Training steps."""
        return scale(self.network).steps if self.steps is None else self.steps

    @property
    def px(self) -> int:
        """Side of the frames."""
        return scale(self.network).resolution if self.resolution is None else self.resolution

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        return scale(self.network).num_frames if self.num_frames is None else self.num_frames

    @property
    def given(self) -> int:
        """First frames that a model is given."""
        return scale(self.network).given

    # --- what points are made of --------------------------------------------------------------------------------------

    def fit(self, world: World) -> World:
        """A scenario at the budget's size and length."""
        return replace(world, size=self.px, num_frames=self.frames)

    def clips(self, world: World) -> Simulated:
        """The training clips of a scenario, mirrored or not as it says."""
        return Simulated(self.fit(world), seed=self.seed, length=self.amount)

    def asked(self, world: World, num: int | None = None) -> Simulated:
        """`num` test clips of a scenario, of a seed that training never draws from."""
        return Simulated(self.fit(world), seed=RESERVED_SEEDS, length=self.num if num is None else num)

    def asked_all(self, world: Planar, grid: Grid, over: tuple[str, ...] = ()) -> Simulated:
        """A grid of the paper as test clips. Where `num` clips are too few for it, only the axes `over` stay (all, if it names
        none) and the other parameters are drawn, cell by cell as often as fits; and if need be all axes get coarser by one factor."""
        if self.num >= len(grid):
            return self.asked(replace(world, grid=grid), len(grid))
        kept = Grid(tuple(axis for axis in grid.axes if not over or axis[0] in over))
        share = min(1.0, (self.num / len(kept)) ** (1 / len(kept.axes)))
        coarse = Grid(tuple((name, low, high, max(2, int(count * share + 1e-9))) for name, low, high, count in kept.axes))
        return self.asked(replace(world, grid=coarse), len(coarse) * max(1, self.num // len(coarse)))

    @property
    def judge(self) -> Motion:
        """Who reads balls off the dreams."""
        return Motion(paper=PAPER_PX if self.paper_compatible else 0)

    def stage(self, data: Dataset, conditions: tuple[Any, ...] = (), *, given: int | None = None, scenes: bool = False) -> Stage:
        """The model that learns from `data`: PhyWorld's settings at this size. Raises UserError where it lacks a codec.

        It sees `given` first frames (None: what goes with the size). `scenes`: the data show more than balls.
        """
        if self.network == TOY:
            return _toy(self, data, conditions, given)
        own = scale(self.network)
        codec = self.codec or (own.scenes if scenes else own.codec)
        if not codec:
            raise UserError(f"--codec: size {self.network} stands on a trained codec; name its folder (docs/study.md says how to make one)")
        return phyworld.learner(
            data, data, self.network, self.all_steps, codec=codec, size=self.px, num_frames=self.frames, seed=self.seed,
            conditions=conditions, given=given,
        )  # fmt: skip


def scale(size: str) -> Scale:
    """What goes with a size."""
    return _TOY if size == TOY else _SMALL if size in SMALL else _PUBLISHED


def _toy(budget: Budget, data: Dataset, conditions: tuple[Any, ...], given: int | None) -> Stage:
    stage = phyworld.tiny()
    shown = stage.blueprint.conditions if given is None else (Frames(given),)
    blueprint = replace(
        stage.blueprint, size=budget.px, num_frames=budget.frames, conditions=(*shown, *conditions), fps=data[0].fps, dt=data[0].dt
    )
    train = replace(stage.train, steps=budget.all_steps, probe_every=budget.all_steps, seed=budget.seed)
    return replace(stage, blueprint=blueprint, data=data, held_out=data, train=train, metrics=(), cache=True)
