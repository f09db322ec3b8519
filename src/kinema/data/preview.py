"""A contact sheet: strips of a few clips through time, with what each pixel is and where it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..core.clip import Clip, as_float
from ..core.errors import UserError
from .dataset import Dataset

ROWS = ("rgb", "depth", "segmentation", "normals", "flow", "occlusion")
DEFAULT_ROWS = tuple(row for row in ROWS if row != "normals")
_TILE = 160  # px, larger pictures are shrunk to it
_GAP = 3
_PAGE = 0.85
_PALETTE = torch.tensor(
    [
        [0.93, 0.93, 0.93], [0.84, 0.15, 0.16], [0.12, 0.47, 0.71], [0.17, 0.63, 0.17],
        [1.0, 0.5, 0.05], [0.58, 0.4, 0.74], [0.55, 0.34, 0.29], [0.89, 0.47, 0.76],
    ]
)  # fmt: skip


def contact_sheet(dataset: Dataset, clips: int = 3, frames: int = 8, rows: Sequence[str] = DEFAULT_ROWS) -> Tensor:
    """A picture [3,h,w] in [0,1]: for each of `clips` clips a strip of `frames` frames of each of `rows` that it has: rgb, depth
    (bright is near, dark far, white infinite; the scale in the last column), ids, normals, flow (colour wheel in the last column,
    full colour at the clip's fastest pixel) and occlusion. Raises UserError for a row that there is not."""
    if clips < 1 or frames < 1:
        raise UserError(f"a contact sheet needs at least one clip and one frame, got {clips} and {frames}")
    for row in rows:
        if row not in ROWS:
            raise UserError(f"a contact sheet has no row of {row!r}; it has {', '.join(ROWS)}")
    total = len(dataset)
    chosen = [dataset[i * total // min(clips, total)] for i in range(min(clips, total))]
    strips = [strip for clip in chosen for strip in [*_strips(clip, frames, rows), None]]
    width = max(strip.shape[-1] for strip in strips if strip is not None)
    between = torch.ones(3, 4 * _GAP, width)
    return torch.cat([between if s is None else functional.pad(s, (0, width - s.shape[-1]), value=_PAGE) for s in strips[:-1]], 1)


def flow_colors(flow: Tensor, fastest: float | None = None) -> Tensor:
    """Flow [...,2,h,w] as colours [...,3,h,w] in [0,1]: hue is the direction, saturation the length over `fastest` px/frame.

    >>> flow_colors(torch.zeros(2, 4, 4)).unique().tolist()
    [1.0]
    """
    u, v = flow.unbind(-3)
    length = torch.hypot(u, v)
    fastest = float(length.max()) if fastest is None else fastest
    hue = (torch.atan2(v, u) / (2 * math.pi)) % 1.0
    around = (hue.unsqueeze(-3) * 6 + torch.tensor([0.0, 4.0, 2.0])[:, None, None]) % 6
    pure = ((around - 3).abs() - 1).clamp(0, 1)
    return 1 - (length / max(fastest, 1e-6)).clamp(0, 1).unsqueeze(-3) * (1 - pure)


def depth_colors(depth: Tensor, near: float, far: float) -> Tensor:
    """Depth [h,w] m as colours [3,h,w] in [0,1], even to the eye: yellow at `near`, dark violet at `far` m and beyond, by the
    logarithm; white where infinite.

    >>> depth_colors(torch.full((1, 1), torch.inf), 1.0, 9.0).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    from matplotlib import colormaps

    table = torch.tensor(colormaps["viridis_r"](range(256)))[:, :3].float()
    share = (depth.clamp(near, far) / near).log() / max(math.log(far / near), 1e-6)
    colors = table[(share.nan_to_num() * 255).round().long().clamp(0, 255)]
    return torch.where(depth.isfinite()[..., None], colors, torch.ones(3)).permute(2, 0, 1)


def _strips(clip: Clip, frames: int, rows: Sequence[str]) -> list[Tensor]:
    last = max(clip.num_frames - 2, 0)  # the last frame that has a flow
    at = sorted({round(i * last / max(frames - 1, 1)) for i in range(frames)})
    strips = []
    for name in (row for row in ROWS if row in rows):
        if clip.has(name) and len(clip.fields[name]):  # a clip of one frame has no flow
            tiles = [_tile(clip, name, t) for t in at]
            end = _KEYS[name](clip, tiles[0]) if name in _KEYS else torch.full_like(tiles[0], _PAGE)
            strips.append(_beside([*tiles, end] if clip.has("flow") else tiles))
    return strips


def _tile(clip: Clip, name: str, t: int) -> Tensor:
    value = clip.fields[name]
    if name == "rgb":
        return _shrink(as_float(value[t]), "area")
    if name == "segmentation":
        ids = value[t].long()
        colors = _PALETTE[torch.where(ids > 0, (ids - 1) % (len(_PALETTE) - 1) + 1, 0)]
        return _shrink(colors.permute(2, 0, 1), "nearest-exact")
    if name == "depth":
        return _shrink(depth_colors(value[t, 0], *_reach(clip)), "nearest-exact")
    if name == "normals":
        return _shrink(torch.where((value[t] == 0).all(0), torch.ones(3, 1, 1), 0.5 - 0.5 * value[t]), "nearest-exact")
    if name == "flow":
        return _shrink(flow_colors(value[t], float(value.norm(dim=1).max())), "nearest-exact")
    return _shrink(1.0 - value[t].float().expand(3, -1, -1), "nearest-exact")


def _shrink(picture: Tensor, mode: str) -> Tensor:
    height, width = picture.shape[-2:]
    scale = _TILE / max(height, width)
    if scale >= 2:
        return picture.repeat_interleave(int(scale), 1).repeat_interleave(int(scale), 2)
    if scale >= 1:
        return picture
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return functional.interpolate(picture[None], size, mode=mode)[0]


def _reach(clip: Clip) -> tuple[float, float]:
    """The nearest depth in a clip, and the one that all but a tenth of what is finite keep below."""
    depth = clip.depth[clip.depth.isfinite()]
    if not len(depth):
        return 1.0, 2.0
    return float(depth.min().clamp_min(1e-3)), float(depth[:: max(1, len(depth) // 10**6)].quantile(0.9))


def _scale(clip: Clip, tile: Tensor) -> Tensor:
    """Near at the top, far at the bottom."""
    near, far = _reach(clip)
    height, width = tile.shape[-2:]
    ramp = near * (far / near) ** torch.linspace(0, 1, height)
    bar = depth_colors(ramp[:, None].expand(height, max(1, width // 6)), near, far)
    return functional.pad(bar, (0, width - bar.shape[-1], 0, 0), value=_PAGE)


def _wheel(clip: Clip, tile: Tensor) -> Tensor:
    del clip
    height, width = tile.shape[-2:]
    side = min(width, height)
    axis = torch.arange(side) - (side - 1) / 2
    flow = torch.stack([axis.expand(side, side), axis[:, None].expand(side, side)]) / (side / 2)
    wheel = torch.where(flow.norm(dim=0) <= 1, flow_colors(flow, 1.0), torch.tensor(_PAGE))
    return functional.pad(wheel, (0, width - side, 0, height - side), value=_PAGE)


_KEYS = {"flow": _wheel, "depth": _scale}


def _beside(tiles: list[Tensor]) -> Tensor:
    return torch.cat([functional.pad(tile, (0, _GAP, 0, _GAP), value=_PAGE) for tile in tiles], 2)
