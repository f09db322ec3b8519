"""Possible/impossible twins of spatial worlds: what happens, in which frame and to whom, and the run in which it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.clip import Clip
from ...core.config import part
from ...core.errors import UserError
from ..pairs import Pairs, Violation, check_pair, effect, seen_enough
from .bodies import AnyBody, Rigid
from .boxes import bounds, clear
from .change import Change
from .driven import told
from .engine import simulate
from .run import Contacts, Run
from .scene import Scene
from .shapes import Vector
from .styles import vector
from .world import DENSE, SpatialWorld

PULLS: tuple[Vector, ...] = ((0.0, 0.0, 6.0), (7.0, 0.0, -2.0), (-7.0, 0.0, -2.0), (0.0, 7.0, -2.0))  # m/s^2
SEEN = 0.04  # of the image's width: the side of a square of as many pixels as a body must show
_PLANS, _SPOTS = 8, 30  # tries for a violation in a scene, for a free spot


@dataclass(frozen=True)
class Filmed:
    """A possible run, and how many pixels of each body its camera sees [t,n]."""

    scene: Scene
    run: Run
    shown: NDArray[np.int64]
    least: float

    def movers(self, frame: int) -> list[int]:
        """Bodies that can move by themselves, and are seen in this frame and the one before."""
        both = np.minimum(self.shown[frame], self.shown[frame - 1]) >= self.least
        driven = told(self.scene)
        return [n for n, body in enumerate(self.scene.bodies) if both[n] and free(body, driven)]


Draw = Callable[[Filmed, Sequence[int], np.random.Generator], Violation | None]


def free(body: AnyBody, driven: bool) -> bool:
    """Whether a body is rigid and hangs on nothing, so that it can be taken away or put elsewhere; `driven` bodies can where
    nothing else moves."""
    if not isinstance(body, Rigid) or body.fixed or body.joint or body.ghost:
        return False
    return driven or not body.path


def vanish(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body is not there any more."""
    return _someone(film, frames, rng)


