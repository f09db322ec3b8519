"""Dreaming: clips dreamt or edited window after window, told the same things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..conditions import Frames
from ..core.clip import Clip
from ..core.contracts import Conditions, Latents, Prediction, Value
from ..core.rng import torch_stream
from ..sampling import reader, rollout
from ..sampling.edit import cells, feathered, filled, paste, scattered, windowed
from .blueprint import Blueprint


@dataclass(frozen=True)
class Dreaming:
    """A guided `network` and its `codec` at work on some clips; `key` is that of their noise."""

    blueprint: Blueprint
    codec: Any
    network: Any
    sampler: Any
    told: Mapping[str, Value]
    key: tuple[int, int]
    device: torch.device

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the latents of one window, without the batch."""
        b = self.blueprint
        return tuple(self.codec.latent_shape(b.num_frames, b.size, b.size))

    def on(self, given: Tensor, num_frames: int) -> Tensor:
        """The frames `given` [b,c,3,h,w], none of them too, and what follows: [b,num_frames,3,h,w]."""

        def window(first: Tensor, index: int, start: int) -> Tensor:
            seen = self._seen(first) if first.shape[1] else {}
            rgb = self._window(seen, len(first), index, start)
            return torch.cat([first, rgb[:, first.shape[1] :]], 1)

        return rollout(window, given, num_frames, self.blueprint.num_frames, given.shape[1] or self._shown)

    def inpainted(self, video: Tensor, masked: Tensor, feather: int) -> Tensor:
        """The video [b,t,3,h,w] with the pixels `masked` [b,t,h,w] dreamt, blended over `feather` px inside the mask."""
        length = self.blueprint.num_frames
        weight = feathered(masked, feather)

        def window(frames: Tensor, known: int, index: int, start: int) -> Tensor:
            span = slice(start, start + length)
            new = self._cells(_after(known, filled(masked[:, span], length)))
            return paste(self._filled_in(frames, new, index, start), frames, filled(weight[:, span], length))

        return windowed(window, video, length, self._overlap)

    def restyled(self, video: Tensor, strength: float) -> Tensor:
        """The video [b,t,3,h,w] with the share `strength` of its tokens dreamt anew, the same in all frames if training had it so."""
        length, path = self.blueprint.num_frames, self.blueprint.objective.path

        def window(frames: Tensor, known: int, index: int, start: int) -> Tensor:
            noise = path.noise((len(frames), *self.shape), torch_stream("stylize", *self.key, index))
            drawn = scattered(strength, noise).to(frames.device)
            everywhere = torch.ones_like(frames[:, :, 0], dtype=torch.bool)
            return self._filled_in(frames, self._cells(_after(known, everywhere)) & drawn, index, start)

        return windowed(window, video, length, self._overlap)

    @property
    def _shown(self) -> int:
        """How many first frames the network goes on from (0: it was trained without any)."""
        return max((c.count for c in self.blueprint.conditions if isinstance(c, Frames)), default=0)

    @property
    def _overlap(self) -> int:
        """Frames that windows of an edit share at least: those that a dream goes on from, or those of one latent."""
        return self._shown or int(self.codec.frames_of(1))

    def _cells(self, masked: Tensor) -> Tensor:
        """Which tokens [b,t',h',w'] of a window hold a masked pixel."""
        t, h, w = self.shape
        return cells(masked, [self.codec.frames_of(k + 1) for k in range(t)], h, w)

    @torch.no_grad()
    def _filled_in(self, frames: Tensor, new: Tensor, index: int, start: int) -> Tensor:
        """A window of frames with the tokens `new` [b,t',h',w'] dreamt and the others kept, decoded."""
        tokens = self.codec.encode(self._clip(frames)).data
        kept = Value(tokens, (~new).flatten(1).any(1), ~new)
        # Where nothing is kept this is a dream from nothing, and is given what such a dream is given.
        seen = {**self._seen(frames), "frames": kept} if bool(kept.present.any()) else {}
        return self._window(seen, len(frames), index, start)

    @torch.no_grad()
    def _window(self, seen: Conditions, count: int, index: int, start: int) -> Tensor:
        """One training window [b,t,3,h,w] of `count` clips, from what is seen of it and told."""
        b, shape = self.blueprint, self.shape
        told = {name: b.told[name].window(value, start, self.codec, shape) for name, value in self.told.items()}
        denoise = reader(self._heard, b.objective.path, b.objective.predict, {**seen, **told})
        rng = torch_stream("dream", *self.key, index)
        data = self.sampler(denoise, (count, *shape), rng, device=self.device)
        rgb: Tensor = self.codec.decode(Latents(data), fps=b.fps, dt=b.dt).rgb
        return rgb

    def _heard(self, x: Tensor, tau: Tensor, conditions: Conditions) -> Prediction:
        """The network, told what it was built for: tokens that are kept may be news to it, but stand in x already."""
        names = {c.name for c in self.blueprint.conditions}
        output: Prediction = self.network(x, tau, {name: value for name, value in conditions.items() if name in names})
        return output

    @torch.no_grad()
    def _seen(self, frames: Tensor) -> dict[str, Value]:
        """What conditions read off given frames [b,c,3,h,w]."""
        b = self.blueprint
        read = {c.name: c.read(self._clip(frames), self.codec, self.shape) for c in b.conditions if c.name not in b.told}
        return {name: value for name, value in read.items() if value is not None}

    def _clip(self, frames: Tensor) -> Clip:
        return Clip(rgb=frames, fps=self.blueprint.fps, dt=self.blueprint.dt, batched=True)


def _after(known: int, masked: Tensor) -> Tensor:
    """A mask [b,t,h,w] of nothing before the frame `known`."""
    frame = torch.arange(masked.shape[1], device=masked.device)
    return masked & (frame >= known)[:, None, None]
