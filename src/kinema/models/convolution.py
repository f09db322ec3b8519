"""Convolution over space and time of tokens that lie channels-last, for clips and for frames that have nothing to do with each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

TAPS = 3  # frames, rows and columns that a kernel covers


class Convolution(nn.Module):
    """A 3 x 3 x 3 convolution [b,t,h,w,d] -> [b,t,h,w,d], zeros around: depthwise and then pointwise, or `dense`.

    Of clips that are `images` the frames do not mix: there only the kernel's middle frame counts (1 x 3 x 3). The output starts
    at zero.
    """

    def __init__(self, dim: int, dense: bool) -> None:
        super().__init__()
        self.dense = dense
        self.weight = nn.Parameter(torch.empty(dim, dim if dense else 1, TAPS, TAPS, TAPS))
        self.bias = nn.Parameter(torch.zeros(dim)) if dense else None
        self.point = None if dense else nn.Linear(dim, dim)
        if self.point is None:
            nn.init.zeros_(self.weight)
        else:
            nn.init.normal_(self.weight, std=TAPS**-1.5)
            nn.init.zeros_(self.point.weight)
            nn.init.zeros_(self.point.bias)

    def forward(self, x: Tensor, images: Tensor | None = None) -> Tensor:
        """`images` [b] bool, or None where all clips are videos."""
        mixed = self._convolve(x, self.weight)
        if images is not None:
            mixed = torch.where(images[:, None, None, None, None], self._convolve(x, self.weight[:, :, 1:2]), mixed)
        return mixed if self.point is None else self.point(mixed)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.bias is None:
            return depthwise(x, weight)
        padding = (weight.shape[2] // 2, 1, 1)
        return F.conv3d(x.permute(0, 4, 1, 2, 3), weight, self.bias, padding=padding).permute(0, 2, 3, 4, 1)


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """x [b,t,h,w,d] convolved with `weight` [d,1,k,3,3], channel by channel, zeros around; k is 1 or 3 frames."""
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        x, weight = x.to(torch.get_autocast_dtype("cpu")), weight.to(torch.get_autocast_dtype("cpu"))
    if x.device.type == "cpu" and torch.is_grad_enabled():
        out: Tensor = _Depthwise.apply(x, weight)  # type: ignore[no-untyped-call]
        return out
    return _depthwise(x, weight)


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    padding = (weight.shape[2] // 2, 1, 1)
    return F.conv3d(x.permute(0, 4, 1, 2, 3), weight, padding=padding, groups=len(weight)).permute(0, 2, 3, 4, 1)


class _Depthwise(torch.autograd.Function):
    """The same with a backward pass made of what is fast on a CPU: PyTorch's own takes 20 to 80 times as long as its forward pass.

    The gradient of the input is the convolution with the kernel mirrored, that of the kernel a 2-D one for each of its frames.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _depthwise(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_x = _depthwise(gradient, weight.flip(2, 3, 4)) if ctx.needs_input_grad[0] else None
        of_weight = None
        if ctx.needs_input_grad[1]:
            half = weight.shape[2] // 2
            of_weight = torch.stack([_of_frame(x, gradient, weight[:, :, 0], delay) for delay in range(-half, half + 1)], 2)
        return of_x, of_weight


def _of_frame(x: Tensor, gradient: Tensor, weight: Tensor, delay: int) -> Tensor:
    """The gradient [d,1,3,3] of that frame of the kernel which brings x at frame k + `delay` to frame k."""
    t = x.shape[1]
    if t <= abs(delay):
        return torch.zeros_like(weight)
    seen, pulled = x[:, max(delay, 0) : t + min(delay, 0)], gradient[:, max(-delay, 0) : t - max(delay, 0)]
    pictures = [part.flatten(0, 1).permute(0, 3, 1, 2) for part in (pulled, seen)]
    options = ([1, 1], [1, 1], [1, 1], False, [0, 0], len(weight), [False, True, False])
    out: Tensor = torch.ops.aten.convolution_backward(*pictures, weight, None, *options)[1]
    return out
