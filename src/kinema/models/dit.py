"""DiT in PhyWorld's layout: full space-time attention, 3-D rotary positions, one modulation shared by all blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..core.config import part
from ..core.contracts import Condition, Conditions, Prediction, Space
from ..core.errors import UserError
from .attention import attention
from .rope import rotary_3d, rotate, sinusoids, sinusoids_3d
from .told import Message, PerFrame, Tokens, Vector

Positions = Literal["rotary", "rotary+absolute"]
TIME_CHANNELS = 256
TIME_SCALE = 1000.0  # tau in 0..1 is embedded as a DDPM step

SIZES: dict[str, tuple[int, int, int]] = {  # layers, hidden, heads (PhyWorld table 1 from S on)
    "pico": (4, 128, 4),
    "nano": (6, 256, 4),
    "S": (12, 384, 6),
    "B": (12, 768, 12),
    "L": (24, 1024, 16),
    "XL": (28, 1152, 16),
}
SMALL = ("pico", "nano")  # what a CPU trains; the paper's ladder begins at S


@part
class DiT:
    """A diffusion transformer over patches of 1 x `patch` x `patch` latent cells (PhyWorld sec. 3.1, table 1).

    Conditions enter as channels (frames: concatenated with their mask), as a vector (state: embedded, and added to the video's
    tokens in every layer), a vector for each frame (actions: added to its tokens) or as tokens (text: a cross-attention in every
    layer); others are refused when the network is built.
    `positions` adds fixed sinusoids to the tokens beside the rotary embedding; `qk_norm` normalises queries and keys;
    `checkpoint` recomputes activations in the backward pass. None of the three changes the number of parameters.
    """

    layers: int = 12
    hidden: int = 384
    heads: int = 6
    patch: int = 2
    positions: Positions = "rotary"
    qk_norm: bool = False
    checkpoint: bool = False

    def __post_init__(self) -> None:
        if min(self.layers, self.hidden, self.heads, self.patch) < 1 or self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise UserError(f"DiT: hidden {self.hidden} must split into {self.heads} heads of even size, all sizes at least 1")
        if self.positions not in get_args(Positions):
            raise UserError(f"DiT: positions must be one of {', '.join(get_args(Positions))}, got {self.positions!r}")
        if self.hidden // self.heads < 6:
            raise UserError(f"DiT: a head needs at least 6 channels for three axes, got {self.hidden // self.heads}")

    @classmethod
    def size(cls, name: str, **fields: Any) -> Self:
        """One of the named sizes: pico, nano, S, B, L, XL."""
        if name not in SIZES:
            raise UserError(f"DiT: there is no size {name!r}; there are {', '.join(SIZES)}")
        layers, hidden, heads = SIZES[name]
        return replace(cls(layers=layers, hidden=hidden, heads=heads), **fields)

    def build(self, space: Space, conditions: Sequence[Condition] = ()) -> DiTNetwork:
        """The network for continuous latents of `space`, initialised from torch's current seed. Raises UserError for tokens."""
        return DiTNetwork(self, space.channels, conditions)


