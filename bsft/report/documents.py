"""The comparison as a Markdown document."""

from __future__ import annotations

from collections.abc import Sequence

from bsft.records.escaping import markdown as escaped
from bsft.report.rows import Row
from bsft.report.sweep import Sweep
from bsft.report.tables import common, comparison_table, notes, unfinished_table


def markdown(sweep: Sweep, rows: Sequence[Row]) -> str:
    """The table with its notes and the jobs that are not done."""
    blocks = [f"# {escaped(sweep.name)}\n", f"{escaped(common(rows))}\n" if common(rows) else ""]
    blocks += [comparison_table(rows).markdown(), "".join(f"- {escaped(note)}\n" for note in notes(rows))]
    if sweep.unfinished:
        blocks += ["## Not done\n", unfinished_table(sweep.unfinished).markdown()]
    return "\n".join(filter(None, blocks))
