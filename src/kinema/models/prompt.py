"""What STPT's cross-attention looks at: words for a whole clip or for a frame, and a token for every frame (WorldDreamer sec. 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.contracts import Condition, Conditions, Value
from ..core.errors import UserError
from .told import known


class Memory(NamedTuple):
    """Tokens [b,s,d] with the `mask` [b,1,1,s] or [b,1,t h w,s] of who sees them; with b t in place of b, every frame has its own."""

    tokens: Tensor
    mask: Tensor


class Seen(NamedTuple):
    """Tokens [b,s,d] and which of them count [b,s]; of single frames [b,t,s,d] and [b,t,s]."""

    tokens: Tensor
    mask: Tensor


class Prompt(nn.Module):
    """Conditions that enter as tokens (mapped by one linear layer), as frames or as a vector (each by an MLP) -> Memory.

    Frames with one vector each see their own token alone; words and vectors are said to all frames at once, which keeps one set of
    keys for a clip, not one per frame. A condition that is absent, or whose mask hides all, is one learnt token; whatever stands
    in its data does not matter.
    """

    def __init__(self, conditions: Sequence[Condition], dim: int) -> None:
        super().__init__()
        self.kinds = {c.name: c.enters for c in conditions if c.enters in ("tokens", "frames", "vector")}
        self.widths = {c.name: c.width for c in conditions}
        self.embed, self.nulls = nn.ModuleDict(), nn.ParameterDict()
        for name, kind in self.kinds.items():
            first = nn.Linear(self.widths[name], dim)
            self.embed[name] = first if kind == "tokens" else nn.Sequential(first, nn.SiLU(), nn.Linear(dim, dim))
            self.nulls[name] = nn.Parameter(torch.randn(dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, conditions: Conditions, x: Tensor) -> Memory:
        """Of tokens x [b,t,h,w,d]. Raises UserError for a condition of the wrong shape."""
        b, t, h, w, d = x.shape
        seen = [self._seen(name, conditions.get(name), x) for name in self.kinds]
        said = [one for one in seen if one.tokens.ndim == 3]
        own = [one for one in seen if one.tokens.ndim == 4]
        if any(one.tokens.shape[2] > 1 for one in own):  # words of their own: every frame has its set of keys
            alike = [Seen(s.tokens[:, None].expand(b, t, -1, d), s.mask[:, None].expand(b, t, -1)) for s in said]
            tokens, mask = (torch.cat([one[i] for one in alike + own], 2).flatten(0, 1) for i in (0, 1))
            return Memory(self.norm(tokens), mask[:, None, None])
        tokens = torch.cat([one.tokens.flatten(1, -2) for one in seen], 1)
        if not own:
            return Memory(self.norm(tokens), torch.cat([one.mask for one in said], 1)[:, None, None])
        frame = torch.eye(t, dtype=torch.bool, device=x.device)
        masks = [one.mask[:, None].expand(b, t, -1) if one.tokens.ndim == 3 else frame.expand(b, t, t) for one in seen]
        mask = torch.cat(masks, 2)[:, None, :, None].expand(b, 1, t, h * w, -1)
        return Memory(self.norm(tokens), mask.flatten(2, 3))

    def _seen(self, name: str, value: Value | None, x: Tensor) -> Seen:
        b, t, *_, d = x.shape
        null = self.nulls[name].to(x.dtype)
        if value is None:
            shape = (b, t, 1, d) if self.kinds[name] == "frames" else (b, 1, d)
            return Seen(null.expand(shape), torch.ones(shape[:-1], dtype=torch.bool, device=x.device))
        self._check(name, value.data, b, t)
        here = known(value)
        tokens = self.embed[name](torch.where(here[..., None], value.data.to(x.dtype), 0.0)).to(x.dtype)
        if self.kinds[name] == "tokens":
            null = null.expand(*tokens.shape[:-2], 1, d)
            return Seen(torch.cat([null, tokens], -2), torch.cat([~here.any(-1, keepdim=True), here], -1))
        tokens = torch.where(here[..., None], tokens, null)[..., None, :]
        return Seen(tokens, torch.ones(tokens.shape[:-1], dtype=torch.bool, device=x.device))

    def _check(self, name: str, data: Tensor, b: int, t: int) -> None:
        width, kind, shape = self.widths[name], self.kinds[name], list(data.shape)
        fits = {
            "tokens": data.ndim in (3, 4) and shape[:-2] in ([b], [b, t]) and shape[-1] == width,
            "frames": shape == [b, t, width],
            "vector": shape == [b, width],
        }
        wanted = {"tokens": f"tokens [{b}, s, {width}] or [{b}, {t}, s, {width}]", "frames": f"one vector per frame, [{b}, {t}, {width}]"}
        if not fits[kind]:
            raise UserError(f"{name!r} must be {wanted.get(kind, f'vectors [{b}, {width}]')}, got {shape}")
