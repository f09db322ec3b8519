"""Fréchet distance of two sets of videos in a network's features; with I3D's features it is FVD (Unterthiner et al. 2018)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from torch import Tensor

from ..core.clip import Clip, as_float, as_uint8
from ..core.contracts import Encoder
from ..core.errors import UserError

Array = NDArray[np.float64]

I3D_WEIGHTS = "i3d-kinetics400"
_BATCH = {"cpu": 4, "cuda": 32}  # clips encoded at once
_PARTS = 10  # of the sets, left out in turn for the interval
_95 = 2.262  # Student's t of nine degrees of freedom


@dataclass(frozen=True)
class Convention:
    """How an implementation turns videos into a distance: resizing, covariance, and root of the covariances' product.

    `resize`: "corner" bilinear onto the square, pixel 0 onto pixel 0 (TensorFlow 1's default); "stretch" bilinear onto the
    square, centres aligned; "crop" the shorter side, centres aligned, then the central square. None has an antialias
    filter. `unbiased`: the covariance divides by N - 1, else by N. `root`: "eigen" by eigenvalues of the symmetric form,
    "svd" as tensorflow-gan does it, "sqrtm" scipy's root of the plain product.

    The network is one for all: I3D as trained, its batch norms with epsilon 1e-3. The released ports of VideoGPT and cd-fvd take
    1e-5 there, which makes their values 0.2 to 0.25 % larger than those here.
    """

    resize: Literal["corner", "stretch", "crop"]
    unbiased: bool
    root: Literal["eigen", "svd", "sqrtm"]
    source: str


CONVENTIONS: Mapping[str, Convention] = MappingProxyType({
    "original": Convention("corner", True, "eigen", "google-research/frechet_video_distance"),
    "stylegan-v": Convention("stretch", False, "sqrtm", "universome/stylegan-v"),
    "videogpt": Convention("crop", True, "svd", "wilson1yan/VideoGPT"),
    "common-metrics": Convention("crop", True, "sqrtm", "JunyaoHu/common_metrics_on_video_quality, method styleganv"),
    "cd-fvd": Convention("stretch", False, "sqrtm", "songweige/content-debiased-fvd, model i3d"),
})


class Moments:
    """Running sums of features in float64: what mean and covariance need, in constant memory."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.sum: Array = np.zeros(width)
        self.outer: Array = np.zeros((width, width))

    def add(self, features: Array) -> None:
        """Features [b, width]."""
        self.count += len(features)
        self.sum += features.sum(0)
        self.outer += features.T @ features

    def __sub__(self, other: Moments) -> Moments:
        left = Moments(len(self.sum))
        left.count, left.sum, left.outer = self.count - other.count, self.sum - other.sum, self.outer - other.outer
        return left

    def mean_and_covariance(self, unbiased: bool) -> tuple[Array, Array]:
        """(mean [width], covariance [width, width]) of at least two vectors."""
        mean = self.sum / self.count
        covariance = (self.outer - self.count * np.outer(mean, mean)) / (self.count - unbiased)
        return mean, (covariance + covariance.T) / 2


def frechet(a: Moments, b: Moments, *, unbiased: bool = True, root: Literal["eigen", "svd", "sqrtm"] = "eigen") -> float:
    """|m_a - m_b|^2 + tr(A + B - 2 (A B)^1/2), the squared Fréchet distance of two Gaussians (Dowson & Landau 1982)."""
    (mean_a, cov_a), (mean_b, cov_b) = a.mean_and_covariance(unbiased), b.mean_and_covariance(unbiased)
    shift = float(np.square(mean_a - mean_b).sum())
    return shift + float(np.trace(cov_a) + np.trace(cov_b)) - 2 * _trace_of_root(cov_a, cov_b, root)


class Features:
    """One of the two sets: the moments of its features, in parts of which one after the other can be left out."""

    def __init__(self, width: int) -> None:
        self.total = Moments(width)
        self.parts = [Moments(width) for _ in range(_PARTS)]

    def add(self, features: Array) -> None:
        """Features [b, width]; clip i goes to part i mod 10."""
        for row, place in zip(features, range(self.total.count, self.total.count + len(features)), strict=True):
            self.parts[place % _PARTS].add(row[None])
        self.total.add(features)


class FVD:
    """Fréchet video distance of two sets of clips by a convention of CONVENTIONS; lower is better.

    `encoder` is `experts.I3D()`, and `name` then "fvd", by another convention than the original "fvd-<convention>". Features
    of any other encoder give a distance that is not called so, but `frechet_distance[<weights>]`. Clips stream through
    `update`, in any order and in portions of any size; memory does not grow with their number. All frames count, given ones
    too; all clips must agree in frames and size. It runs on `device` (default: the first GPU, else the CPU), `batch` clips
    at once (default: 4 on a CPU, 32 on a GPU).

    The estimate grows as clips get fewer (the covariance of 400 features is estimated), so compare at equal counts only.
    """

    def __init__(self, encoder: Encoder, *, convention: str = "original", device: str | None = None, batch: int | None = None) -> None:
        if convention not in CONVENTIONS:
            raise UserError(f"there is no FVD convention named {convention!r}; there are {', '.join(CONVENTIONS)}")
        if batch is not None and batch < 1:
            raise UserError(f"at least 1 clip must be encoded at once, got batch {batch}")
        real = encoder.weights == I3D_WEIGHTS and encoder.pretrained
        self.name = fvd_name(convention) if real else f"frechet_distance[{encoder.weights}]"
        self.unit, self.higher_is_better = "1", False
        self.encoder, self.convention = encoder, convention
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.batch = batch or _BATCH.get(self.device.type, _BATCH["cpu"])
        self.dreams, self.truths = _Side(encoder.width), _Side(encoder.width)

    def beside(self) -> FVD:
        """Another FVD by the same truths, which it shares: feed it dreams alone, `update(dreams, ())`."""
        other = FVD(self.encoder, convention=self.convention, device=str(self.device), batch=self.batch)
        other.truths = self.truths
        return other

    def update(self, dreams: Iterable[Clip], truths: Iterable[Clip]) -> None:
        """Take in more clips, or batches of clips; either side may be empty.

        Raises UserError for NaN pixels, for clips too short, and for frames or sizes that differ from those before.
        """
        for side, clips in ((self.dreams, dreams), (self.truths, truths)):
            for clip in _singles(clips):
                side.waiting.append(self._checked(clip, side))
                if len(side.waiting) == self.batch:
                    self._encode(side)

    def compute(self) -> float:
        """The distance of the clips so far. Raises UserError where a side has fewer than two."""
        a, b = self._both()
        return self._distance(a.total, b.total)

    def interval(self) -> tuple[float, float]:
        """95 % interval of the distance at this number of clips, by a jackknife over tenths of both sets.

        It says how much the figure moves with the choice of clips; the bias of few clips it does not cover. Clip i of the
        dreams and clip i of the truths are left out together. NaN where a set has fewer than 10 clips.
        """
        a, b = self._both()
        if min(a.total.count, b.total.count) < _PARTS:
            return math.nan, math.nan
        left = np.array([self._distance(a.total - p, b.total - q) for p, q in zip(a.parts, b.parts, strict=True)])
        spread = _95 * math.sqrt((_PARTS - 1) * float(np.mean((left - left.mean()) ** 2)))
        value = self._distance(a.total, b.total)
        return max(value - spread, 0.0), value + spread

    def about(self) -> dict[str, Any]:
        """What the number must be printed with: convention, features, clip length, resolution, counts."""
        how = CONVENTIONS[self.convention]
        frames, height, width = self.dreams.shape or self.truths.shape or (0, 0, 0)
        return {
            "name": self.name, "convention": self.convention, "features": self.encoder.weights, "frames": frames,
            "size_px": [width, height], "encoded_px": self.encoder.size, "dreams": self.dreams.count, "truths": self.truths.count,
            "resize": how.resize, "covariance": "unbiased" if how.unbiased else "biased", "root": how.root, "source": how.source,
        }  # fmt: skip

    def note(self) -> str:
        """The same as a sentence for a table."""
        says = self.about()
        few = min(says["dreams"], says["truths"]) <= self.encoder.width
        return (
            f"{self.name}: convention {says['convention']}, {says['features']}, clips of {says['frames']} frames, "
            f"{says['size_px'][0]} x {says['size_px'][1]} px resized to {says['encoded_px']}, "
            f"{says['dreams']} dreams against {says['truths']} true clips"
            + (f"; so few clips for {self.encoder.width} features bias it upwards." if few else ".")
        )

    def _both(self) -> tuple[Features, Features]:
        for side, kind in ((self.dreams, "dreams"), (self.truths, "true clips")):
            if side.waiting:
                self._encode(side)
            if side.count < 2:
                raise UserError(f"{self.name} needs at least 2 {kind}, got {side.count}")
        return self.dreams.features, self.truths.features

    def _distance(self, a: Moments, b: Moments) -> float:
        how = CONVENTIONS[self.convention]
        return frechet(a, b, unbiased=how.unbiased, root=how.root)

    def _checked(self, clip: Clip, side: _Side) -> Tensor:
        rgb: Tensor = clip.rgb
        where = f"{clip.meta['file']}: " if "file" in clip.meta else ""
        if rgb.dtype != torch.uint8 and not torch.isfinite(rgb).all():
            raise UserError(f"{where}has NaN or infinite pixels, which {self.name} cannot judge")
        shape = (clip.num_frames, *clip.size)
        if shape[0] < self.encoder.shortest:
            raise UserError(f"{where}{self.name} needs clips of at least {self.encoder.shortest} frames, got {shape[0]}")
        known = self.dreams.shape or self.truths.shape or shape
        if shape != known:
            said = [f"{t} frames of {w} x {h} px" for t, h, w in (known, shape)]
            raise UserError(f"{where}{self.name} compares clips of one length and size: {said[0]} before, now {said[1]}")
        side.shape = shape
        return as_uint8(rgb)

    def _encode(self, side: _Side) -> None:
        frames = as_float(torch.stack(side.waiting).to(self.device))
        side.waiting.clear()
        small = resize(frames.flatten(0, 1), self.encoder.size, CONVENTIONS[self.convention].resize)
        features = self.encoder(Clip(fps=1, rgb=small.reshape(*frames.shape[:3], *small.shape[-2:]), batched=True))
        side.features.add(features.cpu().double().numpy())


class _Side:
    """One set: its features, and clips (uint8 [t,3,h,w]) that wait until a batch is full."""

    def __init__(self, width: int) -> None:
        self.features = Features(width)
        self.waiting: list[Tensor] = []
        self.shape: tuple[int, int, int] | None = None

    @property
    def count(self) -> int:
        return self.features.total.count + len(self.waiting)


def fvd_name(convention: str) -> str:
    """What FVD by a convention is called: "fvd" by the original one, else with the convention's name."""
    return "fvd" if convention == "original" else f"fvd-{convention}"


def resize(frames: Tensor, size: int, how: Literal["corner", "stretch", "crop"]) -> Tensor:
    """Frames [n,3,h,w] as [n,3,size,size], bilinear without antialias, by a convention's way."""
    height, width = frames.shape[-2:]
    if how == "corner":
        return _corner(_corner(frames, size, -2), size, -1)
    if how == "crop":
        scale = size / min(height, width)
        height, width = (size if n == min(height, width) else math.ceil(n * scale) for n in (height, width))
        frames = F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
        top, left = (height - size) // 2, (width - size) // 2
        return frames[..., top : top + size, left : left + size]
    return F.interpolate(frames, (size, size), mode="bilinear", align_corners=False)


def _corner(x: Tensor, size: int, axis: int) -> Tensor:
    """Output pixel i reads between the pixels around i n / size; the last one has no neighbour beyond."""
    n = x.shape[axis]
    if n == size:
        return x
    place = torch.arange(size, device=x.device, dtype=torch.float64) * n / size
    low = place.long()
    weight = (place - low).to(x.dtype).reshape(-1, *(1,) * (-axis - 1))
    return torch.lerp(x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=n - 1)), weight)


