"""WorldModel: a codec and a network that dream."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..conditions import Frames
from ..core.clip import Clip, as_float, as_uint8
from ..core.config import to_json
from ..core.contracts import Value
from ..core.errors import UserError
from ..core.files import make_folder, write_json
from ..sampling import guide
from .blueprint import Blueprint
from .dreaming import Dreaming
from .folder import find, fingerprint, load_blueprint, load_weights, said_in, save_weights

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
        where there is no model, a damaged one, or a codec that the model was not trained on.
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
        trained_on = said_in(folder / "model.safetensors").get("codec")
        if trained_on is not None and trained_on != fingerprint(codec):  # older folders do not say
            kind = "tokeniser" if codec.codes else "codec"
            raise UserError(f"{folder}: this world was trained with another {kind} than the one in codec.safetensors")
        return cls(blueprint, codec, network, str(name_or_folder)).to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def save_pretrained(self, folder: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write blueprint.json, codec.safetensors and, saying which codec it stands on, model.safetensors; `half` stores 16-bit numbers."""
        target = make_folder(folder)
        save_weights(self.codec, target / "codec.safetensors", half=half)
        save_weights(self.network, target / "model.safetensors", half=half, said={"codec": fingerprint(self.codec)})
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
        actions: Any = None,
        num_frames: int | None = None,
        steps: int | None = None,
        guidance: Mapping[str, float] | None = None,
        seed: int = 0,
        **conditions: Any,
    ) -> Clip:
        """What happens after the first frames: a Clip with rgb [t,3,h,w] uint8, or a batch [b,t,3,h,w] for a batch.

        The first `condition_frames` of `frames` are taken and given back unchanged; a model that was trained without them too
        dreams from words or actions alone, a batch where these are a list. `text`, `state` (rows [x, y, vx, vy, r] in m and m/s,
        one per body) and `actions` are for models trained with them: one for all clips, one per clip, or a Clip they are read from.
        `num_frames` beyond the training window are dreamt window by window; what tells of the first frame alone is absent from
        the second on. Raises UserError for frames the model does not take (too few, another size or time step, NaN), for
        conditions it was not trained with, and for the lack of one it was never trained without.
        """
        named = self._named(conditions, text=text, state=state, actions=actions)
        if frames is None and self.needs_frames:
            raise UserError(f"this model continues a video: it needs its first {self.condition_frames} frames")
        if frames is not None and not self.condition_frames:
            raise UserError("this model was trained without first frames: it cannot go on with a video")
        batched = frames.batched if frames is not None else self._count(named) > 0
        given = self._nothing(max(self._count(named), 1)) if frames is None else self._given(frames)
        total = self.num_frames if num_frames is None else num_frames
        asked = Asked(self._told(named, len(given), total), steps, guidance or {}, seed)
        rgb = torch.cat([dreaming.on(piece, total) for dreaming, piece in self._pieces(asked, given)])
        meta = {"condition_frames": given.shape[1], "dream": self._about(asked)}
        fps, dt = (self.blueprint.fps, self.blueprint.dt) if frames is None else (frames.fps, frames.dt)
        return _clip(rgb, fps, dt, batched, meta)

    # --- editing -----------------------------------------------------------------------------------------------------

    def inpaint(
        self,
        video: Clip,
        mask: Any,
        *,
        text: str | Sequence[str] | Clip | None = None,
        actions: Any = None,
        steps: int | None = None,
        guidance: Mapping[str, float] | None = None,
        seed: int = 0,
        feather: int = 0,
        **conditions: Any,
    ) -> Clip:
        """The video with the masked pixels dreamt anew; the others come back bit for bit (WorldDreamer sec. 3.4).

        `mask` is bool, true where it is to be dreamt: [h,w] for all frames, [t,h,w], or [b,t,h,w] of a batch. A token is dreamt
        where any of its pixels is masked, the others are known. `feather` px from the mask's edge inwards, dream and video are
        blended. `text`, `actions` and the rest are as in `dream`. A video longer than the training window is edited window by
        window, each going on from the frames that are done. Raises UserError for a model of continuous latents, a video or a
        mask that does not fit, an empty mask, and as `dream` does.
        """
        rgb = self._editable(video)
        masked = _mask(mask, rgb).to(self.device)
        if self.needs_frames and bool(masked.all()):
            raise UserError("the mask leaves nothing of the video, and this model was never trained without first frames")
        if feather < 0:
            raise UserError(f"feather must be 0 px or more, got {feather}")
        named = self._named(conditions, text=text, actions=actions)
        asked = Asked(self._told(named, *rgb.shape[:2]), steps, guidance or {}, seed)
        done = [dreaming.inpainted(piece, new, feather) for dreaming, piece, new in self._pieces(asked, rgb, masked)]
        about = {"task": "inpaint", "masked": float(masked.float().mean()), "feather": feather, **self._about(asked)}
        return _clip(torch.cat(done), video.fps, video.dt, video.batched, {"edit": about})

    def stylize(
        self,
        video: Clip,
        *,
        text: str | Sequence[str] | Clip | None = None,
        strength: float = 0.5,
        actions: Any = None,
        steps: int | None = None,
        guidance: Mapping[str, float] | None = None,
        seed: int = 0,
        **conditions: Any,
    ) -> Clip:
        """The video with a drawn share `strength`, in (0, 1], of its tokens dreamt anew under another text (WorldDreamer sec. 3.4).

        The same tokens in all frames of a window, where training masked them so. Everything else is as in `inpaint`, but
        nothing is pasted: all pixels pass through the codec. Raises UserError for a model of continuous latents, a video that
        does not fit, a strength out of range, and as `dream` does.
        """
        rgb = self._editable(video)
        if not 0 < strength <= 1:
            raise UserError(f"strength must lie in (0, 1], got {strength:g}")
        if self.needs_frames and strength == 1:
            raise UserError("strength 1 leaves nothing of the video, and this model was never trained without first frames")
        named = self._named(conditions, text=text, actions=actions)
        asked = Asked(self._told(named, *rgb.shape[:2]), steps, guidance or {}, seed)
        done = [dreaming.restyled(piece, strength) for dreaming, piece in self._pieces(asked, rgb)]
        about = {"task": "stylize", "strength": strength, **self._about(asked)}
        return _clip(torch.cat(done), video.fps, video.dt, video.batched, {"edit": about})

    # --- what is given and told --------------------------------------------------------------------------------------

    def _named(self, conditions: Mapping[str, Any], **own: Any) -> dict[str, Any]:
        """What the user named. Raises UserError for what the model was not trained with."""
        named = {**conditions, **{name: value for name, value in own.items() if value is not None}}
        if unknown := [name for name in named if name not in self.takes]:
            takes = ", ".join(c.name for c in self.blueprint.conditions)
            raise UserError(f"this model takes the conditions {takes or 'none'}, not {', '.join(unknown)}")
        return named

    def _pieces(self, asked: Asked, *clips: Tensor) -> Iterator[tuple[Any, ...]]:
        """So many clips as are dreamt at once, of each tensor [b,...], after how they are dreamt."""
        network = guide(self.network, self.blueprint.sources, asked.guidance)
        for i, piece in enumerate(zip(*(torch.split(clip, CHUNK) for clip in clips), strict=True)):
            told = {name: value.clips(i * CHUNK, (i + 1) * CHUNK) for name, value in asked.told.items()}
            yield Dreaming(self.blueprint, self.codec, network, self._sampler(asked), told, (asked.seed, i), self.device), *piece

    def _sampler(self, asked: Asked) -> Any:
        own = self.blueprint.sampler
        return own if asked.steps is None else replace(own, steps=asked.steps)

    def _about(self, asked: Asked) -> dict[str, Any]:
        """How it was dreamt, for a clip's meta."""
        guidance, told = dict(asked.guidance), sorted(asked.told)
        return {"model": self.name, "seed": asked.seed, "steps": self._sampler(asked).steps, "guidance": guidance, "told": told}

    def _count(self, given: Mapping[str, Any]) -> int:
        """How many clips is spoken of by what the user named; 0 where it is said once, for all."""
        return max((self.blueprint.told[name].extent(value)[0] for name, value in given.items()), default=0)

    def _nothing(self, count: int) -> Tensor:
        """No first frames, of so many clips: [b,0,3,h,w]."""
        return torch.zeros(count, 0, 3, self.size, self.size, device=self.device)

    def _given(self, frames: Clip) -> Tensor:
        """Condition frames [b,c,3,h,w] in [0,1], checked."""
        want = self.condition_frames
        if frames.num_frames < want:
            kind = "an image" if frames.num_frames == 1 else f"{frames.num_frames} frames"
            raise UserError(f"this model wants the first {want} frames ({want * self.blueprint.dt:g} s) of a video, got {kind}")
        return self._fitting(frames)[:, :want].to(self.device)

    def _editable(self, video: Clip) -> Tensor:
        """A video [b,t,3,h,w] in [0,1], checked."""
        self.check_edits()
        return self._fitting(video).to(self.device)

    def check_edits(self) -> None:
        """Raise UserError unless the model edits: only models of tokens do, as some of a video is kept and the rest masked."""
        codec: Any = self.codec
        if not codec.codes:
            raise UserError(
                "only models of tokens can edit a video, as some of it is kept and the rest masked; this one's latents are numbers"
            )

    def _fitting(self, frames: Clip) -> Tensor:
        """Frames [b,t,3,h,w] in [0,1]. Raises UserError unless size, time step and numbers are what the model takes."""
        frames = frames if frames.batched else Clip.stack([frames.only("rgb")])
        rgb = as_float(frames.rgb)
        if frames.size != (self.size, self.size):
            height, width = frames.size
            raise UserError(f"this model wants frames of {self.size} x {self.size} px, got {width} x {height}")
        if abs(frames.dt - self.blueprint.dt) > 1e-6:
            raise UserError(f"this model was trained on a time step of {self.blueprint.dt:g} s, the video has {frames.dt:g} s")
        if not torch.isfinite(rgb).all():
            raise UserError("the given frames hold pixels that are not finite")
        return rgb

    def _told(self, given: Mapping[str, Any], count: int, total: int) -> dict[str, Value]:
        """What the user named, as the network takes it, for `count` clips. Raises UserError for what the network never lacked."""
        for name, value in given.items():
            if (frames := self.blueprint.told[name].extent(value)[1]) not in (0, total):
                raise UserError(f"{name}: {frames} rows were given for a dream of {total} frames: one for each frame was expected")
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


