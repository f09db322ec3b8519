"""Metrics of whole sets of clips in benchmarks: clips stream through, a figure per group and source comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..core.clip import Clip
from ..core.errors import UserError
from ..core.registry import find
from ..experts import I3D
from ..metrics import FVD, SET_METRICS
from .table import Figure

SOURCES = ("dream", "codec", "repeat")  # which are held against the truth: the floor is the truth, the textbook has its own look
Key = tuple[str, str, str, str]  # case, split, source, metric


def apart(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names of metrics of clips, and of sets of clips, each once and in order."""
    ordered = list(dict.fromkeys(names))
    return [n for n in ordered if n not in SET_METRICS], [n for n in ordered if n in SET_METRICS]


class Sets:
    """The named set metrics, by group and source. Raises MissingWeights at once where an encoder's weights are absent."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.encoder = I3D()
        if self.names:
            find(self.encoder.weights)
        self.metrics = [SET_METRICS[name](self.encoder) for name in self.names]
        self._open: dict[Key, FVD] = {}
        self._figures: dict[Key, Figure] = {}
        self._notes: dict[str, list[str]] = {}

    def update(self, case: str, split: str, sources: Mapping[str, Sequence[Clip]], truths: Sequence[Clip]) -> None:
        """More clips of a group: the videos of every source, and their truths."""
        for name in self.names:
            first: FVD | None = None
            for source in (s for s in SOURCES if s in sources):
                key = (case, split, source, name)
                if key not in self._open:
                    self._open[key] = first.beside() if first else SET_METRICS[name](self.encoder)
                self._open[key].update(sources[source], () if first else truths)
                first = first or self._open[key]

    def close(self, case: str, split: str) -> None:
        """Read a group's figures and let go of its sums. Raises UserError where it has fewer than two clips."""
        for key in [k for k in self._open if k[:2] == (case, split)]:
            metric = self._open.pop(key)
            try:
                value, (low, high) = metric.compute(), metric.interval()
            except UserError as error:
                raise UserError(f"{' '.join(key[:2]).strip()}: {error}") from None
            self._figures[(*key[:3], metric.name)] = Figure(value, low, high, metric.about()["dreams"])
            if key[2] == SOURCES[0]:
                self._notes.setdefault(metric.note(), []).append(" ".join(key[:2]).strip())

    def figures(self) -> dict[Key, Figure]:
        """What was found, of all groups; open ones are closed."""
        for case, split in dict.fromkeys(key[:2] for key in self._open):
            self.close(case, split)
        return dict(self._figures)

    def notes(self) -> list[str]:
        """How the figures were made, said once where groups share it."""
        if not self._figures:
            return []
        return [*self._notes, "The interval of a set metric: jackknife over tenths of the clips; it does not cover the bias of few clips."]
