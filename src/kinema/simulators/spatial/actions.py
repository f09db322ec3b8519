"""Actions of a clip: how the body that carries the camera is driven from each frame to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .run import Run
from .scene import Scene
from .views import FirstPerson

Floats = NDArray[np.float64]


def actions(scene: Scene, run: Run) -> Floats | None:
    """What drives the scene's `ego` [t,4]: speed m/s and yaw rate rad/s (left positive, seen from above), as nuScenes has them;
    forward step m/frame and yaw step rad/frame of its camera, the project's reading of Motion Dreamer's camera vector. None
    where the scene has no ego.

    Row k holds for the motion from frame k to k + 1; the last repeats the one before. Speed is that along the arc of constant
    yaw rate through both poses, so it is exact for a body that moves with constant speed and yaw rate between frames; it is
    negative in reverse. The camera's step is measured along the ego's heading at frame k; the camera is the scene's first
    FirstPerson view on the ego, or the ego's frame where there is none."""
    if scene.ego is None:
        return None
    n = scene.index(scene.ego)
    eye = run.position[:, n] + _offset(scene, run.rotation[:, n])
    return driven(run.times, run.position[:, n], heading(run.rotation[:, n]), eye)


def driven(times: Floats, position: Floats, ahead: Floats, eye: Floats) -> Floats:
    """The columns of `actions` [t,4] of anything that drives: times [t] s, positions and those of its camera [t,2 or 3] m, and
    headings [t] rad."""
    turn = wrapped(np.diff(ahead))
    step = np.diff(position[:, :2], axis=0)
    middle = ahead[:-1] + turn / 2
    chord = step[:, 0] * np.cos(middle) + step[:, 1] * np.sin(middle)
    # An arc of length s that turns by a has the chord s sin(a/2) / (a/2).
    gaps = np.diff(times)
    speed, rate = chord / np.sinc(turn / (2 * np.pi)) / gaps, turn / gaps
    moved = np.diff(eye[:, :2], axis=0)
    forward = moved[:, 0] * np.cos(ahead[:-1]) + moved[:, 1] * np.sin(ahead[:-1])
    rows = np.stack([speed, rate, forward, turn], 1)
    return np.concatenate([rows, rows[-1:]])


def heading(rotation: Floats) -> Floats:
    """The angle [t] rad, from x towards y, of the body's x axis on the ground, of rotations [t,4]."""
    w, x, y, z = rotation.T
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def wrapped(angle: Floats) -> Floats:
    """Angles in [-pi, pi)."""
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _offset(scene: Scene, rotation: Floats) -> Floats:
    """From the ego's frame to its first camera [t,3] m, of the ego's rotations [t,4]."""
    from scipy.spatial.transform import Rotation

    for view in scene.views:
        if isinstance(view, FirstPerson) and view.body == scene.ego:
            return np.asarray(Rotation.from_quat(rotation, scalar_first=True).apply(view.offset))
    return np.zeros((len(rotation), 3))