def _trace_of_root(a: Array, b: Array, root: Literal["eigen", "svd", "sqrtm"]) -> float:
    """tr (a b)^1/2 of two covariances."""
    if root == "sqrtm":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few clips the product is singular, which the trace survives
            return float(np.trace(sqrtm(a @ b)).real)
    if root == "svd":
        half = _svd_root(a)
        return float(np.trace(_svd_root(half @ b @ half)))
    values, vectors = np.linalg.eigh(a)
    half = (vectors * _root_of(values)) @ vectors.T
    return float(_root_of(np.linalg.eigvalsh(half @ b @ half)).sum())


def _root_of(values: Array) -> Array:
    """Roots of eigenvalues; those that rounding makes of zeros stay zeros, since their roots would add up."""
    return np.sqrt(np.where(values > values.max() * len(values) * np.finfo(float).eps, values, 0.0))


def _svd_root(matrix: Array) -> Array:
    """tensorflow-gan's root of a symmetric matrix, which leaves singular values below 1e-10 as they are."""
    u, s, v = np.linalg.svd(matrix)
    return np.asarray((u * np.where(s < 1e-10, s, np.sqrt(s))) @ v)


def _singles(clips: Iterable[Clip]) -> Iterable[Clip]:
    if isinstance(clips, Clip) and not clips.batched:
        raise UserError("a set of clips was expected, got a single clip: give a list, or a batch")
    for clip in clips:
        yield from clip if clip.batched else (clip,)
