"""The contracts: what a part of each kind takes and gives. Protocols live here, so siblings share them without meeting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .clip import Clip
from .errors import UserError


@dataclass(frozen=True)
class Latents:
    """What a codec makes of a Clip: `data` [b,t',c,h',w'] of numbers (continuous) or [b,t',h',w'] of integers (tokens).

    `groups` names ranges of channels (`rgb`, `flow`, ...), so that losses and guidance can speak of a group.
    """

    data: Tensor
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["continuous", "tokens"]:
        """Whether these are numbers or codes."""
        return "continuous" if self.data.is_floating_point() else "tokens"

    def packed(self) -> Tensor:
        """The data in as few bytes as it is kept in: half precision, or 16-bit codes where they fit."""
        if self.data.is_floating_point():
            return self.data.half()
        return self.data.to(torch.int16 if not self.data.numel() or int(self.data.max()) < 2**15 else torch.int32)

    @classmethod
    def unpacked(cls, data: Tensor) -> Latents:
        """Latents of what `packed` gave, without groups."""
        return cls(data.float() if data.is_floating_point() else data.long())

    def group(self, name: str) -> Tensor:
        """The channels of one group, [b,t',c_group,h',w']."""
        start, stop = self.groups[name]
        return self.data[:, :, start:stop]


@dataclass(frozen=True)
class Space:
    """Where the latents of one clip live: `shape` (t', c, h', w') of numbers, or (t', h', w') of tokens out of `codes`."""

    shape: tuple[int, ...]
    codes: int = 0

    @property
    def channels(self) -> int:
        """Channels of continuous latents. Raises UserError for tokens."""
        if self.codes:
            raise UserError("this network denoises numbers, and the codec gives tokens: it needs a network for tokens, such as STPT")
        return self.shape[1]


@dataclass(frozen=True)
class Value:
    """A condition as a model takes it: `data` [b,...], `present` [b] bool, and `mask` broadcastable to `data` where a
    condition covers only a part of time or space."""

    data: Tensor
    present: Tensor
    mask: Tensor | None = None

    def absent(self) -> Value:
        """The same condition taken away from every clip of the batch."""
        return Value(self.data, torch.zeros_like(self.present), self.mask)

    def keep(self, kept: Tensor) -> Value:
        """The same condition taken away from those clips of the batch where `kept` [b] is false."""
        return Value(self.data, self.present & kept, self.mask)

    def clips(self, start: int, stop: int) -> Value:
        """The condition of clips start..stop-1 of the batch."""
        return Value(self.data[start:stop], self.present[start:stop], None if self.mask is None else self.mask[start:stop])


Conditions = Mapping[str, Value]


@dataclass(frozen=True)
class Prediction:
    """A model's `output` (shaped as its input) and named intermediate `features` that heads may read."""

    output: Tensor
    features: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """Where training stands: `rng` for this step, `step` of `total`."""

    rng: torch.Generator
    step: int
    total: int


@dataclass(frozen=True)
class Loss:
    """One optimiser step's worth: the scalar `value` to descend, the parameter `group` it updates, figures to log."""

    value: Tensor
    group: str = "model"
    log: Mapping[str, float | Tensor] = field(default_factory=dict)


@runtime_checkable
class Scenario(Protocol):
    """A named, typed parameter space that can be sampled and simulated."""

    name: str

    def sample(self, rng: np.random.Generator) -> dict[str, Any]: ...
    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator) -> Clip: ...


class Codec(Protocol):
    """Clip <-> Latents. `frames_of(k)` is the number of frames that k latent frames cover, `latent_frames(f)` its inverse
    (UserError where f frames do not fill whole latents); a causal codec encodes a prefix to the prefix of the latents.

    `latent_shape` is (t', c, h', w') of numbers, or (t', h', w') of tokens, of which there are `codes` (0: no tokens). `settle`
    ends its training: what it fixes once from a few clips, such as the latents' scale."""

    causal: bool
    codes: int

    def encode(self, clip: Clip) -> Latents: ...
    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip: ...
    def latent_frames(self, frames: int) -> int: ...
    def frames_of(self, latent_frames: int) -> int: ...
    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, ...]: ...
    def reconstruct(self, rgb: Tensor) -> Tensor: ...
    def settle(self, clips: Sequence[Clip]) -> None: ...


