"""What surfaces look like: procedural solid textures, so that nothing needs a download."""

from __future__ import annotations

import math
from typing import Literal

from ...core.config import part
from ...core.errors import UserError

Color = tuple[int, int, int]
Texture = Literal[
    "plain", "checker", "stripes", "dots", "noise", "wood", "marble", "bricks", "metal", "fabric", "concrete", "grass", "asphalt", "tiles",
    "sand", "terrazzo", "carpet", "planks", "windows",
]  # fmt: skip
TEXTURES: tuple[Texture, ...] = (
    "plain", "checker", "stripes", "dots", "noise", "wood", "marble", "bricks", "metal", "fabric", "concrete", "grass", "asphalt", "tiles",
    "sand", "terrazzo", "carpet", "planks", "windows",
)  # fmt: skip


def channels(what: str, color: Color) -> None:
    """Raise UserError unless a colour is three numbers from 0 to 255."""
    if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
        raise UserError(f"{what} must be three numbers from 0 to 255, got {color}")


@part
class Look:
    """A surface: `color` and, in patterns, `second` (0-255); a solid `texture` of period `scale` m in the body's own axes,
    shifted by `seed`; `gloss` 0 (matt) to 1 (a sharp highlight); `mirror`, the share of light it reflects like one; `clear`,
    the share that passes through it."""

    color: Color = (190, 190, 190)
    second: Color = (110, 110, 110)
    texture: Texture = "plain"
    scale: float = 0.1
    gloss: float = 0.2
    mirror: float = 0.0
    clear: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.texture not in TEXTURES:
            raise UserError(f"a look's texture must be one of {', '.join(TEXTURES)}, got {self.texture!r}")
        for key in ("color", "second"):
            channels(f"a look's {key}", getattr(self, key))
        if not 0 < self.scale < math.inf:
            raise UserError(f"a look's scale must be above 0 m, got {self.scale:g}")
        for key in ("gloss", "mirror", "clear"):
            if not 0 <= getattr(self, key) <= 1:
                raise UserError(f"a look's {key} must be from 0 to 1, got {getattr(self, key):g}")
