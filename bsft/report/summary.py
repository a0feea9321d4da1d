"""A sweep's report: read, compared, drawn and written below the sweep's directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bsft.display.canvas import to_bytes
from bsft.records.files import write_atomically
from bsft.report.documents import markdown
from bsft.report.figures import curves_figure, restraint_figure
from bsft.report.page import Pictures, page
from bsft.report.palette import Styles, line_styles
from bsft.report.radar import radar_figure
from bsft.report.rows import Block, Row, blocks, comparison
from bsft.report.sweep import Sweep, read_sweep
from bsft.report.tables import unrounded_table

DIRECTORY = "report"


@dataclass(frozen=True)
class Report:
    """What was found and where it was written."""

    sweep: Sweep
    rows: list[Row]
    files: list[Path]


def write_report(path: Path) -> Report:
    """Reads a sweep and writes `report/` below it.

    Raises:
        BadInput: nothing to report, or the directory cannot be written to.
    """
    sweep = read_sweep(path)
    rows = comparison(sweep.jobs)
    panels = blocks(rows)
    styles = line_styles(row for row in rows if not row.naive)
    radar = radar_figure(panels, styles, sweep.name)
    contents = {
        "table.md": markdown(sweep, rows).encode(),
        "table.csv": unrounded_table(rows).csv().encode(),
        "radar.png": to_bytes(radar, "png"),
        "radar.svg": to_bytes(radar, "svg"),
        "index.html": page(sweep, rows, panels, _pictures(panels, styles)).encode(),
    }
    files = {path / DIRECTORY / name: content for name, content in contents.items()}
    for file, content in files.items():
        write_atomically(file, content, durable=False)
    return Report(sweep, rows, list(files))


def _pictures(panels: Sequence[Block], styles: Styles) -> list[Pictures]:
    """The page's figures, one for each panel, so that a narrow screen can stack them."""
    drawn = (
        (
            "Score by task",
            "Scores by task, one line per method; the tables of tasks have the same numbers.",
            radar_figure,
        ),
        (
            "Speaking up and keeping silent",
            "Proactive score against restraint; the comparison has the same numbers.",
            restraint_figure,
        ),
        ("Learning curves", "Training loss and validation macro-F1 by step.", curves_figure),
    )
    pictures = [
        Pictures(title, alt, [figure for panel in panels if (figure := draw([panel], styles)) is not None])
        for title, alt, draw in drawn
    ]
    return [picture for picture in pictures if picture.figures]
