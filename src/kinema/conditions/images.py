"""Which clips of a batch are no videos."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Codec, Latents, Value


@part
class Images:
    """Present where the frames of a clip are independent pictures (`meta["images"]`), so that the network mixes none of them
    (WorldDreamer trains on images and videos at once). A dream is never told: it is a video.
    """

    name: ClassVar[str] = "images"
    enters: ClassVar[Literal["images"]] = "images"
    width: ClassVar[int] = 0
    drop: ClassVar[float] = 0.0

    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value | None:
        """`present` [b], of a batch; the data [b] are zeros. None of a batch of videos alone, which a network need not tell apart."""
        device = latents.data.device if latents is not None else clip.rgb.device
        here = [bool(meta.get("images")) for meta in clip.meta.get("clips", [{}] * len(clip))]
        if not any(here):
            return None
        return Value(torch.zeros(len(clip), device=device), torch.tensor(here, device=device))
