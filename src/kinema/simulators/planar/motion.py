"""Discs under uniform gravity between events, elastic or not: closed form from one impact to the next."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UserError

Array = NDArray[np.float64]
Walls = tuple[float, float, float, float]
WALL = -1
_MAX_EVENTS = 10_000
_GRAIN = 1e-6  # of a step, within which two times are one
_STILL = 1e-12  # m/s; discs that an inelastic impact left together close at a rounding error, not at a speed


@dataclass
class Contacts:
    """Impacts in order of time: `time` [k] s, `bodies` [k,2] (-1 is a wall), `point` [k,2] m, `impulse` [k] N s."""

    time: list[float] = field(default_factory=list)
    bodies: list[tuple[int, int]] = field(default_factory=list)
    point: list[Array] = field(default_factory=list)
    impulse: list[float] = field(default_factory=list)

    def since(self, start: float) -> Contacts:
        """Those from time `start` on."""
        first = bisect_left(self.time, start)
        return Contacts(self.time[first:], self.bodies[first:], self.point[first:], self.impulse[first:])


@dataclass(frozen=True)
class Motion:
    """`position` and `velocity` [t,n,2] in m and m/s, and the contacts on the way."""

    position: Array
    velocity: Array
    contacts: Contacts


def motion(
    position: Array,
    velocity: Array,
    radius: Array,
    mass: Array,
    times: Array,
    *,
    gravity: tuple[float, float] = (0.0, 0.0),
    walls: Walls | None = None,
    restitution: float = 1.0,
    threshold: float = 0.0,
    step: float = 0.0,
    start: float = 0.0,
    ignore: Collection[tuple[int, int]] = (),
) -> Motion:
    """The motion of n frictionless discs at the given times.

    `position`, `velocity` [n,2] in m and m/s at time `start` s, `radius` [n] m, `mass` [n] kg, `times` [t] s, ascending
    from `start`; `walls` (left, right, bottom, top) in m. Between impacts every disc follows its parabola exactly; because gravity is
    shared, two discs approach each other on a straight line, so the time of impact is the root of a quadratic. Impacts
    that close at no more than `threshold` m/s, if that is above 0, are perfectly inelastic (as in Box2D, at 1 m/s).
    Where `step` is above 0, two discs do not part before the first multiple of it at or after they touch, up to which they
    run into each other (Box2D, which looks for overlaps at the beginning of a step, at 0.01 s; of what stands still, walls,
    it computes the time of impact).
    Pairs (i, j), i < j, or (i, WALL) in `ignore` pass through each other.
    Raises UserError where impacts pile up without end, as on the way to rest.
    """
    x, v, now = np.array(position, float), np.array(velocity, float), start
    g = np.array(gravity, float)
    inverse_mass = 1.0 / np.asarray(mass, float)
    out_x, out_v = np.empty((len(times), *x.shape)), np.empty((len(times), *x.shape))
    contacts, done = Contacts(), 0
    for _ in range(_MAX_EVENTS):
        wait, pair, normal = _next_impact(x, v, radius, g, walls, ignore, _rounded(step, now))
        then = _as_shown(now + wait, times, step)
        stop = int(np.searchsorted(times, then, side="left"))
        dt = (times[done:stop] - now)[:, None, None]
        out_x[done:stop] = x + v * dt + 0.5 * g * dt**2
        out_v[done:stop] = v + g * dt
        done = stop
        if done == len(times):
            return Motion(out_x, out_v, contacts)
        x = x + v * wait + 0.5 * g * wait**2
        v = v + g * wait
        now = then
        _bounce(x, v, np.asarray(radius, float), inverse_mass, pair, normal, (restitution, threshold), now, contacts)
    raise UserError(
        f"more than {_MAX_EVENTS} impacts in {now:g} s: discs that come to rest, as they do where restitution is below 1, are beyond"
        " this closed form"
    )


def elastic(m1: float, m2: float, v1: float, v2: float) -> tuple[float, float]:
    """Velocities after an elastic impact on a line, from masses (any unit) and the velocities before.

    >>> elastic(1.0, 1.0, 2.0, -1.0)
    (-1.0, 2.0)
    """
    both = 2 * (m1 * v1 + m2 * v2) / (m1 + m2)
    return both - v1, both - v2


def _rounded(step: float, now: float) -> Callable[[float], float]:
    """What a time to wait from `now` on becomes if it ends at a multiple of `step` only; itself where that is 0."""
    if step == 0.0:
        return lambda wait: wait
    return lambda wait: max(math.ceil((now + wait) / step - _GRAIN) * step - now, 0.0) if wait < np.inf else wait


def _as_shown(time: float, times: Array, step: float) -> float:
    """The one of `times` that a multiple of `step` is but for rounding, if it is one, so that times compare."""
    k = int(np.searchsorted(times, time - _GRAIN * step))
    return float(times[k]) if step and k < len(times) and times[k] - time < _GRAIN * step else time


def _next_impact(
    x: Array,
    v: Array,
    radius: Array,
    g: Array,
    walls: Walls | None,
    ignore: Collection[tuple[int, int]],
    rounded: Callable[[float], float],
) -> tuple[float, tuple[int, int], Array]:
    """Time until the next impact (inf if none; of two bodies, as `rounded`), the pair (body, body or WALL), and the normal
    of a wall."""
    best, pair, normal = np.inf, (WALL, WALL), np.zeros(2)
    n = len(x)
    for i in range(n):
        for j in range(i + 1, n):
            wait = rounded(_meet(x[j] - x[i], v[j] - v[i], float(radius[i] + radius[j])))
            if wait < best and (i, j) not in ignore:
                best, pair = wait, (i, j)
        if walls is None or (i, WALL) in ignore:
            continue
        for side, wall in enumerate(walls):
            axis, sign = side // 2, 1.0 if side % 2 == 0 else -1.0  # the inward normal
            wait = _reach(sign * (x[i, axis] - wall) - float(radius[i]), sign * v[i, axis], sign * g[axis])
            if wait < best:
                best, pair, normal = wait, (i, WALL), np.eye(2)[axis] * sign
    return best, pair, normal


def _meet(dx: Array, dv: Array, distance: float) -> float:
    """First time at which |dx + dv t| = distance while approaching, else inf."""
    approach = float(dx @ dv)
    if approach >= -_STILL * distance:
        return np.inf
    speed2 = float(dv @ dv)
    room = float(dx @ dx) - distance**2
    root = approach**2 - speed2 * room
    if root < 0.0:
        return np.inf
    # The stable form of (-approach - sqrt(root)) / speed2; discs that already touch meet now.
    return max(room / (-approach + math.sqrt(root)), 0.0)


def _reach(gap: float, speed: float, pull: float) -> float:
    """First time at which gap + speed t + pull t^2 / 2 = 0 while closing, else inf."""
    gap = max(gap, 0.0)
    if pull == 0.0:
        return gap / -speed if speed < -_STILL else np.inf
    root = speed**2 - 2.0 * pull * gap
    if root < 0.0 or (pull > 0.0 and speed >= 0.0):
        return np.inf
    closing = math.sqrt(root)  # the closing speed at the wall
    # A disc at rest on a wall that gravity pulls it to meets that wall at once, again and again, until `motion` refuses it.
    return 2.0 * gap / (closing - speed) if closing - speed > 0.0 and speed <= 0.0 else (-speed - closing) / pull


def _bounce(
    x: Array,
    v: Array,
    radius: Array,
    inverse_mass: Array,
    pair: tuple[int, int],
    normal: Array,
    law: tuple[float, float],
    now: float,
    contacts: Contacts,
) -> None:
    (i, j), (e, threshold) = pair, law
    if j == WALL:
        point, inverse, closing = x[i] - normal * radius[i], inverse_mass[i], -float(v[i] @ normal)
    else:
        normal = (x[i] - x[j]) / np.linalg.norm(x[i] - x[j])
        point, inverse = x[i] - normal * radius[i], inverse_mass[i] + inverse_mass[j]
        closing = -float((v[i] - v[j]) @ normal)
    if closing <= threshold and threshold > 0.0:
        e = 0.0
    impulse = (1.0 + e) * closing / inverse
    v[i] = v[i] + impulse * inverse_mass[i] * normal
    if j != WALL:
        v[j] = v[j] - impulse * inverse_mass[j] * normal
    contacts.time.append(now)
    contacts.bodies.append((i, j))
    contacts.point.append(point)
    contacts.impulse.append(float(impulse))
