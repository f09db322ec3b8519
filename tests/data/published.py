"""Files as PhyWorld's released generators write them, made a second time: its timing, its renderer, its datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from kinema.core.video import video_bytes

Array = NDArray[np.float64]
RED, BLUE = (255, 0, 0), (0, 0, 255)


def simulated(start: Sequence[float], velocity: Sequence[float], frames: int = 32, gravity: float = 0.0) -> Array:
    """Positions [t,2]: semi-implicit Euler at 0.01 s in single precision, recorded after steps 1, 11, 21, ..."""
    x, v = np.array(start, np.float32), np.array(velocity, np.float32)
    found = []
    for step in range(frames * 10):
        v = v + np.float32(0.01) * np.array([0, gravity], np.float32)
        x = x + np.float32(0.01) * v
        if step % 10 == 0:
            found.append(x.astype(np.float64))
    return np.array(found)


def rendered(
    positions: Array, radii: Sequence[float], size: int, colors: Sequence[Any] = (RED, BLUE), squares: bool = False
) -> torch.Tensor:
    """Frames [t,3,h,w]: a grid from 0 to 10 m with both ends on pixel centres, edges softened inwards, y up."""
    grid = np.linspace(0, 10, size)
    frames = np.full((len(positions), 3, size, size), 255.0)
    for n, radius in enumerate(radii):
        dx, dy = grid - positions[:, n, 0, None, None], grid[:, None] - positions[:, n, 1, None, None]
        cover = np.clip((radius**2 - dx**2 - dy**2) / (0.03 * radius**2), 0, 1)
        if squares:
            cover = ((np.abs(dx) <= radius) & (np.abs(dy) <= radius)).astype(float)
        for channel, level in enumerate(colors[n]):
            if level != 255 or n:
                frames[:, channel] = (1 - cover) * frames[:, channel] + cover * level
    return torch.from_numpy(frames[:, :, ::-1].astype(np.uint8))


def written(path: Path, init: Array, positions: Array, videos: Sequence[bytes], chunk: int = 1000, merged: bool = True) -> Path:
    """A file of these items [k,...], `chunk` to a dataset; one that was not merged has datasets where groups would be."""
    with h5py.File(path, "w") as file:
        for key, first in enumerate(range(0, len(init), chunk)):
            place = slice(first, first + chunk)
            for name, data in (("init_streams", init[place]), ("position_streams", positions[place])):
                file.create_dataset(f"{name}/{key:05d}" if merged else name, data=data)
            streams = file.create_dataset(
                f"video_streams/{key:05d}" if merged else "video_streams", shape=(len(init[place]),), dtype=h5py.vlen_dtype(np.uint8)
            )
            for i, data in enumerate(videos[place]):
                streams[i] = np.frombuffer(data, np.uint8)
    return path


def uniform(path: Path, rows: Sequence[tuple[float, float]], size: int = 64, frames: int = 32, gravity: float = 0.0, **how: Any) -> Path:
    """A file of balls with these (r, v) that set out to the right."""
    positions = np.array([simulated((1.5 + 0.1 * i, 5 + gravity * -1.5), (v, 0), frames, gravity) for i, (_, v) in enumerate(rows)])
    videos = [video_bytes(rendered(p[:, None], [r], size), 5) for p, (r, _) in zip(positions, rows, strict=True)]
    return written(path, np.array(rows, float), positions, videos, **how)


def collision(path: Path, size: int = 64, frames: int = 32) -> Path:
    """A file of one elastic impact of two balls, r 1.0 and 0.6 m, 2 and 1 m/s."""
    r1, r2, v1, v2 = 1.0, 0.6, 2.0, 1.0
    m1, m2, x1, x2 = r1**2, r2**2, 2.0, 8.0
    meet = (x2 - x1 - r1 - r2) / (v1 + v2)
    u1 = ((m1 - m2) * v1 - 2 * m2 * v2) / (m1 + m2)
    u2 = (2 * m1 * v1 + (m1 - m2) * v2) / (m1 + m2)
    t = 0.01 + 0.1 * np.arange(frames)
    before, after = np.minimum(t, meet), np.maximum(t - meet, 0)
    xs = np.stack([x1 + v1 * before + u1 * after, x2 - v2 * before + u2 * after], 1)
    positions = np.stack([xs, np.full_like(xs, 5.0)], -1)[None]
    return written(path, np.array([[r1, r2, v1, v2]]), positions, [video_bytes(rendered(positions[0], [r1, r2], size), 5)])
