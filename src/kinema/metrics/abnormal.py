"""Abnormal clips: a stated rule that looks for bodies that vanish, appear, change, jump, pass through what stands fast, or freeze."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch

from ..core.clip import Clip, as_uint8
from ..core.config import part
from ..core.errors import UserError
from .law import pairs
from .layers import Array, Color, Frames, Piece, pieces, shares
from .parse import readable
from .scene import Bodies, Mask, Scene, Tolerance, accounts, gaps, missing, scene_of

_LEAST = 4.0  # px of what stands fast
_STILL = 0.1  # of the truth's motion, below which a dream counts as frozen
_MOTION = 0.5  # of all bodies' pixels, which must change in the course of the truth before anything can be called frozen


@part
class Abnormal:
    """1 where a dream breaks the permanence, rigidity or solidity of bodies, 0 where it does not; the mean is an abnormal ratio.

    For scenes of flat-coloured rigid bodies on white. The truth says which bodies there are: what the segmentation of its
    first frame tells apart, or else the pieces of every colour in the frame that shows most of them. From the first dreamt
    frame on (default: meta "condition_frames"), a dream is abnormal if in any frame

    1. the pieces of some colour cannot be made up of that colour's bodies, each used once and all used, to within `area` of
       their pixels and `rim` px per px of outline: a body vanished, appeared, grew, shrank, split, changed colour, or one
       went through another (what is hidden is gone). Bodies may leave over the border unless the truth shows walls there;
    2. they can, but only if a piece is a body of another shape: the eigenvalues of its second moments are off by more than `shape`;
    3. of a colour of static bodies (those of `fixed` where the truth does not know), pixels worth `solid` of the smallest body are gone
       or covered, or have come where there were none within two pixels;
    4. a piece lies farther than `jump` frame widths from every piece of its colour in the frame before;
    5. pixels of a colour that the scene does not have form a piece of at least a quarter of the smallest body;

    or if, while the truth moves, less than a tenth as many pixels change as there. No limit is stricter than what the truth
    itself does: of what is seen to be gone, foreign or far away in the truth, twice as much is let pass.

    What it cannot see: wrong speeds, wrong bounces, gravity that fails. It is a lower bound of what people object to; the
    sheet of `benchmarks.ratings` asks them. NaN where pixels are NaN.
    """

    name: ClassVar[str] = "abnormal"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    first_frame: int | None = None
    fixed: tuple[Color, ...] = ((0, 0, 0), (75, 74, 164))
    area: float = 0.06
    rim: float = 0.15
    shape: float = 0.35
    solid: float = 0.2
    jump: float = 0.1

    def __call__(self, dream: Clip, truth: Clip) -> torch.Tensor:
        """[b]; single clips count as b = 1."""
        cases = zip(readable(dream), pairs(dream, truth), strict=True)
        return torch.tensor([float(bool(self.reasons(*case))) if known else torch.nan for known, case in cases], dtype=torch.float64)

    def reasons(self, dream: Clip, truth: Clip) -> list[str]:
        """Why a single dream is abnormal, each reason with the first frame it holds in; empty where it is not.

        Raises UserError where dream and truth differ in frames or size, and where the truth shows no bodies.
        """
        if (dream.num_frames, *dream.size) != (truth.num_frames, *truth.size):
            raise UserError("a dream and its truth must agree in frames and size for the abnormal rule")
        first = int(dream.meta.get("condition_frames", 0)) if self.first_frame is None else self.first_frame
        if not 0 <= first < dream.num_frames:
            raise UserError(f"the first dreamt frame is said to be {first}, in a video of {dream.num_frames} frames")
        tolerance = Tolerance(self.area, self.rim, self.shape)
        watch = _Watch(self, tolerance, scene_of(truth, self.fixed, tolerance), as_uint8(dream.rgb).numpy(), first)
        found: dict[str, int] = {}
        for t, reason in watch.run():
            found.setdefault(reason, t)
        return [f"{reason} (frame {t})" for reason, t in found.items()]


class _Watch:
    """One dream, frame by frame."""

    def __init__(self, rule: Abnormal, tolerance: Tolerance, scene: Scene, frames: Frames, first: int) -> None:
        self.tolerance, self.scene, self.frames, self.first = tolerance, scene, frames, first
        self.gone = [False] * len(scene.moving)  # whether a body of the colour can have left
        self.reach = max(rule.jump * frames.shape[-1], 2 * scene.gap)
        self.solid = [max(_LEAST, rule.solid * min(scene.smallest, least)) for least in scene.least]
        self.strange = max(scene.speck, 2 * scene.foreign)

    def run(self) -> Iterator[tuple[int, str]]:
        """(frame, reason) for whatever is wrong."""
        before: list[list[Piece]] | None = None
        changed, last = 0.0, None
        for t in range(max(self.first - 1, 0), len(self.frames)):
            share, foreign = shares(self.frames[t], (*self.scene.moving, *self.scene.fixed))
            now = [pieces(share[c], self.scene.speck) for c in range(len(self.scene.moving))]
            if t >= self.first:
                yield from ((t, reason) for reason in self._frame(share, foreign, now, before))
            self._leave(now, before)
            changed += 0.0 if last is None else float(np.abs(share - last).sum())
            before, last = now, share
        bodies = sum(b.area for lists in self.scene.bodies for b in lists[0])
        if self.scene.motion > _MOTION * bodies and changed < _STILL * self.scene.motion:
            yield len(self.frames) - 1, "everything stands still"

    def _frame(self, share: Array, foreign: Mask, now: list[list[Piece]], before: list[list[Piece]] | None) -> Iterator[str]:
        for c, color in enumerate(self.scene.moving):
            yield from (f"{_called(color)}: {what}" for what in self._bodies(c, now[c]))
        if before is not None and any(gap > self.reach for gap in gaps(before, now)):
            yield "a body jumps"
        for c, color in enumerate(self.scene.fixed):
            gone, come = missing(share[len(now) + c], self.scene.place[c], self.scene.halo[c])
            if gone > max(self.solid[c], 2 * self.scene.lost[c][0]):
                yield f"{_called(color)}: what stands fast is gone or covered"
            if come > max(self.solid[c], 2 * self.scene.lost[c][1]):
                yield f"{_called(color)}: what stands fast is where it was not"
        if foreign.any() and pieces(foreign.astype(np.float32), self.strange):
            yield "a colour that the scene does not have"

    def _bodies(self, c: int, now: list[Piece]) -> Iterator[str]:
        walled, lists = self.scene.walled, self.scene.bodies[c]
        some_left = self.gone[c] or (not walled and any(p.cut for p in now))

        def any_accounts(shapes: bool) -> bool:
            return any(accounts(b, now, self.tolerance, walled=walled, some_left=some_left, shapes=shapes) for b in lists)

        if not any_accounts(True):
            yield "a body changes shape" if any_accounts(False) else _difference(lists[0], now)

    def _leave(self, now: list[list[Piece]], before: list[list[Piece]] | None) -> None:
        """Note colours of which a body can be outside from the next frame on: it is cut, or gets there in one more step."""
        if self.scene.walled:
            return
        height, width = self.frames.shape[-2:]
        for c, found in enumerate(now):
            for piece in found:
                x, y = piece.center
                step = min((float(np.hypot(x - q.center[0], y - q.center[1])) for q in (before[c] if before else ())), default=0.0)
                room = min(x, y, width - x, height - y) - 2 * float(np.sqrt(piece.spread[0]))
                self.gone[c] |= piece.cut or room <= step


def _difference(bodies: Bodies, now: list[Piece]) -> str:
    whole, seen = sum(b.area for b in bodies), sum(p.area for p in now)
    if seen < 0.85 * whole:
        return "a body vanishes or shrinks"
    return "a body appears or grows" if seen > 1.15 * whole else "bodies change size or split"


def _called(color: Color) -> str:
    return f"rgb({color[0]},{color[1]},{color[2]})"
