"""Blueprint: how to build a world model's parts, and what they were trained for."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

from torch import nn

from ..conditions import Frames
from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Conditions, Latents, Space, Told
from ..core.errors import UserError
from ..objectives import Encoded
from ..sampling import Euler


@part
class Blueprint:
    """What a model folder stores: how to build the parts and what they were trained for.

    `codec`, `conditions`, `model`, `objective`, `sampler` and guidance `sources` are parts. `num_frames` is the training
    window, `size` [px], `fps` and `dt` [s] those of the clips, `dt` that of the conditions too. `model` is None where only a
    codec is trained.
    """

    codec: Any
    objective: Any
    model: Any = None
    conditions: tuple[Any, ...] = ()
    sampler: Any = Euler(8)
    sources: tuple[Any, ...] = ()
    num_frames: int = 33
    size: int = 64
    fps: float = 10.0
    dt: float = 0.1

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.size < 1:
            raise UserError(f"Blueprint: num_frames and size must be at least 1, got {self.num_frames} and {self.size}")
        if not (0 < self.fps < math.inf and 0 < self.dt < math.inf):
            raise UserError(f"Blueprint: fps and dt must be above 0, got {self.fps} and {self.dt}")
        for condition in self.conditions:
            if abs(getattr(condition, "dt", self.dt) - self.dt) > 1e-6:
                name, own = getattr(condition, "name", type(condition).__name__), condition.dt
                raise UserError(f"Blueprint: the condition {name} has a time step of {own:g} s, the clips one of {self.dt:g} s (dt)")

    def build(self) -> tuple[nn.Module, nn.Module | None]:
        """(codec, network), initialised from torch's current seed. Raises UserError where the parts do not fit together."""
        codec = self.codec.build()
        if self.model is None:
            return codec, None
        space = Space(tuple(codec.latent_shape(self.num_frames, self.size, self.size)), codec.codes)
        for condition in self.conditions:
            if isinstance(condition, Frames):
                _check_count(condition.count, self.num_frames, codec)
        return codec, self.model.build(space, self.conditions)

    @property
    def told(self) -> dict[str, Told]:
        """The conditions that a dream is told by name (text, state)."""
        return {c.name: c for c in self.conditions if hasattr(c, "take")}

    def encode(self, codec: Any, batch: Clip, latents: Latents | None = None, known: Conditions = MappingProxyType({})) -> Encoded:
        """A batch as the objective takes it: latents (encoded unless given), and the conditions that are not `known`, read from it."""
        latents = codec.encode(batch) if latents is None else latents
        shape = latents.data.shape[1:]
        read = {c.name: c.read(batch, codec, shape, latents) for c in self.conditions if c.name not in known}
        told = {name: self.told[name].window(value, 0, codec, tuple(shape)) for name, value in known.items()}
        read = {name: value for name, value in read.items() if value is not None}
        return Encoded(latents, {**read, **told}, {c.name: c.drop for c in self.conditions})


def _check_count(count: int, num_frames: int, codec: Any) -> None:
    if count >= num_frames:
        raise UserError(f"Frames({count}) leaves nothing to dream in a window of {num_frames} frames")
    try:
        codec.latent_frames(count)
    except UserError as error:
        raise UserError(f"Frames({count}): {error}") from None
