"""An audit as tables, for the terminal, the Markdown file, the page and CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console
from rich.text import Text

from bsft.audit.audit import Audit
from bsft.audit.limits import Finding, Status
from bsft.display.table import NONE, Cell, Column, Table, Tone
from bsft.records.untrusted import read_yaml

TONES: dict[Status, Tone] = {"passed": "good", "broken": "bad", "not checked": "soft", "reported": ""}
COMPLAINT = "complaint line"


@dataclass(frozen=True)
class _Kinds:
    """A table with a row for each kind or task, and a column for each probe."""

    probes: list[str]
    note: str


KINDS = TypeAdapter(dict[str, _Kinds]).validate_python(read_yaml(Path(__file__).with_suffix(".yaml")))


@dataclass(frozen=True)
class AuditReport:
    """An audit as it is shown: the verdict in a sentence, what is broken, and tables.

    Attributes:
        brief: those of the tables that a terminal shows.
        everything: a row for each finding, for programs.
    """

    verdict: str
    broken: list[str]
    tables: list[Table]
    brief: list[Table]
    everything: Table

    def show(self, name: str, output: Path, console: Console) -> None:
        """Prints the brief tables, without intervals, then what is broken and where the files are."""
        console.print(Text(f"Audit of {name}", style="bold"))
        for table in self.brief:
            console.print(table.rich(brief=True))
        console.print(Text(self.verdict, style="bold red" if self.broken else "bold green"))
        for message in self.broken:
            console.print(Text(f"- {message}"), soft_wrap=True)
        console.print(f"Everything: {output}/audit.html, audit.md, audit.csv, audit.json")


def report_of(audit: Audit) -> AuditReport:
    """All tables of an audit; those without rows are left out."""
    brief = [table for table in (_limits(audit), _rules(audit), _kinds(audit, "Reported")) if table.rows]
    artefacts = [_kinds(audit, title) for title in KINDS if title != "Reported"]
    tables = [*brief, *(table for table in (*artefacts, *_descriptions(audit)) if table.rows)]
    return AuditReport(_verdict(audit), list(_broken(audit)), tables, brief, _everything(audit))


def _verdict(audit: Audit) -> str:
    numbers = {status: audit.statuses.count(status) for status in TONES}
    sentence = f"{'Passed' if audit.passed else 'Failed'}: {numbers['passed']:,} limits hold, "
    sentence += f"{numbers['broken']:,} are broken"
    if numbers["not checked"]:
        sentence += f"; {numbers['not checked']:,} were not checked (under {audit.settings.limits.min_cases} cases)"
    return sentence + "."


def _broken(audit: Audit) -> Iterator[str]:
    """A sentence for each broken rule, and for the finding of each probe that breaks its limit most."""
    for check in audit.checks:
        if check.status == "broken":
            yield f"{check.name}: {check.found}"
    for own in _by_probe(audit.findings):
        worst, broken = own[0], sum(found.status == "broken" for found in own)
        if broken:
            level = "all levels" if worst.level is None else f"level {worst.level}"
            others = f"; so do {broken - 1:,} more of its {len(own):,}" if broken > 1 else ""
            yield (
                f"{worst.probe} of {worst.where}, {level}: {worst.measure} {worst.estimate} on {worst.n:,} units, "
                f"with a lower bound of {worst.bound:.3f} over {audit.n_comparisons:,} comparisons, exceeds "
                f"{worst.allowed:g}{others}"
            )


def _by_probe(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that were held against a limit, by what they look at, those with the highest bounds first."""
    groups: dict[str, list[Finding]] = {}
    for found in findings:
        if found.bound is not None:
            groups.setdefault(found.probe, []).append(found)
    return [sorted(own, key=lambda found: -(found.bound or 0)) for own in groups.values()]


def _limits(audit: Audit) -> Table:
    rows = []
    for own in _by_probe(audit.findings):
        worst, level = own[0], own[0].level
        broken = sum(found.status == "broken" for found in own)
        tone = TONES["broken" if broken else "passed"]
        rows.append([
            Cell(worst.probe), Cell(worst.where), Cell("all" if level is None else str(level)), _estimate(worst),
            Cell(f"{worst.bound:.3f}", tone=tone, number=worst.bound), Cell(f"{worst.allowed:g}", number=worst.allowed),
            _count(broken), _count(len(own)),
        ])  # fmt: skip
    numbers = _numbers("level", "value", "bound", "limit", "broken", "held")
    note = (
        "AUROC of artefacts (of the complaint line: accuracy) for every kind and level with at least "
        f"{audit.settings.limits.min_cases} cases; the bound holds for all {audit.n_comparisons:,} together."
    )
    return Table("Limits", [Column("probe"), Column("highest bound"), *numbers], rows, note)


