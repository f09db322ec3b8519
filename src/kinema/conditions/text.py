"""Words as a condition: a caption, or a description of the initial state written from the bodies."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Codec, Latents, TextEncoder, Value
from ..core.errors import UserError

Describe = Literal["state", "caption"]
KEPT = 2**30  # bytes of embeddings that are remembered
LENGTHS = 16  # token counts are padded to multiples of this, so that a compiled network meets few shapes

COLORS: Mapping[str, tuple[int, int, int]] = {
    "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "purple": (128, 0, 128), "yellow": (255, 255, 0),
    "orange": (255, 165, 0), "gray": (128, 128, 128), "black": (0, 0, 0), "white": (255, 255, 255),
}  # fmt: skip


KINDS = (("ball", "radius"), ("square", "half side"), ("ring", "radius"))  # of bodies["shape"] 0, 1, 2, and what "radius" is there


@part
class Text:
    """Words, encoded by a frozen network (PhyWorld's text condition: T5).

    Enters as tokens, padded, with a mask. `describe` says what training reads: "state" writes the initial state of the bodies
    as sentences, "caption" takes the clip's text; an empty text counts as absent. `encoder` is a `TextEncoder`, such as
    `experts.T5()`. Training drops the text for a share `drop` of the clips.
    """

    encoder: Any = field(kw_only=False)
    describe: Describe = "state"
    drop: float = 0.1
    name: ClassVar[str] = "text"
    enters: ClassVar[Literal["tokens"]] = "tokens"

    def __post_init__(self) -> None:
        if not hasattr(type(self.encoder), "encode"):
            raise UserError(f"Text: encoder must be a part that encodes text, such as experts.T5, got {self.encoder!r}")
        if self.describe not in get_args(Describe):
            raise UserError(f"Text: describe must be one of {', '.join(get_args(Describe))}, got {self.describe!r}")
        if not 0 <= self.drop < 1:
            raise UserError(f"Text: drop must lie in [0, 1), got {self.drop}")

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return int(self.encoder.width)

    @property
    def initial(self) -> bool:
        """Whether the words tell of the first frame alone."""
        return self.describe == "state"

    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value:
        """The words of every clip of a batch [b,s,width]; [b,t,s,width] where a clip is of independent pictures, each of which has
        its own (`meta["captions"]`). Raises UserError where a clip has no text, or no bodies to describe."""
        device = latents.data.device if latents is not None else clip.rgb.device
        value = self._of_batch(clip, device)
        if value.data.ndim == 4 and value.data.shape[1] != shape[0]:
            raise UserError(f"text: {value.data.shape[1]} captions go with {shape[0]} latent frames: one for each picture was expected")
        return value

    def take(self, given: Any, count: int, device: torch.device | str) -> Value:
        """The words a user gives: a text for all clips, a list of one per clip, or a Clip (or batch), which is read."""
        if isinstance(given, Clip):
            value = self._of_batch(given if given.batched else Clip.stack([given]), device)
        else:
            texts = [given] if isinstance(given, str) else given
            if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
                raise UserError(f"text: a text, or a list of one per clip, was expected, got {given!r}")
            if not any(text.strip() for text in texts):
                raise UserError("text: an empty text was given: leave it out, or say what happens")
            value = self._value(texts, device)
        if len(value.data) not in (1, count):
            raise UserError(f"text: {len(value.data)} texts were given for {count} clips: one for all, or one for each")
        assert value.mask is not None
        data, mask = (x.expand(count, *x.shape[1:]) for x in (value.data, value.mask))
        return Value(data, value.present.expand(count), mask)

    def extent(self, given: Any) -> tuple[int, int]:
        """(how many texts were given, 0 for one that holds for all; 0: of a dream of any length)."""
        if isinstance(given, Clip):
            return len(given) if given.batched else 0, 0
        return len(given) if isinstance(given, Sequence) and not isinstance(given, str) else 0, 0

    def window(self, value: Value, start: int, codec: Codec, shape: tuple[int, ...]) -> Value:
        """The words again, unless they describe the state at the first frame."""
        return value.absent() if self.initial and start > 0 else value

    def _of_clip(self, clip: Clip) -> list[str]:
        needed = "bodies" if self.describe == "state" else "text"
        if not clip.has(needed):
            raise UserError(f"text: the condition is read from a clip's {needed}, and this clip has none; it has {', '.join(clip.fields)}")
        if self.describe == "caption":
            return list(clip.text)
        first = clip.only("bodies").frames(0, 1).map(lambda x: x.cpu())
        return [describe(one.bodies) for one in first]

    def _of_batch(self, clip: Clip, device: torch.device | str) -> Value:
        captions = [meta.get("captions") for meta in clip.meta.get("clips", ())]
        if self.describe == "state" or not any(captions):
            return self._value(self._of_clip(clip), device)
        texts = list(clip.text) if clip.has("text") else [""] * len(captions)
        return self._of_pictures([own or text for own, text in zip(captions, texts, strict=True)], device)

    def _of_pictures(self, said: Sequence[str | Sequence[str]], device: torch.device | str) -> Value:
        """Of a text, or one for every frame, of each clip: an empty one is masked, a clip without any absent."""
        lengths = {len(own) for own in said if not isinstance(own, str)}
        if len(lengths) > 1:
            raise UserError(f"text: clips of a batch differ in how many captions they have: {', '.join(map(str, sorted(lengths)))}")
        frames = lengths.pop()
        value = self._value([text for own in said for text in ((own,) * frames if isinstance(own, str) else own)], device)
        assert value.mask is not None
        data, mask, present = (x.reshape(len(said), frames, *x.shape[1:]) for x in (value.data, value.mask, value.present))
        return Value(data, present.any(1), mask & present[..., None, None])

    def _value(self, texts: Sequence[str], device: torch.device | str) -> Value:
        tokens = [_encoded(self.encoder, text, device) for text in texts]
        longest = -(-max(len(t) for t in tokens) // LENGTHS) * LENGTHS
        data = torch.zeros(len(texts), longest, tokens[0].shape[1])
        mask = torch.zeros(len(texts), longest, 1, dtype=torch.bool)
        for i, token in enumerate(tokens):
            data[i, : len(token)], mask[i, : len(token)] = token, True
        present = torch.tensor([bool(text.strip()) for text in texts])
        return Value(data.to(device), present.to(device), mask.to(device))


class _Kept:
    """The embeddings asked for last, on the CPU."""

    def __init__(self) -> None:
        self.tokens: OrderedDict[tuple[Any, str], Tensor] = OrderedDict()
        self.bytes = 0

    def get(self, encoder: TextEncoder, text: str, device: torch.device | str) -> Tensor:
        key = (encoder, text)
        if key not in self.tokens:
            self.tokens[key] = encoder.encode(text, device).cpu()
            self.bytes += self.tokens[key].nbytes
            while self.bytes > KEPT and len(self.tokens) > 1:
                self.bytes -= self.tokens.popitem(last=False)[1].nbytes
        self.tokens.move_to_end(key)
        return self.tokens[key]


_kept = _Kept()


def _encoded(encoder: TextEncoder, text: str, device: torch.device | str) -> Tensor:
    """[s, width] of one text. Each is encoded alone: what a model is told must not depend on which texts came with it."""
    return _kept.get(encoder, text, device)


def describe(bodies: Mapping[str, Tensor]) -> str:
    """The state of one clip's bodies [t,n,...] at its first frame in sentences, one per body, in m and m/s.

    >>> one = {"position": [2.314, 5.0], "velocity": [3.1, 0.0], "radius": 1.2, "color": [255, 0, 0]}
    >>> describe({key: torch.tensor(value)[None, None] for key, value in one.items()})
    'A red ball of radius 1.20 m at (2.31, 5.00) m moves at 3.10 m/s to the right.'
    """
    for key in ("position", "velocity", "radius"):
        if key not in bodies:
            raise UserError(f"text: to be described, bodies must have position, velocity and radius; these have {', '.join(bodies)}")
    if "length" in bodies or ("shape" in bodies and not bool((bodies["shape"][0] < len(KINDS)).all())):
        raise UserError("text: only balls, squares and rings can be described, and there are other bodies in this clip")
    nothing = [None] * bodies["radius"].shape[1]
    colors = bodies["color"][0] if "color" in bodies else nothing
    shapes = bodies["shape"][0] if "shape" in bodies else nothing
    rows = zip(bodies["position"][0], bodies["velocity"][0], bodies["radius"][0], colors, shapes, strict=True)
    return " ".join(_sentence(x.tolist(), v.tolist(), float(r), color, int(shape or 0)) for x, v, r, color, shape in rows)


def _sentence(x: Sequence[float], v: Sequence[float], r: float, color: Tensor | None, shape: int) -> str:
    kind, extent = KINDS[shape]
    kind = kind if color is None else f"{_color(color)} {kind}"
    article = "An" if kind[0] in "aeiou" else "A"
    place = ", ".join(f"{value:.2f}" for value in x)
    return f"{article} {kind} of {extent} {r:.2f} m at ({place}) m {_motion(v)}."


def _motion(v: Sequence[float]) -> str:
    speed = math.hypot(*v)
    if speed < 0.005:  # what is printed as 0.00
        return "is at rest"
    sides = [(("left", "right"), v[0]), (("down", "up"), v[1])]
    ways = [names[value > 0] for names, value in sides if abs(value) >= 0.005]
    towards = {"right": "to the right", "left": "to the left"}
    said = " and ".join(towards.get(way, way) for way in ways)
    exact = f", with velocity ({v[0]:.2f}, {v[1]:.2f}) m/s" if len(ways) > 1 else ""
    return f"moves at {speed:.2f} m/s {said}{exact}"


def _color(rgb: Tensor) -> str:
    """The name of the nearest colour."""
    return min(COLORS, key=lambda name: math.dist(COLORS[name], rgb.tolist()))
