"""What the tests of prompted models found, as files: results.json, report.md, drives.csv and the samples of every test."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.files import make_folder, write_json, write_whole
from .obedience import Drive
from .table import Table


@dataclass(frozen=True)
class Findings:
    """A table per test; dreams and truths one by one (`drives`); confusion of scenarios; times at equal quality; what was left out."""

    tables: Mapping[str, Table]
    drives: tuple[Drive, ...]
    confusion: Mapping[str, Any]
    equal: tuple[dict[str, Any], ...]
    skipped: tuple[str, ...]
    protocol: dict[str, Any]


def write(findings: Findings, out: Path) -> Path:
    """Write results.json, drives.csv, a CSV of samples per test, and report.md into `out`; gives the report's path."""
    make_folder(out)
    write_json(out / "results.json", to_json(findings))
    for name, table in findings.tables.items():
        write_whole(out / f"{name}.csv", table.to_csv())
    write_whole(out / "drives.csv", _drives_csv(findings.drives))
    write_whole(out / "report.md", markdown(findings))
    return out / "report.md"


def to_json(findings: Findings) -> dict[str, Any]:
    """Everything but the drives, as plain JSON."""
    tables = {name: table.to_json() for name, table in findings.tables.items()}
    return {
        "protocol": findings.protocol, "tables": tables, "confusion": dict(findings.confusion), "equal_quality": list(findings.equal),
        "skipped": list(findings.skipped),
    }  # fmt: skip


def markdown(findings: Findings) -> str:
    """The tables, times at equal quality, and what was left out, as a page."""
    p = findings.protocol
    clips = ", ".join(f"{n} {k}" for k, n in p["clips"].items())
    seen = f"{p['size_px']} px, {p['num_frames']} frames, {p['condition_frames']} given"
    lines = ["# Prompted world models", "", f"{seen}; {p['device']}, {p['threads']} threads; seed {p['seed']}; clips: {clips}.", ""]
    for name, table in findings.tables.items():
        lines += [f"## {name}", ""]
        for case, split in table.groups():
            head = [case, *(f"{c.name} [{c.unit}] {'↑' if c.higher_is_better else '↓'}" for c in table.columns)]
            lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
            for source in dict.fromkeys(s.source for s in table.samples if (s.case, s.split) == (case, split)):
                lines.append("| " + " | ".join([source, *(str(table.figure(case, split, source, c.name)) for c in table.columns)]) + " |")
            lines.append("")
        lines += [*table.notes, ""]
    lines += ["## Seconds at equal quality", "", *(f"- {said(row)}" for row in findings.equal)] if findings.equal else []
    lines += ["", "## Left out", "", *(f"- {why}" for why in findings.skipped)] if findings.skipped else []
    return "\n".join(lines) + "\n"


def said(row: Mapping[str, Any]) -> str:
    """A time at equal quality as a sentence."""
    times = [f"{name} {'never' if t is None else f'{t:.3g} s'}" for name, t in zip((row["fast"], row["slow"]), row["seconds"], strict=True)]
    interval = f" [{row['interval'][0]:.2f}, {row['interval'][1]:.2f}]" if row["interval"] else ""
    ratio = "" if row["ratio"] is None else f"; ratio {row['ratio']:.2f}{interval}"
    return f"{row['metric']} {row['worth']:.4g}: {', '.join(times)}{ratio}"


def _drives_csv(rows: Sequence[Drive]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("yaw [deg]", "speed [m/s]", "gain [m/s]")
    writer.writerow(["clip", "source", "telling", *(f"{kind} {name}" for kind in ("told", "measured") for name in names)])
    for row in rows:
        writer.writerow([row.clip, row.source, row.telling, *(f"{v:.5g}" for v in (*row.told, *row.measured))])
    return out.getvalue()
