"""Which of its attributes a body keeps in a dream: colour, shape, size, speed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..simulators import rebuild
from ..simulators.planar import WORLD, Attributes
from .judges import Judge, Value
from .looks import Bools, Looks, look

ATTRIBUTES = ("color", "shape", "radius", "speed")
_FEWEST = 4  # frames that a body must be seen in


@part
class Kept(Judge):
    """What a body of the `attributes` world looks like late in a dream, beside what it is in truth.

    Late are the frames of the second half of those that are dreamt and in which the body is whole, in the dream as in truth. Per
    attribute: `seen_...` (colour as its blue share), `drift_...` from its true value, 0, to that of the attribute's other kind, 1
    (of a size or speed: the middle of the other range), and `kept_...`, 1 where it is nearer to the true one, else 0. All are NaN
    where fewer than 4 such frames show a body; `vanished` is the share of frames that ought to.
    """

    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        world = rebuild(truth.meta["scenario"], "meta.scenario")
        if not isinstance(world, Attributes):
            raise UserError(f"attributes can be compared in the world of that name, not in {world.name}")
        inside = _inside(truth) & (np.arange(truth.num_frames) >= given)
        seen = look(dream)
        gone = np.isnan(seen.radius[inside])
        own = truth.meta["params"]
        values: dict[str, Value] = {"vanished": float(gone.mean()) if len(gone) else math.nan}
        late = np.flatnonzero(inside & seen.whole)
        late = late[len(late) // 2 :]
        found = _read(seen, late, world, own, truth.dt) if len(late) * 2 >= _FEWEST else {}
        for name in ATTRIBUTES:
            now, drift, kept = found.get(name, (math.nan, math.nan, math.nan))
            values |= {f"seen_{name}": now, f"drift_{name}": drift, f"kept_{name}": kept}
        return values


def _read(seen: Looks, late: Any, world: Attributes, own: dict[str, Any], dt: float) -> dict[str, tuple[Value, float, float]]:
    """(value seen, drift, whether kept) of every attribute."""
    way = -1.0 if own["mirrored"] else 1.0
    blue = float(np.median(seen.blue[late]))
    off = abs(blue - (own["color"] == "blue"))
    found: dict[str, tuple[Value, float, float]] = {"color": (blue, off, float(off < 0.5))}
    found["shape"] = _shape(seen, late, world, own["shape"])
    speed = way * float(np.polyfit(late * dt, seen.position[late, 0], 1)[0])
    for name, now in (("radius", float(np.median(seen.radius[late]))), ("speed", speed)):
        drift = (own[name] - now) / (own[name] - _other(getattr(world, name), own[name]))
        found[name] = now, drift, float(drift < 0.5)
    return found


def _shape(seen: Looks, late: Any, world: Attributes, own: str) -> tuple[Value, float, float]:
    """The drift is read off that of the two shapes which marks itself: a ring, else a square."""
    now = seen.shape(late)
    mark = "ring" if "ring" in world.shape else "square"
    amount = float(np.median((seen.ring if mark == "ring" else seen.square)[late]))
    return now, 1 - amount if own == mark else amount, float(now == own)


def _other(ranges: Any, own: float) -> float:
    """The middle of the range that a value does not lie in; that of both where there is one alone."""
    middles = [(low + high) / 2 for low, high in ranges]
    here = min(range(len(ranges)), key=lambda i: max(ranges[i][0] - own, own - ranges[i][1], 0.0))
    others = [m for i, m in enumerate(middles) if i != here]
    return others[0] if others else math.nan


def _inside(truth: Clip) -> Bools:
    """[t] whether the true body is whole in the picture."""
    x, r = truth.bodies["position"][:, 0, 0].numpy(), truth.bodies["radius"][:, 0].numpy()
    return np.asarray((x - r > -1e-6) & (x + r < WORLD + 1e-6))
