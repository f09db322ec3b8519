"""Flat-coloured scenes taken apart: how much of every colour each pixel holds, and the connected pieces of a colour."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Color = tuple[int, int, int]
Array = NDArray[np.float32]
Frames = NDArray[np.uint8]

WHITE: Color = (255, 255, 255)
_GROUND = 250  # level; from it on in all channels a pixel is ground
_PURE = 30.0  # levels; a pixel as near as this to a colour is of that colour alone
_FOREIGN = 60.0  # levels; a pixel as far as this from every mixture of two neighbouring colours is of no known colour
_REACH = 2  # px; how far away the two colours of a mixed pixel are looked for
_FLAT = 12  # levels
_NOTHING = 1e-3  # px
_PART = 0.35  # of a pixel, from which on it belongs to a piece; a line one pixel wide holds as much at any angle
_EIGHT = np.ones((3, 3), int)


@dataclass(frozen=True)
class Piece:
    """A connected piece of one colour: `area` px, `rim` px of its outline, centre (x, y) px, the two eigenvalues of its
    second moments in px^2 (they do not change when it turns), and whether it touches the border of the frame."""

    area: float
    rim: float
    center: tuple[float, float]
    spread: tuple[float, float]
    cut: bool


def palette_of(frame: Frames, count: int = 8) -> list[Color]:
    """The colours that flat areas of a picture [3,h,w] have, largest first, at most `count`; the white ground is left out.

    A pixel is inside a flat area where its eight neighbours differ from it by some levels of compression at most, so
    softened rims, and bodies thinner than three pixels, name no colour.
    """
    flat = (ndimage.maximum_filter(frame, (1, 3, 3)).astype(int) - ndimage.minimum_filter(frame, (1, 3, 3)) <= _FLAT).all(0)
    inside = frame[:, flat].T.astype(np.float64)
    found: list[Color] = []
    while len(inside) and len(found) <= count:
        values, counts = np.unique(inside, axis=0, return_counts=True)
        color = values[counts.argmax()]
        near = np.linalg.norm(inside - color, axis=1) <= _PURE
        found.append((int(color[0]), int(color[1]), int(color[2])))
        inside = inside[~near]
    return [color for color in found if np.linalg.norm(np.subtract(color, WHITE)) > _PURE]


def shares(frame: Frames, palette: Sequence[Color]) -> tuple[Array, NDArray[np.bool_]]:
    """(share of every colour in every pixel [k,h,w], where no known colour is [h,w]) of a picture [3,h,w].

    A pixel is the mixture that comes nearest to it, of two colours that pure pixels around it have: so the grey rim of a
    black body on white is black and white, and no grey body.
    """
    colors = np.array([WHITE, *palette], np.float32)
    _, height, width = frame.shape
    pixels = frame.reshape(3, -1)
    inked = np.flatnonzero((pixels < _GROUND).any(0))
    values = pixels[:, inked].T.astype(np.float32)
    distance = ((values[:, None] - colors) ** 2).sum(-1)
    nearest = distance.argmin(1)
    pure = np.zeros((len(colors), height * width), bool)
    pure[0] = True
    pure[0, inked] = False
    sure = distance[np.arange(len(inked)), nearest] <= _PURE**2
    pure[nearest[sure], inked[sure]] = True
    around = _around(pure, inked, height, width)
    share = np.zeros((len(colors), height * width), np.float32)
    foreign = np.zeros(height * width, bool)
    inside = sure & (around.sum(1) == 1)
    share[nearest[inside], inked[inside]] = 1.0
    share[:, inked[~inside]], strange = _unmix(values[~inside], colors, around[~inside])
    if strange.any():  # a body too small to have a pure pixel, or a pixel far inside a blur: any two colours may have mixed
        places = inked[~inside][strange]
        share[:, places], foreign[places] = _unmix(values[~inside][strange], colors, np.ones((len(places), len(colors)), bool))
    return share[1:].reshape(-1, height, width), foreign.reshape(height, width)


def pieces(share: Array, smallest: float, labels: NDArray[Any] | None = None) -> list[Piece]:
    """The pieces of one colour's shares [h,w] of at least `smallest` px, largest first: what hangs together by eight
    neighbours, or what has one number of `labels` [h,w] (0 is none)."""
    if labels is None:
        labels, count = ndimage.label(share > _PART, _EIGHT)
    else:
        count = int(labels.max())
    rows, columns = np.nonzero(share > 0)
    if not count or not len(rows):
        return []
    own = labels[rows, columns]
    if (faint := np.flatnonzero(own == 0)).size:  # the faint rim belongs to the piece beside it
        top, left = rows.min(), columns.min()
        grown = ndimage.maximum_filter(labels[top : rows.max() + 1, left : columns.max() + 1], 3)
        own[faint] = grown[rows[faint] - top, columns[faint] - left]
    weight = share[rows, columns].astype(np.float64)
    sums = np.stack([np.bincount(own, weight * v, count + 1) for v in (1, columns, rows, columns**2, rows**2, columns * rows)])[:, 1:]
    rim = np.bincount(own, weight < 1 - 1e-6, count + 1)[1:]
    border = (rows == 0) | (rows == share.shape[0] - 1) | (columns == 0) | (columns == share.shape[1] - 1)
    cut = np.bincount(own, border & (weight > _PART), count + 1)[1:] > 0
    order = [i for i in np.argsort(-sums[0], kind="stable") if sums[0, i] >= max(smallest, _NOTHING)]
    return [_piece(sums[:, i].tolist(), float(rim[i]), bool(cut[i])) for i in order]


def _piece(sums: Sequence[float], rim: float, cut: bool) -> Piece:
    area, x, y, xx, yy, xy = sums
    cx, cy = x / area, y / area
    a, b, c = xx / area - cx * cx, yy / area - cy * cy, xy / area - cx * cy
    middle, half = (a + b) / 2, math.hypot((a - b) / 2, c)
    return Piece(area, max(rim, 2 * math.sqrt(math.pi * area)), (cx, cy), (middle + half, max(middle - half, 0.0)), cut)


def _around(pure: NDArray[np.bool_], places: NDArray[np.intp], height: int, width: int) -> NDArray[np.bool_]:
    """[n,k]: the colours that pure pixels within `_REACH` of each place have."""
    return np.stack([ndimage.maximum_filter(p.reshape(height, width), 2 * _REACH + 1).reshape(-1)[places] for p in pure], 1)


def _unmix(pixels: Array, colors: Array, around: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """(shares [k,n], foreign [n]) of mixed pixels: the best of all mixtures of two colours around."""
    count, kinds = len(pixels), len(colors)
    best = np.full(count, np.inf, np.float32)
    share = np.zeros((kinds, count), np.float32)
    for a, b in itertools.combinations_with_replacement(range(kinds), 2):
        rows = np.flatnonzero(around[:, a] & around[:, b])
        if not len(rows):
            continue
        edge, off = colors[b] - colors[a], pixels[rows] - colors[a]
        alpha = np.clip(off @ edge / max(float(edge @ edge), 1.0), 0, 1)
        error = ((off - alpha[:, None] * edge) ** 2).sum(-1)
        better = error < best[rows]
        rows, alpha = rows[better], alpha[better]
        best[rows] = error[better]
        share[:, rows] = 0.0
        share[a, rows] = 1 - alpha
        share[b, rows] += alpha
    foreign = best > _FOREIGN**2
    share[:, foreign] = 0.0
    return share, foreign
