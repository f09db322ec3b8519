"""The ego car: a unicycle that is driven by speed and yaw rate, and drivers for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....core.errors import UserError
from .paths import Path

Floats = NDArray[np.float64]
Pose = tuple[float, float, float]

SHARPEST = 0.22  # 1/m: the least turning circle of a car
SIDEWAYS = 4.0  # m/s^2
HARDEST = 8.0  # m/s^2: braking on a dry road


def advance(pose: Pose, speed: float, rate: float, time: float) -> Pose:
    """The pose (x m, y m, angle rad) after `time` s at constant speed m/s and yaw rate rad/s: exactly, along an arc."""
    x, y, angle = pose
    turn = rate * time
    chord = speed * time * float(np.sinc(turn / (2 * math.pi)))
    return x + chord * math.cos(angle + turn / 2), y + chord * math.sin(angle + turn / 2), angle + turn


def drive(actions: Floats | Sequence[Sequence[float]], start: Pose = (0.0, 0.0, 0.0), dt: float = 0.125) -> Floats:
    """Poses [t,3] (x m, y m, angle rad) from `start` on, driven by `actions` [t,2]: row k, speed m/s and yaw rate rad/s, holds for
    `dt` s from pose k on; the last row moves nothing any more, as in a clip's actions."""
    rows = checked(actions)
    poses = [start]
    for speed, rate in rows[:-1]:
        poses.append(advance(poses[-1], float(speed), float(rate), dt))
    return np.array(poses)


def checked(actions: Floats | Sequence[Sequence[float]]) -> Floats:
    """Actions as an array [t,2]. Raises UserError for another shape or numbers that are not finite."""
    rows = np.asarray(actions, np.float64)
    if rows.ndim != 2 or rows.shape[1] != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise UserError(f"actions must be finite numbers [t,2], speed m/s and yaw rate rad/s, for 2 frames or more; got {rows.shape}")
    return rows


def keep(frames: int, speed: float = 8.0) -> Floats:
    """Actions [t,2] that go straight on."""
    return np.stack([np.full(frames, speed), np.zeros(frames)], 1)


def accelerate(frames: int, speed: float = 4.0, rate: float = 2.5, dt: float = 0.125) -> Floats:
    """Actions [t,2] that gain `rate` m/s each second from `speed` m/s on, straight ahead."""
    return np.stack([speed + rate * dt * np.arange(frames), np.zeros(frames)], 1)


def brake(frames: int, speed: float = 10.0, rate: float = 4.0, dt: float = 0.125) -> Floats:
    """Actions [t,2] that lose `rate` m/s each second from `speed` m/s on, to a stop, straight ahead."""
    return np.stack([np.maximum(0.0, speed - rate * dt * np.arange(frames)), np.zeros(frames)], 1)


def left(frames: int, speed: float = 5.0, radius: float = 10.0, ramp: int = 4) -> Floats:
    """Actions [t,2] of a turn to the left at `radius` m, the yaw rate raised over `ramp` frames."""
    bend = np.minimum(1.0, (np.arange(frames) + 1) / max(1, ramp))
    return np.stack([np.full(frames, speed), speed / radius * bend], 1)


def right(frames: int, speed: float = 5.0, radius: float = 10.0, ramp: int = 4) -> Floats:
    """Actions [t,2] of a turn to the right: `left` in the mirror."""
    return left(frames, speed, radius, ramp) * [1.0, -1.0]


def steer(pose: Pose, path: Path, s: float, speed: float) -> float:
    """The yaw rate rad/s of a car at `s` m along a path that it follows at `speed` m/s (pure pursuit: the arc through a point
    ahead), within what a car can turn and tyres hold."""
    ahead = max(2.5, 0.45 * speed)
    x, y, _ = path.at(s + ahead)
    dx, dy = x - pose[0], y - pose[1]
    side = -math.sin(pose[2]) * dx + math.cos(pose[2]) * dy
    bend = 2 * side / (dx * dx + dy * dy)
    most = min(SHARPEST, 0.95 * SIDEWAYS / max(speed, 1e-6) ** 2)
    return speed * float(np.clip(bend, -most, most))


def slowed(path: Path, s: float, speed: float, sideways: float, deceleration: float) -> float:
    """The speed m/s at which the path ahead can be driven: sideways acceleration m/s^2 held in bends that are reached by braking."""
    ahead = np.arange(0.0, speed**2 / (2 * deceleration) + 10.0, 0.5)
    bends = np.abs(path.curvature(s + ahead))
    return float(np.sqrt(sideways / np.maximum(bends, 1e-4) + 2 * deceleration * ahead).min())
