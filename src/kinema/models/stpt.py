"""STPT, WorldDreamer's spatial-temporal patchwise transformer: masked visual tokens in, logits of what they are out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..core.config import part
from ..core.contracts import Condition, Conditions, Prediction, Space
from ..core.errors import UserError
from ..core.masked import MASK
from .attention import attention
from .convolution import Convolution
from .prompt import Memory, Prompt
from .told import Cross
from .windows import Windows

Partition = Literal["quadrants", "strided", "alternating"]
Pictures = Literal["frames", "diagonal"]
ENTRANCES = ("channels", "vector", "frames", "tokens", "images")

SIZES: dict[str, dict[str, Any]] = {
    "pico": {"layers": 4, "hidden": 192, "heads": 3},
    "nano": {"layers": 6, "hidden": 192, "heads": 3},  # what a CPU trains
    "small": {"layers": 12, "hidden": 512, "heads": 8},
    "base": {"layers": 16, "hidden": 768, "heads": 12},
    "1B": {"layers": 24, "hidden": 1536, "heads": 16, "tied": False},
}


@part
class STPT:
    """Layers of 3-D convolution, attention in windows of space over all frames, cross-attention to the prompt, and an MLP
    (WorldDreamer sec. 3.2, eq. 3-4), with long skips from the first half of them to the second (U-ViT).

    `stride` s cuts space into s^2 windows, contiguous "quadrants", "strided" ones of every s-th row and column, or the two
    "alternating" from layer to layer; 1 is full attention. `dense` convolves all channels with all, in place of depthwise and
    then pointwise. `pictures`: where the frames of a clip are independent pictures, a token sees its own frame ("frames"), or only
    itself ("diagonal", W.A.L.T. to the letter). `tied` reads the logits off the table of the input's embeddings. `qk_norm`
    normalises queries and keys (layer norm: on a CPU it costs a third of RMS norm); `checkpoint` recomputes activations in the
    backward pass. `frames`: there are positions for at least so many latent frames (0: for those of the codec's space), so that a
    model trained on short clips can go on with longer ones.

    Conditions enter as tokens (text), a vector per frame (actions), a vector, channels (known tokens, which already stand in x)
    and images; others are refused when the network is built.
    """

    layers: int = 12
    hidden: int = 512
    heads: int = 8
    stride: int = 2
    partition: Partition = "quadrants"
    dense: bool = False
    skips: bool = True
    pictures: Pictures = "frames"
    tied: bool = True
    qk_norm: bool = True
    checkpoint: bool = False
    frames: int = 0

    def __post_init__(self) -> None:
        if min(self.layers, self.hidden, self.heads, self.stride) < 1 or self.hidden % self.heads:
            raise UserError(f"STPT: hidden {self.hidden} must split into {self.heads} heads, all sizes at least 1")
        if self.frames < 0:
            raise UserError(f"STPT: frames must be 0 (those of the codec's space) or more, got {self.frames}")
        for name, kind in (("partition", Partition), ("pictures", Pictures)):
            if getattr(self, name) not in get_args(kind):
                raise UserError(f"STPT: {name} must be one of {', '.join(get_args(kind))}, got {getattr(self, name)!r}")

    @classmethod
    def size(cls, name: str, **fields: Any) -> Self:
        """One of the named sizes: pico, nano, small, base, 1B."""
        if name not in SIZES:
            raise UserError(f"STPT: there is no size {name!r}; there are {', '.join(SIZES)}")
        return replace(cls(**SIZES[name]), **fields)

    def build(self, space: Space, conditions: Sequence[Condition] = ()) -> STPTNetwork:
        """The network for tokens of `space`, initialised from torch's current seed. Raises UserError for continuous latents."""
        if not space.codes:
            raise UserError("STPT predicts tokens, and the codec gives numbers: it needs a codec of tokens, such as VQ")
        return STPTNetwork(self, space, conditions)


class Scope(NamedTuple):
    """What the layers share: the prompt, the `images` [b] of the batch, and the masks of windows, contiguous and strided."""

    memory: Memory | None
    images: Tensor | None
    masks: dict[Windows, Tensor | None]


class STPTNetwork(nn.Module):
    """The network of an `STPT`: (x [b,t,h,w] tokens, tau, conditions) -> Prediction with logits [b,t,h,w,codes].

    A token that is `MASK` has an embedding and no logit. `tau` is taken and not read: how much is masked is seen in x (MaskGIT).
    """

    def __init__(self, config: STPT, space: Space, conditions: Sequence[Condition]) -> None:
        super().__init__()
        t, h, w = space.shape
        self.config, self.codes, self.longest = config, space.codes, (max(t, config.frames), h, w)
        self.names = _names(conditions)
        self.images = next((c.name for c in conditions if c.enters == "images"), "")
        prompted = any(c.enters in ("tokens", "frames", "vector") for c in conditions)
        d, layers = config.hidden, config.layers
        self.table = nn.Embedding(space.codes + 1, d)
        self.positions = nn.ParameterList(nn.Parameter(torch.empty(n, d)) for n in self.longest)
        self.enter = nn.LayerNorm(d)
        self.layers = nn.ModuleList(Layer(config, i, prompted) for i in range(layers))
        self.skips = nn.ModuleList(nn.Linear(2 * d, d) for _ in range(layers // 2 if config.skips else 0))
        self.leave = nn.LayerNorm(d)
        self.head = None if config.tied else nn.Linear(d, space.codes, bias=False)
        self.bias = nn.Parameter(torch.zeros(space.codes))
        self.prompt = Prompt(conditions, d) if prompted else None
        self._initialise()

    def _initialise(self) -> None:
        for table in (self.table.weight, *self.positions, *([] if self.head is None else [self.head.weight])):
            nn.init.normal_(table, std=0.02)
        for skip in self.skips:
            # The network starts as if it had no skips.
            assert isinstance(skip, nn.Linear)
            nn.init.zeros_(skip.bias)
            with torch.no_grad():
                skip.weight.copy_(torch.eye(*reversed(skip.weight.shape), device=skip.weight.device).T)

    def forward(self, x: Tensor, tau: Tensor, conditions: Conditions) -> Prediction:
        self._check(x, conditions)
        tokens = self.enter(self._embed(x))
        memory = None if self.prompt is None else self.prompt(conditions, tokens)
        images = conditions[self.images].present if self.images in conditions else None
        scope = Scope(memory, images, self._masks(tokens, images))
        kept: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            if i >= len(self.layers) - len(self.skips):
                skip = self.skips[i - len(self.layers) + len(self.skips)]
                tokens = skip(torch.cat([tokens, kept.pop()], -1)).to(tokens.dtype)
            if self.config.checkpoint and self.training:
                tokens = checkpoint(layer, tokens, scope, use_reentrant=False)
            else:
                tokens = layer(tokens, scope)
            if i < len(self.skips):
                kept.append(tokens)
        table = self.table.weight[: self.codes] if self.head is None else self.head.weight
        return Prediction(F.linear(self.leave(tokens), table, self.bias), {"tokens": tokens.flatten(1, 3)})

    def _check(self, x: Tensor, conditions: Conditions) -> None:
        if x.ndim != 4 or x.is_floating_point():
            raise UserError(f"STPT takes tokens [b, t, h, w], got {list(x.shape)} of {x.dtype}")
        if any(n > most for n, most in zip(x.shape[1:], self.longest, strict=True)):
            raise UserError(f"this model knows positions of at most {list(self.longest)} tokens (t, h, w), got {list(x.shape[1:])}")
        for name in conditions:
            if name not in self.names:
                raise UserError(f"this model takes the conditions {', '.join(self.names) or 'none'}; {name!r} is not one")

    def _embed(self, x: Tensor) -> Tensor:
        _, t, h, w = x.shape
        try:
            tokens = self.table(torch.where(x == MASK, self.codes, x))
        except IndexError:
            raise UserError(f"this model's codebook has {self.codes} codes, and there are tokens beyond it") from None
        of_t, of_h, of_w = self.positions
        out: Tensor = tokens + (of_t[:t, None, None] + of_h[:h, None] + of_w[:w])
        return out

    def _masks(self, tokens: Tensor, images: Tensor | None) -> dict[Windows, Tensor | None]:
        _, t, h, w, _ = tokens.shape
        c = self.config
        kinds = {layer.windows for layer in self.layers if isinstance(layer, Layer)}
        return {kind: kind.mask((t, h, w), c.heads, images, c.pictures == "diagonal", tokens.device) for kind in kinds}


class Layer(nn.Module):
    """One layer [b,t,h,w,d] -> [b,t,h,w,d]; each of its four parts adds to its input, and starts at zero."""

    def __init__(self, config: STPT, index: int, prompted: bool) -> None:
        super().__init__()
        d = config.hidden
        strided = config.partition == "strided" or (config.partition == "alternating" and index % 2 == 1)
        self.heads, self.qk_norm, self.windows = config.heads, config.qk_norm, Windows(config.stride, strided)
        self.convolution = Convolution(d, config.dense)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.cross = Cross(d, config.heads, config.qk_norm, F.layer_norm) if prompted else None
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        for linear in (m for piece in (self.qkv, self.proj, self.cross, self.mlp) if piece for m in piece.modules()):
            if isinstance(linear, nn.Linear):
                nn.init.xavier_uniform_(linear.weight)
                nn.init.zeros_(linear.bias)
        for last in (self.proj, self.mlp[2], *([] if self.cross is None else [self.cross.proj])):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor, scope: Scope) -> Tensor:
        x = x + self.convolution(_normal(x), scope.images)
        x = x + self._attend(_normal(x), scope.masks[self.windows])
        if self.cross is not None and scope.memory is not None:
            tokens, mask = scope.memory
            x = x + self.cross(x.reshape(len(tokens), -1, x.shape[-1]), tokens, mask).view(x.shape)
        out: Tensor = x + self.mlp(_normal(x))
        return out

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        _, t, h, w, d = x.shape
        q, k, v = self.windows.split(self.qkv(x).unflatten(-1, (3, self.heads, d // self.heads)))
        if self.qk_norm:
            q, k = _normal(q).to(v.dtype), _normal(k).to(v.dtype)  # autocast on CUDA normalises in single precision
        out: Tensor = self.proj(self.windows.join(attention(q, k, v, mask), (t, h, w)))
        return out


def _normal(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def _names(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """The names of the conditions. Raises UserError for two of one name, and for one that enters where an STPT has no entrance."""
    names = tuple(condition.name for condition in conditions)
    for condition in conditions:
        if condition.enters not in ENTRANCES:
            raise UserError(f"STPT takes conditions as {', '.join(ENTRANCES)}; {condition.name!r} enters as {condition.enters}")
        if names.count(condition.name) > 1:
            raise UserError(f"STPT: there are two conditions named {condition.name!r}")
    return names
