"""A sweep's report: read, compared, drawn and written below the sweep's directory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from bsft.display.canvas import to_bytes
from bsft.display.pages import image_source, render_page
from bsft.records.escaping import markdown as escaped
from bsft.records.files import write_atomically
from bsft.report import tables
from bsft.report.figures import curves_figure, radar_figure, restraint_figure
from bsft.report.palette import line_styles
from bsft.report.rows import Block, Row, blocks, comparison
from bsft.report.sweep import Sweep, read_sweep

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
    draws = {"radar": radar_figure, "restraint": restraint_figure, "curves": curves_figure}
    figures = {name: [draw([panel], styles) for panel in panels] for name, draw in draws.items()}
    contents = {
        "table.md": markdown(sweep, rows).encode(),
        "table.csv": tables.unrounded_table(rows).csv().encode(),
        "radar.png": to_bytes(radar, "png"),
        "radar.svg": to_bytes(radar, "svg"),
        "index.html": page(sweep, rows, panels, figures).encode(),
    }
    files = {path / DIRECTORY / name: content for name, content in contents.items()}
    for file, content in files.items():
        write_atomically(file, content, durable=False)
    return Report(sweep, rows, list(files))


def markdown(sweep: Sweep, rows: Sequence[Row]) -> str:
    """The comparison with its notes and the jobs that are not done, as a Markdown document."""
    blocks = [f"# {escaped(sweep.name)}\n", f"{escaped(tables.common(rows))}\n" if tables.common(rows) else ""]
    blocks += [tables.comparison_table(rows).markdown(), "".join(f"- {escaped(note)}\n" for note in tables.notes(rows))]
    if sweep.unfinished:
        blocks += ["## Not done\n", tables.unfinished_table(sweep.unfinished).markdown()]
    return "\n".join(filter(None, blocks))


def page(
    sweep: Sweep, rows: Sequence[Row], blocks: Sequence[Block], figures: Mapping[str, Iterable[Figure | None]]
) -> str:
    """The report as one self-contained HTML page: tables, pictures, runs; nothing in it is fetched from elsewhere.

    Args:
        figures: `radar`, `restraint` and `curves`, one for each block, so that a narrow screen can stack them.
    """
    several = len(blocks) > 1
    values = {title: tables.values_table(title, rows, several) for title in tables.TABLES.further}
    arms = values.pop("Behaviour tokens")
    further = [*values.values(), *map(tables.kinds_table, blocks), arms, tables.generation_table(rows, several)]
    further += [tables.runs_table(sweep), tables.unfinished_table(sweep.unfinished)]
    return render_page(
        "bsft.report",
        "page.html.j2",
        title=sweep.name,
        subtitle=tables.common(rows),
        comparison=tables.comparison_table(rows),
        notes=tables.notes(rows),
        pictures={name: [image_source(figure) for figure in own if figure] for name, own in figures.items()},
        tasks=[tables.tasks_table(block) for block in blocks],
        further=[table for table in further if table.rows],
        problems=sweep.problems,
    )
