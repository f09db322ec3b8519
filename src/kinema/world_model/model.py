"""WorldModel: a codec and a network that dream."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..conditions import Frames
from ..core.clip import Clip, as_float, as_uint8
from ..core.config import to_json
from ..core.contracts import Conditions, Latents, Value
from ..core.errors import UserError
from ..core.files import make_folder, write_json
from ..core.rng import torch_stream
from ..sampling import guide, reader, rollout
from .blueprint import Blueprint
from .folder import find, load_blueprint, load_weights, save_weights

SHIPPED = "planar"
CHUNK = 16  # clips dreamt at once


class WorldModel:
    """A codec and a network that continue a video.

    >>> model = WorldModel.from_pretrained("planar")
    >>> model.condition_frames < model.num_frames
    True
    """

    def __init__(self, blueprint: Blueprint, codec: nn.Module, network: nn.Module, name: str = "") -> None:
        self.blueprint, self.name = blueprint, name
        self.codec, self.network = codec.eval().requires_grad_(False), network.eval()

    # --- files -------------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(cls, name_or_folder: str | os.PathLike[str] = SHIPPED, *, device: torch.device | str | None = None) -> Self:
        """A model that ships with kinema, by name (the one for planar worlds unless said otherwise), or one saved in a folder.

        It dreams on `device`: a GPU where there is one, unless said otherwise. Raises UserError naming the folder or file
        where there is no model, or a damaged one.
        """
        folder = find(name_or_folder)
        blueprint = load_blueprint(folder)
        if blueprint.model is None:
            raise UserError(f"{folder} holds a codec alone: it cannot dream")
        with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and thrown away
            codec, network = blueprint.build()
        assert network is not None
        load_weights(codec, folder / "codec.safetensors")
        load_weights(network, folder / "model.safetensors")
        return cls(blueprint, codec, network, str(name_or_folder)).to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def save_pretrained(self, folder: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write blueprint.json, codec.safetensors and model.safetensors; `half` stores 16-bit numbers."""
        target = make_folder(folder)
        save_weights(self.codec, target / "codec.safetensors", half=half)
        save_weights(self.network, target / "model.safetensors", half=half)
        write_json(target / "blueprint.json", to_json(self.blueprint))

    # --- dreaming ----------------------------------------------------------------------------------------------------

    @property
    def condition_frames(self) -> int:
        """How many first frames the model wants to see (0: none)."""
        return max((c.count for c in self.blueprint.conditions if isinstance(c, Frames)), default=0)

    @property
    def needs_frames(self) -> bool:
        """Whether it was never trained without them."""
        return any(isinstance(c, Frames) and not c.drop for c in self.blueprint.conditions)

    @property
    def takes(self) -> tuple[str, ...]:
        """What `dream` is told by name, beside the frames: state, text."""
        return tuple(self.blueprint.told)

    @property
    def num_frames(self) -> int:
        """Frames of the training window."""
        return self.blueprint.num_frames

    @property
    def size(self) -> int:
        """Side of the image in px."""
        return self.blueprint.size

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        """The same model on another device."""
        self.codec.to(device)
        self.network.to(device)
        return self

    def dream(
        self,
        frames: Clip | None = None,
        *,
        text: str | Sequence[str] | Clip | None = None,
        state: Any = None,
        num_frames: int | None = None,
        steps: int | None = None,
        guidance: Mapping[str, float] | None = None,
        seed: int = 0,
        **conditions: Any,
    ) -> Clip:
        """What happens after the first frames: a Clip with rgb [t,3,h,w] uint8, or a batch [b,t,3,h,w] for a batch.

        The first `condition_frames` of `frames` are taken and given back unchanged; a model that was trained without them too
        dreams from words or actions alone, a batch where these are a list. `text` and `state` (rows [x, y, vx, vy, r] in
        m and m/s, one per body) are for models trained with them: one for all clips, one per clip, or a Clip they are read from.
        `num_frames` beyond the training window are dreamt window by window; what tells of the first frame alone is absent from
        the second on. Raises UserError for frames the model does not take (too few, another size or time step, NaN), for
        conditions it was not trained with, and for the lack of one it was never trained without.
        """
        given_by_name = {name: value for name, value in (("text", text), ("state", state)) if value is not None} | conditions
        if unknown := [name for name in given_by_name if name not in self.takes]:
            takes = ", ".join(c.name for c in self.blueprint.conditions)
            raise UserError(f"this model takes the conditions {takes or 'none'}, not {', '.join(unknown)}")
        if frames is None and self.needs_frames:
            raise UserError(f"this model continues a video: it needs its first {self.condition_frames} frames")
        if frames is not None and not self.condition_frames:
            raise UserError("this model was trained without first frames: it cannot go on with a video")
        batched = frames.batched if frames is not None else self._count(given_by_name) > 0
        given = self._nothing(max(self._count(given_by_name), 1)) if frames is None else self._given(frames)
        sampler = self.blueprint.sampler if steps is None else replace(self.blueprint.sampler, steps=steps)
        total = self.num_frames if num_frames is None else num_frames
        told = self._told(given_by_name, len(given), total)
        pieces = []
        for i, piece in enumerate(torch.split(given, CHUNK)):
            told_here = {name: value.clips(i * CHUNK, (i + 1) * CHUNK) for name, value in told.items()}
            pieces.append(self._rollout(piece, told_here, total, sampler, guidance or {}, (seed, i)))
        about = {"model": self.name, "seed": seed, "steps": sampler.steps, "guidance": dict(guidance or {}), "told": sorted(told)}
        meta = {"condition_frames": given.shape[1], "dream": about}
        rgb = torch.cat(pieces).cpu()
        fps, dt = (self.blueprint.fps, self.blueprint.dt) if frames is None else (frames.fps, frames.dt)
        if batched:
            return Clip(rgb=rgb, fps=fps, dt=dt, batched=True, meta={"clips": [meta] * len(rgb)})
        return Clip(rgb=as_uint8(rgb[0]), fps=fps, dt=dt, meta=meta)

    def _count(self, given: Mapping[str, Any]) -> int:
        """How many clips is spoken of by what the user named; 0 where it is said once, for all."""
        batches = [len(value) for value in given.values() if isinstance(value, Clip) and value.batched]
        lists = [self.blueprint.told[name].count(value) for name, value in given.items() if not isinstance(value, Clip)]
        return max([0, *batches, *lists])

    def _nothing(self, count: int) -> Tensor:
        """No first frames, of so many clips: [b,0,3,h,w]."""
        return torch.zeros(count, 0, 3, self.size, self.size, device=self.device)

    def _given(self, frames: Clip) -> Tensor:
        """Condition frames [b,c,3,h,w] in [0,1], checked."""
        frames = frames if frames.batched else Clip.stack([frames.only("rgb")])
        want, rgb = self.condition_frames, frames.rgb
        if frames.num_frames < want:
            kind = "an image" if frames.num_frames == 1 else f"{frames.num_frames} frames"
            raise UserError(f"this model wants the first {want} frames ({want * self.blueprint.dt:g} s) of a video, got {kind}")
        if frames.size != (self.size, self.size):
            height, width = frames.size
            raise UserError(f"this model wants frames of {self.size} x {self.size} px, got {width} x {height}")
        if abs(frames.dt - self.blueprint.dt) > 1e-6:
            raise UserError(f"this model was trained on a time step of {self.blueprint.dt:g} s, the video has {frames.dt:g} s")
        rgb = as_float(rgb[:, :want])
        if not torch.isfinite(rgb).all():
            raise UserError("the given frames hold pixels that are not finite")
        return rgb.to(self.device)

    def _told(self, given: Mapping[str, Any], count: int, total: int) -> dict[str, Value]:
        """What the user named, as the network takes it, for `count` clips. Raises UserError for what the network never lacked."""
        values = {name: self.blueprint.told[name].take(value, count, self.device) for name, value in given.items()}
        told = {name: value for name, value in values.items() if bool(value.present.any())}
        more = total > self.num_frames
        for name, condition in self.blueprint.told.items():
            if condition.drop > 0:
                continue
            if name not in told or not bool(told[name].present.all()):
                raise UserError(f"this model was never trained without {name}: give it, as {name}=...")
            if more and condition.initial:
                only = f"it dreams {self.num_frames} frames, not {total}"
                raise UserError(f"this model was never trained without {name}, which tells of the first frame alone: {only}")
        return told

    def _rollout(
        self, given: Tensor, told: Conditions, total: int, sampler: Any, guidance: Mapping[str, float], key: tuple[int, int]
    ) -> Tensor:
        network = guide(self.network, self.blueprint.sources, guidance)
        b, codec = self.blueprint, self.codec
        shape = tuple(codec.latent_shape(b.num_frames, b.size, b.size))  # type: ignore[operator]

        def window(first: Tensor, index: int, start: int) -> Tensor:
            here = {name: b.told[name].window(value, start, codec, shape) for name, value in told.items()}  # type: ignore[arg-type]
            return self._window(first, here, sampler, network, torch_stream("dream", *key, index))

        return rollout(window, given, total, self.num_frames, self.condition_frames)

    @torch.no_grad()
    def _window(self, first: Tensor, told: Conditions, sampler: Any, network: Any, rng: torch.Generator) -> Tensor:
        """One training window [b,t,3,h,w] that begins with the given frames."""
        b = self.blueprint
        codec: Any = self.codec
        clip = Clip(rgb=first, fps=b.fps, dt=b.dt, batched=True)
        shape = codec.latent_shape(b.num_frames, b.size, b.size)
        seen = [c for c in b.conditions if c.name not in b.told and first.shape[1]]
        conditions = {c.name: c.read(clip, codec, shape) for c in seen} | dict(told)
        denoise = reader(network, b.objective.path, b.objective.predict, conditions)
        data = sampler(denoise, (len(first), *shape), rng, device=self.device)
        rgb: Tensor = codec.decode(Latents(data), fps=b.fps, dt=b.dt).rgb
        return torch.cat([first, rgb[:, first.shape[1] :]], 1)
