"""Known first frames as a condition."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar, Literal

import torch

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Codec, Latents, Value
from ..core.errors import UserError


@part
class Frames:
    """The first `count` frames, encoded alone, so that no latent mixes known and unknown ones; zeros after them.

    Enters as channels: latents and a mask that is 1 where they are known (PhyWorld sec. 3.1); tokens stand in their places.
    `count` must fill whole latent frames: 1 + k stride. Training drops them for a share `drop` of the clips: none, unless a dream
    may begin without them, or guidance is to know them absent.
    """

    count: int = field(kw_only=False, default=1)
    drop: float = 0.0
    name: ClassVar[str] = "frames"
    enters: ClassVar[Literal["channels"]] = "channels"
    width: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"Frames: count must be at least 1, got {self.count}")
        if not 0 <= self.drop < 1:
            raise UserError(f"Frames: drop must lie in [0, 1), got {self.drop}")

    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value:
        """Latents of the first frames in a tensor of `shape` (t', c, h', w'), (t', h', w') of tokens, per clip of the batch.

        `latents` of the whole clip save an encoding where the codec is causal: its prefix is the encoding of the prefix.
        Raises UserError where the clip has fewer frames than `count`.
        """
        known = codec.latent_frames(self.count)
        if clip.num_frames < self.count:
            raise UserError(f"the model needs the first {self.count} frames, got {clip.num_frames}")
        whole = latents if codec.causal else None
        first = codec.encode(clip.frames(0, self.count)).data if whole is None else whole.data[:, :known]
        data = first.new_zeros(len(first), *shape)
        data[:, :known] = first
        mask = first.new_zeros(len(first), shape[0], *[1] * (len(shape) - 1))
        mask[:, :known] = 1
        return Value(data, torch.ones(len(first), dtype=torch.bool, device=first.device), mask)