def _rules(audit: Audit) -> Table:
    return Table(
        "Structure, duplicates, naturalness", [Column("rule"), Column("outcome"), Column("found", "long")],
        [[Cell(own.name), Cell(own.status, tone=TONES[own.status]), Cell(own.found)] for own in audit.checks],
    )  # fmt: skip


def _kinds(audit: Audit, title: str) -> Table:
    """A row for each kind or task, all levels together; of `Reported`, the complaint only where it has no limit."""
    probes = KINDS[title].probes
    unlimited = any(found.probe == COMPLAINT and found.allowed is None for found in audit.findings)
    if title == "Reported" and not unlimited:
        probes = [probe for probe in probes if probe != COMPLAINT]
    found = {(own.where, own.probe): own for own in audit.findings if own.level is None and own.probe in probes}
    rows = []
    for where in dict.fromkeys(where for where, _ in found):
        own = [found.get((where, probe)) for probe in probes]
        cells = [Cell(NONE) if one is None else _estimate(one) for one in own]
        rows.append([Cell(where), *cells, _count(next(one.estimate.n_cases for one in own if one is not None))])
    note = KINDS[title].note.format(limit=audit.settings.limits.max_auroc)
    return Table(title, [Column("kind or task"), *_numbers(*probes, "cases")], rows, note)


def _everything(audit: Audit) -> Table:
    columns = (
        "probe", "task", "kind", "level", "measure", "value", "low", "high", "bound", "limit", "outcome", "units",
        "cases",
    )  # fmt: skip
    rows: list[tuple[str | float | None, ...]] = []
    for own in audit.findings:
        value, low, high, _, n_cases = astuple(own.estimate)
        named = own.probe, own.task, own.kind, own.level, own.measure
        rows.append((*named, value, low, high, own.bound, own.allowed, own.status, own.n, n_cases))
    return Table("Findings", [Column(name) for name in columns], [[*map(Cell.of, row)] for row in rows])


def _numbers(*headers: str) -> list[Column]:
    return [Column(header, "number") for header in headers]


def _count(n: int) -> Cell:
    return Cell(f"{n:,}", number=n)


def _estimate(found: Finding) -> Cell:
    value, _, spread = str(found.estimate).partition(" ")
    return Cell(value, spread, TONES[found.status], found.estimate.value)


def _descriptions(audit: Audit) -> Iterator[Table]:
    splits, counts = audit.corpus.splits, audit.counts
    yield Table(
        "Items", [Column("task"), *_numbers(*splits), Column("variants", "long"), *_numbers("undeterminable")],
        [
            [
                Cell(own.task), *(_count(own.splits.get(split, 0)) for split in splits),
                Cell(_listed(own.variants)), _count(own.undeterminable),
            ]
            for own in counts
        ],
        "Items of every task and split, and their variants.",
    )  # fmt: skip
    yield Table(
        "Labels", [Column("task"), Column("labels", "long")],
        [[Cell(own.task), Cell(_listed(own.labels))] for own in counts], "How often each label is right.",
    )  # fmt: skip
    mean_difference = {own.task: own.mean_difference for own in audit.lengths}
    yield Table(
        "Edits",
        [Column("task"), Column("kinds", "long"), Column("speakers", "long"), *_numbers("last turn", "longer by")],
        [
            [
                Cell(own.task), Cell(_listed(own.kinds)), Cell(_listed(own.loci)),
                Cell(f"{own.last_turn / sum(own.loci.values()):.0%}"),
                Cell(f"{mean_difference[own.task]:+.2f}" if own.task in mean_difference else NONE),
            ]
            for own in counts if own.loci
        ],
        "Kinds of perturbation, who speaks where the edit is, how often that is the last turn, and by how many "
        "characters the perturbed twin is longer.",
    )  # fmt: skip


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
