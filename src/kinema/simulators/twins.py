"""Possible/impossible twins: two clips that are one up to a frame, from which on the second does what cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from .pairs import Pairs, Violation, check_pair, effect, seen_enough
from .planar import altered as planar
from .planar.phyre import altered as scenes
from .planar.phyre.shapes import SHAPES as OF_PHYRE
from .planar.phyre.world import Scenes
from .planar.render import DENSE
from .planar.scenario import DEFAULT_DENSE, Planar
from .planar.shapes import PUBLISHED, SHAPES, Outline

_PLANS, _SPOTS = 12, 50  # tries for a violation in a scene, for a free spot

Bools = NDArray[np.bool_]
Draw = Callable[["Family", Clip, Sequence[int], np.random.Generator], Violation | None]


@dataclass(frozen=True)
class Family:
    """What worlds that are simulated in one way have in common for their twins: the colours and shapes that a body may
    turn to, its outlines in a frame, and how a clip is altered."""

    world: type
    paints: tuple[tuple[int, int, int], ...]
    shapes: tuple[str, ...]
    marked: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    outlines: Callable[[Mapping[str, Tensor], int], list[Outline]]
    altered: Callable[[Any, Clip, Violation], dict[str, Any]]


FAMILIES = (
    Family(Planar, planar.PAINTS, tuple(SHAPES), planar.marked, planar.outlines, planar.altered),
    Family(Scenes, scenes.PAINTS, OF_PHYRE, scenes.marked, scenes.outlines, scenes.altered),
)


# --- violations --------------------------------------------------------------------------------------------------------
# Each draws what happens, in which frame and to whom; None where these draws came to nothing.


def vanish(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body is not there any more."""
    return _someone(clip, frames, rng)


