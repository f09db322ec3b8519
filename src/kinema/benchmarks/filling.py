"""Whether a hole is filled: inpainting against the truth inside the mask, beside fills that know nothing of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..core.clip import Clip, as_float, as_uint8
from ..metrics import LPIPS, psnr
from ..metrics.lpips import Perceptual
from .kept import key_of
from .subject import Subject, said
from .table import Column, Sample, Table

PSNR_INSIDE = Column("psnr_inside", "dB", True)
COLUMNS = (PSNR_INSIDE, Column("seam", "1", False), Column("outside", "levels", False))
LPIPS_COLUMN = Column("lpips", "1", False)


def box(size: int) -> Tensor:
    """The mask [h,w] bool: the middle of the lower half, a seventh of the picture, where roads, bodies and floors are."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[size * 7 // 16 : size * 13 // 16, size * 5 // 16 : size * 11 // 16] = True
    return mask


def mean_colour(clip: Clip, mask: Tensor) -> Tensor:
    """The hole in the mean colour of the first frame's other pixels."""
    colour = as_float(clip.rgb)[0][:, ~mask].mean(1)
    return torch.where(mask, colour[:, None, None], as_float(clip.rgb))


def border(clip: Clip, mask: Tensor) -> Tensor:
    """The hole as the solution of Laplace's equation in each frame: colours of the border, spread smoothly."""
    rgb = mean_colour(clip, mask)
    for _ in range(400):
        spread = (rgb.roll(1, -1) + rgb.roll(-1, -1) + rgb.roll(1, -2) + rgb.roll(-1, -2)) / 4
        rgb = torch.where(mask, spread, rgb)
    return rgb


FILLS: Mapping[str, Callable[[Clip, Tensor], Tensor]] = {"mean colour": mean_colour, "border spread": border}


def inpainted(subject: Subject, clips: Sequence[Clip], mask: Tensor, told: Sequence[str]) -> list[Clip]:
    """The clips with the hole dreamt anew by the model, told what it takes and all clips of a batch have."""
    done: list[Clip] = []
    for start in range(0, len(clips), subject.batch):
        some = clips[start : start + subject.batch]
        names = subject.hears(some, told)

        def make(some: Sequence[Clip] = some, names: Sequence[str] = names, at: int = start) -> Mapping[str, Tensor]:
            video = Clip.stack([c.only("rgb") for c in some])
            dream = subject.model.inpaint(video, mask, seed=subject.seed + at, guidance=subject.guided(names), **said(some, names))
            return {"rgb": as_uint8(dream.rgb)}

        asked = [subject.key, key_of(some), key_of_mask(mask), names, subject.guided(names), subject.seed + start]
        kept = subject.kept.tensors("inpaint", asked, make)
        done += [clip.only("rgb").replace(rgb=rgb) for clip, rgb in zip(some, kept["rgb"], strict=True)]
        subject.progress(f"{subject.name}: inpainting", len(done), len(clips))
    return done


def key_of_mask(mask: Tensor) -> list[list[int]]:
    """The mask's pixels, for a key."""
    return [[int(v) for v in where] for where in mask.nonzero()[[0, -1]]]


def samples_of(source: str, clips: Sequence[Clip], filled: Sequence[Tensor], mask: Tensor, lpips: bool) -> list[Sample]:
    """PSNR inside the mask, LPIPS of the whole frames, the jump of colour across the mask's border beyond the truth's, and by how
    many levels of 255 pixels outside differ at most; of videos [t,3,h,w]."""
    network = LPIPS().build() if lpips else None
    rows = []
    for i, (clip, video) in enumerate(zip(clips, filled, strict=True)):
        values = _values(as_float(clip.rgb), as_float(as_uint8(video)), mask, network)
        rows.append(Sample("inpainting", "", i, source, values))
    return rows


def table_of(samples: Sequence[Sample], lpips: bool, seed: int = 0) -> Table:
    """A row per source."""
    notes = (
        "A box of a seventh of the picture is hidden in all frames. seam: the mean jump of colour across the box's border less the "
        "truth's. outside: the largest change of a pixel that was not hidden, in levels of 255.",
    )
    return Table((*COLUMNS, LPIPS_COLUMN) if lpips else COLUMNS, tuple(samples), seed=seed, notes=notes)


def _values(truth: Tensor, video: Tensor, mask: Tensor, network: Perceptual | None) -> dict[str, float]:
    hidden, true = (x[..., mask][..., None, :] for x in (video, truth))
    values = {
        "psnr_inside": float(psnr(hidden, true).mean()),
        "seam": _jump(video, mask) - _jump(truth, mask),
        "outside": 255 * float((video - truth).abs()[..., ~mask].max()),
    }
    if network is not None:
        with torch.inference_mode():
            values["lpips"] = float(network(video, truth).double().mean())
    return values


def _jump(video: Tensor, mask: Tensor) -> float:
    """Mean |difference| of neighbours of which one is masked."""
    total, count = 0.0, 0
    for axis in (-1, -2):
        n = mask.shape[axis]
        crossing = mask.narrow(axis, 1, n - 1) != mask.narrow(axis, 0, n - 1)
        apart = (video.narrow(axis, 1, n - 1) - video.narrow(axis, 0, n - 1)).abs()[..., crossing]
        total, count = total + float(apart.sum()), count + apart.numel()
    return total / max(count, 1)
