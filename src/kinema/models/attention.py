"""Attention of all tokens with all: PyTorch's fused kernel, or two plain products where that trains faster."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SHORT = 512  # tokens up to which the plain form wins on a CPU


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for [b, heads, s, d]; `mask` [b, 1, 1, s], bool, says which keys count (at least one).

    The fused CPU kernel's backward pass is slow on short sequences (4 x at 144 tokens in bfloat16), where the matrix of
    weights it avoids is small anyway.
    """
    if q.device.type != "cpu" or not q.requires_grad or q.shape[-2] * k.shape[-2] > SHORT**2:
        return F.scaled_dot_product_attention(q, k, v, mask)
    with torch.autocast("cpu", enabled=False):
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1).to(v.dtype) @ v  # normalised q and k may be wider than v