def teleport(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body is at another place, at least its own width away, free and inside the image, from where it goes on as it would."""
    plan = _someone(clip, frames, rng)
    if plan is None:
        return None
    t, n, width = plan["frame"] - 1, plan["body"], clip.meta["world_width"]
    at, radius = clip.bodies["position"][t].numpy(), float(clip.bodies["radius"][t, n])
    others = [(k, outline) for k, outline in enumerate(family.outlines(clip.bodies, t)) if k != n]
    if 2 * radius >= width:
        return None
    for _ in range(_SPOTS):
        spot = rng.uniform(radius, width - radius, 2)
        if math.dist(spot, at[n]) >= 2 * radius and all(_clear(clip, t, k, outline, spot, radius) for k, outline in others):
            return {**plan, "to": spot.tolist()}
    return None


def speed(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body is at once much slower (up to standing still) or much faster, in the same direction."""
    plan = _someone(clip, frames, rng)
    if plan is None or not clip.bodies["velocity"][plan["frame"] - 1, plan["body"]].any() or _meets(clip, plan):
        return None
    low, high = ((0.0, 0.4), (2.0, 3.0))[int(rng.integers(2))]
    return {**plan, "factor": float(rng.uniform(low, high))}


def shape(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body has another shape of the same radius, and its mass and its way through the world still."""
    plan = _someone(clip, frames, rng)
    if plan is None:
        return None
    now = family.shapes[int(clip.bodies["shape"][plan["frame"], plan["body"]])]
    others = [name for name in family.shapes if name != now]
    return {**plan, "shape": others[int(rng.integers(len(others)))]}


def colour(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body has a colour that none had before."""
    plan = _someone(clip, frames, rng)
    if plan is None:
        return None
    used = {tuple(color) for color in clip.bodies["color"][0].tolist()}
    others = [paint for paint in family.paints if paint not in used]
    return {**plan, "color": list(others[int(rng.integers(len(others)))])}


def pass_through(family: Family, clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """Two bodies, or a body and a wall (-1), that would meet go through each other."""
    after = np.ceil(clip.contacts["time"].numpy() / clip.dt - 1e-9).astype(int)  # the first frame that can show it
    inside, free = _inside(clip), _free(clip)
    met = []
    for frame, pair in zip(after.tolist(), clip.contacts["bodies"].tolist(), strict=True):
        here = frame in frames and all(n < 0 or inside[frame - 1, n] for n in pair)
        met += [(frame, n, m) for n, m in (pair, pair[::-1]) if here and n >= 0 and free[frame - 1, n]]
    if not met:
        return None
    frame, body, other = met[int(rng.integers(len(met)))]
    return {"frame": frame, "body": body, "other": other}


VIOLATIONS: dict[str, Draw] = {draw.__name__: draw for draw in (vanish, teleport, speed, shape, colour, pass_through)}


# --- pairs -------------------------------------------------------------------------------------------------------------


@part
class Twins(Pairs):
    """Pairs of clips of a planar scenario: clip 2i is possible, clip 2i + 1 the same with one thing in it that cannot be.

    The violations take turns from pair to pair (see `VIOLATIONS`). Both clips share every frame before the violation, the
    caption and the camera; `meta["possible"]` says which is which, and in both `meta["violation"]` says what happens in the
    impossible one: `kind`, `frame` (the first after it), `body`, `effect` (side in px of a square of as many pixels as
    differ in that one of the first `after` frames in which most do, at least `EFFECT` of the image's width), and `to`,
    `factor`, `shape`, `color` or `other`. At least `context` frames come before it and `after` from it on, and the centre
    of the body is in view.

    Truth is that of what is shown. After the violation all goes on by the scenario's law. A body that has vanished has NaN
    as position and velocity and `visible` false, and no share in the energy. Where `cut` is true, in the first frame
    after a body vanished or was moved, it is not followed: its points have no flow to or from the frame before, and count
    as hidden there. Scenes that offer no such violation are drawn again.
    """

    kinds: ClassVar[tuple[str, ...]] = tuple(VIOLATIONS)
    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DEFAULT_DENSE

    def _check_scenario(self) -> None:
        if not isinstance(self.scenario, tuple(family.world for family in FAMILIES)):
            raise UserError(f"twins: there are none of {self.scenario.name}")

    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """One of the two clips of these parameters, with `fields` of its dense truth (all but backward flow unless said otherwise).

        Raises UserError where a parameter is missing or a field unknown.
        """
        del rng  # what is left to chance is in the parameters
        check_pair(params)
        clip = self._possible(params["scene"])
        violation, possible = dict(params["violation"]), bool(params["possible"])
        if not possible:
            clip = clip.replace(**self._family.altered(self.scenario, clip, violation))
        dense = self.render(clip.bodies, DEFAULT_DENSE if fields is None else fields)
        meta = {**clip.meta, "scenario": json.loads(self.as_json), "params": dict(params), "possible": possible, "violation": violation}
        return clip.replace(meta=meta, **dense)

    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, Tensor]:
        """Dense truth of a clip's states."""
        return self.scenario.again(clip, fields)

    def render(self, bodies: Mapping[str, Tensor], fields: Sequence[str] = DEFAULT_DENSE) -> dict[str, Tensor]:
        """Dense truth of these bodies as the scenario's camera sees them."""
        assert isinstance(self.scenario, Planar | Scenes)
        return self.scenario.render(bodies, fields)

    @property
    def _family(self) -> Family:
        family = next(family for family in FAMILIES if isinstance(self.scenario, family.world))
        published = isinstance(self.scenario, Planar) and self.scenario.box2d_compatible
        return replace(family, shapes=PUBLISHED) if published else family

    def _possible(self, scene: Mapping[str, Any]) -> Clip:
        clip = self.scenario.simulate(scene, np.random.default_rng(0), ())
        return clip.replace(bodies=self._family.marked(clip.bodies))

    def _found(self, kind: str, scene: Mapping[str, Any], rng: np.random.Generator) -> Violation | None:
        clip = self._possible(scene)
        for _ in range(_PLANS):
            plan = VIOLATIONS[kind](self._family, clip, self._frames, rng)
            if plan is not None:
                plan = {"kind": kind, **plan}
                side = self._effect(clip, plan)
                if seen_enough(side, self.size):
                    return {**plan, "effect": round(side, 2)}
        return None

    def _effect(self, clip: Clip, plan: Violation) -> float:
        """The side in px of a square of as many pixels as differ between the twins in the frame, soon after, in which most do."""
        twin, soon = self._family.altered(self.scenario, clip, plan)["bodies"], slice(plan["frame"], plan["frame"] + self.after)
        ours, theirs = (
            self.render({key: value[soon] for key, value in bodies.items()}, ("rgb",))["rgb"] for bodies in (clip.bodies, twin)
        )
        return effect(ours, theirs)


def _inside(clip: Clip) -> Bools:
    """Whether the centre of each body is in view [t,n]."""
    position = clip.bodies["position"].numpy()
    inside: Bools = ((position > 0) & (position < clip.meta["world_width"])).all(-1)
    return inside


def _free(clip: Clip) -> Bools:
    """Whether each body can move [t,n]."""
    shape = clip.bodies["radius"].shape
    free: Bools = ~clip.bodies["static"].numpy() if "static" in clip.bodies else np.ones(shape, bool)
    return free


def _someone(clip: Clip, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body that can move, and a frame in which it is in view, as it is in the frame before."""
    seen = _inside(clip) & _free(clip)
    both = [(f, n) for f in frames for n in range(seen.shape[1]) if seen[f - 1, n] and seen[f, n]]
    if not both:
        return None
    frame, body = both[int(rng.integers(len(both)))]
    return {"frame": frame, "body": body}


def _meets(clip: Clip, plan: Violation) -> bool:
    """Whether the body meets another within a frame of the violation, which then might have its reasons."""
    beside = (clip.contacts["time"] / clip.dt - plan["frame"] + 0.5).abs() < 1.5
    return bool((clip.contacts["bodies"][beside] == plan["body"]).any())


def _clear(clip: Clip, t: int, n: int, outline: Outline, spot: NDArray[np.float64], radius: float) -> bool:
    """Whether a disc at `spot` keeps clear of body n."""
    x, y = spot - clip.bodies["position"][t, n].numpy()
    angle = float(clip.bodies["angle"][t, n]) if "angle" in clip.bodies else 0.0
    return float(outline.distance(np.array([x]), np.array([y]), (math.cos(angle), math.sin(angle)))[0]) > radius
