"""PhyWorld's ambiguity tasks: a ball over a gap or a block, shifted or grown by less than a pixel from clip to clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch

from ....core.config import part
from ....core.errors import UserError
from .engine import Run
from .objects import Object, standing
from .scene import Action, Pair
from .shapes import THICKNESS
from .world import Scenes

FATES = ("held", "through", "left", "right")  # codes of outcome["fate"]
_SAID = ("comes to rest on", "falls between", "falls to the left of", "falls to the right of")
_POST, _HEIGHT = 0.04, 0.3


@dataclass(frozen=True)
class Walk:
    """`steps` clips: step k has black balls at x `posts(k)` and the red ball's action `action(k)`."""

    steps: int
    posts: Callable[[int], tuple[float, ...]]
    action: Callable[[int], Action]


WALKS = {
    20000: Walk(101, lambda k: (0.4, 0.5), lambda k: (0.45, 0.46, 0.2 + 0.05 * k / 100)),
    20001: Walk(101, lambda k: (0.4,), lambda k: (0.39 + 0.02 * k / 100, 0.46, 0.2)),
    20002: Walk(100, lambda k: (0.46 - 0.0005 * k, 0.54 + 0.0005 * k), lambda k: (0.5, 0.5, 0.4)),
    20003: Walk(100, lambda k: (0.4 + 0.0001 * (k - 50),), lambda k: (0.4, 0.5, 0.4)),
}


@part
class PhyreAmbiguity(Scenes):
    """PhyWorld's tasks 20000 to 20003 (sec. 5.4), walked clip by clip; the seed has no say but in `flip`.

    20000 grows the ball over a gap (r .20 to .25 of PHYRE's action in 101 steps), 20001 moves it over a block (x .39 to .41,
    101 steps), 20002 opens the gap by .0005 of the side at either end, 20003 moves the block by .0001 (100 steps each). Clip
    i is step i of the templates one after the other, and begins again behind the last. `outcome["fate"]` is the ball's, a
    code in `FATES`. PHYRE snaps its balls to whole units, which would leave 4 of the 101 radii; here they stay as they are.
    """

    name = "phyre-ambiguity"
    splits: ClassVar[Mapping[str, Any]] = {"id": tuple(WALKS), **{str(template): (template,) for template in WALKS}}
    needed = ("template", "step", "objects", "action", "mirrored")

    templates: tuple[int, ...] = tuple(WALKS)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [str(template) for template in self.templates if template not in WALKS]
        if unknown or not self.templates:
            raise UserError(f"{self.name}: there is no template {', '.join(unknown) or 'named'}; there are {', '.join(map(str, WALKS))}")

    @property
    def steps(self) -> int:
        """Clips until the walk begins again."""
        return sum(WALKS[template].steps for template in self.templates)

    def split(self, name: str) -> Self:
        """The same world walking "id" (all four templates) or one by its number. Raises UserError where it is none of them."""
        if name not in self.splits:
            raise UserError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}")
        return replace(self, templates=self.splits[name])

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of clip `index`: template and step, its objects (fractions of the scene's side, rad), the action."""
        template, step = [(template, k) for template in self.templates for k in range(WALKS[template].steps)][index % self.steps]
        walk = WALKS[template]
        fixed = [Object("floor", 1.0, 0.5, THICKNESS / 2), standing("green_ball", 0.1, 0.07, THICKNESS)]
        objects = [*fixed, *(Object("static_balls", _POST, x, _HEIGHT) for x in walk.posts(step))]
        return {
            "template": template,
            "step": step,
            "objects": [item.to_json() for item in objects],
            "action": list(walk.action(step)),
            "mirrored": bool(self.flip and rng.random() < 0.5),
        }

    def _outcome(self, objects: Sequence[Object], run: Run, goal: Pair | None) -> dict[str, torch.Tensor]:
        return {"fate": torch.tensor(_fate(objects, run))}

    def _caption(self, objects: Sequence[Object], run: Run) -> str:
        posts = "two fixed black balls" if len(objects) == 5 else "a fixed black ball"
        return f"A red ball drops and {_SAID[_fate(objects, run)]} {posts}."


def _fate(objects: Sequence[Object], run: Run) -> int:
    """Where the red ball was when its centre came below the black balls' (code in `FATES`); held where it never did."""
    x, y = run.position[:, -1].T
    posts = run.position[0, 2:-1]
    below = np.flatnonzero(y < posts[0, 1])
    if not len(below):
        return FATES.index("held")
    at = x[below[0]]
    if posts[:, 0].min() < at < posts[:, 0].max():
        return FATES.index("through")
    return FATES.index("left" if at < posts[:, 0].mean() else "right")