class Condition(Protocol):
    """A Clip -> one named condition; holds no weights. `enters` says where a model takes it: as channels (latents that are
    known, with their mask), a vector per clip, a vector for each of the latent frames, tokens, a pyramid, or as `images` (the
    clips whose frames are independent pictures). `width` is how many numbers a vector or a token has (0 elsewhere); `drop` is
    the share of clips from which training takes it away, so that guidance knows a model without it, and a dream may do
    without. `shape` (t', c, h', w'), (t', h', w') of tokens, is that of the latents it goes with, which are given in training.
    `read` gives None where the batch has nothing to say to a model that takes the condition: it is left out then."""

    @property
    def name(self) -> str: ...
    @property
    def enters(self) -> Literal["channels", "vector", "frames", "tokens", "pyramid", "images"]: ...
    @property
    def width(self) -> int: ...
    @property
    def drop(self) -> float: ...
    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value | None: ...


class Told(Condition, Protocol):
    """A condition that a dream is told by name, `dream(text="...")`: `take` makes it of what the user gives, one for each of
    `count` clips or one for all, on `device`; a Clip in its place is read. `extent` is (of how many clips, of how many frames)
    what the user gives speaks, 0 where it is said once for all, and of a dream however long. `initial` says that it speaks of the
    first frame alone. `window` is what of it the latents `shape` are told that begin with frame `start` of a long dream: nothing
    of what is initial in any but the first."""

    @property
    def initial(self) -> bool: ...
    def extent(self, given: Any) -> tuple[int, int]: ...
    def take(self, given: Any, count: int, device: torch.device | str) -> Value: ...
    def window(self, value: Value, start: int, codec: Codec, shape: tuple[int, ...]) -> Value: ...


class Features(Protocol):
    """A frozen network that others trained, which gives features of `width` numbers; `weights` names what it holds,
    `pretrained` whether these are real."""

    @property
    def weights(self) -> str: ...
    @property
    def pretrained(self) -> bool: ...
    @property
    def width(self) -> int: ...


class TextEncoder(Features, Protocol):
    """Words -> features: `encode` gives a text's tokens as [s, width], float32 on `device`, whatever came before."""

    def encode(self, text: str, device: torch.device | str = "cpu") -> Tensor: ...


class Model(Protocol):
    """(x [b,t,c,h,w], tau [b] or [b,t], conditions) -> Prediction; of tokens x [b,t,h,w] the output is logits [b,t,h,w,codes]."""

    def __call__(self, x: Tensor, tau: Tensor, conditions: Conditions) -> Prediction: ...


class Objective(Protocol):
    """Yields one Loss per optimiser step; the loop knows no more about what is learnt."""

    def losses(self, model: Any, batch: Any, context: Context) -> Iterator[Loss]: ...


class Source(Protocol):
    """A guidance source: (x, conditions) with something taken away."""

    @property
    def name(self) -> str: ...
    def without(self, x: Tensor, conditions: Conditions) -> tuple[Tensor, Conditions]: ...


class Sampler(Protocol):
    """Walks a path from noise to data: (denoise, shape, rng) -> data [b,t,c,h,w], or tokens [b,t,h,w]."""

    def __call__(self, denoise: Any, shape: tuple[int, ...], rng: torch.Generator) -> Tensor: ...


@runtime_checkable
class Metric(Protocol):
    """(dream, truth) -> one number per clip [b] (NaN where it is not defined)."""

    name: str
    unit: str
    higher_is_better: bool

    def __call__(self, dream: Clip, truth: Clip) -> Tensor: ...


class SetMetric(Protocol):
    """A metric of two sets of clips: fed by `update`, read by `compute`; either side of an update may be empty."""

    name: str
    unit: str
    higher_is_better: bool

    def update(self, dreams: Iterable[Clip], truths: Iterable[Clip]) -> None: ...
    def compute(self) -> float: ...


class Expert(Protocol):
    """Clip -> Clip with one more field; `weights` names what it holds, `pretrained` whether these are real."""

    weights: str
    pretrained: bool

    def __call__(self, clip: Clip) -> Clip: ...


class Encoder(Features, Protocol):
    """A batch of clips -> features [b, width] of its rgb. It takes frames of `size` x `size` px and at least `shortest` of them."""

    @property
    def size(self) -> int: ...
    @property
    def shortest(self) -> int: ...
    def __call__(self, clip: Clip) -> Tensor: ...
