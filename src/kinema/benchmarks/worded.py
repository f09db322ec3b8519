"""Whether words choose what is dreamt: a classifier of scenarios, trained on true clips, looks at dreams from captions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip, as_float
from ..core.rng import stream
from ..experts import I3D
from ..metrics.frechet import resize
from .kept import Kept, key_of
from .table import Column, Sample, Table

CODEC = ": codec"  # ends the name of what a model's codec makes of the true clips
FOLDS = 5
COLUMNS = (Column("accuracy", "share", True),)
_AT_ONCE = 4  # clips encoded at once
_PENALTY = 3e-2  # of squared weights, for standardised features
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """How clips are looked at: by I3D's logits, or without `real` by a few pixels and their change."""

    real: bool = True
    device: str = "cpu"

    @property
    def name(self) -> str:
        """What it is called in notes."""
        plain = "8 x 8 px of three frames, and how much each changes (I3D has no weights here, or too few frames)"
        return "I3D's 400 logits" if self.real else plain

    def __call__(self, clips: Sequence[Clip], kept: Kept) -> Tensor:
        """Features [n,width] float64."""
        encoder, done = I3D(), []
        for start in range(0, len(clips), _AT_ONCE):
            some = clips[start : start + _AT_ONCE]

            def make(some: Sequence[Clip] = some) -> Mapping[str, Tensor]:
                rgb = as_float(torch.stack([c.rgb for c in some]))
                return {"x": self._real(encoder, rgb) if self.real else _plain(rgb)}

            done.append(kept.tensors("features", [self.real, [key_of([c.only("rgb")]) for c in some]], make)["x"])
        return torch.cat(done).double()

    def _real(self, encoder: I3D, rgb: Tensor) -> Tensor:
        small = resize(rgb.flatten(0, 1).to(self.device), encoder.size, "corner")
        return encoder(Clip(fps=1, rgb=small.reshape(*rgb.shape[:3], *small.shape[-2:]), batched=True)).cpu()


def _plain(rgb: Tensor) -> Tensor:
    small = F.adaptive_avg_pool2d(rgb.flatten(0, 1), 8).reshape(*rgb.shape[:3], 8, 8)
    ends = small[:, [0, rgb.shape[1] // 2, -1]]
    return torch.cat([ends.flatten(1), small.std(1).flatten(1)], 1)


@dataclass(frozen=True)
class Classifier:
    """Multinomial logistic regression on standardised features, with an L2 penalty."""

    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, features: Tensor, labels: Labels, classes: int) -> Classifier:
        """Of features [n,d] float64 and labels 0..classes-1, each class weighing the same."""
        mean, std = features.mean(0), features.std(0).clamp(min=1e-6)
        x, y = (features - mean) / std, torch.from_numpy(labels)
        share = 1 / torch.bincount(y, minlength=classes).clamp(min=1).double()
        weight = torch.zeros(classes, x.shape[1], dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            solver.zero_grad()
            loss = F.cross_entropy(x @ weight.T + bias, y, weight=share) + _PENALTY * weight.square().sum() / 2
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
        return cls(mean, std, weight.detach(), bias.detach())

    def __call__(self, features: Tensor) -> Labels:
        """The likeliest class of each [n]."""
        return np.asarray((((features - self.mean) / self.std) @ self.weight.T + self.bias).argmax(1).numpy(), np.int64)


def folds(count: int, seed: int) -> Labels:
    """Which fold [n] each clip is in, at random."""
    return np.asarray(stream("folds", seed).permutation(count) % FOLDS, np.int64)


def judged(truth: Tensor, labels: Labels, dreams: Mapping[str, Tensor], seed: int = 0) -> dict[str, Labels]:
    """What each clip [n] is taken for, of the truth and of each dream of the same captions, by a classifier that did not see that
    clip's truth in training.

    Where "NAME: codec" is among the dreams, what NAME dreams is judged by one that knows the true clips through that codec as well,
    so that a codec's blur is not taken for another scenario."""
    classes, fold = int(labels.max()) + 1, folds(len(labels), seed)
    seen = {source: np.full(len(labels), -1) for source in ("truth", *dreams)}
    for k in range(FOLDS):
        out = fold == k
        if not out.any():
            continue
        known, asked = torch.from_numpy(~out), torch.from_numpy(out)
        for source, features in {"truth": truth, **dreams}.items():
            coded = dreams.get(f"{source.removesuffix(CODEC)}{CODEC}")
            learnt = [truth[known]] if coded is None else [truth[known], coded[known]]
            classifier = Classifier.fit(torch.cat(learnt), np.tile(labels[~out], len(learnt)), classes)
            seen[source][out] = classifier(features[asked])
    return seen


def table_of(names: Sequence[str], labels: Labels, seen: Mapping[str, Labels], look: str, seed: int = 0) -> Table:
    """The share of clips taken for the scenario that their caption tells of, in all and by scenario; chance beside it."""
    samples = []
    for source, found in {**seen, "chance": None}.items():
        for i, label in enumerate(labels):
            hit = 1 / len(names) if found is None else float(found[i] == label)
            samples += [Sample("all", "", i, source, {"accuracy": hit}), Sample(names[label], "", i, source, {"accuracy": hit})]
    samples.sort(key=lambda s: s.case != "all")
    note = f"Logistic regression on {look}, {FOLDS}-fold: a clip is judged by a classifier that did not see its truth, and knows the codec."
    return Table(COLUMNS, tuple(samples), seed=seed, notes=(note,))


def confusion(names: Sequence[str], labels: Labels, found: Labels) -> dict[str, Any]:
    """How many clips of each scenario (rows) were taken for each (columns)."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (labels, found), 1)
    return {"names": list(names), "counts": counts.tolist()}
