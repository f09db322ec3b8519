"""Rules by which a claim is checked: on intervals, never on means alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..benchmarks.table import Figure
from .study import Finding, Verdict

MISSING = "models of this claim are missing, or nothing can be read off their dreams"


def known(*figures: Figure) -> bool:
    """Whether all figures have a value and an interval."""
    return all(f.count > 1 and not math.isnan(f.mean) for f in figures)


def below(a: Figure, b: Figure, factor: float = 1.0) -> Verdict:
    """"shows" where all of a's interval lies below `factor` times b's, "does not show" where all of it lies above."""
    if not known(a, b):
        return "undecided"
    if a.high < factor * b.low:
        return "shows"
    return "does not show" if a.low > factor * b.high else "undecided"


def under(a: Figure, limit: float) -> Verdict:
    """"shows" where a's interval lies below a number, "does not show" where it lies above."""
    return below(a, Figure(limit, limit, limit, 2))


def over(a: Figure, limit: float) -> Verdict:
    """"shows" where a's interval lies above a number."""
    return contrary(under(a, limit))


def contrary(verdict: Verdict) -> Verdict:
    """The verdict on the opposite claim."""
    swap: dict[Verdict, Verdict] = {"shows": "does not show", "does not show": "shows", "undecided": "undecided"}
    return swap[verdict]


def every(verdicts: Sequence[Verdict]) -> Verdict:
    """"shows" where all show, "does not show" where one does not."""
    if not verdicts:
        return "undecided"
    if "does not show" in verdicts:
        return "does not show"
    return "undecided" if "undecided" in verdicts else "shows"


def if_learnt(findings: Sequence[Finding], trained: Figure, repeat: Figure) -> tuple[Finding, ...]:
    """The findings, all undecided where a model has not learnt what it was trained on: where its error there is not below
    half of what repeating the last given frame errs, nothing follows from its errors elsewhere."""
    if below(trained, repeat, 0.5) == "shows":
        return tuple(findings)
    why = f"the model has not learnt its training range: error {trained} there, {repeat} by repeating the last frame"
    return tuple(Finding(statement=f.statement, verdict="undecided", evidence=f"{why}; {f.evidence}") for f in findings)


def finding(statement: str, verdict: Verdict, evidence: Mapping[str, Figure | str]) -> Finding:
    """A finding whose evidence names its figures."""
    said = "; ".join(f"{name} {value}" for name, value in evidence.items())
    if verdict == "undecided" and not all(known(v) for v in evidence.values() if isinstance(v, Figure)):
        said = f"{said} ({MISSING})" if said else MISSING
    return Finding(statement=statement, verdict=verdict, evidence=said)
