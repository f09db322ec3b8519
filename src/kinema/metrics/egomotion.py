"""The camera's own motion, read from the pixels of a drive alone: its yaw and forward speed, and how far they are from what was told."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from dataclasses import field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.errors import UserError

Motion = tuple[Tensor, Tensor]
_COARSE, _FINE = 32, 64  # px of the search for the yaw, and for the step
_CAP = 0.25, 0.1  # of a difference of colour, for the yaw and for the step: what moves by itself must not decide
_SKY = (0.0, 0.02, 0.05, 0.1, 0.18)  # 1/m: inverse depths tried above the horizon, in blocks of _BLOCK px
_BLOCK = 5
_GROUND = 0.02, 0.12  # 1/m: from there on down the picture is taken for ground, by the yaw and by the step
_JUMP = 0.004, 0.3  # price of a path's jump by one place, in the unit of its costs


@part
class EgoMotion:
    """Reads yaw and forward step of a car's front camera from frame to frame, by direct alignment of whole frames.

    The older of two frames is warped by hypotheses. First the yaw: below the horizon flat ground, above it the best of a few depths
    in each block. Then the step, on the ground before the car alone, where edges across the drive count: those along it look alike
    at any speed. Among the hypotheses of all pairs the cheapest path is taken, jumps paid for; parabolas refine it.

    The camera is the driving world's: `fov` and `pitch` (downwards) in degrees, `height` m above the ground, `ahead` m before the axle
    about which the car turns. `fastest` m and `sharpest` rad a frame bound the search. Frames of other sizes are brought to 64 px.
    """

    fov: float = 60.0
    pitch: float = 3.0
    height: float = 1.5
    ahead: float = 3.6
    fastest: float = 1.6
    sharpest: float = 0.15

    def __call__(self, clip: Clip) -> Motion:
        """(yaw [b,t-1] rad, left positive; forward step [b,t-1] m) from each frame to the next; a single clip counts as b = 1.

        NaN for a clip of pixels that are no numbers. Raises UserError for a clip without rgb, of fewer than 2 frames, not square,
        or smaller than 32 px.
        """
        found = [self._one(frames) for frames in _pictures(clip)]
        return torch.stack([yaw for yaw, _ in found]), torch.stack([step for _, step in found])

    def _one(self, frames: Tensor) -> Motion:
        if not torch.isfinite(frames).all():
            return torch.full((len(frames) - 1,), torch.nan), torch.full((len(frames) - 1,), torch.nan)
        yaws, steps = torch.linspace(-self.sharpest, self.sharpest, 21), torch.linspace(0.0, self.fastest, 33)
        small = F.interpolate(frames, (_COARSE, _COARSE), mode="area")
        cost = torch.stack([self._turns(small, yaw, steps[::8]) for yaw in yaws], 1).amin(2)
        yaw = _peaks(cost, yaws, _cheapest(cost, _JUMP[0], power=1))
        cost = self._strides(_softened(frames), yaw, steps)
        return yaw, _peaks(cost, steps, _cheapest(cost, _JUMP[1], power=2))

    def _turns(self, frames: Tensor, yaw: Tensor, steps: Tensor) -> Tensor:
        """Mean capped difference [t-1,s] of each frame and the one before it, turned by `yaw` and moved by `steps`."""
        _, _, inverse = _rays(frames.shape[-1], self.fov, self.pitch, self.height)
        horizon = int((inverse[:, 0] <= _GROUND[0]).sum())
        above, below = slice(horizon), slice(horizon, None)
        depths = torch.tensor(_SKY)[:, None, None].expand(-1, horizon, inverse.shape[1])
        far = self._apart(frames, self._grids(yaw, steps[:, None, None, None], depths, above), above)
        best = _blocks(far).amin(2)
        near = self._apart(frames, self._grids(yaw, steps[:, None, None], inverse[below], below), below)
        return torch.cat([best, near], 2).mean((2, 3))

    def _apart(self, frames: Tensor, grids: Tensor, rows: slice) -> Tensor:
        """Capped differences [t-1,...,h,w] in some rows, by grids [...,h,w,2]; pixels that came from outside count half."""
        pairs, (height, width) = len(frames) - 1, grids.shape[-3:-1]
        older = frames[:-1].reshape(1, -1, *frames.shape[-2:])  # as channels of one picture: all pairs share the grids
        warped = F.grid_sample(older, grids.reshape(1, -1, width, 2), padding_mode="border", align_corners=False)
        off = _capped(warped.reshape(pairs, 3, -1, height, width), frames[1:, :, None, rows], _CAP[0])
        return torch.where((grids.abs() <= 1).all(-1), off.reshape(pairs, *grids.shape[:-1]), _CAP[0] / 2)

    def _strides(self, frames: Tensor, yaw: Tensor, steps: Tensor) -> Tensor:
        """Weighted capped difference [t-1,s] on the ground of each frame and the one before it, turned by its yaw [t-1] and moved
        by `steps`.

        Pixels count by how much more their colours change along the ground's motion than across it. In units of its spread.
        """
        _, _, inverse = _rays(frames.shape[-1], self.fov, self.pitch, self.height)
        ground = slice(int((inverse[:, 0] <= _GROUND[1]).sum()), None)
        grids = self._grids(yaw[:, None, None, None], steps[:, None, None], inverse[ground], ground)
        inside = (grids.abs() <= 1).all(-1).float()
        x, y = self._directions(inverse[ground], ground).unbind(-1)
        by_x, by_y = (slope[..., ground, :] for slope in _slopes(frames[1:]))
        weight = ((by_x * x + by_y * y).abs().mean(1) - (by_y * x - by_x * y).abs().mean(1)).clamp(min=0)
        warped = F.grid_sample(frames[:-1], grids.flatten(1, 2), padding_mode="border", align_corners=False)
        off = _capped(warped.reshape(*warped.shape[:2], *grids.shape[1:4]), frames[1:, :, None, ground], _CAP[1])
        cost = (off * weight[:, None] * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)
        return cost / cost.std(1).mean().clamp(min=1e-9)

    def _directions(self, inverse: Tensor, rows: slice) -> Tensor:
        """Unit vectors [h,side,2] along which the ground moves in some rows of the picture as the car drives straight on."""
        still, moved = (self._grids(torch.tensor(0.0), torch.tensor(step), inverse, rows) for step in (0.0, 0.1))
        return F.normalize(moved - still, dim=-1, eps=1e-6)

    def _grids(self, yaw: Tensor, step: Tensor, inverse: Tensor, rows: slice) -> Tensor:
        """Where the pixels in some rows of the newer frame, seen at inverse depths [...,h,side] 1/m, were in the older one
        [...,h,side,2], in the units of grid_sample."""
        x, y = (at[rows] for at in _rays(inverse.shape[-1], self.fov, self.pitch, self.height)[:2])
        p, edge = math.radians(self.pitch), math.tan(math.radians(self.fov) / 2)
        down, far = y * math.cos(p) + math.sin(p), math.cos(p) - y * math.sin(p)  # of the ray, in level axes
        # The axle goes along a chord at half the angle, and the camera, before it, sweeps to the side as the car turns.
        chord = (step + self.ahead * (1 - torch.cos(yaw))) / torch.cos(yaw / 2)
        left = chord * torch.sin(yaw / 2) + self.ahead * torch.sin(yaw)
        px = torch.cos(yaw) * x - torch.sin(yaw) * far - left * inverse
        pz = torch.sin(yaw) * x + torch.cos(yaw) * far + step * inverse
        cy, cz = down * math.cos(p) - pz * math.sin(p), down * math.sin(p) + pz * math.cos(p)
        return torch.stack([px / cz, cy / cz], -1) / edge


@part
class MotionMetric(ABC):
    """How far the camera of a dreamt drive is from what it was told by the truth's actions, mean over the clip; NaN where pixels are NaN.

    `truth.actions` [t,2] are speed m/s and yaw rate rad/s; of four columns the last two, the camera's step m and yaw rad, are read.
    Raises UserError where they are absent, or not as many as the dream has frames.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    camera: EgoMotion = field(default_factory=EgoMotion)

    def __call__(self, dream: Clip, truth: Clip) -> Tensor:
        """[b]; single clips count as b = 1."""
        told = told_motion(truth)
        measured = self.camera(dream)
        if told[0].shape != measured[0].shape:
            shapes = f"{tuple(told[0].shape)} against {tuple(measured[0].shape)}"
            raise UserError(f"{self.name}: actions and dream differ in steps [b,t-1]: {shapes}")
        return self._off(measured, told, dream.dt)

    @abstractmethod
    def _off(self, measured: Motion, told: Motion, dt: float) -> Tensor: ...


