"""What codecs of tokens share: every frame alone becomes a grid of codes of `stride` px."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from torch import Tensor, nn

from ..core.clip import Clip
from ..core.errors import UserError


class FrameTokens(nn.Module, ABC):
    """A codec that turns every frame alone into `codes` codes, each of `stride` x `stride` px; latents are [b,t,h',w']."""

    causal = True
    codes: int
    stride: int

    def settle(self, clips: Sequence[Clip]) -> None:
        """There is nothing to settle: codes keep their numbers, and one that is never used does no harm."""

    def latent_frames(self, frames: int) -> int:
        """As many as there are frames."""
        return frames

    def frames_of(self, latent_frames: int) -> int:
        """As many as there are latent frames."""
        return latent_frames

    def latent_shape(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """(t, h', w'). Raises UserError for an image that is no multiple of the stride."""
        if height % self.stride or width % self.stride:
            raise UserError(f"the codec takes images whose sides are multiples of {self.stride} px, got {width} x {height}")
        return frames, height // self.stride, width // self.stride


def refuse_no_codes(tokens: Tensor, codes: int) -> None:
    """Raises UserError unless all tokens are integers from 0 to codes - 1."""
    if tokens.is_floating_point():
        raise UserError("this codec decodes tokens (integers), and was given numbers")
    wrong = (tokens < 0) | (tokens >= codes)
    if bool(wrong.any()):
        some = int(tokens[wrong][0])
        raise UserError(f"the codec decodes tokens 0 to {codes - 1}, got {some}" + (" (a masked one)" if some == -1 else ""))
