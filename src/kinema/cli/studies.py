"""What `kinema bench phyworld --study` says: the plan, progress, and what was found."""

from __future__ import annotations

import json as _json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich import box
from rich.table import Table as Grid

from ..core.errors import UserError
from ..studies import Budget, Found, Point, Store, Study, choose, found, plan, run, write_index, write_page
from ..studies.budget import scale
from ..studies.run import Clock, spell
from ..studies.study import digest, slug
from .tables import wide_console


@dataclass(frozen=True)
class Asked:
    """One study at its budget, and those of its points that are to be trained."""

    study: Study
    budget: Budget
    points: tuple[Point, ...]

    @property
    def folder(self) -> str:
        """Where its page goes: pages of other budgets stay. What the name does not spell out is in the digest at its end, if need be."""
        b = self.budget
        videos = "+".join(str(n) for n in dict.fromkeys(n for _, n in b.pairs()))
        frames = None if b.frames == scale(b.network).num_frames else b.frames
        plain = Budget()
        rest = replace(b, size=plain.size, steps=None, videos=(), resolution=None, num_frames=frames, seed=plain.seed)
        mark = "" if rest == plain else f" {digest(rest)}"
        return slug(f"{self.study.name} {'+'.join(b.size)} {videos} videos {b.all_steps} steps {b.px}px seed {b.seed}{mark}")


def chosen(name: str, studies: Mapping[str, Study], budget: Budget, points: Sequence[str]) -> list[Asked]:
    """The study of that name, or all of them: those that train one size on one amount of data then take the first of several.

    Raises UserError where there is none of that name.
    """
    if name != "all" and name not in studies:
        raise UserError(f"--study: there is no study {name!r}; there are {', '.join(studies)}, all")
    if name == "all" and points:
        raise UserError("--points names models of one study: choose it with --study")
    first = budget.one(*budget.pairs()[0])
    asked = []
    for study in studies.values() if name == "all" else (studies[name],):
        own = budget if study.several or name != "all" else first
        asked.append(Asked(study, own, choose(study.plan(own), points)))
    return asked


def train(asked: Sequence[Asked], store: Store) -> None:
    """Train and ask everything that is missing."""
    run([point for a in asked for point in a.points], store)


def show_plan(asked: Sequence[Asked], store: Store, json: bool) -> None:
    """The points, what is there of them, and the time the rest takes."""
    clock, total, seen, lines = Clock(), 0.0, set(), []
    grid = Grid(title="Plan", title_justify="left", box=box.SIMPLE_HEAD)
    for name, right in (("study", False), ("model", False), ("", False), ("steps", True), ("videos", True), ("test clips", True),
                        ("there", False), ("training left", True)):  # fmt: skip
        grid.add_column(name, justify="right" if right else "left")
    for a in asked:
        for planned in plan(a.points, store, clock):
            p = planned.point
            again = p.key in seen
            seen.add(p.key)
            seconds = 0.0 if again else planned.seconds
            total += seconds
            clips, videos = sum(len(t.data) for t in p.tests), p.stage.data.length
            state = "shared" if again else planned.state
            lines.append({
                "study": a.study.name, "point": p.name, "about": p.about, "steps": p.stage.train.steps, "videos": videos,
                "test_clips": clips, "state": state, "seconds": seconds, "folder": str(store.folder(p)),
            })  # fmt: skip
            left = spell(seconds) if seconds else ""
            grid.add_row(a.study.name, p.name, p.about, f"{p.stage.train.steps:,}", f"{videos:,}", f"{clips:,}", state, left)
    if json:
        print(_json.dumps({"points": lines, "seconds": total}, indent=2))
        return
    grid.caption = f"{spell(total)} of training left on this machine, dreams and verdicts on top" if total else "all models are trained"
    grid.caption_justify = "left"
    wide_console().print(grid)


def report(asked: Sequence[Asked], store: Store, json: bool, index: bool) -> None:
    """Write the pages and print what was found."""
    pages, said = [], []
    for a in asked:
        seen = found(a.study, a.budget, store)
        with store.only_one(f"page-{a.folder}"):
            page = write_page(a.study, seen, store.out / a.folder)
        pages.append((a.study, seen, page))
        said.append(_as_json(a, seen, str(page)))
        if not json:
            _print(a.study, seen)
    top = write_index(pages, store.out) if index else pages[0][2]
    print(_json.dumps(said, indent=2) if json else top)


def _as_json(a: Asked, seen: Found, page: str) -> dict[str, Any]:
    findings = [{"statement": f.statement, "verdict": f.verdict, "evidence": f.evidence} for f in a.study.findings(seen)]
    return {"study": a.study.name, "page": page, "missing": [p.name for p in seen.missing], "findings": findings}


def _print(study: Study, seen: Found) -> None:
    grid = Grid(title=study.title, title_justify="left", box=box.SIMPLE_HEAD, show_lines=True)
    for name in ("what the paper found", "here", "evidence"):
        grid.add_column(name)
    for f in study.findings(seen):
        grid.add_row(f.statement, f.verdict, f.evidence)
    wide_console().print(grid)
    if seen.missing:
        print(f"missing: {', '.join(p.name for p in seen.missing)}", file=sys.stderr)


