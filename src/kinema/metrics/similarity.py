"""PSNR and SSIM of videos: how alike pixels are, which says little about physics."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..core import Clip, UserError, as_float
from ..core.config import part

_WINDOW, _SIGMA = 11, 1.5
_PIXELS = 2**15  # at once, so that they stay in the processor's cache
_C1, _C2 = 0.01**2, 0.03**2


def psnr(dream: Tensor, truth: Tensor, equal: float = 100.0) -> Tensor:
    """Peak signal-to-noise ratio of frames [..., c, h, w] in [0,1]: [...], in dB; equal frames give `equal`, NaN pixels NaN."""
    error = (dream.double() - truth.double()).square().mean((-3, -2, -1))
    return torch.where(error == 0, equal, 10.0 * torch.log10(1.0 / error.clamp_min(1e-300))).clamp(max=equal)


def ssim(dream: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of frames [..., c, h, w] in [0,1]: [...].

    Gaussian window 11 x 11 of sigma 1.5, K 0.01 and 0.03, valid borders, population variance, mean over pixels and channels
    (Wang et al. 2004; the same as pytorch-msssim, piq at up to 256 px, and skimage with gaussian_weights and sigma 1.5).
    """
    if min(dream.shape[-2:]) < _WINDOW:
        raise UserError(f"SSIM needs frames of at least {_WINDOW} x {_WINDOW} px, got {tuple(dream.shape[-2:])}")
    x, y = (v.reshape(-1, 1, *v.shape[-2:]) for v in (dream, truth))
    at_once = max(1, _PIXELS // x[0].numel())
    index = torch.cat([_ssim(*(v.double() for v in chunk)) for chunk in zip(torch.split(x, at_once), torch.split(y, at_once), strict=True)])
    return index.reshape(dream.shape[:-2]).mean(-1)


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    mx, my = _blur(x), _blur(y)
    xx, yy, xy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    index = (2 * mx * my + _C1) * (2 * xy + _C2) / ((mx**2 + my**2 + _C1) * (xx + yy + _C2))
    return index.mean((-3, -2, -1))


@part
class PSNR:
    """Mean over frames of the frame's PSNR; frames that agree to the last bit count as 100 dB, and none counts more.

    A mean of PSNRs is not the PSNR of the pooled error. The given frames of a dream (meta "condition_frames") are left out.
    """

    name: ClassVar[str] = "psnr"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    needs_truth: ClassVar[bool] = True

    first_frame: int | None = None

    def __call__(self, dream: Clip, truth: Clip) -> Tensor:
        """[b]; single clips count as b = 1."""
        return psnr(*frames_to_compare(dream, truth, self.first_frame)).mean(-1)


@part
class SSIM:
    """Mean over frames of the frame's SSIM (11 x 11 Gaussian, valid borders). The given frames of a dream are left out."""

    name: ClassVar[str] = "ssim"
    unit: ClassVar[str] = "1"
    higher_is_better: ClassVar[bool] = True
    needs_truth: ClassVar[bool] = True

    first_frame: int | None = None

    def __call__(self, dream: Clip, truth: Clip) -> Tensor:
        """[b]; single clips count as b = 1."""
        return ssim(*frames_to_compare(dream, truth, self.first_frame)).mean(-1)


def frames_to_compare(dream: Clip, truth: Clip, first_frame: int | None = None) -> tuple[Tensor, Tensor]:
    """Both videos [b,t,3,h,w] as floats in [0,1], from the first dreamt frame on (default: meta "condition_frames", or 0).

    Raises UserError where they differ in shape.
    """
    a, b = (as_float(c.rgb if c.batched else c.rgb[None]) for c in (dream, truth))
    if a.shape != b.shape:
        raise UserError(f"dream and truth differ in shape: {tuple(a.shape)} against {tuple(b.shape)}")
    meta = dream.meta.get("clips", [{}])[0] if dream.batched else dream.meta
    first = int(meta.get("condition_frames", 0)) if first_frame is None else first_frame
    if not 0 <= first < a.shape[1]:
        raise UserError(f"the first dreamt frame is said to be {first}, in a video of {a.shape[1]} frames")
    return a[:, first:], b[:, first:]


def _blur(x: Tensor) -> Tensor:
    """Valid borders. A sum of shifted pictures: several times faster than a convolution of one channel in double precision."""
    place = torch.arange(_WINDOW, dtype=x.dtype, device=x.device) - _WINDOW // 2
    kernel = torch.exp(-(place**2) / (2 * _SIGMA**2))
    weights = (kernel / kernel.sum()).tolist()
    for axis in (-2, -1):
        length = x.shape[axis] - _WINDOW + 1
        blurred = weights[0] * x.narrow(axis, 0, length)
        for i in range(1, _WINDOW):
            blurred = blurred.add(x.narrow(axis, i, length), alpha=weights[i])
        x = blurred
    return x
