"""Running a study: train what is missing, ask it, keep the rows. Killed at any moment, the same command goes on."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..core.config import to_json
from ..core.errors import UserError
from ..training import Stage
from ..training import run as train
from ..training.estimate import estimate
from ..world_model import WorldModel
from .budget import Budget
from .evaluate import ask, yardsticks
from .found import Found
from .rows import Rows
from .store import Store, finished, sweep
from .study import Point, Study


@dataclass(frozen=True)
class Planned:
    """One line of a plan: `state` is "done", "trained" (rows are missing), "begun", "to do" or "refused", with the reason;
    `seconds` are those left to train."""

    point: Point
    state: str
    seconds: float


def found(study: Study, budget: Budget, store: Store) -> Found:
    """What there is of a study at a budget."""
    points = study.plan(budget)
    rows = Rows(tuple(row for p in points for row in store.read(p)))
    return Found(budget=budget, points=points, rows=rows, shown={place: file for p in points for place, file in store.shown(p).items()})


def plan(points: Sequence[Point], store: Store, clock: Clock | None = None) -> list[Planned]:
    """The points, what is there of each, and how long the rest will take to train on this machine."""
    clock = Clock() if clock is None else clock
    planned = []
    for p in points:
        if reason := refusal(p, store):
            planned.append(Planned(p, f"refused: {reason}", 0.0))
        else:
            planned.append(Planned(p, state(p, store), _seconds(p, store, clock)))
    return planned


def refusal(point: Point, store: Store) -> str:
    """Why a point cannot be trained here; empty where it can, or has been."""
    if point.check is None or store.trained(point):
        return ""
    try:
        point.check()
    except UserError as error:
        return str(error)
    return ""


def state(point: Point, store: Store) -> str:
    """How far a point is."""
    if store.done(point):
        return "done"
    if store.trained(point):
        return "trained"
    return "begun" if (store.folder(point) / "stage.json").exists() else "to do"


def choose(points: Sequence[Point], names: Sequence[str]) -> tuple[Point, ...]:
    """The points of these names (`gap-*` stands for several); all where there are none. Raises UserError for a name that is no point's."""
    for name in names:
        if not any(fnmatchcase(p.name, name) for p in points):
            raise UserError(f"--points: there is no point {name!r}; there are {'; '.join(p.name for p in points)}")
    return tuple(p for p in points if not names or any(fnmatchcase(p.name, name) for name in names))


def run(points: Sequence[Point], store: Store, clock: Clock | None = None) -> Rows:
    """Train and ask every point that is not done; gives the rows of all. What another process is at comes later, and is waited for
    if nothing else is left."""
    asked = tuple(points)
    reasons = [refusal(p, store) for p in points]
    for p, reason in zip(points, reasons, strict=True):
        if reason:
            _say(f"{p.name}: left out: {reason}")
    points = unique([p for p, reason in zip(points, reasons, strict=True) if not reason])
    clock = Clock() if clock is None else clock
    todo = [p for p in points if not store.done(p)]
    try:
        while todo:
            point = next((p for p in todo if not store.busy(p.key)), todo[0])
            _say(f"[{len(points) - len(todo) + 1}/{len(points)}] {point.name}{_left(todo, store, clock)}")
            with store.only_one(point.key, lambda p=point: _say(f"{p.name}: another process is at it; waiting")):  # type: ignore[misc]
                _train(point, store, clock)
                _ask(point, store)
            todo.remove(point)
    except KeyboardInterrupt:
        done = sum(store.done(p) for p in points)
        raise KeyboardInterrupt(f"interrupted with {done} of {len(points)} points done; the same command goes on from there") from None
    return Rows(tuple(row for p in asked for row in store.read(p)))


def unique(points: Sequence[Point]) -> list[Point]:
    """The points without those that are the same model asked the same tests; a model keeps the union of its tests."""
    merged: dict[str, Point] = {}
    for p in points:
        if p.key in merged:
            first = merged[p.key]
            known = {t.key for t in first.tests}
            more = tuple(t for t in p.tests if t.key not in known)
            p = Point(name=first.name, stage=first.stage, tests=(*first.tests, *more), about=first.about, labels=first.labels)
        merged[p.key] = p
    return list(merged.values())


def _train(point: Point, store: Store, clock: Clock) -> None:
    folder = store.folder(point)
    if not store.trained(point):
        sweep(folder)
        began = time.monotonic()
        fresh = not (folder / "stage.json").exists()
        train(point.stage, folder, resume=not fresh)
        if fresh:
            clock.learn(point.stage, time.monotonic() - began)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # the model is there; a study has no more use for them


def _ask(point: Point, store: Store) -> None:
    missing = store.missing(point)
    if not missing:
        return
    model = WorldModel.from_pretrained(store.model(point))
    for test in missing:
        path = store.rows_of(point, test)
        if not finished(path):
            with _Said(f"  {test.name}: dreams") as progress:
                ask(model, test, path, progress)
        beside = store.yardsticks_of(point, test)
        with store.only_one(beside.parent.name):
            if not finished(beside):
                with _Said(f"  {test.name}: yardsticks") as progress:
                    yardsticks(model, test, beside, progress)


@dataclass
class Clock:
    """Seconds that stages take, estimated once per kind of network, and corrected by what was seen."""

    known: dict[str, float] = field(default_factory=dict)

    def seconds(self, stage: Stage) -> float:
        """Training time of a stage."""
        key = _kind(stage)
        if key not in self.known:
            self.known[key] = estimate(stage).step_seconds
        return self.known[key] * stage.train.steps

    def learn(self, stage: Stage, seconds: float) -> None:
        """A whole run took so long."""
        self.known[_kind(stage)] = seconds / stage.train.steps


def _kind(stage: Stage) -> str:
    return json.dumps([to_json(stage.blueprint), stage.train.batch, stage.train.accumulate, stage.codec, stage.cache])


def _seconds(point: Point, store: Store, clock: Clock) -> float:
    share = store.left(point)
    return share * clock.seconds(point.stage) if share else 0.0


def _left(points: Sequence[Point], store: Store, clock: Clock) -> str:
    seconds = sum(_seconds(p, store, clock) for p in points)
    return f", about {spell(seconds)} of training left in all" if seconds else ""


def spell(seconds: float) -> str:
    """A length of time for people.

    >>> spell(45), spell(600), spell(40000)
    ('45 s', '10 min', '11.1 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class _Said:
    """Progress of clips: one line that counts in a terminal, now and then a line elsewhere."""

    def __init__(self, what: str) -> None:
        self.what, self.live, self.spoke = what, sys.stderr.isatty(), time.monotonic()

    def __enter__(self) -> _Said:
        return self

    def __call__(self, done: int, total: int) -> None:
        if self.live:
            print(f"\r{self.what} {done}/{total}", end="", file=sys.stderr, flush=True)
        elif done == total or time.monotonic() - self.spoke > 30:
            self.spoke = time.monotonic()
            _say(f"{self.what} {done}/{total}")

    def __exit__(self, *_: Any) -> None:
        if self.live:
            print(file=sys.stderr)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
