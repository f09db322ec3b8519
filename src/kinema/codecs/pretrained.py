"""Tokenisers that others trained, through diffusers: frozen, in 32 bits, from safetensors alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.contracts import Latents
from ..core.errors import UserError
from ..core.files import read_json
from ..core.registry import places
from .tokens import FrameTokens, refuse_no_codes

FRAMES = 16  # encoded or decoded at once
Range = Literal["auto", "signed", "unit"]


@part
class PretrainedVQ:
    """A `VQModel` of diffusers as a codec of tokens, frozen: aMUSEd's (16 px, 8,192 codes) or another one.

    `weights` is a folder in diffusers' layout (config.json, diffusion_pytorch_model.safetensors), one below KINEMA_WEIGHTS, or a
    model of the Hugging Face hub; `subfolder` is where in there ("vqvae" of a whole pipeline). `pixels` says what the network
    takes and gives: "signed" [-1, 1], "unit" [0, 1], or "auto": [0, 1] for aMUSEd's, which are those that look codes up when
    they decode, [-1, 1] for all others. `network` is the network's configuration, read from config.json unless given, so that a
    model which stands on this codec carries all that it needs. Raises UserError where diffusers or the files are absent.
    """

    weights: str = field(kw_only=False)
    subfolder: str = ""
    pixels: Range = "auto"
    network: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.pixels not in get_args(Range):
            raise UserError(f"PretrainedVQ: pixels must be one of {', '.join(get_args(Range))}, got {self.pixels!r}")
        said = _config(self) if self.network is None else self.network
        object.__setattr__(self, "network", _plain({key: value for key, value in said.items() if not key.startswith("_")}))
        lacking = [key for key in ("block_out_channels", "num_vq_embeddings") if key not in self.about]
        if lacking or self.about.get("in_channels", 3) != 3:
            raise UserError(
                f"{self}: a VQModel for pictures of 3 channels was expected, which has block_out_channels and num_vq_embeddings"
            )

    def __str__(self) -> str:
        return f"PretrainedVQ({self.weights!r})"

    @property
    def about(self) -> Mapping[str, Any]:
        """The network's configuration."""
        return self.network or {}

    @property
    def stride(self) -> int:
        """Pixels of a token's side."""
        return int(2 ** (len(self.about["block_out_channels"]) - 1))

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return int(self.about["num_vq_embeddings"])

    @property
    def signed(self) -> bool:
        """Whether the network's pictures lie in [-1, 1]."""
        return self.pixels == "signed" or (self.pixels == "auto" and not self.about.get("lookup_from_codebook", False))

    def build(self) -> FrozenVQ:
        """The network; its weights are read when they are first asked for, unless others were loaded."""
        return FrozenVQ(self)


class FrozenVQ(FrameTokens):
    """The network of a `PretrainedVQ`; a codec of tokens, every frame alone. Until weights are there they are NaN."""


    def __init__(self, config: PretrainedVQ) -> None:
        super().__init__()
        self.config, self.codes, self.stride, self.filled = config, config.codes, config.stride, False
        with torch.device("meta"):
            network: nn.Module = _diffusers().VQModel.from_config(dict(config.about))
        self.network = network.to_empty(device="cpu").eval().requires_grad_(False)
        with torch.no_grad():
            for weight in (*self.network.parameters(), *self.network.buffers()):
                weight.fill_(torch.nan)
        self.register_state_dict_pre_hook(_fill_if_there)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_filled)  # type: ignore[no-untyped-call]

    def fill(self, *, only_here: bool = False) -> None:
        """Read the weights, if there are none yet. Raises UserError where they cannot be had; `only_here` asks no hub."""
        weights = next(self.network.parameters())
        if self.filled or isinstance(weights, FakeTensor):
            return
        self.network.load_state_dict(_weights(self.config, only_here))
        self.network.to(weights.device)
        self.filled = True

    @torch.no_grad()
    def encode(self, clip: Clip) -> Latents:
        """Tokens [b,t,h',w'] of a batch's rgb."""
        b, t, _, h, w = clip.rgb.shape
        shape = self.latent_shape(t, h, w)
        self.fill()
        network: Any = self.network
        tokens = []
        with torch.autocast(clip.rgb.device.type, enabled=False):  # half precision confuses neighbouring codes
            for rgb in torch.split(as_float(clip.rgb).float().flatten(0, 1), FRAMES):
                z = network.encode(rgb * 2 - 1 if self.config.signed else rgb).latents
                tokens.append(network.quantize(z)[2][2].reshape(len(rgb), *shape[1:]))
        return Latents(torch.cat(tokens).reshape(b, *shape))

    @torch.no_grad()
    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip:
        """A batch with rgb [b,t,3,h,w] in [0,1]. Raises UserError for tokens that are no codes, such as masked ones."""
        refuse_no_codes(latents.data, self.codes)
        self.fill()
        with torch.autocast(latents.data.device.type, enabled=False):
            images = torch.cat([self._pictures(some) for some in torch.split(latents.data.flatten(0, 1), FRAMES)])
        rgb = ((images + 1) / 2 if self.config.signed else images).clamp(0, 1)
        return Clip(rgb=rgb.reshape(*latents.data.shape[:2], *images.shape[1:]), fps=fps, dt=dt, batched=True)

    def reconstruct(self, rgb: Tensor) -> Tensor:
        """rgb [b,t,3,h,w] in [0,1] through tokens and back."""
        return self.decode(self.encode(Clip(rgb=rgb, fps=1.0, batched=True)), fps=1.0, dt=1.0).rgb

    def _pictures(self, tokens: Tensor) -> Tensor:
        """The network's pictures [n,3,h,w] of tokens [n,h',w']."""
        network: Any = self.network
        codebook = network.quantize.embedding.weight
        if self.config.about.get("lookup_from_codebook", False):
            images: Tensor = network.decode(tokens.flatten(), force_not_quantize=True, shape=(*tokens.shape, codebook.shape[1])).sample
        else:
            images = network.decode(codebook[tokens].movedim(-1, 1).contiguous(), force_not_quantize=True).sample
        return images


