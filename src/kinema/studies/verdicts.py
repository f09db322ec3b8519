"""Rules by which a claim is checked: on intervals, never on means alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..benchmarks.table import Figure
from .study import Finding, Verdict

FEWEST = 10  # clips: of fewer, a percentile bootstrap's "95 %" covers far less (half to three quarters of the time for 2 to 6)
MISSING = "models of this claim are missing, or nothing can be read off their dreams"


def known(*figures: Figure) -> bool:
    """Whether all figures have a value, of clips enough for an interval that can be trusted."""
    return all(f.count >= FEWEST and not math.isnan(f.mean) for f in figures)


def told(figure: Figure) -> str:
    """A figure as evidence: with how many clips it is of where these are too few, and how many had to be left out."""
    notes = []
    if 0 < figure.count < FEWEST:
        notes.append(f"too few clips: {figure.count}, at least {FEWEST} are needed")
    if figure.undefined:
        notes.append(f"{figure.undefined} of {figure.count + figure.undefined} not readable")
    return f"{figure} ({'; '.join(notes)})" if notes else str(figure)


def below(a: Figure, b: Figure, factor: float = 1.0) -> Verdict:
    """"shows" where all of a's interval lies below `factor` times b's, "does not show" where all of it lies above."""
    if not known(a, b):
        return "undecided"
    if a.high < factor * b.low:
        return "shows"
    return "does not show" if a.low > factor * b.high else "undecided"


def under(a: Figure, limit: float) -> Verdict:
    """"shows" where a's interval lies below a number, "does not show" where it lies above."""
    return below(a, Figure(limit, limit, limit, FEWEST))


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


def if_learnt(said: Finding, models: Mapping[str, tuple[Figure, Figure]]) -> Finding:
    """The finding, undecided where any of the models it names has not learnt what it was trained on. `models` says of each its
    error there and that of repeating the last given frame: where the first is not below half of the second, nothing follows from
    its errors elsewhere."""
    reasons = [_unlearnt(name, *pair) for name, pair in models.items() if below(*pair, 0.5) != "shows"]
    if not reasons:
        return said
    return Finding(statement=said.statement, verdict="undecided", evidence="; ".join([*reasons, said.evidence]))


def _unlearnt(name: str, trained: Figure, repeat: Figure) -> str:
    if not trained.count + trained.undefined:
        return f"{name} is missing"
    unclear = "" if known(trained, repeat) else "it cannot be told whether "
    why = f"{unclear}{name} has {'' if unclear else 'not '}learnt its training range: "
    return why + f"error {told(trained)} there, {told(repeat)} by repeating the last frame"


def finding(statement: str, verdict: Verdict, evidence: Mapping[str, Figure | str]) -> Finding:
    """A finding whose evidence names its figures."""
    said = "; ".join(f"{name} {told(value) if isinstance(value, Figure) else value}" for name, value in evidence.items())
    if verdict == "undecided" and any(math.isnan(v.mean) for v in evidence.values() if isinstance(v, Figure)):
        said = f"{said} ({MISSING})" if said else MISSING
    return Finding(statement=statement, verdict=verdict, evidence=said)
