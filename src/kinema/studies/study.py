"""What a study is made of: models to train (points), clips to ask them about (tests), claims to check (findings)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from .. import simulators
from ..core.config import name_of, to_json
from ..core.errors import UserError
from ..data import Dataset
from ..training import Stage
from .budget import Budget
from .judges import VERSION, Judge, Motion

if TYPE_CHECKING:
    from .found import Found
    from .page import Drawing, Sheet

Label = str | float
Verdict = Literal["shows", "does not show", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Test:
    """Clips that models are asked to continue: `data` is finite and of seeds that no training stream draws from.

    `labels` say of all its clips what a table groups by; `judge` gives the figures of each.
    """

    __test__ = False  # pytest collects classes of this name

    name: str
    data: Dataset
    labels: Mapping[str, Label] = field(default_factory=dict)
    judge: Judge = field(default_factory=Motion)

    @cached_property
    def key(self) -> str:
        """What the clips and the judge are, whatever the test's name."""
        return digest(self.data, self.judge, VERSION)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One trained model of a study and what it is asked. Points of any studies with the same `stage` are one model.

    `check` raises UserError where the point cannot be trained here, for want of weights say; the other points still are.
    """

    name: str
    stage: Stage
    tests: tuple[Test, ...]
    about: str = ""
    labels: Mapping[str, Label] = field(default_factory=dict)
    check: Callable[[], object] | None = None

    @cached_property
    def key(self) -> str:
        """What is trained, whatever the point's name."""
        return digest(self.stage)

    @property
    def folder(self) -> str:
        """The name of the point's folder."""
        return f"{slug(self.name)}-{self.key}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim of the paper, checked by a rule on confidence intervals; `evidence` holds the numbers."""

    statement: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, the models and clips that answer it, and how the answer is shown.

    `points(budget)` is the plan; `tables`, `figures` and `findings` read what was found, some of which may be missing.
    `claim` says what the paper found, `source` where. `several`: the budget may list several sizes and amounts of data.
    """

    name: str
    title: str
    question: str
    claim: str
    source: str
    points: Callable[[Budget], tuple[Point, ...]]
    tables: Callable[[Found], tuple[Sheet, ...]]
    figures: Callable[[Found], tuple[Drawing, ...]]
    findings: Callable[[Found], tuple[Finding, ...]]
    several: bool = False

    def plan(self, budget: Budget) -> tuple[Point, ...]:
        """The points at this budget. Raises UserError where the study trains one size on one amount of data and several are given."""
        if not self.several and len(budget.pairs()) > 1:
            raise UserError(f"study {self.name} trains one size on one number of videos; several were given with --size or --videos")
        return self.points(budget)


def digest(*values: Any) -> str:
    """Twelve characters that differ where parts differ; a field that has its default counts as not there, so that a part which
    grows a field keeps its key. The version of the simulators' pixels has a say too."""
    plain = json.dumps([simulators.VERSION, *map(_essence, values)], sort_keys=True)
    return hashlib.blake2b(plain.encode(), digest_size=6).hexdigest()


def slug(name: str) -> str:
    """A name as a file's: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def _essence(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        said = {f.name: getattr(value, f.name) for f in fields(value) if f.init and getattr(value, f.name) != _default(f)}
        return {"part": name_of(type(value)), **{key: _essence(v) for key, v in said.items()}}
    if isinstance(value, tuple | list):
        return [_essence(v) for v in value]
    return to_json(value)


def _default(f: Any) -> Any:
    if f.default is not MISSING:
        return f.default
    return MISSING if f.default_factory is MISSING else f.default_factory()
