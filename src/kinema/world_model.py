"""WorldModel: a trained recipe that dreams. Its folder holds safetensors and JSON, rebuilt from kinema's own parts only."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from .conditions import Frames
from .core.clip import Clip, as_float, as_uint8
from .core.config import from_json, part, to_json
from .core.contracts import Conditions, Latents, Space, Told, Value
from .core.errors import UserError
from .core.files import make_folder, read_json, write_json, write_whole
from .core.rng import torch_stream
from .objectives import Encoded
from .sampling import Euler, guide, reader, rollout

SHIPPED = "planar"
CHUNK = 16  # clips dreamt at once


@part
class Blueprint:
    """What a model folder stores: how to build the parts and what they were trained for.

    `codec`, `conditions`, `model`, `objective`, `sampler` and guidance `sources` are parts. `num_frames` is the training
    window, `size` [px], `fps` and `dt` [s] those of the clips. `model` is None where only a codec is trained.
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
        return Encoded(latents, {**read, **told}, {c.name: c.drop for c in self.conditions})


def _check_count(count: int, num_frames: int, codec: Any) -> None:
    if count >= num_frames:
        raise UserError(f"Frames({count}) leaves nothing to dream in a window of {num_frames} frames")
    try:
        codec.latent_frames(count)
    except UserError as error:
        raise UserError(f"Frames({count}): {error}") from None


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


def shipped() -> dict[str, Path]:
    """Folders of the models and codecs that ship, by name."""
    root = Path(str(resources.files("kinema"))) / "weights"
    return {path.parent.name: path.parent for path in sorted(root.glob("*/blueprint.json"))}


def find(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a model. Raises UserError listing the models that ship where there is none."""
    folder = Path(name_or_folder)
    if (folder / "blueprint.json").is_file():
        return folder
    models = shipped()
    if str(name_or_folder) in models:
        return models[str(name_or_folder)]
    if folder.exists():
        raise UserError(f"{folder} is no model folder: it has no blueprint.json")
    raise UserError(f"there is no model {str(name_or_folder)!r}: give a model folder or one that ships ({', '.join(models) or 'none'})")


def load_blueprint(folder: Path) -> Blueprint:
    """The blueprint of a model folder. Raises UserError where it is damaged or of parts kinema does not have."""
    path = folder / "blueprint.json"
    data = read_json(path)
    try:
        blueprint = from_json(data, str(path))
    except UserError as error:  # a part that refuses its fields does not know the file
        raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    if not isinstance(blueprint, Blueprint):
        raise UserError(f"{path} holds no blueprint")
    for name, asked, parts in _asked(blueprint):
        for value in parts:
            if not all(hasattr(value, attribute) for attribute in asked):
                raise UserError(f"{path}: {name} must be a part that has {', '.join(asked)}, got {value!r}")
    return blueprint


def _asked(b: Blueprint) -> Iterator[tuple[str, tuple[str, ...], tuple[Any, ...]]]:
    """What is asked of the parts in every place of a blueprint: name, attributes, parts."""
    yield "codec", ("build",), (b.codec,)
    yield "objective", ("build",) if b.model is None else ("build", "path", "predict"), (b.objective,)
    yield "model", ("build",), () if b.model is None else (b.model,)
    yield "conditions", ("name", "enters", "drop", "read"), b.conditions
    yield "sampler", ("steps", "__call__"), (b.sampler,)
    yield "sources", ("name", "without"), b.sources


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a network from a safetensors file, as 32-bit numbers. Raises UserError naming the file where it does not fit."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: the weights cannot be read ({error})") from None
    wanted = module.state_dict()
    for key in _differing(wanted, tensors):
        raise UserError(f"{path}: these are the weights of another network (at {key!r})")
    module.load_state_dict({key: value.to(wanted[key].dtype) for key, value in tensors.items()})


def save_weights(module: nn.Module, path: Path, *, half: bool = False) -> None:
    """Write a network's weights as safetensors, whole or not at all; `half` stores floating-point numbers in 16 bits."""
    state = {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
    if half:
        state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    write_whole(path, save(state))


def _differing(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    yield from sorted(wanted.keys() ^ given.keys())
    yield from (key for key in wanted if key in given and wanted[key].shape != given[key].shape)
