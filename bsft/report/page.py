"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bsft.display.pages import image_source, render_page
from bsft.report.flag_tables import flags_table, kinds_table, matched_table, noise_table
from bsft.report.rows import Block, Row
from bsft.report.sweep import Sweep
from bsft.report.tables import (
    arms_table,
    common,
    comparison_table,
    generation_table,
    notes,
    runs_table,
    tasks_table,
    unfinished_table,
)


@dataclass(frozen=True)
class Pictures:
    """The same figure for one or more models and data sets, with the words for those who cannot see it."""

    title: str
    alt: str
    figures: list[Figure]

    @property
    def sources(self) -> list[str]:
        return [image_source(figure) for figure in self.figures]


def page(sweep: Sweep, rows: Sequence[Row], blocks: Sequence[Block], pictures: Sequence[Pictures]) -> str:
    """The page: tables, pictures, runs; nothing in it is fetched from elsewhere."""
    several = len(blocks) > 1
    alarms = [
        flags_table(rows, several),
        matched_table(rows, several),
        noise_table(rows, several),
        *map(kinds_table, blocks),
    ]
    further = [*alarms, arms_table(rows, several), generation_table(rows, several), runs_table(sweep)]
    return render_page(
        "bsft.report",
        "page.html.j2",
        title=sweep.name,
        subtitle=common(rows),
        comparison=comparison_table(rows),
        notes=notes(rows),
        pictures=pictures,
        tasks=[tasks_table(block) for block in blocks],
        further=[table for table in (*further, unfinished_table(sweep.unfinished)) if table.rows],
        problems=sweep.problems,
    )
