"""Is one of PhyWorld's files what it says? Every dataset's shape, and of a clip whether its pixels show the stated bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..core.clip import Clip
from ..metrics.parse import WHOLE, colors_of, parse
from ..simulators.planar.shapes import BALL, PUBLISHED_RIM, outline
from .hdf5 import OBJECT, VIDEO, Index, naming, opened, stream
from .phyre import FEATURES
from .phyworld import LINSPACE


def problems(path: str, index: Index) -> list[str]:
    """What is wrong with the datasets of a file: lengths that differ, shapes unlike the first, videos that are no bytes."""
    found = []
    with opened(path) as file, naming(path, "a stream"):
        streams = {name: stream(file, name, path) for name in index.streams}
        first = {name: streams[name][index.keys[0]] for name in index.streams}
        for key, size in zip(index.keys, index.sizes, strict=True):
            for name, datasets in streams.items():
                reason = _reason(name, datasets[key], first[name], size)
                found += [f"{path}: {name}/{key} {reason}"] if reason else []
    return found


def shown_error(clip: Clip) -> float:
    """Mean distance in px between where a clip's pixels show its balls and where the file states them; whole balls alone."""
    seen = parse(clip.only("rgb"), colors=colors_of(clip), subpixel=True).bodies
    whole = seen["state"] == WHOLE
    distance = (seen["position"] - clip.bodies["position"]).norm(dim=-1)[whole]
    return float(distance.mean()) * clip.size[1] / float(clip.meta["world_width"])


def radius_error(clip: Clip) -> float:
    """Largest distance in px between the radius of a disc of as many pixels as show a ball (median of the frames that show it
    whole) and the same of the ball as stated; the published soft rim takes 1.5 % of a ball's area."""
    seen = parse(clip.only("rgb"), colors=colors_of(clip), subpixel=True).bodies
    shown = torch.where(seen["state"] == WHOLE, seen["radius"], torch.nan).nanmedian(0).values
    codes = clip.bodies["shape"][0].tolist() if "shape" in clip.bodies else [BALL] * len(shown)
    rim = PUBLISHED_RIM / 2 if clip.meta["pixel_convention"] == LINSPACE else 0.0
    areas = [outline(c, float(r)).area * (1 - rim * (c == BALL)) for c, r in zip(codes, clip.bodies["radius"][0], strict=True)]
    off = (shown - (torch.tensor(areas, dtype=shown.dtype) / torch.pi).sqrt()).abs()
    return float(off[~off.isnan()].max()) * clip.size[1] / float(clip.meta["world_width"]) if (~off.isnan()).any() else torch.nan


def speed_error(clip: Clip) -> float:
    """Largest difference in m/s between a stated speed and that of the first two frames; of a fall, the horizontal one."""
    step = np.diff(clip.bodies["position"][:2].numpy(), axis=0) / clip.dt
    found = np.abs(step[..., 0]) if clip.meta["scenario"] == "parabola" else np.linalg.norm(step, axis=-1)
    stated = [value for name, value in clip.meta["params"].items() if name.startswith("v")]
    return float(np.abs(found - np.abs(stated)).max(initial=0.0))


def _reason(name: str, data: Any, first: Any, size: int) -> str:
    import h5py

    if len(data) != size:
        return f"holds {len(data)} items, other streams {size}"
    if name == VIDEO:
        return "" if h5py.check_vlen_dtype(data.dtype) == np.uint8 else f"holds {data.dtype}, no bytes of videos"
    if name == OBJECT:
        fits = data.ndim == 4 and data.shape[3] == FEATURES
        return "" if fits else f"has shape {data.shape}; trials x frames x objects x {FEATURES} were expected"
    return "" if data.shape[1:] == first.shape[1:] else f"has shape {data.shape}, the first one {first.shape}"
