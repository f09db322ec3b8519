"""A study's page: findings, figures and tables as HTML in one file, as Markdown with SVG files beside, and as CSV."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..benchmarks.table import Figure, number
from ..core.files import make_folder, write_whole
from ..models.dit import SMALL
from .budget import PAPER_STEPS, TOY
from .found import Found
from .store import sweep
from .study import Finding, Study

Cell = str | float | Figure | None
INTERVALS = (
    "Intervals: 95 %, over test clips (percentile bootstrap of means, Wilson's for shares). They do not hold the spread between "
    "training seeds: every point is one model."
)
_SIGNS = {"shows": "✓ shows", "does not show": "✗ does not show", "undecided": "? undecided"}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table: `rows` are ours, `paper` the published ones, which are set apart; a cell is text, a number or a mean with interval."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    paper: tuple[tuple[Cell, ...], ...] = ()
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure as SVG; `caption` says what is drawn, `paper` what the paper's figure shows."""

    name: str
    title: str
    svg: str
    caption: str
    paper: str = ""


def write_page(study: Study, found: Found, out: Path) -> Path:
    """Write report.html, report.md, figures and CSV files into `out`; gives the page's path."""
    sweep(make_folder(out))
    sheets, drawings, findings = study.tables(found), study.figures(found), study.findings(found)
    for sheet in sheets:
        write_whole(out / f"{sheet.name}.csv", _csv(sheet))
    for drawing in drawings:
        write_whole(out / f"{drawing.name}.svg", drawing.svg)
    write_whole(out / "rows.csv", found.rows.to_csv())
    write_whole(out / "report.md", _markdown(study, found, sheets, drawings, findings))
    write_whole(out / "report.html", _html(study, found, sheets, drawings, findings))
    return out / "report.html"


def write_index(pages: Iterable[tuple[Study, Found, Path]], out: Path) -> Path:
    """A page that leads to the studies' pages and lists all their findings."""
    said = []
    for study, found, page in pages:
        link = page.relative_to(out).as_posix()
        said.append(f'<h2><a href="{html.escape(link)}">{html.escape(study.title)}</a></h2><p>{html.escape(study.question)}</p>')
        said.append(_missing(found) + _findings(study.findings(found)))
    body = "<h1>PhyWorld's studies</h1><p>What the paper found, and what shows here.</p>" + "".join(said)
    write_whole(out / "index.html", _page("PhyWorld's studies", body))
    return out / "index.html"


def facts(found: Found) -> list[tuple[str, str]]:
    """What has to be known to read any number of the page."""
    b = found.budget
    sizes = ", ".join(s if s in (TOY, *SMALL) else f"DiT-{s}" for s in b.size)
    trained = dict.fromkeys(p.stage.data.length or 0 for p in found.points) or dict.fromkeys(v for _, v in b.pairs())
    videos = ", ".join(f"{v:,}" for v in trained)
    clips = max((len(t.data) for p in found.points for t in p.tests), default=0)
    given = next((c.count for p in found.points for c in p.stage.blueprint.conditions if c.name == "frames"), b.given)
    return [
        ("network", sizes), ("steps", f"{b.all_steps:,} (paper: {PAPER_STEPS:,})"), ("training videos", f"{videos} per model"),
        ("resolution", f"{b.px} × {b.px} px"), ("frames", f"{b.frames}, of which {given} given"),
        ("test clips", f"up to {clips:,} a test"),
        ("seed", str(b.seed)), ("points", f"{len(found.present)} of {len(found.points)}"),
    ]  # fmt: skip


# --- Markdown and CSV ------------------------------------------------------------------------------------------------


def _markdown(study: Study, found: Found, sheets: Sequence[Sheet], drawings: Sequence[Drawing], findings: Sequence[Finding]) -> str:
    lines = [f"# {study.title}", "", study.question, "", f"The paper ({study.source}): {study.claim}", ""]
    lines += ["; ".join(f"{name} {value}" for name, value in facts(found)) + ".", ""]
    if found.missing:
        lines += [_missing_said(found), ""]
    lines += ["| finding of the paper | here | evidence |", "|---|---|---|"]
    lines += [f"| {_bar(f.statement)} | {_SIGNS[f.verdict]} | {_bar(f.evidence)} |" for f in findings]
    for d in drawings:
        lines += ["", f"## {d.title}", "", f"![{d.title}]({d.name}.svg)", "", d.caption]
        lines += ["", f"The paper's: {d.paper}"] if d.paper else []
    for s in sheets:
        lines += ["", f"## {s.title}", "", "| " + " | ".join(map(_bar, s.header)) + " |", "|---" * len(s.header) + "|"]
        lines += ["| " + " | ".join(_bar(_text(c)) for c in row) + " |" for row in _all_rows(s)]
        lines += ["", s.about] if s.about else []
    return "\n".join([*lines, "", INTERVALS, ""])