def teleport(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body is at another free place, at least its own width away, from where it goes on with its velocity."""
    plan = _someone(film, frames, rng)
    if plan is None:
        return None
    frame, n = plan["frame"], plan["body"]
    low, high = bounds(film.scene, film.run, frame)
    width = float((high[n] - low[n]).max())
    for _ in range(_SPOTS):
        step = rng.uniform(-3, 3, 3) * width * [1.0, 1.0, 0.4]
        if np.linalg.norm(step[:2]) < width or low[n, 2] + step[2] < 0:
            continue
        if clear(low[n] + step, high[n] + step, low, high, (n,)):
            return {**plan, "to": [round(float(x), 4) for x in film.run.position[frame, n] + step]}
    return None


def swap(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """Two bodies stand in each other's places, each with its own velocity, its lowest point as low as the other's was."""
    frame = int(rng.choice(list(frames)))
    movers = film.movers(frame)
    if len(movers) < 2:
        return None
    n, m = (int(k) for k in rng.permutation(movers)[:2])
    low, high = bounds(film.scene, film.run, frame)
    to = {}
    for a, b in ((n, m), (m, n)):
        middle = (low[b] + high[b] - low[a] - high[a]) / 2
        step = np.array([middle[0], middle[1], low[b, 2] - low[a, 2]])
        if not clear(low[a] + step, high[a] + step, low, high, (n, m)):
            return None
        to[a] = [round(float(x), 4) for x in film.run.position[frame, a] + step]
    return {"frame": frame, "body": n, "other": m, "to": to[n], "other_to": to[m]}


def pass_through(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body goes through another, or through the floor (-1), that it would meet."""
    contacts, gap = film.run.contacts, film.run.times[1]
    met: dict[tuple[int, int], int] = {}
    for time, pair in zip(contacts.time.tolist(), contacts.bodies.tolist(), strict=True):
        met.setdefault((pair[0], pair[1]), int(time / gap) + 1)  # the first frame that can show it
    found = []
    for (a, b), frame in met.items():
        found += [(frame, n, m) for n, m in ((a, b), (b, a)) if frame in frames and n >= 0 and n in film.movers(frame)]
    if not found:
        return None
    frame, body, other = found[int(rng.integers(len(found)))]
    return {"frame": frame, "body": body, "other": other}


def reverse(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """Time runs backwards: the frames before come again, the last one first."""
    last = len(film.run.times)
    late = [frame for frame in frames if last - frame <= frame - 1]
    return {"frame": int(rng.choice(late))} if late else None


def gravity(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """Everything falls another way."""
    return {"frame": int(rng.choice(list(frames))), "gravity": list(PULLS[int(rng.integers(len(PULLS)))])}


SPATIAL_VIOLATIONS: dict[str, Draw] = {draw.__name__: draw for draw in (vanish, teleport, swap, pass_through, reverse, gravity)}


@part
class SpatialTwins(Pairs):
    """Pairs of clips of a spatial scenario: clip 2i is possible, clip 2i + 1 the same with one thing in it that cannot be.

    The violations take turns from pair to pair (see `SPATIAL_VIOLATIONS`). Both clips share every frame before the violation,
    the caption and the camera; `meta["possible"]` says which is which, and in both `meta["violation"]` says what happens in
    the impossible one: `kind`, `frame` (the first after it), `effect` (side in px of a square of as many pixels as differ in
    that one of the first `after` frames in which most do), and `body`, `other` (places in the scene, -1 the floor), `to` m
    or `gravity` m/s^2. At least `context` frames come before it and `after` from it on.

    Truth is that of what is shown; tracks are left out. After the violation all goes on by the law, backwards under `reverse`.
    A body that has vanished has `visible` false. Where `cut` is true, in the first frame after a body vanished or was moved, it
    is not followed: its points have no flow to or from the frame before, and count as hidden there. Scenes that offer no such
    violation are drawn again.
    """

    kinds: ClassVar[tuple[str, ...]] = tuple(SPATIAL_VIOLATIONS)
    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DENSE

    def _check_scenario(self) -> None:
        if not isinstance(self.scenario, SpatialWorld):
            raise UserError(f"twins: {self.scenario.name} is no spatial scenario")
        for kind in self.violations:
            if kind in self.kinds and kind not in self.scenario.violations:
                raise UserError(
                    f"twins: {kind!r} means nothing in {self.scenario.name}, where {self.scenario.why}; there are"
                    f" {', '.join(self.scenario.violations)}"
                )

    @property
    def _world(self) -> SpatialWorld:
        assert isinstance(self.scenario, SpatialWorld)
        return replace(self.scenario, tracks=0)

    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """One of the two clips of these parameters, with `fields` of its dense truth (all unless said otherwise).

        Raises UserError where a parameter is missing or a field unknown.
        """
        del rng  # what is left to chance is in the parameters
        check_pair(params)
        world, inner, violation = self._world, params["scene"], dict(params["violation"])
        scene, run = world.scene(inner), marked(world.run(inner))
        possible = bool(params["possible"])
        clip = world.film(scene, run, inner, () if not possible else fields)
        if not possible:
            clip = world.film(scene, altered(scene, run, violation), inner, fields, clip.camera).replace(text=clip.text)
        meta = {**clip.meta, "scenario": json.loads(self.as_json), "params": dict(params), "possible": possible, "violation": violation}
        return clip.replace(meta=meta)

    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, torch.Tensor]:
        """Dense truth of a clip's states as its camera sees them."""
        return self._world.again(clip.replace(meta={**clip.meta, "params": clip.meta["params"]["scene"]}), fields)

    def _found(self, kind: str, scene: Mapping[str, Any], rng: np.random.Generator) -> Violation | None:
        world = self._world
        given = world.scene(scene)
        alone = sum(free(body, told(given)) for body in given.bodies)
        if alone < {"vanish": 1, "teleport": 1, "swap": 2}.get(kind, 0):
            return None  # before it is simulated
        film = self._filmed(world, scene)
        for _ in range(_PLANS):
            plan = SPATIAL_VIOLATIONS[kind](film, self._frames, rng)
            if plan is not None:
                plan = {"kind": kind, **plan}
                side = self._effect(world, scene, film, plan)
                if seen_enough(side, self.size):
                    return {**plan, "effect": round(side, 2)}
        return None

    def _filmed(self, world: SpatialWorld, scene: Mapping[str, Any]) -> Filmed:
        clip = world.film(world.scene(scene), world.run(scene), scene, ("segmentation",))
        count = len(world.scene(scene).bodies)
        shown = np.stack([np.bincount(ids.ravel(), minlength=count + 1)[1:] for ids in clip.segmentation.long().numpy()])
        return Filmed(world.scene(scene), world.run(scene), shown, (SEEN * self.size) ** 2)

    def _effect(self, world: SpatialWorld, params: Mapping[str, Any], film: Filmed, plan: Violation) -> float:
        """The side in px of a square of as many pixels as differ between the twins in the frame, soon after, in which most do."""
        soon = slice(plan["frame"], plan["frame"] + self.after)
        ours = world.film(film.scene, film.run, params, ())
        theirs = world.film(film.scene, altered(film.scene, film.run, plan), params, (), ours.camera)
        a, b = (world.again(clip.frames(soon.start, soon.stop), ("rgb",))["rgb"] for clip in (ours, theirs))
        return effect(a, b)


def marked(run: Run) -> Run:
    """A run whose bodies are all visible and themselves."""
    shape = run.position.shape[:2]
    return replace(run, visible=np.ones(shape, bool), cut=np.zeros(shape, bool))


def altered(scene: Scene, run: Run, violation: Violation) -> Run:
    """The run of the scene with the violation in it; its frames before are those of `run`."""
    frame, kind = violation["frame"], violation["kind"]
    if kind == "reverse":
        return _reversed(marked(run), frame)
    change = Change(
        frame=frame,
        vanish=(violation["body"],) if kind == "vanish" else (),
        moved={violation[key]: vector(violation[to]) for key, to in (("body", "to"), ("other", "other_to")) if to in violation},
        passing=(violation["body"], violation["other"]) if kind == "pass_through" else None,
        gravity=vector(violation["gravity"]) if kind == "gravity" else None,
    )
    found = simulate(scene, run.times, change)
    found.check()
    whole = marked(found)
    return replace(
        found, visible=whole.visible if found.visible is None else found.visible, cut=whole.cut if found.cut is None else found.cut
    )


def _reversed(run: Run, frame: int) -> Run:
    """Frame `frame` shows what frame `frame` - 2 did, and so on back; what moved goes the other way."""
    last = len(run.times)
    order = np.concatenate([np.arange(frame), np.arange(frame - 2, 2 * (frame - 1) - last, -1)])
    sign = np.where(np.arange(last) < frame, 1.0, -1.0)[:, None, None]
    still = {key: getattr(run, key)[order] for key in ("position", "rotation", "center", "kinetic", "potential", "elastic", "vertices")}
    return replace(
        run, velocity=run.velocity[order] * sign, angular_velocity=run.angular_velocity[order] * sign,
        work=None if run.work is None else run.work[order],
        temperature=None if run.temperature is None else run.temperature[order],
        contacts=_mirrored(run.contacts, run.times, frame), **still,
    )  # fmt: skip


def _mirrored(contacts: Contacts, times: NDArray[np.float64], frame: int) -> Contacts:
    """Contacts up to frame - 1, then those before it again in mirrored order."""
    turn = times[frame - 1]
    before = contacts.time < turn
    again = 2 * turn - (contacts.time + contacts.duration)
    back = before & (again >= turn - 1e-9) & (again < times[-1])
    keep = {key: np.concatenate([value[before], value[back][::-1]]) for key, value in vars(contacts).items()}
    keep["time"] = np.concatenate([contacts.time[before], again[back][::-1]])
    return Contacts(**keep)


def _someone(film: Filmed, frames: Sequence[int], rng: np.random.Generator) -> Violation | None:
    """A body that can move by itself, and a frame in which it is seen, as it is in the frame before."""
    both = [(frame, n) for frame in frames for n in film.movers(frame)]
    if not both:
        return None
    frame, body = both[int(rng.integers(len(both)))]
    return {"frame": frame, "body": body}
