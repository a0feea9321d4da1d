"""The comparison as files: Markdown to read, CSV for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from bsft.records.escaping import csv_text
from bsft.records.escaping import markdown as escaped
from bsft.report.rows import Row
from bsft.report.sweep import Sweep
from bsft.report.tables import COLUMNS, common, leading, notes, used_columns, value_cell

_PARTS = ("", "_sd", "_ci95_low", "_ci95_high")


def markdown(sweep: Sweep, rows: Sequence[Row]) -> str:
    """The table with its notes and the jobs that are not done."""
    names, columns = leading(rows), used_columns(rows)
    headers = [header for header, _ in names] + [c.header + (" [95 % CI]" if c.interval else "") for c in columns]
    lines = [f"# {escaped(sweep.name)}", "", *([escaped(common(rows)), ""] if common(rows) else [])]
    lines.append(_md_row(headers))
    lines.append(
        _md_row([":--" if header not in ("n", "seeds") else "--:" for header, _ in names] + ["--:"] * len(columns))
    )
    for i, row in enumerate(rows):
        lines.append(_md_row([escaped(values[i]) for _, values in names] + [str(value_cell(row, c)) for c in columns]))
    lines += ["", *(f"- {escaped(note)}" for note in notes(rows))]
    if sweep.unfinished:
        lines += ["", "## Not done", "", _md_row(["job", "state", "reason"]), _md_row([":--"] * 3)]
        told = [(stands.name, stands.state, stands.reason or "") for stands in sweep.unfinished]
        lines += [_md_row(map(escaped, cells)) for cells in told]
    return "\n".join(lines) + "\n"


def _md_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def comma_separated(rows: Sequence[Row]) -> str:
    """Every value unrounded, for other programs: a mean, its deviation over seeds and its interval, then the tasks."""
    fields = ["kind", "method", "model", "data", "settings", "seeds", "n"]
    fields += [f"{c.name}{part}" for c in COLUMNS for part in (_PARTS if c.kind == "score" else _PARTS[:2])]
    tasks = list(dict.fromkeys(name for row in rows for name in row.tasks))
    fields += [csv_text(f"task.{name}{part}") for name in tasks for part in _PARTS]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fields, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        line: dict[str, object] = {
            "kind": "naive" if row.naive else "method",
            "method": csv_text(row.method),
            "model": csv_text(row.model),
            "data": csv_text(row.data),
            "settings": csv_text(row.settings),
            "seeds": " ".join(map(str, row.seeds)),
            "n": row.n,
        }
        for name, estimate in [*row.values.items(), *((f"task.{name}", e) for name, e in row.tasks.items())]:
            low, high = estimate.ci95 or (None, None)
            line |= dict(
                zip(
                    (csv_text(f"{name}{part}") for part in _PARTS), (estimate.mean, estimate.sd, low, high), strict=True
                )
            )
        writer.writerow(line)
    return stream.getvalue()
