"""Strips: a few dreams of every test beside their truths, kept for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save

from ..core.clip import Clip, as_uint8
from ..core.files import write_whole
from .figures import svg

if TYPE_CHECKING:
    from .found import Found
    from .page import Drawing

FILE = "shown.safetensors"
CLIPS, FRAMES = 3, 9
_GAP = 2  # px between frames
Pixels = NDArray[np.uint8]


def keep(folder: Path, truths: Sequence[Clip], dreams: Sequence[Clip], given: int) -> None:
    """Write the first few clips: `truth` and `dream` [n,f,3,h,w], frames `at` [f], of which the first is the last given one."""
    last = truths[0].num_frames - 1
    at = sorted({round(given - 1 + i * (last - given + 1) / (FRAMES - 1)) for i in range(FRAMES)})
    shown = {name: torch.stack([as_uint8(c.rgb)[at] for c in clips[:CLIPS]]) for name, clips in (("truth", truths), ("dream", dreams))}
    write_whole(folder / FILE, save({**shown, "at": torch.tensor(at)}))


def read(path: Path) -> list[tuple[Pixels, Pixels]]:
    """(truth, dream) of every clip as a picture [h, w, 3] of its frames side by side; none where the file is none of `keep`'s."""
    try:
        arrays = load_file(path)
        return [(_strip(truth), _strip(dream)) for truth, dream in zip(arrays["truth"], arrays["dream"], strict=True)]
    except (OSError, SafetensorError, KeyError, ValueError):
        return []


def drawn(found: Found, asked: Sequence[tuple[str, str]], caption: str, paper: str = "") -> tuple[Drawing, ...]:
    """A truth above its dream for each (point, test) that has any; no drawing where none has."""
    from .page import Drawing  # which reads the store, which knows this file

    text = _strips(found, asked)
    caption = f"{caption} Every picture begins with the last given frame."
    return (Drawing(name="strips", title="Dreams beside the truth", svg=text, caption=caption, paper=paper),) if text else ()


def _strips(found: Found, asked: Sequence[tuple[str, str]], clips: int = 1) -> str:
    """Truths above dreams of the first clips of each (point, test), as SVG; empty where none is kept."""
    pictures = [
        (test if point in test else f"{point}: {test}", *pair)
        for point, test in asked if (point, test) in found.shown
        for pair in read(found.shown[point, test])[:clips]
    ]  # fmt: skip
    if not pictures:
        return ""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots(len(pictures), 1, squeeze=False)[:, 0]
        for ax, (title, truth, dream) in zip(axes, pictures, strict=True):
            between = np.full((_GAP * 2, truth.shape[1], 3), 255, np.uint8)
            ax.imshow(np.concatenate([truth, between, dream]), interpolation="none")
            height = truth.shape[0]
            ax.set_yticks([height / 2, height * 1.5 + 2 * _GAP], ["truth", "dream"])
            ax.tick_params(length=0)
            ax.set_xticks([])
            ax.set_title(title, loc="left")
            for side in ax.spines.values():
                side.set_visible(False)

    height, width = pictures[0][1].shape[:2]
    return svg(draw, 8.4, len(pictures) * (7.6 * (2 * height + 2 * _GAP) / width + 0.25) + 0.1)


def _strip(frames: Pixels) -> Pixels:
    """[f,3,h,w] side by side on grey."""
    f, _, h, w = frames.shape
    strip = np.full((h, f * (w + _GAP) - _GAP, 3), 222, np.uint8)
    for i, frame in enumerate(frames):
        strip[:, i * (w + _GAP) : i * (w + _GAP) + w] = frame.transpose(1, 2, 0)
    return strip
