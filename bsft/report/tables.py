"""The tables of a report, for every medium: columns, cells, notes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from bsft.display.table import NONE, Cell, Column, Table, Tone
from bsft.records.untrusted import read_yaml
from bsft.report.palette import GROUP_COLOURS, task_title
from bsft.report.rows import Block, Row, differing, shown, tasks_of
from bsft.report.sweep import JobState, Sweep
from bsft.report.values import RowValue

SILENT = "†"
STATE_TONES: dict[str, Tone] = {
    "done": "good",
    "running": "active",
    "queued": "",
    "interrupted": "warning",
    "failed": "failed",
    "damaged": "failed",
}
TIMES = ("fit_s", "score_s")
_PARTS = ("", "_sd", "_ci95_low", "_ci95_high")


@dataclass(frozen=True)
class ValuesTable:
    """A table whose cells are values: what its lines are called (in the column `second`) -> names of their values."""

    headers: list[str]
    lines: dict[str, list[str]]
    note: str
    second: str | None = None
    needs: list[str] | None = None
    interval: bool = False
    soft: str | None = None


@dataclass(frozen=True)
class _Tables:
    """What `tables.yaml` holds."""

    comparison: list[Column]
    notes: dict[str, str]
    further: dict[str, ValuesTable]


TABLES = TypeAdapter(_Tables).validate_python(read_yaml(Path(__file__).with_suffix(".yaml")))


def comparison_table(rows: Sequence[Row], title: str = "Comparison") -> Table:
    """A row for each of `rows`, with the measures that some of them have; naive policies are set off."""
    names = leading(rows)
    measures = [measure for measure in TABLES.comparison if any(measure.name in row.values for row in rows)]
    cells = []
    for i, row in enumerate(rows):
        tone: Tone = "soft" if row.naive else ""
        cells.append([*(Cell(values[i], tone=tone) for _, values in names), *(_cell(row, m, tone) for m in measures)])
    sections = [(row.naive, row.data, row.model) for row in rows]
    breaks = frozenset(i for i in range(1, len(rows)) if sections[i] != sections[i - 1])
    headers = [Column(header, "number" if header in ("n", "seeds") else "text") for header, _ in names]
    return Table(title, [*headers, *measures], cells, breaks=breaks)


def _cell(row: Row, measure: Column, tone: Tone) -> Cell:
    value = row.values.get(measure.name)
    if measure.name in TIMES:
        return time_cell(value.mean if value else None, tone)
    mark = SILENT if row.silent and measure.name == "proactive" else ""
    return score_cell(value, interval=bool(measure.hint), tone=tone, mark=mark)


def score(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def score_cell(value: RowValue | None, *, interval: bool = False, tone: Tone = "", mark: str = "") -> Cell:
    """A score with its deviation over seeds, or with its interval where one is wanted; `mark` follows the number."""
    if value is None:
        return Cell(NONE, tone=tone)
    spread = ""
    if value.sd is not None:
        spread = f"± {score(value.sd)}"
    elif interval and value.ci95 is not None:
        spread = f"[{score(value.ci95[0])}, {score(value.ci95[1])}]"
    return Cell(score(value.mean) + mark, spread, tone, value.mean)


def time_cell(seconds: float | None, tone: Tone = "") -> Cell:
    return Cell(NONE if seconds is None else duration(seconds), tone=tone, number=seconds)


def duration(seconds: float) -> str:
    """`4.2 s`, `42 s`, `3 min 20 s`, `42 min`, `1 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 3600:
        return f"{round(seconds / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def unrounded_table(rows: Sequence[Row]) -> Table:
    """Every value, for other programs: a mean, its deviation over seeds and its interval, then the tasks."""
    tasks = list(dict.fromkeys(f"task.{name}" for row in rows for name in row.tasks))
    parts = {measure.name: _PARTS[:2] if measure.name in TIMES else _PARTS for measure in TABLES.comparison}
    parts |= dict.fromkeys(tasks, _PARTS)
    lines = []
    for row in rows:
        line: list[float | str | None] = ["naive" if row.naive else "method", row.method, row.model, row.data]
        line += [row.settings, " ".join(map(str, row.seeds)), row.n]
        values = {**row.values, **{f"task.{name}": value for name, value in row.tasks.items()}}
        for name, wanted in parts.items():
            value = values.get(name)
            low, high = value.ci95 or (None, None) if value else (None, None)
            line += (value.mean, value.sd, low, high)[: len(wanted)] if value else [None] * len(wanted)
        lines.append([Cell.of(value) for value in line])
    names = ["kind", "method", "model", "data", "settings", "seeds", "n"]
    names += [f"{name}{part}" for name, wanted in parts.items() for part in wanted]
    return Table("", [Column(name) for name in names], lines)


def tasks_table(block: Block) -> Table:
    """A row per task, a column per row of the comparison and per naive policy."""
    rows = (*block.rows, *block.naive)
    lines = []
    for task in block.tasks:
        metric = "accuracy" if task.metric == "accuracy" else "macro-F1"
        name = Cell(task_title(task.name), f"{task.group}, {metric}", colour=GROUP_COLOURS[task.group])
        scores = [score_cell(row.tasks.get(task.name), interval=True) for row in rows]
        lines.append([name, Cell(f"{task.n:,}", number=task.n), *scores])
    return Table(f"{block.model}, {block.data}", [Column("task"), Column("n", "number"), *_methods(rows)], lines)


def values_table(title: str, rows: Sequence[Row], several_blocks: bool) -> Table:
    """One of the further tables: a line for each way in which a row's values are given there."""
    wanted = TABLES.further[title]
    lines = []
    for row in rows:
        for name, values in wanted.lines.items():
            if any(value in row.values for value in values if wanted.needs is None or value in wanted.needs):
                tone: Tone = "soft" if name == wanted.soft else ""
                names = [full_label(row, several_blocks), *([name] if wanted.second else [])]
                scores = (score_cell(row.values.get(v), interval=wanted.interval, tone=tone) for v in values)
                lines.append([*(Cell(text, tone=tone) for text in names), *scores])
    matched = [m for row in rows for job in row.jobs if (m := job.result.flags and job.result.flags.matched)]
    targets = " or ".join(f"{100 * value:g} %" for value in sorted({m.target for m in matched}))
    columns = [Column("method"), *([Column(wanted.second)] if wanted.second else [])]
    columns += [Column(header, "number") for header in wanted.headers]
    return Table(title, columns, lines, wanted.note.format(targets=targets))


def kinds_table(block: Block) -> Table:
    """Paired AUC: a row per kind of problem, a column per row of the comparison."""
    flags = [job.result.flags for row in block.rows for job in row.jobs if job.result.flags]
    lines = []
    for kind in sorted({kind for row in block.rows for kind in row.kinds}):
        pairs = max(found.kind[kind].n_pairs for found in flags if kind in found.kind)
        scores = [score_cell(row.kinds.get(kind), interval=True) for row in block.rows]
        lines.append([Cell(kind.replace("_", " ")), Cell(f"{pairs:,}", number=pairs), *scores])
    columns = [Column("kind"), Column("pairs", "number"), *_methods(block.rows)]
    return Table(f"Paired AUC by kind of problem: {block.model}, {block.data}", columns, lines)


def _methods(rows: Sequence[Row]) -> list[Column]:
    return [Column(row.method, "number", row.settings) for row in rows]


def generation_table(rows: Sequence[Row], several_blocks: bool) -> Table:
    """How often generated replies could not be read, and how often they agree with the most likely option."""
    lines = []
    for row in rows:
        values = [row.values.get(f"generation.{value}") for value in ("unparsed_rate", "agreement")]
        generation = row.jobs[0].result.generation if row.jobs else None
        if generation is not None and any(values):
            n = Cell(f"{generation.n:,}", number=generation.n)
            lines.append([Cell(full_label(row, several_blocks)), n, *map(score_cell, values)])
    headers = ("n", "unparsed", "agreement with likelihood")
    return Table("Generated replies", [Column("method"), *(Column(name, "number") for name in headers)], lines)


def full_label(row: Row, several_blocks: bool) -> str:
    return f"{row.label}, {row.model}, {row.data}" if several_blocks else row.label


def runs_table(sweep: Sweep) -> Table:
    """Every finished run with the settings in which runs differ."""
    settings = differing(sweep.jobs)
    lines = []
    for job in sweep.jobs:
        result = job.result
        numbers = [Cell(f"{value:,}", number=value) for value in (result.seed, result.n)]
        times = [time_cell(seconds or None) for seconds in (result.cost.fit_s, result.cost.score_s)]
        values = [Cell(shown(job.settings[key]) if key in job.settings else NONE) for key in settings]
        lines.append([Cell(job.name), *numbers, *times, *values])
    headers = ("seed", "n", "fit time", "score time", *settings)
    return Table("Runs", [Column("run", "code"), *(Column(name, "number") for name in headers)], lines)


def unfinished_table(states: Sequence[JobState]) -> Table:
    """The jobs that are not done."""
    lines = [[Cell(job.name), Cell(job.state, tone=STATE_TONES[job.state]), Cell(job.reason or "")] for job in states]
    return Table("Not done", [Column("job", "code"), Column("state"), Column("reason", "long")], lines)


def leading(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """What names a row: header and texts; the model, data, settings and seeds only where they distinguish rows."""
    runs = [row for row in rows if not row.naive]
    columns = [("method", [row.method for row in rows])]
    for header, values, is_shown in (
        ("model", [row.model or NONE for row in rows], len({row.model for row in runs}) > 1),
        ("data", [row.data for row in rows], len({row.data for row in rows}) > 1),
        ("settings", [row.settings or NONE for row in rows], any(row.settings for row in rows)),
        ("seeds", [str(len(row.seeds)) if row.seeds else NONE for row in rows], any(len(r.seeds) > 1 for r in runs)),
    ):
        if is_shown:
            columns.append((header, values))
    return [*columns, ("n", [f"{row.n:,}" for row in rows])]


def common(rows: Iterable[Row]) -> str:
    """What all rows share and no column therefore says: the model and the data, as one line."""
    runs = [row for row in rows if not row.naive]
    models, data = {row.model for row in runs}, {row.data for row in runs}
    parts = [f"model {models.pop()}"] if len(models) == 1 else []
    if len(data) == 1:
        parts.append(f"data {data.pop()}")
    return ", ".join(parts)


def notes(rows: Sequence[Row]) -> list[str]:
    """How to read the table."""
    runs = [row for row in rows if not row.naive]
    by_accuracy = ", ".join(task.name for task in tasks_of(runs) if task.metric == "accuracy")
    lost = max((job.result.n_evidence_lost for row in runs for job in row.jobs), default=0)
    holds = {
        "means": not by_accuracy,
        "means and accuracies": by_accuracy,
        "intervals": any(len(row.seeds) == 1 for row in runs),
        "deviations": any(len(row.seeds) > 1 for row in runs),
        "measures": True,
        "paired AUC": any("paired_auc" in row.values for row in runs),
        "policies": any(row.naive for row in rows),
        "evidence lost": lost,
        "silent": any(row.silent for row in rows),
    }
    sentences = {name: text.format(by_accuracy=by_accuracy, lost=lost) for name, text in TABLES.notes.items()}
    return [text for name, text in sentences.items() if holds[name]]
