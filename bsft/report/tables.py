"""The comparison as a table, whatever it is drawn with: its columns, its cells, its notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bsft.report.rows import Row, tasks_of
from bsft.report.values import RowValue

SILENT = "†"
SILENT_NOTE = "equals never-flag: it has learnt to stay silent"
NONE = "–"


@dataclass(frozen=True)
class Column:
    """A column of values. Where a narrow terminal cannot show all, those with the highest `rank` go first."""

    name: str
    header: str
    kind: Literal["score", "duration"] = "score"
    interval: bool = False
    rank: int = 0


COLUMNS = (
    Column("macro_f1", "macro-F1", interval=True),
    Column("reactive", "reactive", rank=2),
    Column("balanced", "balanced", rank=2),
    Column("proactive", "proactive"),
    Column("accuracy", "accuracy", rank=4),
    Column("mcc", "MCC", rank=3),
    Column("over_intervention_rate", "over-intervention", interval=True, rank=1),
    Column("pair_accuracy", "pair accuracy", rank=1),
    Column("token_accuracy", "token accuracy", rank=3),
    Column("fit_s", "fit time", "duration", rank=5),
    Column("score_s", "score time", "duration", rank=5),
)


@dataclass(frozen=True)
class Cell:
    """A value as text, and beside it its interval or deviation (or nothing)."""

    value: str
    spread: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.spread}".rstrip()


def score(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


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


def score_cell(estimate: RowValue | None, *, interval: bool) -> Cell:
    """A score with its deviation over seeds, or with its interval where the column shows one."""
    if estimate is None:
        return Cell(NONE)
    if estimate.sd is not None:
        return Cell(score(estimate.mean), f"± {score(estimate.sd)}")
    if interval and estimate.ci95 is not None:
        return Cell(score(estimate.mean), f"[{score(estimate.ci95[0])}, {score(estimate.ci95[1])}]")
    return Cell(score(estimate.mean))


def value_cell(row: Row, column: Column) -> Cell:
    estimate = row.values.get(column.name)
    if column.kind == "duration":
        return Cell(NONE if estimate is None else duration(estimate.mean))
    cell = score_cell(estimate, interval=column.interval)
    return Cell(cell.value + SILENT, cell.spread) if row.silent and column.name == "proactive" else cell


def used_columns(rows: Iterable[Row]) -> list[Column]:
    """The columns in which some row has a value."""
    rows = list(rows)
    return [column for column in COLUMNS if any(column.name in row.values for row in rows)]


def leading(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """What names a row: header and texts; the model, data, settings and seeds only where they tell rows apart."""
    runs = [row for row in rows if not row.naive]
    columns = [("method", [row.method for row in rows])]
    for header, values, shown in (
        ("model", [row.model or NONE for row in rows], len({row.model for row in runs}) > 1),
        ("data", [row.data for row in rows], len({row.data for row in rows}) > 1),
        ("settings", [row.settings or NONE for row in rows], any(row.settings for row in rows)),
        ("seeds", [str(len(row.seeds)) if row.seeds else NONE for row in rows], any(len(r.seeds) > 1 for r in runs)),
    ):
        if shown:
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
    means = "macro-F1, reactive, balanced and proactive are unweighted means over tasks"
    if by_accuracy := [task.name for task in tasks_of(runs) if task.metric == "accuracy"]:
        means += f"; tasks whose gold label is constant report accuracy in that slot: {', '.join(by_accuracy)}"
    found = [f"{means}."]
    if any(len(row.seeds) == 1 for row in runs):
        found.append("[low, high]: 95 % interval, bootstrap over cases.")
    if any(len(row.seeds) > 1 for row in runs):
        found.append("±: sample standard deviation over seeds.")
    found.append(
        "Over-intervention: share of items that need no alarm but got one. Pair accuracy: share of perturbed items "
        "answered rightly together with their clean twin. MCC: correlation of raising an alarm with its being due."
    )
    if any(row.naive for row in rows):
        found.append("always-flag, never-flag, majority and random are policies that do not read the case.")
    lost = max((job.result.n_evidence_lost for row in runs for job in row.jobs), default=0)
    if lost:
        found.append(f"Up to {lost:,} items that lost their evidence when they were shortened are left out of n.")
    if any(row.silent for row in rows):
        found.append(f"{SILENT} {SILENT_NOTE}.")
    return found
