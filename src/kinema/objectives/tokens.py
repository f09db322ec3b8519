"""Masked tokens: learn to say what stands under the mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core.config import part
from ..core.contracts import Context, Loss, Model
from ..core.errors import UserError
from ..core.masked import MASK, Masked, given
from ..core.path import Predict
from .denoise import Encoded
from .times import UniformTimes

_ASPECT = 3.0  # a region of a square frame is at most so much wider than high, or higher than wide


@part
class MaskedTokens:
    """Cross-entropy of the codes under the mask, given the others (WorldDreamer eq. 5; MaskGIT eq. 2).

    `times` draws tau, at which `path` masks a share of the cells. Tokens that conditions know (first frames) are put in their
    places, and are neither masked nor learnt; so the `drop` of `Frames` sets the share of image-to-video masks. `regions` is the
    share of clips whose masked cells lie together in a box, the same in all frames, as in inpainting. `label_smoothing` is
    MaskGIT's.
    """

    path: Masked = Masked()
    times: Any = UniformTimes()
    label_smoothing: float = 0.1
    regions: float = 0.1
    predict: ClassVar[Predict] = "codes"

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"MaskedTokens: label_smoothing must lie in [0, 1), got {self.label_smoothing}")
        if not 0 <= self.regions <= 1:
            raise UserError(f"MaskedTokens: regions must lie in [0, 1], got {self.regions}")

    def build(self) -> MaskedTokens:
        """The objective itself: it holds no weights."""
        return self

    def losses(self, model: Model, batch: Encoded, context: Context) -> Iterator[Loss]:
        """One loss, the mean over all masked tokens of the batch (so that a token counts alike in every clip).

        Logs the cross-entropy without smoothing `ce`, over clips of tau above and below 0.5 too, the share of masked tokens whose
        code is the likeliest, and the share of tokens that are masked.
        """
        x0 = batch.latents.data
        tau = self.times.draw(len(x0), context.rng)
        noise = self._noise(tuple(x0.shape), context.rng).to(x0.device)
        conditions = batch.dropped(context.rng)
        noise = _some_unknown(noise, given(x0, conditions)[1])
        x_tau, _ = given(self.path.corrupt(x0, noise, tau), conditions)
        output = model(self.path.network_input(x_tau, tau), self.path.network_time(tau), conditions).output
        masked = (x_tau == MASK).float()
        log_p = output.float().log_softmax(-1)
        ce = -log_p.gather(-1, x0[..., None].long())[..., 0]
        # What torch calls label smoothing: a share of the target lies evenly on all codes.
        smoothed = (1 - self.label_smoothing) * ce - self.label_smoothing * log_p.mean(-1)
        yield Loss(_mean(smoothed, masked), log=_figures(ce.detach(), log_p.detach().argmax(-1) == x0, masked, tau))

    def _noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
        """Scores of the cells, the lowest of which are masked first: scattered, or around a centre for a share of the clips."""
        noise = self.path.noise(shape, rng)
        if not self.regions:
            return noise
        together = torch.rand(shape[0], generator=rng, device=rng.device) < self.regions
        return torch.where(together[:, None, None, None], _box(shape, rng), noise)


def _box(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Distances [b,1,h,w] from a drawn centre, whose lower sets are boxes of a drawn aspect (but for the last, unfilled side)."""
    b, _, h, w = shape
    y, x, aspect = torch.rand((3, b, 1, 1, 1), generator=rng, device=rng.device)
    stretch = _ASPECT ** (aspect - 0.5)
    rows = (torch.arange(h, device=rng.device)[:, None] + 0.5 - h * y).abs() / h * stretch
    columns = (torch.arange(w, device=rng.device) + 0.5 - w * x).abs() / w / stretch
    return torch.maximum(rows, columns)


def _some_unknown(noise: Tensor, known: Tensor) -> Tensor:
    """The same scores [b,1 or t,h,w], but for the first cell that is not `known` [b,t,h,w] in all frames: it is masked before all."""
    there = known.all(1, keepdim=True) if noise.shape[1] == 1 else known
    first = noise.masked_fill(there, torch.inf).amin((2, 3), keepdim=True)
    return torch.where((noise <= first) & ~there, -1.0, noise)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1)  # nothing is masked where all is known


def _figures(ce: Tensor, right: Tensor, masked: Tensor, tau: Tensor) -> dict[str, float | Tensor]:
    """What to log; NaN for a half of time that no clip fell into."""
    high = (tau >= 0.5).to(masked)[:, None, None, None] * masked
    low = masked - high
    return {
        "ce": _mean(ce, masked),
        "ce_high": (ce * high).sum() / high.sum(),
        "ce_low": (ce * low).sum() / low.sum(),
        "accuracy": _mean(right.float(), masked),
        "masked": masked.mean(),
    }
