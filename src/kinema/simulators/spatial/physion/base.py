"""What Physion's eight scenarios share: an agent and a patient, splits, distractors, occluders, cameras."""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from ....core.config import part
from ....core.errors import UserError
from .. import styles
from ..bodies import AnyBody
from ..scene import Scene
from ..shapes import Vector
from ..views import Still
from ..world import SpatialWorld
from .framing import fitted, outline
from .objects import Props
from .ranges import Draws

SUBSETS = ("train", "readout", "test", "ood")
DISTRACTORS = ("table", "cylinder", "pentagon", "cube", "cone", "pyramid", "pipe", "dumbbell")
OCCLUDERS = ("cylinder", "cube", "pentagon", "cone")


class Act(NamedTuple):
    """What a scenario plays: the caption's opening; how far from x = 0 it reaches along y, in m; places beside the bodies that
    cameras must show; whether the patient is as wide as the scene, so that cameras need not show all of it; bodies that are not
    rigid; who is agent where it is not rigid; how far the first camera is turned about the vertical and how far down all cameras
    look at least, in degrees."""

    text: str
    clear: float
    places: tuple[Vector, ...] = ()
    wide: bool = False
    others: tuple[AnyBody, ...] = ()
    agent: str | None = None
    turn: float = 0.0
    rise: float = 10.0


class Stage(NamedTuple):
    """Where a scenario plays: its middle on the floor, and half its width along x, in m."""

    x: float
    y: float
    half: float


@part
class Physion(SpatialWorld):
    """Physion's question: does the agent touch the patient? (Bear et al. 2021; `physion.ranges` says what is drawn from where.)

    `subset` is whose stream is drawn from: train, readout and test draw the same ranges, ood others. `painted` makes the agent
    red and the patient yellow, as in Physion's own videos. Up to `distractors` bodies stand out of the way, up to `occluders`
    between the first camera and what happens, where they leave the agent and the patient in sight at first.
    """

    splits: ClassVar[Mapping[str, Any]] = {"id": "train", **{name: name for name in SUBSETS}}

    subset: Literal["train", "readout", "test", "ood"] = "train"
    painted: bool = False
    distractors: int = 2
    occluders: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.subset not in SUBSETS:
            raise UserError(f"{self.name}: subset must be one of {', '.join(SUBSETS)}, got {self.subset!r}")
        for key in ("distractors", "occluders"):
            if not 0 <= getattr(self, key) <= 2:
                raise UserError(f"{self.name}: {key} must be from 0 to 2, got {getattr(self, key)}")

    def split(self, name: str) -> Self:
        """The same scenario drawing from a named split: id (that is train), train, readout, test or ood.

        Raises UserError listing them where there is none of that name.
        """
        if name not in self.splits:
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return dataclasses.replace(self, subset=self.splits[name])

    @abstractmethod
    def act(self, draws: Draws, props: Props) -> Act:
        """Put agent, patient and what is between them in place."""

    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene of run `index` of the stream."""
        own = rng.spawn(len(SUBSETS))[SUBSETS.index(self.subset)]  # subsets never share a draw
        draws = Draws(self.name, own, self.subset == "ood")
        props = Props(draws, self.painted)
        act = self.act(draws, props)
        floor, light, sky = styles.surroundings(own)
        agent = act.agent or props.roles["agent"]
        shown = [body for body in (*props.bodies, *act.others) if not (act.wide and body.name == props.roles["patient"])]
        points = np.concatenate([outline(shown), np.array(act.places).reshape(-1, 3)])
        low, high = points.min(0), points.max(0)
        stage = Stage(float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2, float(high[0] - low[0]) / 2)
        drawn = styles.views(own, (stage.x, stage.y, 0.0), stage.half)
        views = tuple(fitted(view, points, act.turn if k == 0 else 0.0, act.rise) for k, view in enumerate(drawn))
        self._distract(draws, props, act, stage)
        first = views[0]
        assert isinstance(first, Still)
        self._occlude(draws, props, act, stage, first)
        return Scene(
            (*props.bodies, *act.others), floor=floor, light=light, sky=sky, views=views, pushes=tuple(props.pushes),
            agent=agent, patient=props.roles["patient"], text=act.text, tags={"scenario": self.name, "subset": self.subset},
        )  # fmt: skip

    def _distract(self, draws: Draws, props: Props, act: Act, stage: Stage) -> None:
        """Bodies behind what happens, one to the left and one to the right."""
        for side in draws.rng.permutation([-1, 1])[: draws.rng.integers(0, self.distractors + 1)]:
            wide = draws.real("distractor_size")
            x = stage.x + int(side) * (0.6 * wide + stage.half * draws.rng.uniform(0.35, 0.9))  # beside the other, however near
            y = stage.y + act.clear + wide + draws.rng.uniform(0.0, 0.4) * stage.half
            props.put(draws.among(DISTRACTORS), (wide, wide, round(wide * draws.rng.uniform(0.8, 1.6), 4)), (x, y), density=300.0)

    def _occlude(self, draws: Draws, props: Props, act: Act, stage: Stage, first: Still) -> None:
        """Bodies before what happens, none in the line from the first camera to the agent or the patient."""
        eye = np.array(first.eye[:2])
        seen = [np.array(body.position[:2]) for body in (*props.bodies, *act.others) if body.name in (act.agent, *props.roles.values())]
        for side in draws.rng.permutation([-1, 1])[: draws.rng.integers(0, self.occluders + 1)]:
            wide = draws.real("occluder_size")
            y = stage.y - act.clear - wide - draws.rng.uniform(0.0, 0.2) * stage.half
            for x in stage.x + int(side) * (0.6 * wide + stage.half * np.linspace(0.3, 1.0, 8)):
                spot = np.array([x, y])
                if all(_beside(spot, eye, point) > 1.2 * wide for point in seen):
                    props.put(draws.among(OCCLUDERS), (wide, wide, round(1.6 * wide, 4)), (float(x), float(y)), density=300.0)
                    break


def _beside(spot: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """How far `spot` is beside the line from `start` to `end` on the floor, m."""
    way = end - start
    return abs(float(way[0] * (spot - start)[1] - way[1] * (spot - start)[0])) / math.hypot(*way)
