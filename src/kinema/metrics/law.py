"""How lawful a dream is: velocity, position, momentum and energy of its balls against the truth, and which balls vanish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import Clip, UserError
from ..core.config import part
from .parse import CUT, MERGED, WHOLE, colors_of, is_parsed, parse, readable, world_width_of

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_IMPACT = 0.3  # m/s per frame that a ball's parsed velocity must change by to count as an impact
_PAPER_IMPACT = 0.1
_PAPER_FRAMES = 31  # the released evaluator compares states 0..30
_PAPER_FIRST = 3
_EDGE = 1e-6  # m; a ball that just touches the border is not cut by it


@dataclass(frozen=True)
class Comparison:
    """One dream beside its truth, in SI units. Frames are t, pairs of neighbouring frames p = t - 1, balls n."""

    dream: Array  # [t,n,2] m; an absent ball stays where it was last seen
    truth: Array  # [t,n,2] m
    dream_radius: Array  # [t,n] m, NaN where absent
    truth_radius: Array  # [t,n] m
    dream_mass: Array  # [n] kg
    truth_mass: Array  # [n] kg
    visible: Flags  # [t,n] whether the dream shows the ball
    frames: Flags  # [t] dreamt frames in which no true ball is cut by the border
    pairs: Flags  # [p] pairs of such frames (the first may be a given one), after the impact if there is one
    gravity: Array  # [2] m/s^2
    dt: float

    @property
    def dream_velocity(self) -> Array:
        """[p,n,2] m/s, forward differences."""
        return np.diff(self.dream, axis=0) / self.dt

    @property
    def truth_velocity(self) -> Array:
        """[p,n,2] m/s, forward differences too, so that both mean the same interval."""
        return np.diff(self.truth, axis=0) / self.dt


def compare(
    dream: Clip, truth: Clip, *, first_frame: int | None = None, subpixel: bool = True, paper_compatible: bool = False
) -> Comparison:
    """Lay a single dream beside its truth.

    The dream is judged by what it shows: it is parsed unless it has been already. The truth is the clip's exact bodies
    if it has them. `first_frame` is the first dreamt frame (default: the dream's meta "condition_frames", or 3).
    Raises UserError where the clips differ in frames or dt.
    """
    if dream.num_frames != truth.num_frames:
        raise UserError(f"a dream of {dream.num_frames} frames cannot be judged by a truth of {truth.num_frames}")
    if abs(dream.dt - truth.dt) > 1e-9:
        raise UserError(f"the dream's time step is {dream.dt:g} s, the truth's {truth.dt:g} s")
    first = int(dream.meta.get("condition_frames", 3)) if first_frame is None else first_frame
    if paper_compatible:
        dream, truth, first = _paper_frames(dream), _paper_frames(truth), max(first, _PAPER_FIRST)
    if not truth.has("bodies"):
        truth = parse(truth, subpixel=subpixel)
    dream = read_dream(dream, truth, subpixel=subpixel, paper_compatible=paper_compatible)
    if dream.bodies["position"].shape[1] != truth.bodies["position"].shape[1]:
        raise UserError("the dream was parsed for another number of balls than its truth has: parse it with the truth's colours")
    position, radius = _numpy(truth, "position"), _numpy(truth, "radius")
    gravity = gravity_of(position, truth.dt)
    whole = _whole(truth, position, radius)
    after = _after_impact(truth, position, gravity, paper_compatible)
    start = first if paper_compatible else first - 1
    late = np.arange(len(position) - 1) >= start
    seen = _numpy(dream, "position")
    return Comparison(
        dream=_held(seen, position),
        truth=position,
        dream_radius=_numpy(dream, "radius"),
        truth_radius=radius,
        dream_mass=_given_mass(dream, truth, first),
        truth_mass=_mass(truth),
        visible=dream.bodies["visible"].numpy() & ~np.isnan(seen).any(-1),
        frames=whole & (np.arange(len(position)) >= first),
        pairs=whole[:-1] & whole[1:] & late & after,
        gravity=gravity,
        dt=dream.dt,
    )


def read_dream(dream: Clip, truth: Clip, *, subpixel: bool = True, paper_compatible: bool = False) -> Clip:
    """The dream with the bodies that its frames show, looked for in the truth's colours; unchanged if already parsed."""
    if is_parsed(dream):
        return dream
    colors = colors_of(truth) if truth.has("bodies") and "color" in truth.bodies else None
    return parse(dream, colors=colors, subpixel=subpixel and not paper_compatible, paper_compatible=paper_compatible)


@part
class LawMetric(ABC):
    """A number per clip from the parsed dream and its true bodies; NaN where nothing can be judged, or pixels are NaN.

    `first_frame` is the first dreamt frame (default: the dream's meta "condition_frames", or 3). `subpixel` parses with
    weights by colour instead of masks. `paper_compatible` repeats the released evaluator (phyworld `evaluate.py`): its
    parser and scale, states 0..30, no ball of r < 0.6 (collision r <= 0.5), and the horizontal velocity alone.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    first_frame: int | None = None
    subpixel: bool = True
    paper_compatible: bool = False

    def __call__(self, dream: Clip, truth: Clip) -> torch.Tensor:
        """[b]; single clips count as b = 1."""
        cases = zip(readable(dream), pairs(dream, truth), strict=True)
        return torch.tensor([self._judge(*case) if known else torch.nan for known, case in cases], dtype=torch.float64)

    def _judge(self, dream: Clip, truth: Clip) -> float:
        if self.paper_compatible and _paper_drops(truth):
            return float("nan")
        case = compare(
            dream, truth, first_frame=self.first_frame, subpixel=self.subpixel, paper_compatible=self.paper_compatible
        )
        return self._value(case)

    @abstractmethod
    def _value(self, case: Comparison) -> float:
        """The number for one clip."""


@part
class VelocityError(LawMetric):
    """Mean over valid frames and balls of |v_dream - v_true| (PhyWorld sec. 3.1)."""

    name = "velocity"
    unit = "m/s"

    def _value(self, case: Comparison) -> float:
        error = (case.dream_velocity - case.truth_velocity)[case.pairs]
        return mean(np.abs(error[..., 0]) if self.paper_compatible else np.linalg.norm(error, axis=-1))


@part
class VelocityErrorOfMeans(LawMetric):
    """Mean over balls of |mean_t v_dream - mean_t v_true|: what the released evaluator reports and the published tables print."""

    name = "velocity_of_means"
    unit = "m/s"

    def _value(self, case: Comparison) -> float:
        if not case.pairs.any():
            return float("nan")
        error = (case.dream_velocity - case.truth_velocity)[case.pairs].mean(0)
        return mean(np.abs(error[..., 0]) if self.paper_compatible else np.linalg.norm(error, axis=-1))


@part
class PositionError(LawMetric):
    """Mean over valid frames and balls of the distance between dreamt and true centre."""

    name = "position"
    unit = "m"

    def _value(self, case: Comparison) -> float:
        return mean(np.linalg.norm(case.dream - case.truth, axis=-1)[case.frames])


@part
class MomentumError(LawMetric):
    """Mean over valid frames of |P_dream - P_true|, P the momentum of all balls, masses pi r^2 from the given frames."""

    name = "momentum"
    unit = "kg m/s"

    def _value(self, case: Comparison) -> float:
        dream = momentum(case.dream_velocity, case.dream_mass)
        truth = momentum(case.truth_velocity, case.truth_mass)
        return mean(np.linalg.norm(dream - truth, axis=-1)[case.pairs])


@part
class EnergyError(LawMetric):
    """Mean over valid frames of |E_dream - E_true|: kinetic plus potential energy of all balls, masses pi r^2."""

    name = "energy"
    unit = "J"

    def _value(self, case: Comparison) -> float:
        dream = energy(case.dream, case.dream_velocity, case.dream_mass, case.gravity)
        truth = energy(case.truth, case.truth_velocity, case.truth_mass, case.gravity)
        return mean(np.abs(dream - truth)[case.pairs])


@part
class RadiusError(LawMetric):
    """Mean over valid frames and balls of |r_dream - r_true|."""

    name = "radius"
    unit = "m"

    def _value(self, case: Comparison) -> float:
        return mean(np.abs(case.dream_radius - case.truth_radius)[case.frames])


@part
class Vanished(LawMetric):
    """Share of balls and valid dreamt frames in which the dream does not show the ball."""

    name = "vanished"
    unit = "share"

    def _value(self, case: Comparison) -> float:
        return mean((~case.visible[case.frames]).astype(float))


def pairs(dream: Clip, truth: Clip) -> Iterator[tuple[Clip, Clip]]:
    """Single clips of two batches side by side, or the two single clips. Raises UserError where they do not pair up."""
    if dream.batched != truth.batched or (dream.batched and len(dream) != len(truth)):
        shape = [f"a batch of {len(clip)}" if clip.batched else "a single clip" for clip in (dream, truth)]
        raise UserError(f"dream and truth must pair up, but the dream is {shape[0]} and the truth {shape[1]}")
    if dream.batched:
        yield from zip(dream, truth, strict=True)
    else:
        yield dream, truth


def momentum(velocity: Array, mass: Array) -> Array:
    """Total momentum [p,2] in kg m/s of `velocity` [p,n,2] and `mass` [n]."""
    return np.asarray((mass[:, None] * velocity).sum(1))


def energy(position: Array, velocity: Array, mass: Array, gravity: Array) -> Array:
    """Kinetic plus potential energy [p] in J: `velocity` [p,n,2] is the mean between two frames, the height the middle's."""
    middle = (position[1:] + position[:-1]) / 2
    return np.asarray((mass * (0.5 * (velocity**2).sum(-1) - middle @ gravity)).sum(1))


def bucket(truth: Clip) -> str:
    """PhyWorld's bucket of a clip, as `buckets` has it. Raises AbsentField for a clip without exact bodies."""
    velocity, radius = _numpy(truth, "velocity")[0], _numpy(truth, "radius")[0]
    speed = np.linalg.norm(velocity, axis=-1)
    if (not truth.has("contacts") or len(radius) == 1) and velocity[:, 0].any():
        speed = np.abs(velocity[:, 0])
    return buckets(radius[None], speed[None])[0]


def buckets(radius: Array, speed: Array) -> list[str]:
    """PhyWorld's buckets of k clips of n balls with radius [k,n] m and speed [k,n] m/s, as its evaluator sorts them.

    "id" inside the box r 0.7-1.4 (two balls 0.5-1.5), speed 1-4; "r", "v", "both" where a radius, a speed, or both are
    outside; "still" where a ball rests.
    """
    low, high = (0.5, 1.5) if radius.shape[1] > 1 else (0.7, 1.4)
    out_r = ((radius < low) | (radius > high)).any(1)
    out_v = ((speed < 1.0) | (speed > 4.0)).any(1)
    names = np.array(["id", "r", "v", "both"])[out_r + 2 * out_v]
    found: list[str] = np.where((speed == 0).any(1), "still", names).tolist()
    return found


def mean(values: Array) -> float:
    """Mean without NaN; NaN where nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _numpy(clip: Clip, name: str) -> Array:
    return clip.bodies[name].cpu().numpy().astype(float)


def _mass(clip: Clip) -> Array:
    mass = _numpy(clip, "mass")[0] if "mass" in clip.bodies else np.pi * _numpy(clip, "radius")[0] ** 2
    return np.asarray(mass)


def _given_mass(dream: Clip, truth: Clip, first: int) -> Array:
    """Masses as the given frames show them; the true mass of a ball that is not whole there."""
    mass = _mass(truth).copy()
    radius, state = _numpy(dream, "radius")[:first], dream.bodies["state"].numpy()[:first]
    for body in range(len(mass)):
        whole = radius[state[:, body] == WHOLE, body]
        if len(whole):
            mass[body] = np.pi * np.median(whole) ** 2
    return mass


def _held(position: Array, truth: Array) -> Array:
    """Every absent ball where it was last seen; one that was never seen, where it truly started."""
    held = position.copy()
    for t in range(len(held)):
        gone = np.isnan(held[t]).any(-1)
        held[t, gone] = held[t - 1, gone] if t else truth[0, gone]
    return held


def _whole(truth: Clip, position: Array, radius: Array) -> Flags:
    """[t]: no ball is cut by the border."""
    if is_parsed(truth):
        state = truth.bodies["state"].numpy()
        return np.asarray(((state != CUT) & (state != MERGED) & (state != 0)).all(1))
    width = world_width_of(truth)
    height = width * truth.size[0] / truth.size[1] if truth.has("rgb") else width
    room = np.array([width, height]) + _EDGE - radius[..., None]
    return np.asarray(((position >= radius[..., None] - _EDGE) & (position <= room)).all((1, 2)))


def gravity_of(position: Array, dt: float) -> Array:
    """The acceleration that all balls share at most times; 0 where it drowns in the parser's noise."""
    if len(position) < 3:
        return np.zeros(2)
    second = np.diff(position, 2, axis=0).reshape(-1, 2) / dt**2
    known = second[~np.isnan(second).any(1)]
    typical = np.median(known, axis=0) if len(known) else np.zeros(2)
    return np.where(np.abs(typical) < 0.5, 0.0, typical)


def _after_impact(truth: Clip, position: Array, gravity: Array, paper_compatible: bool) -> Flags:
    """[p]: pairs of frames after the first impact of two balls; all pairs where the clip is about no such impact."""
    count = len(position) - 1
    index = np.arange(count)
    if position.shape[1] < 2:
        return np.ones(count, bool)
    if truth.has("contacts") and not paper_compatible:
        between = truth.contacts["bodies"][:, 1] >= 0
        if not bool(between.any()):
            return np.full(count, not _is_collision(truth))
        return np.asarray(index * truth.dt >= float(truth.contacts["time"][between].min()) - 1e-9)
    velocity = np.diff(position, axis=0) / truth.dt
    change = np.abs(np.diff(velocity, axis=0) - gravity * truth.dt).max((1, 2))
    hits = np.flatnonzero(change > (_PAPER_IMPACT if paper_compatible else _IMPACT))
    if not len(hits):
        return np.full(count, not _is_collision(truth))
    # The change between pairs k and k+1 happened within one of them; the released evaluator keeps pair k+1.
    return np.asarray(index >= hits[0] + (1 if paper_compatible else 2))


def _is_collision(truth: Clip) -> bool:
    scenario: Any = truth.meta.get("scenario", {})
    return str(scenario.get("part", "") if isinstance(scenario, dict) else scenario).lower().endswith("collision")


def _paper_frames(clip: Clip) -> Clip:
    return clip.frames(0, min(clip.num_frames, _PAPER_FRAMES))


def _paper_drops(truth: Clip) -> bool:
    radius = _numpy(truth, "radius")[0] if truth.has("bodies") else np.array([np.inf])
    return bool((radius <= 0.5).any() if len(radius) > 1 else (radius < 0.6).any())