@part
class YawError(MotionMetric):
    """|measured - told| of the total yaw over the clip."""

    name = "yaw_error"
    unit = "deg"

    def _off(self, measured: Motion, told: Motion, dt: float) -> Tensor:
        return torch.rad2deg((measured[0].double().sum(1) - told[0].sum(1)).abs())


@part
class SpeedError(MotionMetric):
    """|measured - told| of the camera's mean forward speed over the clip."""

    name = "speed_error"
    unit = "m/s"

    def _off(self, measured: Motion, told: Motion, dt: float) -> Tensor:
        return (measured[1].double().mean(1) - told[1].mean(1)).abs() / dt


def yaw_of(clip: Clip) -> Tensor:
    """Yaw [b,t-1] rad from each frame to the next, left positive, of the driving world's front camera, from pixels alone."""
    return EgoMotion()(clip)[0]


def speed_of(clip: Clip) -> Tensor:
    """Forward speed [b,t-1] m/s of the driving world's front camera, from pixels alone."""
    return EgoMotion()(clip)[1] / clip.dt


def told_motion(clip: Clip) -> Motion:
    """(yaw [b,t-1] rad, step [b,t-1] m) that a clip's actions tell. Raises UserError where it has none of 2 or 4 columns."""
    if not clip.has("actions") or clip.actions.shape[-1] not in (2, 4):
        got = f"{clip.actions.shape[-1]} columns" if clip.has("actions") else "none"
        raise UserError(f"the told motion is read from a clip's actions [t,2] or [t,4], speed m/s and yaw rate rad/s first; got {got}")
    rows = (clip.actions if clip.batched else clip.actions[None])[:, :-1].double()
    return (rows[..., 3], rows[..., 2]) if rows.shape[-1] == 4 else (rows[..., 1] * clip.dt, rows[..., 0] * clip.dt)


