"""Quantisers: vectors of numbers to the nearest of a set of codes, with gradients that pass straight through."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.config import part
from ..core.errors import UserError

ROWS = 16384  # vectors compared with all codes at once: the table of distances is what takes memory
PRIOR = 1e-3  # weight of a code's own place in its mean, as a share of what an evenly used code gets (Laplace smoothing)


@dataclass(frozen=True)
class Quantised:
    """`vectors` as z, whose gradient is that of z (straight through); `tokens` (long); `loss`, a scalar that holds z to its
    codes; `revived`, how many unused codes were given a new place."""

    vectors: Tensor
    tokens: Tensor
    loss: Tensor
    revived: Tensor


class Quantiser(Protocol):
    """A part that builds a quantiser for `codes` codes; `channels` is how many numbers its vectors have where `dim` are asked for."""

    def channels(self, dim: int) -> int: ...
    def build(self, codes: int, dim: int) -> nn.Module: ...


@part
class EMACodebook:
    """Codes that follow the running mean of the vectors they stand for (van den Oord et al. 2017, app. A.1; Razavi et al. 2019).

    `decay` of the means per step; `commitment` is the weight of the squared distance that pulls vectors to their codes. A code
    whose running share falls below `revive` x 1 / codes takes the place of a random vector of the batch, as all do in the first
    step. `normalise` compares directions: vectors and codes have length 1 (Yu et al. 2022, ViT-VQGAN).

    Codes are buffers. A running average of weights (`training` keeps one of the encoder) goes with the codes of the last step,
    which follow the encoder of the last steps and not its average; the two meet where the learning rate falls to 0.
    """

    decay: float = 0.99
    commitment: float = 0.25
    revive: float = 0.1
    normalise: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.decay < 1:
            raise UserError(f"EMACodebook: decay must lie between 0 and 1, got {self.decay}")
        if not (self.commitment >= 0 and 0 <= self.revive < 1):
            got = f"{self.commitment} and {self.revive}"
            raise UserError(f"EMACodebook: commitment must be 0 or more and revive in [0, 1), got {got}")

    def channels(self, dim: int) -> int:
        """As many as are asked for."""
        return dim

    def build(self, codes: int, dim: int) -> Codebook:
        """The codebook, empty until the first update."""
        return Codebook(self, codes, dim)


class Codebook(nn.Module):
    """The codes of an `EMACodebook`: `codebook` [codes, dim], and the running share of the vectors that each one stands for."""

    codebook: Tensor
    share: Tensor

    def __init__(self, config: EMACodebook, codes: int, dim: int) -> None:
        super().__init__()
        self.config = config
        start = torch.randn(codes, dim)
        self.register_buffer("codebook", F.normalize(start, dim=-1) if config.normalise else start)
        self.register_buffer("share", torch.zeros(codes))

    def forward(self, z: Tensor, rng: torch.Generator | None = None) -> Quantised:
        """Vectors z [n,dim] to codes; with `rng` the codes learn from them."""
        with torch.autocast(z.device.type, enabled=False):  # half precision confuses neighbouring codes
            z = z.float()
            z = F.normalize(z, dim=-1) if self.config.normalise else z
            revived = torch.zeros((), device=z.device) if rng is None else self._revive(z.detach(), rng)
            tokens = self.nearest(z.detach())
            codes = self.lookup(tokens)
            loss = self.config.commitment * (z - codes).square().mean()
            if rng is not None:
                self._follow(z.detach(), tokens)
            return Quantised(z + (codes - z).detach(), tokens, loss, revived)

    def nearest(self, z: Tensor) -> Tensor:
        """The code [n] nearest to each of z [n,dim]; of equal ones the first."""
        half = self.codebook.square().sum(1) / 2
        return torch.cat([(half - rows @ self.codebook.T).argmin(1) for rows in torch.split(z, ROWS)])

    def lookup(self, tokens: Tensor) -> Tensor:
        """Vectors [..., dim] of tokens [...]."""
        return F.embedding(tokens, self.codebook)

    @torch.no_grad()
    def _revive(self, z: Tensor, rng: torch.Generator) -> Tensor:
        """Unused codes take the places of random vectors, with the share of an evenly used code; how many did."""
        codes = len(self.share)
        picked = torch.randint(len(z), (codes,), generator=rng, device=rng.device).to(z.device)
        places = _from_first(z[picked])
        first = self.share.sum() == 0  # later they add up to 1
        dead = first | (self.share < self.config.revive / codes)
        self.codebook.copy_(torch.where(dead[:, None], places, self.codebook))
        self.share.copy_(torch.where(dead, 1 / codes, self.share))
        return dead.sum().float()

    @torch.no_grad()
    def _follow(self, z: Tensor, tokens: Tensor) -> None:
        codes, decay = len(self.share), self.config.decay
        counts = _over_all(z.new_zeros(codes).index_add_(0, tokens, torch.ones_like(z[:, 0])))
        sums = _over_all(torch.zeros_like(self.codebook).index_add_(0, tokens, z))
        total = counts.sum()
        old, prior = decay * self.share, PRIOR / codes
        new = old + (1 - decay) * counts / total
        means = ((old + prior)[:, None] * self.codebook + (1 - decay) * sums / total) / (new + prior)[:, None]
        self.codebook.copy_(F.normalize(means, dim=-1) if self.config.normalise else means)
        self.share.copy_(new)


@part
class FSQ:
    """Finite scalar quantisation: each of a few numbers is bounded and rounded to one of `levels` values (Mentzer et al. 2023).

    There are as many codes as the product of the levels, and nothing is learnt beside the networks.
    """

    levels: tuple[int, ...] = field(default=(8, 8, 8, 5, 5, 5), kw_only=False)

    def __post_init__(self) -> None:
        if not self.levels or min(self.levels) < 2:
            raise UserError(f"FSQ: every level must have at least 2 values, got {self.levels}")

    def channels(self, dim: int) -> int:
        """One for each level, whatever is asked for."""
        return len(self.levels)

    def build(self, codes: int, dim: int) -> Grid:
        """The grid. Raises UserError unless `codes` is the product of the levels."""
        if codes != math.prod(self.levels):
            raise UserError(f"FSQ: levels {self.levels} make {math.prod(self.levels)} codes, and the codec has codes={codes}")
        return Grid(self)


class Grid(nn.Module):
    """The codes of an `FSQ`: vectors in [-1, 1] with one number per level, the first level the fastest in a token."""

    levels: Tensor
    basis: Tensor

    def __init__(self, config: FSQ) -> None:
        super().__init__()
        self.config = config
        strides = [math.prod(config.levels[:i]) for i in range(len(config.levels))]
        self.register_buffer("levels", torch.tensor(config.levels), persistent=False)
        self.register_buffer("basis", torch.tensor(strides), persistent=False)

    def forward(self, z: Tensor, rng: torch.Generator | None = None) -> Quantised:
        """Vectors z [n,levels] to codes; there is nothing to learn and nothing to hold."""
        with torch.autocast(z.device.type, enabled=False):
            bounded = self._bound(z.float())
            vectors = (bounded + (bounded.round() - bounded).detach()) / (self.levels // 2)
            nothing = torch.zeros((), device=z.device)
            return Quantised(vectors, self.index(vectors.detach()), nothing, nothing)

    def index(self, vectors: Tensor) -> Tensor:
        """Tokens [...] of vectors [..., levels] on the grid."""
        half = self.levels // 2
        return ((vectors * half).round().long() + half).mul(self.basis).sum(-1)

    def lookup(self, tokens: Tensor) -> Tensor:
        """Vectors [..., levels] of tokens [...]."""
        half = self.levels // 2
        return ((tokens[..., None] // self.basis % self.levels) - half).float() / half

    def _bound(self, z: Tensor) -> Tensor:
        """Into the range that rounds to `levels` values; an even number of them is shifted by half a step."""
        half = (self.levels - 1) * (1 + 1e-3) / 2
        offset = torch.where(self.levels % 2 == 1, 0.0, 0.5)
        return (z + torch.atanh(offset / half)).tanh() * half - offset


def _from_first(x: Tensor) -> Tensor:
    """What the first process has, so that all codebooks stay one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast(x, 0)
    return x


def _over_all(x: Tensor) -> Tensor:
    """The sum over processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(x)
    return x
