"""Pixels as latents: nothing learnt, space to depth by a whole factor, exact both ways."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.contracts import Latents
from ..core.errors import UserError


@part
class Pixels:
    """rgb in [-1, 1] with `patch` x `patch` pixels folded into channels: [b, t, 3 patch^2, h/patch, w/patch]."""

    patch: int = 1

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise UserError(f"Pixels: patch must be at least 1, got {self.patch}")

    def build(self) -> PixelCodec:
        """The codec (it holds no weights)."""
        return PixelCodec(self)


class PixelCodec(nn.Module):
    """The codec of `Pixels`."""

    causal = True
    codes = 0

    def __init__(self, config: Pixels) -> None:
        super().__init__()
        self.config = config

    def encode(self, clip: Clip) -> Latents:
        """Folded pixels of a batch's rgb."""
        _, t, _, h, w = clip.rgb.shape
        self.latent_shape(t, h, w)
        data = F.pixel_unshuffle(as_float(clip.rgb) * 2 - 1, self.config.patch)
        return Latents(data, groups={"rgb": (0, data.shape[2])})

    def decode(self, latents: Latents, *, fps: float, dt: float) -> Clip:
        """A batch with rgb [b,t,3,h,w] in [0,1]."""
        rgb = (F.pixel_shuffle(latents.data, self.config.patch) + 1) / 2
        return Clip(rgb=rgb.clamp(0, 1), fps=fps, dt=dt, batched=True)

    def reconstruct(self, rgb: Tensor) -> Tensor:
        """rgb [b,t,3,h,w] in [0,1] as it is."""
        return rgb

    def settle(self, clips: Sequence[Clip]) -> None:
        """There is nothing to settle."""

    def latent_frames(self, frames: int) -> int:
        """As many as there are frames."""
        return frames

    def frames_of(self, latent_frames: int) -> int:
        """As many as there are latent frames."""
        return latent_frames

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """(t, 3 patch^2, h/patch, w/patch). Raises UserError where the patch does not divide the image."""
        p = self.config.patch
        if height % p or width % p:
            raise UserError(f"the codec takes images whose sides are multiples of {p} px, got {width} x {height}")
        return frames, 3 * p**2, height // p, width // p