@dataclass(frozen=True)
class Asked:
    """What is asked of the model beside frames; `steps` None leaves the sampler its own."""

    told: Mapping[str, Value]
    steps: int | None
    guidance: Mapping[str, float]
    seed: int


def _mask(mask: Any, rgb: Tensor) -> Tensor:
    """A mask [b,t,h,w] bool for frames [b,t,3,h,w]. Raises UserError where it does not fit them, or is empty."""
    masked = torch.as_tensor(mask)
    b, t, _, h, w = rgb.shape
    if masked.dtype != torch.bool:
        raise UserError(f"a mask must be of bool, true where it is to be dreamt, got {masked.dtype}")
    if tuple(masked.shape) not in ((h, w), (t, h, w), (b, t, h, w)):
        wanted = f"[{h}, {w}] or [{t}, {h}, {w}]"
        raise UserError(f"the mask must have the size and the frames of the video, {wanted}, got {list(masked.shape)}")
    if not masked.any():
        raise UserError("the mask is empty: there is nothing to dream")
    return masked.expand(b, t, h, w)


def _clip(rgb: Tensor, fps: float, dt: float, batched: bool, meta: dict[str, Any]) -> Clip:
    """What was dreamt [b,t,3,h,w], as a batch or its only clip."""
    rgb = rgb.cpu()
    if batched:
        return Clip(rgb=rgb, fps=fps, dt=dt, batched=True, meta={"clips": [meta] * len(rgb)})
    return Clip(rgb=as_uint8(rgb[0]), fps=fps, dt=dt, meta=meta)