class DiTNetwork(nn.Module):
    """The network of a `DiT`: (x [b,t,c,h,w], tau [b] or [b,t], conditions) -> Prediction with output [b,t,c,h,w]."""

    def __init__(self, config: DiT, channels: int, conditions: Sequence[Condition]) -> None:
        super().__init__()
        self.config, self.channels = config, channels
        self.names = _names(conditions)
        self.concatenated = tuple(condition.name for condition in conditions if condition.enters == "channels")
        d, cells = config.hidden, config.patch**2
        self.embed = nn.Linear(cells * (channels + len(self.concatenated) * (channels + 1)), d)
        self.time = nn.Sequential(nn.Linear(TIME_CHANNELS, d), nn.SiLU(), nn.Linear(d, d))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.blocks = nn.ModuleList(Block(d, config.heads, config.qk_norm) for _ in range(config.layers))
        self.head = nn.Linear(d, cells * channels)
        self._tables: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
        self._initialise()
        # After the others, so that these draw the same weights whether or not there is more to be told.
        self.vectors, self.frames, self.tokens = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for c in conditions:
            if c.enters == "vector":
                self.vectors[c.name] = Vector(c.name, c.width, d, config.layers)
            elif c.enters == "frames":
                self.frames[c.name] = PerFrame(c.name, c.width, d, config.layers)
            elif c.enters == "tokens":
                self.tokens[c.name] = Tokens(c.name, c.width, d, config.heads, config.layers, config.qk_norm)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        # Every block starts as the identity and the output as zero (adaLN-zero, Peebles & Xie 2023).
        nn.init.zeros_(self.modulation[1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, tau: Tensor, conditions: Conditions) -> Prediction:
        t, h, w = self._grid(x)
        for name in conditions:
            if name not in self.names:
                raise UserError(f"this model takes the conditions {', '.join(self.names) or 'none'}; {name!r} is not one")
        tokens = self.embed(self._patchify(self._input(x, conditions)))
        rotary, absolute = self._positions((t, h, w), x.device)
        if self.config.positions == "rotary+absolute":
            tokens = tokens + absolute.to(tokens.dtype)
        modulation = self._modulation(tau, h * w)
        for block, told in zip(self.blocks, self._told(x, conditions, h * w), strict=True):
            if self.config.checkpoint and self.training:
                tokens = checkpoint(block, tokens, modulation, rotary, told, use_reentrant=False)
            else:
                tokens = block(tokens, modulation, rotary, told)
        output = self.head(F.layer_norm(tokens, tokens.shape[-1:]))
        return Prediction(self._unpatchify(output, (t, h, w)), {"tokens": tokens})

    def _input(self, x: Tensor, conditions: Conditions) -> Tensor:
        parts = [x]
        for name in self.concatenated:
            b, t, c, h, w = x.shape
            if name not in conditions:
                parts.append(x.new_zeros(b, t, c + 1, h, w))
                continue
            value = conditions[name]
            here = value.present.to(x.dtype)[:, None, None, None, None]
            mask = torch.ones_like(x[:, :, :1]) if value.mask is None else value.mask.to(x.dtype).expand(b, t, 1, h, w)
            parts += [value.data.to(x.dtype) * mask * here, mask * here]
        return torch.cat(parts, 2)

    def _told(self, x: Tensor, conditions: Conditions, cells: int) -> list[Message]:
        """What every block is told by the conditions that are no channels; a frame has so many tokens."""
        added = [vector(conditions[name], x) for name, vector in self.vectors.items() if name in conditions]
        added += [frames(conditions[name], x, cells) for name, frames in self.frames.items() if name in conditions]
        heard = [tokens(conditions.get(name), x) for name, tokens in self.tokens.items()]
        layers = range(self.config.layers)
        return [Message(sum(a[i] for a in added) if added else None, [h[i] for h in heard]) for i in layers]

    def _modulation(self, tau: Tensor, cells: int) -> tuple[Tensor, ...]:
        embedded = self.modulation(self.time(sinusoids(tau * TIME_SCALE, TIME_CHANNELS)))
        per_token = embedded[:, None] if tau.ndim == 1 else embedded.repeat_interleave(cells, 1)
        return tuple(per_token.chunk(6, -1))

    def _grid(self, x: Tensor) -> tuple[int, int, int]:
        _, t, c, h, w = x.shape
        p = self.config.patch
        if c != self.channels or h % p or w % p:
            raise UserError(f"this model takes latents [b, t, {self.channels}, h, w] with h and w multiples of {p}, got {list(x.shape)}")
        return t, h // p, w // p

    def _patchify(self, x: Tensor) -> Tensor:
        b, t, c, h, w = x.shape
        p = self.config.patch
        x = x.reshape(b, t, c, h // p, p, w // p, p).permute(0, 1, 3, 5, 4, 6, 2)
        return x.reshape(b, t * (h // p) * (w // p), p * p * c)

    def _unpatchify(self, x: Tensor, grid: tuple[int, int, int]) -> Tensor:
        (t, h, w), p, c = grid, self.config.patch, self.channels
        x = x.reshape(-1, t, h, w, p, p, c).permute(0, 1, 6, 2, 4, 3, 5)
        return x.reshape(-1, t, c, h * p, w * p)

    def _positions(self, grid: tuple[int, int, int], device: torch.device) -> tuple[Tensor, Tensor]:
        if grid not in self._tables or self._tables[grid][0].device != device:
            rotary = rotary_3d(*grid, self.config.hidden // self.config.heads)
            self._tables[grid] = (rotary.to(device), sinusoids_3d(*grid, self.config.hidden).to(device))
        return self._tables[grid]


def _names(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """The names of the conditions. Raises UserError for two of one name, and for one that enters where a DiT has no entrance."""
    names = tuple(condition.name for condition in conditions)
    for condition in conditions:
        if condition.enters not in ("channels", "vector", "frames", "tokens"):
            raise UserError(f"DiT takes conditions as channels, vector, frames or tokens; {condition.name!r} enters as {condition.enters}")
        if names.count(condition.name) > 1:
            raise UserError(f"DiT: there are two conditions named {condition.name!r}")
    return names


class Block(nn.Module):
    """Attention and MLP, each scaled, shifted and gated by the shared modulation; between them what the block is told in tokens."""

    def __init__(self, dim: int, heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.heads, self.qk_norm = heads, qk_norm
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(approximate="tanh"), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor, modulation: tuple[Tensor, ...], rotary: Tensor, told: Message) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation
        if told.added is not None:
            x = x + told.added
        x = x + gate1 * self._attend(F.layer_norm(x, x.shape[-1:]) * (1 + scale1) + shift1, rotary)
        for layer, memory, mask in told.heard:
            x = x + layer(x, memory, mask)
        x = x + gate2 * self.mlp(F.layer_norm(x, x.shape[-1:]) * (1 + scale2) + shift2)
        return x

    def _attend(self, x: Tensor, rotary: Tensor) -> Tensor:
        b, s, d = x.shape
        q, k, v = self.qkv(x).reshape(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if self.qk_norm:
            q, k = F.rms_norm(q, q.shape[-1:]), F.rms_norm(k, k.shape[-1:])
        q, k = rotate(q, rotary), rotate(k, rotary)
        mixed = attention(q, k, v).transpose(1, 2).reshape(b, s, d)
        return self.proj(mixed)
