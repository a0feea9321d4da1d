"""An audit as tables, which the terminal, the Markdown file and the page then show in their own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bsft.audit.audit import Audit
from bsft.audit.choices import WHICH
from bsft.audit.describe import TaskCounts, TwinLengths
from bsft.audit.labels import WHAT
from bsft.audit.limits import Status
from bsft.audit.policies import POLICIES
from bsft.audit.probes import ALL, ALONE, BETWEEN, WHERE
from bsft.audit.puzzles import Probe
from bsft.audit.texts import Numerals
from bsft.stats.bootstrap import Estimate

NONE = "–"
Key = tuple[str, str, Numerals | None]
"""What a probe is asked, what it looks at, and whether it sees numerals."""


@dataclass(frozen=True)
class Judged:
    """A value, its interval, and whether it breaks a limit (or, where no limit holds, lies above it)."""

    value: str
    spread: str = ""
    status: Status | None = None


@dataclass(frozen=True)
class Section:
    """A table with a title and a sentence on how to read it; `brief` ones are shown on the terminal."""

    title: str
    note: str
    headers: list[str]
    rows: list[list[Judged]]
    brief: bool = False


@dataclass(frozen=True)
class Story:
    """An audit, told: the verdict in a sentence, what is broken, what lies high without a limit, and all tables."""

    verdict: str
    broken: list[str]
    remarks: list[str]
    sections: list[Section]


def tell(audit: Audit, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths]) -> Story:
    """All tables of an audit; those without rows are left out."""
    sections = [*_probe_sections(audit), *_policy_sections(audit), *_other_sections(audit, counts, lengths)]
    broken = [f"{check.subject}: {check.message}" for check in audit.checks if check.status == "broken"]
    return Story(verdict(audit), broken, list(_remarks(audit)), [section for section in sections if section.rows])


def verdict(audit: Audit) -> str:
    """How many limits hold, are broken, and could not be checked."""
    numbers = {s: sum(check.status == s for check in audit.checks) for s in ("passed", "broken", "not checked")}
    start = "Passed" if audit.passed else "Failed"
    sentence = f"{start}: {numbers['passed']} checks hold, {numbers['broken']} are broken"
    if numbers["not checked"]:
        sentence += f"; {numbers['not checked']} were not made, for want of {audit.settings.limits.min_pairs:,} units"
    return sentence + "."


def _remarks(audit: Audit) -> Iterator[str]:
    """Probes for which no limit holds and whose lower bound is above it all the same, one sentence for each sort."""
    limit = audit.settings.limits.max_auroc
    high: dict[tuple[str, str], list[Probe]] = {}
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


def _probe_sections(audit: Audit) -> Iterator[Section]:
    limit = f"{audit.settings.limits.max_auroc:g}"
    masked: dict[str, Key] = {name: (*key, "masked") for name, key in _TWIN_COLUMNS.items()}
    masked["place of the edit"] = (ALONE, "place of the edit", None)
    yield _table(
        audit, "Twins, numerals masked",
        f"AUROC of telling an item with a problem from its clean twin; the lower bound may be at most {limit}.",
        masked, brief=True,
    )  # fmt: skip
    yield _table(
        audit, "Twins, numerals shown",
        "The same with numbers in sight. An implausible number is a legitimate cue: no limit holds.",
        {name: (*key, "shown") for name, key in _TWIN_COLUMNS.items()},
    )  # fmt: skip
    yield _table(
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
    yield _table(
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
        brief=True,
    )  # fmt: skip
    yield _table(
        audit, "Labels from words",
        "Macro-F1 of TF-IDF and logistic regression on a task's label set; chance is always naming the commonest.",
        {
            "scene": (WHAT, "scene, words", "masked"),
            "scene, numerals shown": (WHAT, "scene, words", "shown"),
            "question": (WHAT, "question", "masked"),
            "options": (WHAT, "options", "masked"),
        },
    )  # fmt: skip


def _table(audit: Audit, title: str, note: str, columns: dict[str, Key], *, brief: bool = False) -> Section:
    found = {(probe.task, probe.asks, probe.name, probe.numerals): probe for probe in audit.probes}
    rows = []
    for task in audit.corpus.tasks:
        probes = [found.get((task, *key)) for key in columns.values()]
        known = [probe for probe in probes if probe is not None]
        if known:
            cells = [NOTHING if probe is None else _probe_cell(probe, audit) for probe in probes]
            rows.append([Judged(task), *cells, Judged(f"{known[0].n:,}")])
    unit = next((p.unit for p in audit.probes if (p.asks, p.name, p.numerals) in columns.values()), "items")
    return Section(title, note, ["task", *columns, unit], rows, brief)


NOTHING = Judged(NONE)


def _probe_cell(probe: Probe, audit: Audit) -> Judged:
    limits = audit.settings.limits
    status: Status | None = None
    if probe.binding and probe.numerals != "shown":
        high = probe.estimate.low > limits.max_auroc
        status = "not checked" if probe.n < limits.min_pairs else "broken" if high else "passed"
    value, spread = _shown(probe.estimate)
    return Judged(value if probe.metric == "auroc" else f"{value} (chance {probe.chance:.3f})", spread, status)


def _shown(estimate: Estimate) -> tuple[str, str]:
    return f"{estimate.value:.3f}", f"{estimate.low:.3f}–{estimate.high:.3f}"


def _policy_sections(audit: Audit) -> Iterator[Section]:
    limits = audit.settings.limits
    found = {(outcome.task, outcome.policy): outcome for outcome in audit.outcomes}
    rows = []
    for task, spec in audit.corpus.tasks.items():
        cells = []
        for policy in POLICIES:
            outcome = found[task, policy]
            high = outcome.estimate.low > limits.max_naive_score
            status: Status = "not checked" if outcome.n < limits.min_pairs else "broken" if high else "passed"
            cells.append(Judged(*_shown(outcome.estimate), status))
        metric = "macro-F1" if spec.metric == "macro_f1" else "accuracy"
        rows.append([Judged(task), Judged(metric), *cells, Judged(f"{found[task, 'random'].n:,}")])
    note = f"What one scores without reading; the lower bound may be at most {limits.max_naive_score:g}."
    yield Section("Naive policies", note, ["task", "metric", *POLICIES, "items"], rows, brief=True)


def _other_sections(audit: Audit, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths]) -> Iterator[Section]:
    yield Section(
        "Structure and duplicates", "", ["rule", "outcome", "found"],
        [
            [Judged(check.name), Judged(check.status, "", check.status), Judged(check.message)]
            for check in audit.checks if check.subject == "all items"
        ],
    )  # fmt: skip
    yield _features(audit)
    splits = audit.corpus.splits
    yield Section(
        "Items", "Items of every task and split, and their variants.", ["task", *splits, "variants", "undeterminable"],
        [
            [
                Judged(own.task), *(Judged(f"{own.splits.get(split, 0):,}") for split in splits),
                Judged(_listed(own.variants)), Judged(f"{own.undeterminable:,}"),
            ]
            for own in counts
        ],
    )  # fmt: skip
    yield Section(
        "Labels", "How often each label is right.", ["task", "labels"],
        [[Judged(own.task), Judged(_listed(own.labels))] for own in counts],
    )  # fmt: skip
    mean_difference = {own.task: own.mean_difference for own in lengths}
    yield Section(
        "Edits",
        "Kinds of perturbation, who speaks where the edit is, how often that is the last turn, and by how many "
        "characters the perturbed twin is longer.",
        ["task", "kinds", "speakers", "last turn", "longer by"],
        [
            [
                Judged(own.task), Judged(_listed(own.kinds)), Judged(_listed(own.loci)),
                Judged(f"{own.last_turn / sum(own.loci.values()):.0%}"),
                Judged(f"{mean_difference[own.task]:+.2f}" if own.task in mean_difference else NONE),
            ]
            for own in counts if own.loci
        ],
    )  # fmt: skip


def _features(audit: Audit) -> Section:
    """What the probes look at that lie above the limit, binding or not."""
    limit = audit.settings.limits.max_auroc
    rows = []
    for probe in sorted(audit.probes, key=lambda probe: -probe.estimate.low):
        if probe.features and probe.estimate.low > limit:
            what = f"{probe.asks} {probe.name}, numerals {probe.numerals}"
            towards = ", ".join(f"“{f.name}”" for f in probe.features if f.weight > 0)
            against = ", ".join(f"“{f.name}”" for f in probe.features if f.weight < 0)
            kinds = ", ".join(f"{kind} {value:.2f}" for kind, value in probe.by_kind.items())
            features = [Judged(text) for text in (towards, against, kinds)]
            rows.append([Judged(probe.task), Judged(what), Judged(*_shown(probe.estimate)), *features])
    return Section(
        "What the probes look at", f"Features with the largest weights, of probes whose lower bound exceeds {limit:g}.",
        ["task", "probe", "AUROC", "for", "against", "by kind"], rows,
    )  # fmt: skip


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
