"""Text encoders through transformers: frozen, in 32 bits, from safetensors alone."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..core.config import part
from ..core.errors import UserError
from ..core.files import read_json
from ..core.registry import places


@part
class T5:
    """T5's encoder (Raffel et al. 2020): a text's tokens, each a vector of `width` numbers.

    `weights` is a folder in transformers' layout (config.json, model.safetensors, a tokenizer), one below KINEMA_WEIGHTS, or a
    model of the Hugging Face hub. Raises UserError where transformers or the weights are absent: there is no stand-in.
    """

    weights: str = field(kw_only=False, default="google-t5/t5-base")
    pretrained: ClassVar[bool] = True

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return _width(self.weights, "T5")

    def encode(self, text: str, device: torch.device | str = "cpu") -> Tensor:
        """[s, width], the end-of-text token included. Raises UserError for a text longer than the network takes."""
        return _encode(_loaded(self.weights, "T5"), text, device)


@part
class TextEncoder:
    """Any other encoder of transformers (BERT's kin, sentence encoders such as MiniLM): its last hidden state, token by token.

    `weights` as of `T5`. A network that also decodes is refused, for only half of it would be used.
    """

    weights: str = field(kw_only=False)
    pretrained: ClassVar[bool] = True

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return _width(self.weights, "TextEncoder")

    def encode(self, text: str, device: torch.device | str = "cpu") -> Tensor:
        """[s, width], special tokens included. Raises UserError for a text longer than the network takes."""
        return _encode(_loaded(self.weights, "TextEncoder"), text, device)


def encoder(weights: str) -> T5 | TextEncoder:
    """The part for these weights: a T5 where their folder says that they are one, or, for want of a folder, their name."""
    config = Path(_place(weights)) / "config.json"
    is_t5 = read_json(config).get("model_type") == "t5" if config.is_file() else "t5" in weights.lower()
    return T5(weights) if is_t5 else TextEncoder(weights)


class _Loaded(NamedTuple):
    name: str
    tokenizer: Any
    network: nn.Module
    longest: int


def _encode(loaded: _Loaded, text: str, device: torch.device | str) -> Tensor:
    tokens = loaded.tokenizer([text], return_tensors="pt", verbose=False)
    given = {key: value.to(device) for key, value in tokens.items() if key in ("input_ids", "attention_mask", "token_type_ids")}
    length = given["input_ids"].shape[1]
    if length > loaded.longest:
        raise UserError(f"{loaded.name} takes texts of at most {loaded.longest} tokens, got {length}: {text[:60]!r}...")
    kind = torch.device(device).type
    with torch.no_grad(), torch.autocast(kind, enabled=False):  # training may run in 16 bits, the words stay in 32
        output = loaded.network.to(device)(**given).last_hidden_state[0]
    if not torch.isfinite(output).all():
        raise UserError(f"{loaded.name} gives features that are not finite for {text[:60]!r}")
    return output.float()


@functools.lru_cache(maxsize=8)
def _width(weights: str, kind: str) -> int:
    config, _ = _config(weights, kind)
    return int(config.hidden_size)


@functools.lru_cache(maxsize=2)
def _loaded(weights: str, kind: str) -> _Loaded:
    transformers = _transformers(kind)
    config, source = _config(weights, kind)
    name = f"{kind}({weights!r})"
    with _quietly(transformers), _named(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        auto = transformers.T5EncoderModel if kind == "T5" else transformers.AutoModel
        network, told = auto.from_pretrained(source, use_safetensors=True, trust_remote_code=False, output_loading_info=True)
    missing = sorted(key for key in told["missing_keys"] if not key.startswith("pooler."))  # which no token passes through
    if missing:
        raise UserError(f"{name}: the weights lack {missing[0]!r} and {len(missing) - 1} more: nothing is drawn in their place")
    limits = (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length)
    return _Loaded(name, tokenizer, network.float().eval().requires_grad_(False), min(int(limit) for limit in limits if limit))


def _config(weights: str, kind: str) -> tuple[Any, str]:
    """(configuration, where it is). Raises UserError where there is none, or one of another kind of network."""
    transformers, source, name = _transformers(kind), _place(weights), f"{kind}({weights!r})"
    with _quietly(transformers), _named(name):
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    if kind == "T5" and config.model_type != "t5":
        raise UserError(f"{name}: this is a {config.model_type} network, not a T5")
    if kind == "TextEncoder" and config.is_encoder_decoder:
        raise UserError(f"{name}: this {config.model_type} network also decodes; a T5 is experts.T5")
    return config, source


def _place(weights: str) -> str:
    """A folder of that name, here or where weights are kept; else the name itself, for the hub."""
    for folder in (Path(weights).expanduser(), *(place / weights for place in places())):
        if (folder / "config.json").is_file():
            return str(folder)
    if Path(weights).expanduser().is_dir():
        raise UserError(f"{weights}: this folder holds no text encoder: it has no config.json")
    if weights.startswith(("/", ".", "~")) or weights.count("/") > 1 or not weights:  # the hub's names are owner/name
        raise UserError(f"there is no folder {weights!r}, in which a text encoder was expected")
    return weights


def _transformers(kind: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise UserError(f"{kind} needs transformers: pip install 'kinema[pretrained]'") from None
    return transformers


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn what transformers says about files it cannot find or read into a sentence that names them."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # its errors are of many kinds: OSError, ValueError, those of safetensors, of tokenizers, of the network
        said = " ".join(str(error).split())
        raise UserError(
            f"{name}: the weights cannot be had; a folder with config.json, model.safetensors and a tokenizer, or the name of a model "
            f"of the Hugging Face hub that can be reached, was expected ({said[:300]})"
        ) from None


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Without transformers' progress bars and advice."""
    own, hub = transformers.utils.logging, logging.getLogger("huggingface_hub")
    levels, shown = (own.get_verbosity(), hub.level), own.is_progress_bar_enabled()
    own.set_verbosity_error()
    own.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        own.set_verbosity(levels[0])
        hub.setLevel(levels[1])
        if shown:
            own.enable_progress_bar()