def _csv(sheet: Sheet) -> str:
    """Means and ends of intervals in columns of their own; the first column says whose row it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    wide = [any(isinstance(row[i], Figure) for row in sheet.rows + sheet.paper) for i in range(len(sheet.header))]
    names = [n for name, w in zip(sheet.header, wide, strict=True) for n in ([name, f"{name} low", f"{name} high"] if w else [name])]
    writer.writerow(["whose", *names])
    for whose, rows in (("kinema", sheet.rows), ("paper", sheet.paper)):
        for row in rows:
            writer.writerow([whose, *(v for cell, w in zip(row, wide, strict=True) for v in _values(cell, w))])
    return out.getvalue()


def _values(cell: Cell, wide: bool) -> list[object]:
    if isinstance(cell, Figure):
        return ["" if v != v else v for v in (cell.mean, cell.low, cell.high)]
    plain = "" if cell is None or cell != cell else cell
    return [plain, "", ""] if wide else [plain]


# --- HTML ------------------------------------------------------------------------------------------------------------


def _html(study: Study, found: Found, sheets: Sequence[Sheet], drawings: Sequence[Drawing], findings: Sequence[Finding]) -> str:
    listed = "".join(f"<li><span>{html.escape(n)}</span><b>{html.escape(v)}</b></li>" for n, v in facts(found))
    head = (
        f'<header><div class="mark">kinema</div><h1>{html.escape(study.title)}</h1><p>{html.escape(study.question)}</p>'
        f'<p class="claim"><b>The paper</b> ({html.escape(study.source)}): {html.escape(study.claim)}</p>'
        f'<ul class="facts">{listed}</ul></header>'
    )
    body = [head, _missing(found), "<h2>What the paper found, and what shows here</h2>", _findings(findings)]
    body += [_figure(d) for d in drawings]
    body += [_table(s) for s in sheets]
    points = "".join(f"<li><b>{html.escape(p.name)}</b> {html.escape(p.about)}</li>" for p in found.points)
    body.append(f"<h2>Models</h2><ul>{points}</ul><footer>{INTERVALS} All rows: rows.csv.</footer>")
    return _page(study.title, "".join(body))


def _page(title: str, body: str) -> str:
    page = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    return page.replace("{{title}}", html.escape(title)).replace("{{body}}", body)


def _missing_said(found: Found) -> str:
    names = ", ".join(p.name for p in found.missing)
    return f"Missing: {len(found.missing)} of {len(found.points)} points are not there yet ({names})."


def _missing(found: Found) -> str:
    return f'<p class="missing">{html.escape(_missing_said(found))}</p>' if found.missing else ""


def _findings(findings: Sequence[Finding]) -> str:
    rows = "".join(
        f'<div class="card finding {f.verdict.replace(" ", "-")}"><div class="badge">{_SIGNS[f.verdict]}</div>'
        f"<p>{html.escape(f.statement)}</p><p class='note'>{html.escape(f.evidence)}</p></div>"
        for f in findings
    )
    return f'<div class="findings">{rows}</div>'


def _figure(d: Drawing) -> str:
    svg = d.svg[d.svg.index("<svg") :]
    paper = f'<p class="note"><b>The paper\'s:</b> {html.escape(d.paper)}</p>' if d.paper else ""
    ours = f'<p class="note"><b>Ours:</b> {html.escape(d.caption)}</p>'
    return f'<h2>{html.escape(d.title)}</h2><figure class="card plot">{svg}</figure>{ours}{paper}'


def _table(s: Sheet) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in s.header)
    ours = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in s.rows)
    paper = "".join('<tr class="paper">' + "".join(map(_cell, row)) + "</tr>" for row in _labelled(s))
    about = f'<p class="note">{html.escape(s.about)}</p>' if s.about else ""
    rows = f"<thead><tr>{head}</tr></thead><tbody>{ours}{paper}</tbody>"
    return f'<h2>{html.escape(s.title)}</h2><div class="scroll"><table>{rows}</table></div>{about}'


def _all_rows(s: Sheet) -> tuple[tuple[Cell, ...], ...]:
    return (*s.rows, *_labelled(s))


def _labelled(s: Sheet) -> tuple[tuple[Cell, ...], ...]:
    return tuple((f"paper: {_text(row[0])}", *row[1:]) for row in s.paper)


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    return number(cell) if isinstance(cell, float) else str(cell)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Figure) and cell.count > 1:
        return f"<td>{number(cell.mean)}<small>{number(cell.low)} – {number(cell.high)}</small></td>"
    return f"<td{' class=text' if isinstance(cell, str) else ''}>{html.escape(_text(cell))}</td>"


def _bar(text: str) -> str:
    return text.replace("|", "\\|")
