"""Possible/impossible twins: two clips that are one up to a frame, from which on the second does what cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from .planar import altered as planar
from .planar.phyre import altered as scenes
from .planar.phyre.shapes import SHAPES as OF_PHYRE
from .planar.phyre.world import Scenes
from .planar.render import DENSE
from .planar.scenario import DEFAULT_DENSE, Planar
from .planar.shapes import PUBLISHED, SHAPES, Outline
from .world import World

EFFECT = 0.05  # of the image's width: the side of a square of as many pixels as must differ between the twins soon after
_LEVELS = 32  # by which a pixel of the two must differ, of 255
_PLANS, _SCENES, _SPOTS = 12, 40, 50  # tries for a violation in a scene, for a scene, for a free spot

Violation = dict[str, Any]
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
class Twins(World):
    """Pairs of clips of a scenario: clip 2i is possible, clip 2i + 1 the same with one thing in it that cannot be.

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

    name = "twins"
    splits: ClassVar[Mapping[str, Any]] = {}
    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DEFAULT_DENSE

    scenario: World = field(kw_only=False)
    violations: tuple[str, ...] = ("vanish",)
    context: int = 4
    after: int = 4
    size: int = field(init=False)
    num_frames: int = field(init=False)
    dt: float = field(init=False)
    fps: float = field(init=False)

    def __post_init__(self) -> None:
        for key in ("size", "num_frames", "dt", "fps"):
            object.__setattr__(self, key, getattr(self.scenario, key))
        if not isinstance(self.scenario, tuple(family.world for family in FAMILIES)):
            raise UserError(f"twins: there are none of {self.scenario.name}")
        for kind in self.violations:
            if kind not in VIOLATIONS:
                raise UserError(f"twins: there is no violation {kind!r}; there are {', '.join(VIOLATIONS)}")
        if not self.violations:
            raise UserError(f"twins: violations names none of {', '.join(VIOLATIONS)}")
        if self.context < 1 or self.after < 1 or self.context + self.after > self.num_frames:
            raise UserError(
                f"twins: {self.num_frames} frames do not hold a context of {self.context} and {self.after} after the violation,"
                " each of which must be at least 1"
            )

    def split(self, name: str) -> Self:
        """Twins of the same scenario drawing from its split."""
        return replace(self, scenario=self.scenario.split(name))

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of clip `index`: those of the scene, the violation, and whether it is the possible one."""
        kind = self.violations[index // 2 % len(self.violations)]
        for _ in range(_SCENES):
            scene = self.scenario.sample(rng, index // 2)
            violation = self._violation(kind, self._possible(scene), rng)
            if violation is not None:
                return {"scene": scene, "violation": violation, "possible": index % 2 == 0}
        what = "no two bodies meet" if kind == "pass_through" else "no body can be seen to do so"
        raise UserError(
            f"twins: found no place for {kind!r} in {_SCENES} scenes of {self.scenario.name}: {what} between frames {self.context} and"
            f" {self.num_frames - self.after}"
        )

    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """One of the two clips of these parameters, with `fields` of its dense truth (all but backward flow unless said otherwise).

        Raises UserError where a parameter is missing or a field unknown.
        """
        del rng  # what is left to chance is in the parameters
        for key in ("scene", "violation", "possible"):
            if key not in params:
                raise UserError(f"twins: the parameters lack {key!r}; there are {', '.join(params) or 'none'}")
        clip = self._possible(params["scene"])
        violation, possible = dict(params["violation"]), bool(params["possible"])
        if not possible:
            clip = clip.replace(**self._family.altered(self.scenario, clip, violation))
        dense = self.render(clip.bodies, DEFAULT_DENSE if fields is None else fields)
        meta = {**clip.meta, "scenario": json.loads(self.as_json), "params": dict(params), "possible": possible, "violation": violation}
        return clip.replace(meta=meta, **dense)

    @property
    def alike(self) -> int:
        """Two: the clips of a pair."""
        return 2

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

    def _violation(self, kind: str, clip: Clip, rng: np.random.Generator) -> Violation | None:
        """A violation of this kind that can be seen in the clip; None where some tries found none."""
        frames = range(self.context, self.num_frames - self.after + 1)
        for _ in range(_PLANS):
            plan = VIOLATIONS[kind](self._family, clip, frames, rng)
            if plan is not None:
                plan = {"kind": kind, **plan}
                effect = self._effect(clip, plan)
                if effect >= EFFECT * self.size:
                    return {**plan, "effect": round(effect, 2)}
        return None

    def _effect(self, clip: Clip, plan: Violation) -> float:
        """The side in px of a square of as many pixels as differ between the twins in the frame, soon after, in which most do."""
        twin, soon = self._family.altered(self.scenario, clip, plan)["bodies"], slice(plan["frame"], plan["frame"] + self.after)
        ours, theirs = (
            self.render({key: value[soon] for key, value in bodies.items()}, ("rgb",))["rgb"].short() for bodies in (clip.bodies, twin)
        )
        differ = ((ours - theirs).abs().amax(1) > _LEVELS).sum((1, 2))
        return math.sqrt(int(differ.max()))


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
