"""The rows of a comparison: jobs that differ only in their seed are one row; naive policies follow."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bsft.records.schema import BEHAVIORS, Group
from bsft.report.sweep import Job
from bsft.report.values import COMMON, OF_RUNS, RowValue, row_values
from bsft.scoring.result import Result

METHODS = (
    "baseline", "instructed", "few_shot", "general_sft", "classifier", "words", "shuffled_tokens", "behavior_sft",
)  # fmt: skip
"""The order in which methods are shown; others follow by name."""
NAIVE = {"always_flag": "always-flag", "never_flag": "never-flag", "majority": "majority", "random": "random"}
"""Naive policies in the order in which they are shown, with their display names."""
SAME_PROACTIVE, HARDLY_FLAGS = 0.005, 0.01
"""A fitted row has learnt to stay silent: its proactive score is this close to never-flag's, and it flags less."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the comparison. `settings` distinguishes rows with the same method, model and data."""

    method: str
    model: str = ""
    data: str
    settings: str
    seeds: tuple[int, ...] = ()
    n: int
    values: Mapping[str, RowValue]
    tasks: Mapping[str, RowValue]
    kinds: Mapping[str, RowValue] = field(default_factory=dict)
    """Kind of problem -> paired area under the curve."""
    jobs: tuple[Job, ...] = ()
    naive: bool = False
    silent: bool = False

    @property
    def label(self) -> str:
        return f"{self.method} ({self.settings})" if self.settings else self.method


@dataclass(frozen=True)
class Task:
    name: str
    group: Group
    metric: str
    n: int


@dataclass(frozen=True)
class Block:
    """What one panel shows: a model on a data set."""

    model: str
    data: str
    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]
    naive: tuple[Row, ...]


def comparison(jobs: Sequence[Job]) -> list[Row]:
    """All rows in the order in which a table shows them."""
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(_row_key(job), []).append(job)
    settings = _distinguishing([group[0] for group in groups.values()])
    rows = [_row(group, settings[group[0].name]) for group in groups.values()]
    rows.sort(key=_order)
    return [*rows, *_naive_rows(jobs)]


def blocks(rows: Iterable[Row]) -> list[Block]:
    """The rows by model and data set, each with the naive rows of its data."""
    rows = list(rows)
    keys = dict.fromkeys((row.model, row.data) for row in rows if not row.naive)
    found = []
    for model, data in keys:
        own = tuple(row for row in rows if not row.naive and (row.model, row.data) == (model, data))
        naive = tuple(row for row in rows if row.naive and row.data == data)
        found.append(Block(model, data, tasks_of(own), own, naive))
    return found


def tasks_of(rows: Iterable[Row]) -> tuple[Task, ...]:
    """All tasks of some rows, by group in spectrum order, then as the files list them."""
    found: dict[str, Task] = {}
    for row in rows:
        for job in row.jobs:
            for name, task in job.result.task.items():
                found.setdefault(name, Task(name, task.group, task.metric, task.n))
    return tuple(sorted(found.values(), key=lambda task: BEHAVIORS.index(task.group)))


# --- rows of jobs ---------------------------------------------------------------------------------------------------


def data_label(result: Result) -> str:
    return f"{result.data}/{result.split}"


def _family(job: Job) -> tuple[str, str, str]:
    return job.result.method, job.result.model, data_label(job.result)


def _row_key(job: Job) -> tuple[str, ...]:
    rest = sorted((key, str(value)) for key, value in job.settings.items() if key != "seed")
    return (*_family(job), *(f"{key}={value}" for key, value in rest))


def _order(row: Row) -> tuple[Any, ...]:
    rank = METHODS.index(row.method) if row.method in METHODS else len(METHODS)
    return row.data, _natural(row.model), rank, row.method, row.settings


def _natural(text: str) -> list[tuple[int, str]]:
    """Numbers in names sort as numbers: qwen2_5_3b before qwen2_5_14b."""
    # every second part is a number: the longer of two is larger, whatever its length
    parts = re.split(r"0*([0-9]+)", text)
    return [(len(part), part) if i % 2 else (-1, part) for i, part in enumerate(parts)]