def _fill_if_there(module: FrozenVQ, prefix: str, keep: bool) -> None:
    """What is saved are the weights, also of a codec that has not been used yet."""
    try:
        module.fill(only_here=True)
    except UserError:  # they are about to be loaded from elsewhere; else NaN is saved, which nobody takes for weights
        return


def _filled(module: FrozenVQ, keys: Any) -> None:
    module.filled = True


def _weights(config: PretrainedVQ, only_here: bool) -> Mapping[str, Tensor]:
    options: dict[str, Any] = {"subfolder": config.subfolder or None, "use_safetensors": True, "local_files_only": only_here}
    with _named(config):
        network, told = _diffusers().VQModel.from_pretrained(_place(config), output_loading_info=True, **options)
    if told["missing_keys"]:
        missing = sorted(told["missing_keys"])
        raise UserError(f"{config}: the weights lack {missing[0]!r} and {len(missing) - 1} more: nothing is drawn in their place")
    weights: Mapping[str, Tensor] = network.float().state_dict()
    return weights


def _config(config: PretrainedVQ) -> Mapping[str, Any]:
    """What config.json says, from the folder or the hub."""
    place = _place(config)
    folder = Path(place) / config.subfolder
    if folder.is_dir():
        said: Any = read_json(folder / "config.json")
    else:
        with _named(config):
            said = _diffusers().VQModel.load_config(place, subfolder=config.subfolder or None)
    if not isinstance(said, Mapping) or said.get("_class_name", "VQModel") != "VQModel":
        raise UserError(f"{config}: config.json is not that of a VQModel")
    return said


def _place(config: PretrainedVQ) -> str:
    """A folder of that name, here or where weights are kept; else the name itself, for the hub."""
    weights = config.weights
    for folder in (Path(weights).expanduser(), *(place / weights for place in places())):
        if (folder / config.subfolder / "config.json").is_file():
            return str(folder)
    if Path(weights).expanduser().is_dir():
        raise UserError(f"{config}: this folder holds no tokeniser: it has no {Path(config.subfolder) / 'config.json'}")
    if weights.startswith(("/", ".", "~")) or weights.count("/") != 1:  # the hub's names are owner/name
        raise UserError(f"{config}: there is no folder {weights!r}, in which a tokeniser (config.json and its weights) was expected")
    return weights


def _plain(value: Any) -> Any:
    """As it comes back from JSON in a blueprint: tuples for lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError:
        raise UserError("PretrainedVQ needs diffusers: pip install 'kinema[pretrained]'") from None
    return diffusers


@contextmanager
def _named(config: PretrainedVQ) -> Iterator[None]:
    """Without diffusers' advice, and with a sentence that names the files it cannot find or read."""
    said, hub = _diffusers().utils.logging, logging.getLogger("huggingface_hub")
    levels = said.get_verbosity(), hub.level
    said.set_verbosity_error()
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of many kinds: OSError, ValueError, RuntimeError, those of safetensors and of the hub
        what = " ".join(str(error).split())
        raise UserError(
            f"{config}: the weights cannot be had; a folder with config.json and diffusion_pytorch_model.safetensors, or the name of a "
            f"model of the Hugging Face hub that can be reached, was expected ({what[:300]})"
        ) from None
    finally:
        said.set_verbosity(levels[0])
        hub.setLevel(levels[1])