def _pictures(clip: Clip) -> Tensor:
    """Frames [b,t,3,64,64] in [0,1]."""
    if not clip.has("rgb"):
        raise UserError("the camera's motion is read from pixels: this clip has no rgb")
    rgb = as_float(clip.rgb if clip.batched else clip.rgb[None])
    height, width = rgb.shape[-2:]
    if rgb.shape[1] < 2:
        raise UserError("the camera's motion is read from 2 frames or more: this clip has 1")
    if height != width or width < _COARSE:
        raise UserError(f"the camera's motion is read from square frames of at least {_COARSE} px, got {width} x {height}")
    flat = rgb.flatten(0, 1)
    if width > _FINE:
        flat = F.interpolate(flat, (_FINE, _FINE), mode="area")
    elif width < _FINE:
        flat = F.interpolate(flat, (_FINE, _FINE), mode="bilinear", align_corners=False)
    return flat.reshape(*rgb.shape[:3], _FINE, _FINE)


@functools.lru_cache(maxsize=8)
def _rays(side: int, fov: float, pitch: float, height: float) -> tuple[Tensor, Tensor, Tensor]:
    """x and y [side,side] of each pixel's ray at depth 1, and the inverse depth 1/m at which it meets the ground, 0 where it does not."""
    at = ((torch.arange(side) + 0.5) / side * 2 - 1) * math.tan(math.radians(fov) / 2)
    y, x = torch.meshgrid(at, at, indexing="ij")
    p = math.radians(pitch)
    return x, y, ((y * math.cos(p) + math.sin(p)) / height).clamp(min=0)


def _capped(warped: Tensor, newer: Tensor, cap: float) -> Tensor:
    """Capped mean over colours, axis 1, of |newer - warped|; `warped` is overwritten."""
    return warped.sub_(newer).abs_().mean(1).clamp_(max=cap)


def _blocks(x: Tensor) -> Tensor:
    """Means [...,h,w] over blocks about each pixel, cut at the border."""
    down, across = (_band(n) for n in x.shape[-2:])
    return down @ x @ across.T


@functools.lru_cache(maxsize=4)
def _band(n: int) -> Tensor:
    """The matrix [n,n] that takes means over _BLOCK neighbours."""
    near = ((torch.arange(n)[:, None] - torch.arange(n)).abs() <= _BLOCK // 2).float()
    return near / near.sum(1, keepdim=True)


def _softened(frames: Tensor) -> Tensor:
    """Frames [t,3,h,w] through a binomial filter of 5 x 5, which stairs on slanted lines do not survive."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    weight = (kernel[:, None] * kernel).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(frames, (2, 2, 2, 2), mode="replicate"), weight, groups=3)


def _slopes(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by x and by y, central differences, 0 at the border."""
    by_x = F.pad((frames[..., 2:] - frames[..., :-2]) / 2, (1, 1, 0, 0))
    by_y = F.pad((frames[..., 2:, :] - frames[..., :-2, :]) / 2, (0, 0, 1, 1))
    return by_x, by_y


def _cheapest(cost: Tensor, jump: float, power: int) -> Tensor:
    """Indices [t] of the path through costs [t,n] that is cheapest with |jump|^power of places paid for (Viterbi)."""
    at = torch.arange(cost.shape[1]).float()
    price = (at[:, None] - at).abs().pow(power).clamp(max=30) * jump
    best, back = cost[0], []
    for row in cost[1:]:
        before, origin = (best[None] + price).min(1)
        back.append(origin)
        best = row + before
    path = [int(best.argmin())]
    for origin in reversed(back):
        path.append(int(origin[path[-1]]))
    return torch.tensor(path[::-1])


def _peaks(cost: Tensor, at: Tensor, index: Tensor) -> Tensor:
    """The minimum of the parabola through the costs [t,n] at `index` [t] and beside it, at most half a place away."""
    t, mid = torch.arange(len(cost)), index.clamp(1, len(at) - 2)
    a, b, c = cost[t, mid - 1], cost[t, mid], cost[t, mid + 1]
    bend = a - 2 * b + c
    shift = torch.where(bend > 1e-9, (a - c) / (2 * bend.clamp(min=1e-9)), 0.0).clamp(-0.5, 0.5)
    return at[index] + torch.where(index == mid, shift, 0.0) * (at[1] - at[0])
