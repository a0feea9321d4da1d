"""An audit as tables, for the terminal, the Markdown file and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bsft.audit.audit import Audit
from bsft.audit.choices import WHICH
from bsft.audit.describe import TaskCounts, TwinLengths
from bsft.audit.labels import WHAT
from bsft.audit.limits import Limits, Status
from bsft.audit.policies import POLICIES
from bsft.audit.probes import ALL, ALONE, BETWEEN, WHERE
from bsft.audit.probing import ProbeResult
from bsft.audit.texts import Numerals
from bsft.display.table import NONE, Cell, Column, Table, Tone
from bsft.stats.bootstrap import Estimate

Key = tuple[str, str, Numerals | None]
"""What a probe is asked, what it looks at, and whether it sees numerals."""

TONES: dict[Status, Tone] = {"passed": "good", "broken": "bad", "not checked": "soft"}


@dataclass(frozen=True)
class AuditReport:
    """An audit as it is shown: the verdict in a sentence, what is broken, what lies high without a limit, and tables.

    Attributes:
        brief: those of the tables that a terminal shows.
    """

    verdict: str
    broken: list[str]
    remarks: list[str]
    tables: list[Table]
    brief: list[Table]


def report_of(audit: Audit, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths]) -> AuditReport:
    """All tables of an audit; those without rows are left out."""
    masked, shown, beyond, options, labels = _probe_tables(audit)
    policies = _policy_table(audit)
    tables = [masked, shown, beyond, options, labels, policies, *_other_tables(audit, counts, lengths)]
    broken = [f"{check.subject}: {check.message}" for check in audit.checks if check.status == "broken"]
    brief = [table for table in (masked, options, policies) if table.rows]
    return AuditReport(verdict(audit), broken, list(_remarks(audit)), [table for table in tables if table.rows], brief)


def verdict(audit: Audit) -> str:
    """How many limits hold, are broken, and could not be checked."""
    numbers = {s: sum(check.status == s for check in audit.checks) for s in ("passed", "broken", "not checked")}
    start = "Passed" if audit.passed else "Failed"
    sentence = f"{start}: {numbers['passed']} checks hold, {numbers['broken']} are broken"
    if numbers["not checked"]:
        sentence += f"; {numbers['not checked']} were not made (under {audit.settings.limits.min_pairs:,} units)"
    return sentence + "."


def _remarks(audit: Audit) -> Iterator[str]:
    """Probes for which no limit holds and whose lower bound is above that of the others; one sentence for each kind."""
    limit = audit.settings.limits.max_auroc
    high: dict[tuple[str, str], list[ProbeResult]] = {}
    for probe in audit.probes:
        counted = not probe.binding and probe.metric == "auroc" and probe.numerals == "masked"
        if counted and probe.estimate.low > limit:
            high.setdefault((probe.asks, probe.name), []).append(probe)
    for (asks, name), probes in high.items():
        values = ", ".join(f"{p.task} {p.estimate.value:.2f}" for p in sorted(probes, key=lambda p: -p.estimate.value))
        yield f"{asks} from {name}: AUROC {values}"


_TWIN_COLUMNS: dict[str, tuple[str, str]] = {
    "lengths": (ALONE, "lengths"),
    "question": (ALONE, "question"),
    "options": (ALONE, "options"),
    "scene, words": (ALONE, "scene, words"),
    "scene, characters": (ALONE, "scene, characters"),
    "both twins, words": (BETWEEN, "scene, words"),
    "both twins, characters": (BETWEEN, "scene, characters"),
}


def _probe_tables(audit: Audit) -> Iterator[Table]:
    limit = f"{audit.settings.limits.max_auroc:g}"
    masked: dict[str, Key] = {name: (*key, "masked") for name, key in _TWIN_COLUMNS.items()}
    masked["place of the edit"] = (ALONE, "place of the edit", None)
    yield _probe_table(
        audit, "Twins, numerals masked",
        f"AUROC of telling an item with a problem from its clean twin; the lower bound may be at most {limit}.",
        masked,
    )  # fmt: skip
    yield _probe_table(
        audit, "Twins, numerals shown",
        "The same with numbers in sight. An implausible number is a legitimate cue: no limit holds.",
        {name: (*key, "shown") for name, key in _TWIN_COLUMNS.items()},
    )  # fmt: skip
    yield _probe_table(
        audit, "Beyond twins",
        "AUROC of which words occur at all (statements that agree repeat a word), of the edited turn's words alone, of "
        "all items of a task (with controls in which the problem is known), and of telling the edited turn by its "
        "place. No limit holds.",
        {
            "presence of words": (ALONE, "scene, presence of words", "masked"),
            "both twins, presence": (BETWEEN, "scene, presence of words", "masked"),
            "edited turn": (ALONE, "edited turn", "masked"),
            "edited turn, numerals shown": (ALONE, "edited turn", "shown"),
            "all items, scene": (ALL, "scene, words", "masked"),
            "all items, question": (ALL, "question", "masked"),
            "place of the turn": (WHERE, "place of the turn", None),
        },
    )  # fmt: skip
    yield _probe_table(
        audit, "Options without the case",
        "AUROC of telling the right option from the others (among flags, where a flag is right). The limit holds for "
        "position and length; words and labels are shown to be judged.",
        {
            "position": (WHICH, "option position", None),
            "length": (WHICH, "option length", "masked"),
            "words": (WHICH, "option words", "masked"),
            "words, numerals shown": (WHICH, "option words", "shown"),
            "label": (WHICH, "option label", None),
        },
    )  # fmt: skip
    yield _probe_table(
        audit, "Labels from words",
        "Macro-F1 of TF-IDF and logistic regression on a task's label set; chance is always naming the commonest.",
        {
            "scene": (WHAT, "scene, words", "masked"),
            "scene, numerals shown": (WHAT, "scene, words", "shown"),
            "question": (WHAT, "question", "masked"),
            "options": (WHAT, "options", "masked"),
        },
    )  # fmt: skip


def _probe_table(audit: Audit, title: str, note: str, columns: dict[str, Key]) -> Table:
    found = {(probe.task, probe.asks, probe.name, probe.numerals): probe for probe in audit.probes}
    rows = []
    for task in audit.corpus.tasks:
        probes = [found.get((task, *key)) for key in columns.values()]
        known = [probe for probe in probes if probe is not None]
        if known:
            cells = [Cell(NONE) if probe is None else _probe_cell(probe, audit.settings.limits) for probe in probes]
            rows.append([Cell(task), *cells, _count(known[0].n)])
    unit = next((p.unit for p in audit.probes if (p.asks, p.name, p.numerals) in columns.values()), "items")
    return Table(title, [Column("task"), *_numbers(*columns, unit)], rows, note)


def _numbers(*headers: str) -> list[Column]:
    return [Column(header, "number") for header in headers]


def _count(n: int) -> Cell:
    return Cell(f"{n:,}", number=n)


def _probe_cell(probe: ProbeResult, limits: Limits) -> Cell:
    chance = "" if probe.metric == "auroc" else f" (chance {probe.chance:.3f})"
    held = probe.binding and probe.numerals != "shown"
    status = limits.status(probe.estimate.low, limits.max_auroc, probe.n) if held else None
    return _estimate_cell(probe.estimate, status, chance)


def _estimate_cell(estimate: Estimate, status: Status | None = None, remark: str = "") -> Cell:
    spread = f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    return Cell(f"{estimate.value:.3f}{remark}", spread, TONES[status] if status else "", estimate.value)


def _policy_table(audit: Audit) -> Table:
    limits = audit.settings.limits
    found = {(score.task, score.policy): score for score in audit.policy_scores}
    rows = []
    for task, spec in audit.corpus.tasks.items():
        scores = [found[task, policy] for policy in POLICIES]
        metric = "macro-F1" if spec.metric == "macro_f1" else "accuracy"
        cells = [
            _estimate_cell(score.estimate, limits.status(score.estimate.low, limits.max_naive_score, score.n))
            for score in scores
        ]
        rows.append([Cell(task), Cell(metric), *cells, _count(scores[0].n)])
    note = f"What can be scored without reading; the lower bound may be at most {limits.max_naive_score:g}."
    return Table("Naive policies", [Column("task"), Column("metric"), *_numbers(*POLICIES, "items")], rows, note)


def _other_tables(audit: Audit, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths]) -> Iterator[Table]:
    yield Table(
        "Structure and duplicates", [Column("rule"), Column("outcome"), Column("found", "long")],
        [
            [Cell(check.name), Cell(check.status, tone=TONES[check.status]), Cell(check.message)]
            for check in audit.checks if check.subject == "all items"
        ],
    )  # fmt: skip
    yield _features(audit)
    splits = audit.corpus.splits
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
    mean_difference = {own.task: own.mean_difference for own in lengths}
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


def _features(audit: Audit) -> Table:
    """What the probes above the limit look at, whether they are binding or not."""
    limit = audit.settings.limits.max_auroc
    rows = []
    for probe in sorted(audit.probes, key=lambda probe: -probe.estimate.low):
        if probe.features and probe.estimate.low > limit:
            what = f"{probe.asks} {probe.name}, numerals {probe.numerals}"
            towards = ", ".join(f"“{f.name}”" for f in probe.features if f.weight > 0)
            against = ", ".join(f"“{f.name}”" for f in probe.features if f.weight < 0)
            kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in probe.by_kind.items())
            texts = [Cell(text) for text in (towards, against, kinds)]
            rows.append([Cell(probe.task), Cell(what), _estimate_cell(probe.estimate), *texts])
    long = [Column(header, "long") for header in ("for", "against", "by kind")]
    return Table(
        "What the probes look at", [Column("task"), Column("probe", "long"), *_numbers("AUROC"), *long], rows,
        f"Features with the largest weights, of probes whose lower bound exceeds {limit:g}.",
    )  # fmt: skip


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
