"""Warps: pictures moved along a flow, backward (look up where it goes) and forward (softmax splatting)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def targets(flow: Tensor) -> Tensor:
    """Where each pixel's centre goes: [b,2,h,w] in px, pixel i centred at i + 0.5, from flow [b,2,h,w] in px.

    >>> targets(torch.zeros(1, 2, 1, 3))[0, 0].tolist()
    [[0.5, 1.5, 2.5]]
    """
    h, w = flow.shape[-2:]
    y = torch.arange(h, device=flow.device, dtype=flow.dtype) + 0.5
    x = torch.arange(w, device=flow.device, dtype=flow.dtype) + 0.5
    return flow + torch.stack(torch.meshgrid(x, y, indexing="xy"))


def backward_warp(image: Tensor, flow: Tensor, mode: Literal["bilinear", "nearest"] = "bilinear") -> tuple[Tensor, Tensor]:
    """The frame before `image`: out(p) = image(p + flow(p)), and where that lies inside the image.

    `image` [b,c,h,w] float, `flow` [b,2,h,w] px from the frame before to `image` (x right, y down). Gives [b,c,h,w], its
    border repeated outside, and a bool [b,h,w]. Differentiable in both.
    """
    at = targets(flow)
    size = torch.tensor([flow.shape[-1], flow.shape[-2]], device=flow.device, dtype=flow.dtype).view(2, 1, 1)
    grid = (2 * at / size - 1).movedim(1, -1).to(image.dtype)
    warped = grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)
    return warped, ((at >= 0) & (at <= size)).all(1)


def softmax_splat(image: Tensor, flow: Tensor, metric: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The frame after `image`: every pixel is thrown along its flow, and where several land, a softmax of `metric` decides.

    `image` [b,c,h,w] float, `flow` [b,2,h,w] px from `image` to the frame after, `metric` [b,1,h,w] of any finite range (larger
    is nearer; None: the average). Gives [b,c,h,w], 0 where nothing lands, and how much of a pixel landed [b,h,w].
    Differentiable in all three. Niklaus & Liu (2020), with the exponent stabilised for each target pixel.
    """
    b, c, h, w = image.shape
    place = targets(flow) - 0.5
    low = place.floor()
    part = place - low
    metric = flow.new_zeros(b, 1, h, w) if metric is None else metric.to(flow.dtype)
    index, share, logit, source = [], [], [], []
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = low[:, 0] + dx, low[:, 1] + dy
            bilinear = (part[:, 0] if dx else 1 - part[:, 0]) * (part[:, 1] if dy else 1 - part[:, 1])
            lands = (bilinear > 0) & (x >= 0) & (x < w) & (y >= 0) & (y < h)
            batch, row, column = lands.nonzero(as_tuple=True)
            index.append(batch * h * w + y[lands].long() * w + x[lands].long())
            source.append((batch, row, column))
            share.append(bilinear[lands])
            logit.append(metric[:, 0][lands] + bilinear[lands].log())
    to, weight = torch.cat(index), torch.cat(share)
    # The largest exponent of each target pixel, not of the image: elsewhere all weights could vanish together.
    top = torch.full((b * h * w,), -torch.inf, device=flow.device, dtype=flow.dtype)
    top = top.scatter_reduce(0, to, torch.cat(logit).detach(), "amax")
    soft = torch.exp(torch.cat(logit) - top[to]).to(image.dtype)
    values = torch.cat([image[batch, :, row, column] for batch, row, column in source])
    total = soft.new_zeros(b * h * w).index_add(0, to, soft)
    splat = values.new_zeros(b * h * w, c).index_add(0, to, values * soft[:, None])
    splat = splat / torch.where(total > 0, total, 1)[:, None]
    landed = weight.new_zeros(b * h * w).index_add(0, to, weight)
    return splat.view(b, h, w, c).movedim(-1, 1).contiguous(), landed.view(b, h, w)
