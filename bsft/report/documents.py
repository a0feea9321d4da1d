"""The comparison as files: Markdown to read, CSV for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from bsft.report.rows import Row
from bsft.report.sweep import Sweep
from bsft.report.tables import COLUMNS, common, leading, notes, used_columns, value_cell

_PARTS = ("", "_sd", "_ci95_low", "_ci95_high")


def markdown(sweep: Sweep, rows: Sequence[Row]) -> str:
    """The table with its notes and the jobs that are not done."""
    names, columns = leading(rows), used_columns(rows)
    headers = [header for header, _ in names] + [c.header + (" [95 % CI]" if c.interval else "") for c in columns]
    lines = [f"# {sweep.name}", "", *([common(rows), ""] if common(rows) else [])]
    lines.append(_md_row(headers))
    lines.append(
        _md_row([":--" if header not in ("n", "seeds") else "--:" for header, _ in names] + ["--:"] * len(columns))
    )
    for i, row in enumerate(rows):
        lines.append(_md_row([values[i] for _, values in names] + [str(value_cell(row, c)) for c in columns]))
    lines += ["", *(f"- {note}" for note in notes(rows))]
    if sweep.unfinished:
        lines += ["", "## Not done", "", _md_row(["job", "state", "reason"]), _md_row([":--"] * 3)]
        lines += [_md_row([stands.name, stands.state, stands.reason or ""]) for stands in sweep.unfinished]
    return "\n".join(lines) + "\n"


def _md_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def comma_separated(rows: Sequence[Row]) -> str:
    """Every value unrounded, for other programs: a mean, its deviation over seeds and its interval, then the tasks."""
    fields = ["kind", "method", "model", "data", "settings", "seeds", "n"]
    fields += [f"{c.name}{part}" for c in COLUMNS for part in (_PARTS if c.kind == "score" else _PARTS[:2])]
    tasks = list(dict.fromkeys(name for row in rows for name in row.tasks))
    fields += [f"task.{name}{part}" for name in tasks for part in _PARTS]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fields, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        line: dict[str, object] = {
            "kind": "naive" if row.naive else "method",
            "method": row.method,
            "model": row.model,
            "data": row.data,
            "settings": row.settings,
            "seeds": " ".join(map(str, row.seeds)),
            "n": row.n,
        }
        for name, estimate in [*row.values.items(), *((f"task.{name}", e) for name, e in row.tasks.items())]:
            low, high = estimate.ci95 or (None, None)
            line |= dict(
                zip((f"{name}{part}" for part in _PARTS), (estimate.mean, estimate.sd, low, high), strict=True)
            )
        writer.writerow(line)
    return stream.getvalue()
