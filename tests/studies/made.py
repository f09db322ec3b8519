"""Rows as a model would leave them that answers as a test says: no network, no pixels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from kinema.core import Clip
from kinema.core.rng import stream
from kinema.simulators import World
from kinema.studies import Budget, Found, Point, Row, Rows, Study, Test
from kinema.studies.rows import params_of

Answer = Callable[[Point, Test, Mapping[str, Any]], Mapping[str, Any]]


def made(study: Study, budget: Budget, answer: Answer, beside: Answer, points: Callable[[str], bool] = lambda name: True) -> Found:
    """The study with `answer` as what is read off every dream and `beside` as what is read off repeated frames."""
    plan = study.plan(budget)
    rows = []
    for point in plan:
        if not points(point.name):
            continue
        for test in point.tests:
            labels = {"point": point.name, "test": test.name, **point.labels, **test.labels}
            for i in range(len(test.data)):
                params = _params(test.data.scenario, test.data.seed, i)
                rows.append(Row("dream", i, params, answer(point, test, params), labels))
                rows.append(Row("repeat", i, params, beside(point, test, params), labels))
                rows.append(Row("floor", i, params, dict.fromkeys(beside(point, test, params), 0.01), labels))
    return Found(budget=budget, points=plan, rows=Rows(tuple(rows)))


@functools.lru_cache(maxsize=8192)
def _params(world: World, seed: int, index: int) -> Mapping[str, Any]:
    """A clip's parameters, drawn as `simulators.make` draws them, without its motion."""
    params = world.sample(stream(world.name, seed, index), index)
    return params_of(Clip(fps=world.fps, meta={"params": params}))


def verdicts(study: Study, found: Found) -> dict[str, str]:
    """Every finding's verdict by its statement."""
    return {f.statement: f.verdict for f in study.findings(found)}