def varying(jobs: Sequence[Job]) -> list[str]:
    """The settings in which jobs differ, other than the seed."""
    keys = dict.fromkeys(key for job in jobs for key in job.settings if key != "seed")
    return [key for key in keys if len({str(job.settings.get(key)) for job in jobs}) > 1]


def differing(jobs: Sequence[Job]) -> list[str]:
    """The settings in which jobs differ beyond what the names of their method, model and data imply."""

    def differs(key: str) -> bool:
        values: dict[str, set[str]] = {}
        for job in jobs:
            if key in job.settings:
                name = str(job.settings.get(f"{key.partition('.')[0]}.name"))
                values.setdefault(name, set()).add(str(job.settings[key]))
        return any(len(found) > 1 for found in values.values())

    return [key for key in varying(jobs) if differs(key)]


def shown(value: Any) -> str:
    """A setting's value, digests and prompts shortened."""
    text = "null" if value is None else str(value)
    if re.fullmatch(r"[0-9a-f]{40,}", text):
        return text[:8]
    return text if len(text) <= 40 else f"{text[:37]}..."


def _distinguishing(representatives: Sequence[Job]) -> dict[str, str]:
    """job name -> what sets its row apart from the others with the same method, model and data."""
    families: dict[tuple[str, str, str], list[Job]] = {}
    for job in representatives:
        families.setdefault(_family(job), []).append(job)
    settings = {}
    for family in families.values():
        keys = varying(family)
        for job in family:
            settings[job.name] = ", ".join(f"{key}={shown(job.settings.get(key))}" for key in keys)
    return settings


def _row(jobs: Sequence[Job], settings: str) -> Row:
    first = jobs[0].result
    names = dict.fromkeys(name for job in jobs for name in job.result.task)
    results = [job.result for job in jobs]
    kinds = dict.fromkeys(kind for result in results if result.flags for kind in result.flags.kind)
    values = row_values(results, COMMON | OF_RUNS)
    return Row(
        method=first.method,
        model=first.model,
        data=data_label(first),
        settings=settings,
        seeds=tuple(sorted(result.seed for result in results)),
        n=first.n,
        values=values,
        tasks=row_values(results, {name: ("task", name, "score") for name in names}),
        kinds=row_values(results, {kind: ("flags", "kind", kind, "paired_auc") for kind in kinds}),
        jobs=tuple(sorted(jobs, key=lambda job: job.result.seed)),
        silent=all(job.fitted for job in jobs) and _is_silent(values, first),
    )


def _is_silent(values: Mapping[str, RowValue], result: Result) -> bool:
    """Whether the values are those of never flagging, because nothing is flagged."""
    never_flag = result.naive.get("never_flag")
    reference = never_flag.group.get("proactive") if never_flag else None
    proactive, flags = values.get("proactive"), values.get("over_intervention_rate")
    if reference is None or reference.macro_f1 is None or proactive is None or flags is None:
        return False
    return abs(proactive.mean - reference.macro_f1) <= SAME_PROACTIVE and flags.mean < HARDLY_FLAGS


# --- naive rows -----------------------------------------------------------------------------------------------------


def _naive_rows(jobs: Sequence[Job]) -> list[Row]:
    """One row per policy and data set. Jobs on the same items agree on it, so the first job speaks for all."""
    by_data: dict[tuple[str, str, int], Job] = {}
    for job in jobs:
        digest = str(job.settings.get("data.sha256", ""))
        by_data.setdefault((data_label(job.result), digest, job.result.n), job)
    rows = []
    for (label, digest, n), job in sorted(by_data.items(), key=lambda entry: entry[0]):
        several = len({d for other, d, _ in by_data if other == label}) > 1
        settings = f"data.sha256={shown(digest)}" if several else ""
        for policy, name in NAIVE.items():
            if (scores := job.result.naive.get(policy)) is not None:
                values = row_values([scores], COMMON)
                tasks = {task: RowValue(score) for task, score in scores.task.items() if score is not None}
                row = Row(method=name, data=label, settings=settings, n=n, values=values, tasks=tasks, naive=True)
                rows.append(row)
    return rows
