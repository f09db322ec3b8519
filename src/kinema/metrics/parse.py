"""Bodies from frames: where every ball is, how large, and which were lost, merged or added (PhyWorld's parser, corrected)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from ..core import Clip, UserError, as_uint8

Color = tuple[int, int, int]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

PALETTE: dict[str, Color] = {"red": (255, 0, 0), "blue": (0, 0, 255)}
ABSENT, WHOLE, CUT, MERGED = 0, 1, 2, 3  # bodies["state"]
_EIGHT = np.ones((3, 3), int)
_SPECK = 0.25  # a component below this share of the largest of its colour is dirt, no body
_PAPER_AREA = 0.15  # px; the released evaluator calls a ball of at most this area absent


@dataclass(frozen=True)
class _Scale:
    """Image to world: x = slope u + shift, y = top - slope v, for pixel centres (u, v) = (column + 1/2, row + 1/2)."""

    slope: float
    shift: float
    top: float
    radius: float  # m per px for lengths


def parse(
    clip: Clip,
    *,
    colors: Sequence[Color] | None = None,
    world_width: float | None = None,
    render_width: int | None = None,
    paper_compatible: bool = False,
    subpixel: bool = False,
) -> Clip:
    """The clip with `bodies` as its frames show them: one body per entry of `colors`.

    `bodies`: position [t,n,2] m (y up), velocity [t,n,2] m/s (forward difference; NaN in the last frame), radius [t,n] m,
    mass [t,n] kg (pi r^2 of the median radius), color [t,n,3], area [t,n] px, state [t,n] (0 absent, 1 whole, 2 cut by
    the border, 3 merged with a body of its colour), visible [t,n]. An absent ball has NaN as position and radius.
    `outcome`: counts per frame [t]: `lost` bodies (absent, though not last seen at the border), `merged` bodies, `new`
    bodies (further components of a known colour). A batch gives a batch, padded where the number of bodies differs.

    `colors` are corners of the RGB cube on white ground, one per body, repeated for bodies of one colour; by default
    the red and blue balls of the first frame. A pixel belongs to a colour when all its channels lie on that colour's
    side of 127; the centre is the mean of pixel centres. `subpixel` weighs the pixels around by how much of the colour
    they hold instead, which measures anti-aliased balls to a few thousandths of a pixel.

    Scale: pixel i has its centre at i + 1/2 and a width W shows `world_width` m (default: meta "world_width", or 10).
    Where meta says "pixel_convention": "linspace" (PhyWorld's published videos), world x lies at pixel x (W-1)/10 of the
    frame as rendered, `render_width` px wide (default: meta "render_width", or W). `paper_compatible` repeats the
    released evaluator instead: 10/W, mean pixel index, all pixels of a colour, and its values for absent balls
    (phyworld/phyworld `evaluate.py`).

    Raises UserError for NaN pixels, for colours that cannot be told apart, and where no ball is found to begin with.
    """
    if clip.batched:
        _refuse_nan(clip)
        options: dict[str, Any] = {
            "colors": colors, "world_width": world_width, "render_width": render_width,
            "paper_compatible": paper_compatible, "subpixel": subpixel,
        }  # fmt: skip
        found = Clip.stack([parse(item, **options).only("bodies", "outcome") for item in clip])
        return clip.replace(bodies=found.bodies, outcome=clip.fields.get("outcome", {}) | found.outcome)
    frames = _pixels(clip)
    if paper_compatible and colors is not None and len(set(colors)) < len(colors):
        raise UserError("the released evaluator knows one ball per colour: paper_compatible cannot parse several")
    palette = _check_colors(colors) if colors is not None else _first_colors(frames)
    scale = _scale(clip, world_width, render_width, paper_compatible)
    found_bodies = [_Tracker(frames, color, palette, subpixel, paper_compatible).run() for color in dict.fromkeys(palette)]
    order = np.argsort([i for color in dict.fromkeys(palette) for i, c in enumerate(palette) if c == color])
    area, center, state, lost = (np.concatenate([getattr(f, name) for f in found_bodies], 1)[:, order] for name in _TRACKED)
    position, radius = _world(center, area, scale)
    if paper_compatible:
        _paper_absent(position, radius, area <= _PAPER_AREA)
    bodies = _bodies(position, radius, area, state, palette, clip.dt)
    counts = {
        "lost": torch.from_numpy(lost.sum(1)),
        "merged": torch.from_numpy((state == MERGED).sum(1)),
        "new": torch.from_numpy(np.sum([f.new for f in found_bodies], 0)),
    }
    return clip.replace(bodies=bodies, outcome=clip.fields.get("outcome", {}) | counts)


def is_parsed(clip: Clip) -> bool:
    """Whether the clip's bodies were read from its frames, not handed on by a simulator."""
    return clip.has("bodies") and "area" in clip.bodies


def colors_of(clip: Clip) -> list[Color]:
    """The colour of every body of a single clip."""
    return [(int(c[0]), int(c[1]), int(c[2])) for c in clip.bodies["color"][0]]


def world_width_of(clip: Clip) -> float:
    """Width in m of what the clip's frames show: meta "world_width", or 10. Raises UserError where that is no length."""
    return _above_0(clip, "world_width", 10.0)


def readable(clip: Clip) -> list[bool]:
    """[b]: whether a clip has been parsed already or has no NaN and no infinite pixel; a single clip counts as b = 1."""
    count = len(clip) if clip.batched else 1
    if is_parsed(clip) or not clip.rgb.is_floating_point():
        return [True] * count
    found: list[bool] = torch.isfinite(clip.rgb).reshape(count, -1).all(1).tolist()
    return found


def _above_0(clip: Clip, key: str, default: float) -> float:
    """A number of the clip's meta, which may come from a table that somebody wrote."""
    try:
        value = float(clip.meta.get(key, default))
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(f"meta {key} must be a number above 0, got {clip.meta[key]!r}")
    return value


def _pixels(clip: Clip) -> NDArray[np.uint8]:
    _refuse_nan(clip)
    pixels: NDArray[np.uint8] = as_uint8(clip.rgb).cpu().numpy()
    return pixels


def _refuse_nan(clip: Clip) -> None:
    if not all(readable(clip)):
        raise UserError("bodies cannot be parsed from frames that hold NaN or infinite pixels")


def _mask(frames: NDArray[np.uint8], color: Color) -> Mask:
    """[t,h,w]: every channel on the colour's side of 127, 127 itself on neither."""
    sides = [frames[:, i] > 127 if level > 127 else frames[:, i] < 127 for i, level in enumerate(color)]
    return np.asarray(sides[0] & sides[1] & sides[2])


def _check_colors(colors: Sequence[Color]) -> list[Color]:
    sides = {tuple(level > 127 for level in color): color for color in colors}
    if (True, True, True) in sides or len(sides) < len(set(colors)):
        raise UserError(f"bodies are told apart by channels above or below 127, on white ground; {list(colors)} cannot be")
    return [(int(r), int(g), int(b)) for r, g, b in colors]


def _first_colors(frames: NDArray[np.uint8]) -> list[Color]:
    """A colour per ball of the first frame."""
    ground = float((frames[0] > 200).all(0).mean() + sum(_mask(frames[:1], color).mean() for color in PALETTE.values()))
    if ground < 0.5:
        raise UserError(f"bodies are found as coloured balls on white ground, but only {ground:.0%} of the first frame is either")
    found: list[Color] = []
    for color in PALETTE.values():
        _, areas = _components(_mask(frames[:1], color)[0])
        found += [color] * int((areas >= max(_SPECK * areas.max(initial=0), 1)).sum())
    if not found:
        raise UserError(f"no ball of a known colour ({', '.join(PALETTE)}) is in the first frame: nothing to measure")
    return found


def _components(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Labels [h,w] from 1 and the area of each label in px."""
    labels, count = ndimage.label(mask, _EIGHT)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)[1:]


_TRACKED = ("area", "center", "state", "lost")


class _Tracker:
    """The k bodies of one colour through time. `center` [t,k,2] px, `area` [t,k] px, `state`, `lost` [t,k], `new` [t]."""

    def __init__(self, frames: NDArray[np.uint8], color: Color, palette: Sequence[Color], subpixel: bool, whole_mask: bool) -> None:
        t, k = len(frames), sum(c == color for c in palette)
        self.masks = _mask(frames, color)
        self.cover = _cover(frames, color, palette) if subpixel else None
        self.whole_mask = whole_mask
        self.area, self.center = np.zeros((t, k)), np.full((t, k, 2), np.nan)
        self.state, self.lost, self.new = np.zeros((t, k), np.int8), np.zeros((t, k), bool), np.zeros(t, np.int64)

    def run(self) -> _Tracker:
        for t, mask in enumerate(self.masks):
            if self.whole_mask:
                self._put(t, 0, mask)
            elif mask.any():
                self._frame(t, mask)
        self._find_lost()
        return self

    def _frame(self, t: int, mask: Mask) -> None:
        k = self.area.shape[1]
        labels, areas = _components(mask)
        blobs = np.flatnonzero(areas >= _SPECK * areas.max())
        blobs = blobs[np.argsort(-areas[blobs], kind="stable")]
        if k == 1 and len(blobs) == 1:
            self._put(t, 0, labels == blobs[0] + 1)
            return
        centers = np.array([_center(labels == b + 1) for b in blobs])
        bodies, chosen = self._assign(t, centers)
        for body, c in zip(bodies, chosen, strict=True):
            self._put(t, body, labels == blobs[c] + 1)
        self.new[t] = len(blobs) - len(chosen)
        self._find_merged(t, [b for b in range(k) if b not in bodies], bodies)

    def _assign(self, t: int, centers: Array) -> tuple[list[int], list[int]]:
        """Which component is which body: the pairing of least total distance to where the bodies were last seen."""
        k = self.area.shape[1]
        last = np.array([self._last(t, body) for body in range(k)])
        if np.isnan(last).all():  # nothing known yet: the largest ones, from left to right
            chosen = sorted(range(min(k, len(centers))), key=lambda c: float(centers[c, 0]))
            return list(range(len(chosen))), chosen
        distance = np.linalg.norm(last[:, None] - centers[None], axis=-1)
        rows, columns = linear_sum_assignment(np.nan_to_num(distance, nan=1e6))
        return list(rows), list(columns)

    def _last(self, t: int, body: int) -> Array:
        seen = np.flatnonzero(self.area[:t, body] > 0)
        return np.asarray(self.center[seen[-1], body] if len(seen) else np.full(2, np.nan))

    def _put(self, t: int, body: int, blob: Mask) -> None:
        self.area[t, body] = blob.sum()
        if not self.area[t, body]:
            return
        if self.cover is None:
            self.center[t, body] = _center(blob)
        else:
            weight = self.cover[t] * ndimage.binary_dilation(blob, _EIGHT, iterations=2)
            self.area[t, body], self.center[t, body] = weight.sum(), _center(weight)
        at_border = blob[0].any() or blob[-1].any() or blob[:, 0].any() or blob[:, -1].any()
        self.state[t, body] = CUT if at_border else WHOLE

    def _find_merged(self, t: int, missing: list[int], found: list[int]) -> None:
        """A body without a component, while another's grows by most of its area: both are in that blob until it splits."""
        for body in missing:
            for other in found:
                before, own = self.area[:t, other], self.area[:t, body].max(initial=0)
                grown = self.area[t, other] > before[self.state[:t, other] != MERGED].max(initial=0) + own / 2
                still = t > 0 and (self.state[t - 1, [body, other]] == MERGED).all()
                if own and (grown or still):
                    self.center[t, body] = self.center[t, other]
                    self.state[t, [body, other]] = MERGED

    def _find_lost(self) -> None:
        for body in range(self.area.shape[1]):
            leaving = True
            for t, state in enumerate(self.state[:, body]):
                leaving = state == CUT if state != ABSENT else leaving and t > 0
                self.lost[t, body] = state == ABSENT and not leaving


def _center(weight: NDArray[Any]) -> Array:
    """(column + 1/2, row + 1/2), averaged with these weights [h,w]."""
    rows, columns = weight.sum(1, dtype=float), weight.sum(0, dtype=float)
    h, w = weight.shape
    center = np.array([columns @ (np.arange(w) + 0.5), rows @ (np.arange(h) + 0.5)]) / columns.sum()
    return np.asarray(center, float)


def _cover(frames: NDArray[np.uint8], color: Color, palette: Sequence[Color]) -> NDArray[np.float32]:
    """[t,h,w]: how much of `color` a pixel holds, as a mixture of the palette and white (least squares)."""
    unique = list(dict.fromkeys(palette))
    basis = 255.0 - np.array(unique, float)  # [k,3]
    read = np.linalg.pinv(basis)[:, unique.index(color)]  # [3]
    share = sum((255.0 - frames[:, i]) * np.float32(read[i]) for i in range(3))
    return np.clip(share, 0.0, 1.0).astype(np.float32)


def _scale(clip: Clip, world_width: float | None, render_width: int | None, paper_compatible: bool) -> _Scale:
    height, width = clip.size
    world = world_width_of(clip) if world_width is None else world_width
    plain = world / width
    if paper_compatible:  # u is the pixel's index; rows are counted from below
        return _Scale(plain, -plain / 2, (height - 0.5) * plain, plain)
    if clip.meta.get("pixel_convention") == "linspace":
        rendered = _above_0(clip, "render_width", width) if render_width is None else render_width
        step = world / (rendered - 1)
        slope = step * rendered / width
        return _Scale(slope, -step / 2, height * slope - step / 2, slope)
    return _Scale(plain, 0.0, height * plain, plain)


def _world(center: Array, area: Array, scale: _Scale) -> tuple[Array, Array]:
    position = np.stack([scale.slope * center[..., 0] + scale.shift, scale.top - scale.slope * center[..., 1]], -1)
    radius = np.sqrt(np.where(area > 0, area, np.nan) / np.pi) * scale.radius
    return position, radius


def _paper_absent(position: Array, radius: Array, absent: Mask) -> None:
    """What the released evaluator writes for an absent ball: x at an edge of the world, y and r of the frame before."""
    for t, body in np.argwhere(absent):
        edge = 0.0 if body == 0 and position.shape[1] > 1 else 10.0
        position[t, body] = edge, (position[t - 1, body, 1] if t else np.nan)
        radius[t, body] = radius[t - 1, body] if t else np.nan


def _bodies(
    position: Array, radius: Array, area: Array, state: NDArray[np.int8], palette: Sequence[Color], dt: float
) -> dict[str, torch.Tensor]:
    velocity = np.full_like(position, np.nan)
    velocity[:-1] = np.diff(position, axis=0) / dt
    typical = np.array([np.median(r[s == WHOLE]) if (s == WHOLE).any() else np.nan for r, s in zip(radius.T, state.T, strict=True)])
    arrays: dict[str, NDArray[Any]] = {
        "position": position,
        "velocity": velocity,
        "radius": radius,
        "mass": np.broadcast_to(np.pi * typical**2, radius.shape).copy(),
        "color": np.broadcast_to(np.array(palette, np.uint8), (*radius.shape, 3)).copy(),
        "area": area,
        "state": state,
        "visible": state != ABSENT,
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
