"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bsft import __version__
from bsft.display.canvas import to_bytes
from bsft.display.pages import page_environment
from bsft.report.palette import GROUP_COLOURS, task_title
from bsft.report.rows import Block, Row, shown, varying
from bsft.report.sweep import Job, Sweep
from bsft.report.tables import (
    NONE,
    Cell,
    Column,
    common,
    duration,
    leading,
    notes,
    score_cell,
    used_columns,
    value_cell,
)
from bsft.report.values import ARM_VALUES, ARMS


@dataclass(frozen=True)
class Pictures:
    """The same figure for one or more models and data sets, with the words for those who cannot see it."""

    title: str
    alt: str
    figures: list[Figure]

    @property
    def sources(self) -> list[str]:
        encoded = (base64.b64encode(to_bytes(figure, "svg")).decode() for figure in self.figures)
        return [f"data:image/svg+xml;base64,{text}" for text in encoded]


@dataclass(frozen=True)
class Line:
    """A line of a table: what names it, then the values."""

    head: list[str]
    cells: list[Cell]
    kind: str = ""
    colour: str = ""


def page(sweep: Sweep, rows: Sequence[Row], blocks: Sequence[Block], pictures: Sequence[Pictures]) -> str:
    """The page: tables, pictures, runs; nothing in it is fetched from elsewhere."""
    names, columns = leading(rows), used_columns(rows)
    run_settings = _run_settings(sweep.jobs)
    return (
        page_environment("bsft.report")
        .get_template("page.html.j2")
        .render(
            title=sweep.name,
            subtitle=common(rows),
            name_headers=[header for header, _ in names],
            columns=columns,
            lines=[_comparison_line(row, [values[i] for _, values in names], columns) for i, row in enumerate(rows)],
            notes=notes(rows),
            pictures=pictures,
            blocks=[(block, _task_lines(block)) for block in blocks],
            several_blocks=len(blocks) > 1,
            arms=[line for row in rows for line in _arm_lines(row, len(blocks) > 1)],
            generation=[line for row in rows for line in _generation_lines(row, len(blocks) > 1)],
            runs=_run_lines(sweep, run_settings),
            run_settings=run_settings,
            unfinished=sweep.unfinished,
            problems=sweep.problems,
            version=__version__,
        )
    )


def _comparison_line(row: Row, names: list[str], columns: Sequence[Column]) -> Line:
    return Line(names, [value_cell(row, column) for column in columns], "naive" if row.naive else "")


def _task_lines(block: Block) -> list[Line]:
    """One line per task: its name, group and metric, n, then a cell per row of the comparison and per naive policy."""
    lines = []
    for task in block.tasks:
        cells = [score_cell(row.tasks.get(task.name), interval=True) for row in (*block.rows, *block.naive)]
        metric = "accuracy" if task.metric == "accuracy" else "macro-F1"
        head = [task_title(task.name), f"{task.group}, {metric}", f"{task.n:,}"]
        lines.append(Line(head, cells, colour=GROUP_COLOURS[task.group]))
    return lines


def _full_label(row: Row, several_blocks: bool) -> str:
    return f"{row.label}, {row.model}, {row.data}" if several_blocks else row.label


def _arm_lines(row: Row, several_blocks: bool) -> list[Line]:
    lines = []
    for arm, title in ARMS.items():
        estimates = [row.values.get(f"arm.{arm}.{value}") for value in ARM_VALUES]
        if any(estimates):
            cells = [score_cell(estimate, interval=False) for estimate in estimates]
            head = [_full_label(row, several_blocks), title]
            lines.append(Line(head, cells, "naive" if arm == "forced_right" else ""))
    return lines


def _generation_lines(row: Row, several_blocks: bool) -> list[Line]:
    estimates = [row.values.get(f"generation.{value}") for value in ("unparsed_rate", "agreement")]
    generation = row.jobs[0].result.generation if row.jobs else None
    if generation is None or not any(estimates):
        return []
    cells = [score_cell(estimate, interval=False) for estimate in estimates]
    return [Line([_full_label(row, several_blocks), f"{generation.n:,}"], cells)]


def _run_settings(jobs: Sequence[Job]) -> list[str]:
    """The settings in which runs differ beyond what the names of their method, model and data imply."""

    def differs(key: str) -> bool:
        values: dict[str, set[str]] = {}
        for job in jobs:
            if key in job.settings:
                name = str(job.settings.get(f"{key.partition('.')[0]}.name"))
                values.setdefault(name, set()).add(str(job.settings[key]))
        return any(len(found) > 1 for found in values.values())

    return [key for key in varying(jobs) if differs(key)]


def _run_lines(sweep: Sweep, settings: Sequence[str]) -> list[Line]:
    """Every finished run with the settings in which runs differ."""
    lines = []
    for job in sweep.jobs:
        result = job.result
        times = [Cell(duration(seconds) if seconds else NONE) for seconds in (result.cost.fit_s, result.cost.score_s)]
        values = [Cell(shown(job.settings[key]) if key in job.settings else NONE) for key in settings]
        lines.append(Line([job.name, str(result.seed), f"{result.n:,}"], [*times, *values]))
    return lines
