"""Conditions inside a transformer: vectors added to the tokens of every layer, or words that every layer looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.contracts import Value
from ..core.errors import UserError
from .attention import attention


class Heard(NamedTuple):
    """What one cross-attention layer looks at: `memory` [b,s,d] and the `mask` [b,1,1,s] of the tokens that count."""

    layer: Cross
    memory: Tensor
    mask: Tensor


class Message(NamedTuple):
    """What one block is told: a vector for all its tokens [b,1,d], or one for each [b,n,d] (None: none), and what its
    cross-attentions look at."""

    added: Tensor | None = None
    heard: Sequence[Heard] = ()


class Vector(nn.Module):
    """A condition that enters as a vector [b,width]: embedded by an MLP, mapped anew for every layer (PhyWorld's numbers).

    The maps start at zero, so that the network starts as if it had no such condition; an absent one adds zero.
    """

    def __init__(self, name: str, width: int, dim: int, layers: int) -> None:
        super().__init__()
        self.name, self.width = name, width
        self.embed = nn.Sequential(nn.Linear(width, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(layers))
        _initialise(self, zero=self.layers)

    def forward(self, value: Value, x: Tensor) -> list[Tensor]:
        """[b,1,d] per layer."""
        if value.data.ndim != 2 or value.data.shape[-1] != self.width:
            raise UserError(f"{self.name!r} must be vectors [b, {self.width}], got {list(value.data.shape)}")
        here = value.present.to(x.dtype)[:, None, None]
        embedded = self.embed(value.data.to(x.dtype))[:, None]
        return [layer(embedded) * here for layer in self.layers]


class PerFrame(nn.Module):
    """A condition that enters as frames, a vector for each [b,t,width]: embedded as a `Vector` is, and added to the tokens of its
    frame. A frame whose vector is absent, or that `mask` [b,t,1] hides, is added zero, whatever stands in its data."""

    def __init__(self, name: str, width: int, dim: int, layers: int) -> None:
        super().__init__()
        self.name, self.width = name, width
        self.embed = nn.Sequential(nn.Linear(width, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(layers))
        _initialise(self, zero=self.layers)

    def forward(self, value: Value, x: Tensor, cells: int) -> list[Tensor]:
        """[b,t cells,d] per layer, for x [b,t,...] with so many tokens in a frame."""
        if value.data.shape != (*x.shape[:2], self.width):
            wanted = [*x.shape[:2], self.width]
            raise UserError(f"{self.name!r} must be one vector per frame of the latents, {wanted}, got {list(value.data.shape)}")
        here = known(value)[..., None]
        embedded = self.embed(torch.where(here, value.data.to(x.dtype), 0.0))
        return [(layer(embedded) * here).repeat_interleave(cells, 1) for layer in self.layers]


def known(value: Value) -> Tensor:
    """Which vectors of a condition's data [b,...,width] are there [b,...]: those that are present, where `mask` does not hide them."""
    here = value.present.reshape(-1, *[1] * (value.data.ndim - 2)).expand(value.data.shape[:-1])
    return here if value.mask is None else here & value.mask.expand(*value.data.shape[:-1], 1)[..., 0].bool()


class Tokens(nn.Module):
    """A condition that enters as tokens [b,s,width], at which every layer looks by cross-attention (PhyWorld's text).

    Their projection is shared by the layers. An absent condition is one learnt token; so is one whose mask hides all.
    """

    def __init__(self, name: str, width: int, dim: int, heads: int, layers: int, qk_norm: bool) -> None:
        super().__init__()
        self.name, self.width = name, width
        self.embed = nn.Linear(width, dim)
        self.null = nn.Parameter(torch.zeros(dim))
        self.layers = nn.ModuleList(Cross(dim, heads, qk_norm) for _ in range(layers))
        _initialise(self, zero=[layer.get_submodule("proj") for layer in self.layers])
        nn.init.normal_(self.null, std=dim**-0.5)

    def forward(self, value: Value | None, x: Tensor) -> list[Heard]:
        """What every layer looks at."""
        null = self.null.expand(len(x), 1, -1).to(x.dtype)
        if value is None:
            mask = torch.ones(len(x), 1, 1, 1, dtype=torch.bool, device=x.device)
            return [Heard(layer, null, mask) for layer in self.layers]  # type: ignore[arg-type]
        if value.data.ndim != 3 or value.data.shape[-1] != self.width:
            raise UserError(f"{self.name!r} must be tokens [b, s, {self.width}], got {list(value.data.shape)}")
        b, s, _ = value.data.shape
        mask = value.present[:, None].expand(b, s)
        if value.mask is not None:
            mask = mask & value.mask.expand(b, s, 1)[..., 0].bool()
        nothing = ~mask.any(1, keepdim=True)
        data = torch.where(mask[..., None], value.data.to(x.dtype), 0.0)  # padding may hold anything
        memory = torch.cat([null, self.embed(data).to(x.dtype)], 1)
        seen = torch.cat([nothing, mask], 1)[:, None, None]
        return [Heard(layer, memory, seen) for layer in self.layers]  # type: ignore[arg-type]


class Cross(nn.Module):
    """Attention of the video's tokens to other tokens; its output starts at zero. `normal` is how `qk_norm` normalises."""

    def __init__(self, dim: int, heads: int, qk_norm: bool, normal: Callable[[Tensor, list[int]], Tensor] = F.rms_norm) -> None:
        super().__init__()
        self.heads, self.qk_norm, self.normal = heads, qk_norm, normal
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """x [b,n,d], memory [b,s,d], mask [b,1,1,s] -> [b,n,d]."""
        b, n, d = x.shape
        q = self.q(F.layer_norm(x, x.shape[-1:])).reshape(b, n, self.heads, -1).transpose(1, 2)
        k, v = self.kv(memory).reshape(b, memory.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.qk_norm:
            q, k = self.normal(q, list(q.shape[-1:])), self.normal(k, list(k.shape[-1:]))
        mixed = attention(q, k.to(q.dtype), v, mask).transpose(1, 2).reshape(b, n, d)
        return self.proj(mixed)


def _initialise(module: nn.Module, zero: Sequence[nn.Module] | nn.ModuleList) -> None:
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.xavier_uniform_(child.weight)
            nn.init.zeros_(child.bias)
    for child in zero:
        assert isinstance(child, nn.Linear)
        nn.init.zeros_(child.weight)
