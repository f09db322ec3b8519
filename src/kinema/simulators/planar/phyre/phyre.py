"""PhyWorld's combinatorial scenes: four of eight types of object and a red ball that is dropped among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch

from ....core.config import part
from ....core.errors import UserError
from .engine import GOAL_STEPS, Run
from .objects import KINDS, Object
from .scene import Pair, place, scene
from .templates import HELD_OUT, SIX, SIXTY, TEMPLATES, THIRTY
from .world import Scenes, first_touch, listed


@part
class Phyre(Scenes):
    """Clips of PhyWorld's templates (sec. 4): a template, one of its `tasks` scenes, and where the red ball starts.

    As published, a template has 100 scenes ("tasks"), which do not depend on the seed, and a clip ("trial") is one of them
    with another start of the red ball: so clips of two seeds have scenes in common, and differ in the ball. `outcome` says
    whether and when (s; inf where never) the red ball touched an object, and which, and whether the task was `solved`: the
    two bodies of `goal` touched for 3 s without a break.
    """

    name = "phyre"
    splits: ClassVar[Mapping[str, Any]] = {"id": SIXTY, "ood": HELD_OUT, "6": SIX, "30": THIRTY, "60": SIXTY}
    needed = ("template", "task", "objects", "goal", "action", "mirrored")

    templates: tuple[int, ...] = SIXTY
    tasks: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tasks < 1:
            raise UserError(f"phyre: tasks must be at least 1 scene of a template, got {self.tasks}")
        unknown = [str(template) for template in self.templates if template not in TEMPLATES]
        if unknown or not self.templates:
            raise UserError(f"phyre: there is no template {', '.join(unknown) or 'named'}; there are {min(TEMPLATES)} to {max(TEMPLATES)}")

    def split(self, name: str) -> Self:
        """The same world drawing from other templates: "id" or "60" (10000 to 10059), "ood" (10060 to 10069, held out), "6",
        "30", or a single template by its number. Raises UserError where it is none of them."""
        if name in self.splits:
            return replace(self, templates=self.splits[name])
        if name.isdecimal() and int(name) in TEMPLATES:
            return replace(self, templates=(int(name),))
        raise UserError(f"phyre has no split {name!r}; it has {', '.join(self.splits)} and single templates, 10000 to 10069")

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of one clip: template, task, its objects (fractions of the scene's side, rad), its goal, the action."""
        del index
        template, task = self.templates[int(rng.integers(len(self.templates)))], int(rng.integers(self.tasks))
        objects, goal = scene(template, task)
        return {
            "template": template,
            "task": task,
            "objects": [item.to_json() for item in objects],
            "goal": list(goal),
            "action": list(place(rng, objects)),
            "mirrored": bool(self.flip and rng.random() < 0.5),
        }

    def _outcome(self, objects: Sequence[Object], run: Run, goal: Pair | None) -> dict[str, torch.Tensor]:
        time, body = first_touch(objects, run) or (math.inf, -1)
        return {
            "touched": torch.tensor(body >= 0),
            "touch_time": torch.tensor(time, dtype=torch.float64),
            "touched_body": torch.tensor(body),
            "goal": torch.tensor(goal),
            "solved": torch.tensor(run.held >= GOAL_STEPS),
        }

    def _caption(self, objects: Sequence[Object], run: Run) -> str:
        start = f"A red ball falls into a scene of {listed(objects[:-1])}"
        met = first_touch(objects, run)
        if met is None:
            return f"{start} and touches none of it."
        name = KINDS[objects[met[1]].kind].called
        alone = sum(KINDS[item.kind].called == name for item in objects) == 1
        return f"{start} and after {met[0]:.1f} s hits {'the' if alone else 'a'} {name}."
