"""What one body on white ground looks like, frame by frame, whatever it turns into: colour, shape, size, place.

Every pixel is read as a mixture of white, red and blue; the body is the largest connected stain. Its shape is told by two numbers
that do not depend on its size:

- `squareness`: the fourth harmonic moment of its ink, Re sum c z^4 / sum c |z|^4, over that of a square (-3/7): 0 for a ball and for
  a ring, 1 for an upright square. z^4 is harmonic, so an even blur does not change the sum above.
- `hole`: one less the mean ink within 0.3 radii of the middle: 0 for a ball and a square, 1 for a ring.

Codecs round the corners of small squares and fill the holes of small rings: through scenes-codec at 64 px, squareness is 0.4 to 0.9
for squares and up to 0.15 for the others, hole 0.4 to 1 for rings and up to 0.01 for the others. So `square` and `ring` say how much
a body is one, 0 below those of the others and 1 from the lowest of its own on. What is at least half a ring is a ring, what is none
but at least half a square is a square, the rest are balls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..core.clip import Clip, as_uint8
from ..metrics.parse import world_width_of
from ..simulators.planar.shapes import RING_INNER

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

SMALLEST = 1.0  # px; less ink than this is no body
_MIDDLE = 0.3  # radii about the middle in which a ring is empty
_SQUARENESS, _HOLE = (0.15, 0.4), (0.1, 0.4)  # of what is none, of what is one: see above
_SQUARE = -3 / 7  # fourth harmonic moment of a square
_AREA = {"ball": math.pi, "square": 4.0, "ring": math.pi * (1 - RING_INNER**2)}  # over the squared radius (of a square: half side)
_EIGHT = np.ones((3, 3), int)


@dataclass(frozen=True)
class Looks:
    """[t] of each, NaN where there is no body: `blue` share of its ink, `square`, `ring`, `radius` m, `position` [t,2] m.

    `whole`: there is a body, and it does not touch the border.
    """

    blue: Array
    square: Array
    ring: Array
    radius: Array
    position: Array
    whole: Bools

    def shape(self, where: Bools | slice = slice(None)) -> str:
        """What it is in most of these frames: "ball", "square" or "ring"; "" where there is no body in any."""
        kinds = [_shape(s, r) for s, r in zip(self.square[where], self.ring[where], strict=True) if not math.isnan(s)]
        return max(dict.fromkeys(kinds), key=kinds.count) if kinds else ""


def look(clip: Clip) -> Looks:
    """Read a single clip."""
    pixels = as_uint8(clip.rgb).numpy().astype(float) / 255.0
    step = world_width_of(clip) / clip.size[1]
    frames = [_frame(rgb, step) for rgb in pixels]
    columns = np.array([f[:6] for f in frames], float)
    whole = np.array([f[6] for f in frames], bool)
    blue, square, ring, radius = columns[:, :4].T
    return Looks(blue, square, ring, radius, columns[:, 4:], whole)


_NOTHING = (math.nan,) * 6 + (False,)


def _frame(rgb: Array, step: float) -> tuple[float, ...]:
    """(blue share, square, ring, radius m, x m, y m, whole) of the frame's largest stain."""
    cover = 1.0 - rgb.min(0)
    labels, count = ndimage.label(cover > 0.5, _EIGHT)
    if not count:
        return _NOTHING
    sizes = np.bincount(labels.ravel())[1:]
    body = labels == int(sizes.argmax()) + 1
    ink = cover * ndimage.binary_dilation(body, _EIGHT, iterations=2)
    area = float(ink.sum())
    if area < SMALLEST:
        return _NOTHING
    height, width = ink.shape
    u, v = np.arange(width) + 0.5, np.arange(height) + 0.5
    x, y = float(ink.sum(0) @ u) / area, float(ink.sum(1) @ v) / area
    z = (u - x)[None] + 1j * (v - y)[:, None]
    square = _amount(float((ink * (z**4).real).sum() / (ink * abs(z) ** 4).sum()) / _SQUARE, *_SQUARENESS)
    extent = (float(ink.max(0).sum()) + float(ink.max(1).sum())) / 4  # half of width and height
    middle = abs(z) < max(_MIDDLE * extent, 0.75)
    ring = _amount(1.0 - float(ink[middle].mean()), *_HOLE)
    red, blue = (float((1 - rgb[channel])[ink > 0].sum()) for channel in (2, 0))  # the channel that a colour lacks
    radius = math.sqrt(area / _AREA[_shape(square, ring)]) * step
    whole = not (body[0].any() or body[-1].any() or body[:, 0].any() or body[:, -1].any())
    return blue / (red + blue), square, ring, radius, x * step, (height - y) * step, whole


def _amount(value: float, none: float, full: float) -> float:
    return min(max((value - none) / (full - none), 0.0), 1.0)


def _shape(square: float, ring: float) -> str:
    if ring >= 0.5:
        return "ring"
    return "square" if square >= 0.5 else "ball"
