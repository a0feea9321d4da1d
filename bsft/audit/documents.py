"""The audit's files: `audit.json` with everything, `audit.md` and `audit.html` for people."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bsft import __version__
from bsft.audit import plots
from bsft.audit.audit import Audit
from bsft.audit.describe import TaskCounts, TwinLengths, count_task, twin_lengths
from bsft.audit.tables import AuditReport, report_of
from bsft.display.pages import image_source, render_page
from bsft.records.errors import BadInput
from bsft.records.escaping import json_text, markdown, one_line
from bsft.records.files import write_atomically
from bsft.records.untrusted import read_json

SCHEMA = 1
FILES = ("audit.json", "audit.md", "audit.html")
REMARKS_NOTE = "No limit holds for these probes, but the lower bound of their AUROC lies above the limit of the others."


def describe(audit: Audit) -> tuple[list[TaskCounts], list[TwinLengths]]:
    """Counts of every task, and lengths of the twins of those that have any."""
    corpus = audit.corpus
    counts = [count_task(corpus, task) for task in corpus.tasks]
    return counts, [twin_lengths(corpus, task) for task in corpus.groups("proactive") if corpus.pairs(task)]


def write_documents(audit: Audit, output: Path, *, source: str, command: str) -> AuditReport:
    """Writes the three files.

    Args:
        audit: what was found.
        output: their directory; it is made where it is missing.
        source: the benchmark's fingerprint, or where it came from.
        command: the command that was run, so that it can be run again.

    Raises:
        BadInput: the directory cannot be written to.
    """
    counts, lengths = describe(audit)
    report = report_of(audit, counts, lengths)
    record = json_text(_record(audit, counts, lengths, source, command), indent=1)
    page = _page(audit, report, counts, lengths, command)
    for name, text in zip(FILES, (record + "\n", _markdown(audit, report, command), page), strict=True):
        write_atomically(output / name, text)
    return report


def check_output(output: Path) -> None:
    """Refuses to replace files that have the names of an audit's files but were not written by one.

    Raises:
        BadInput: there are such files, or `output` is not a directory.
    """
    if output.exists() and not output.is_dir():
        raise BadInput(f"{output}: is a file, allowed: a directory; choose another output")
    taken = next((name for name in FILES if os.path.lexists(output / name)), None)
    if taken is not None and not _is_audit(output / FILES[0]):
        raise BadInput(f"{output / taken}: is not of an audit by bsft; choose another output")


def _is_audit(file: Path) -> bool:
    try:
        return {"schema", "bsft", "benchmark"} <= read_json(file).keys()
    except BadInput:
        return False


def _record(
    audit: Audit, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths], source: str, command: str
) -> dict[str, Any]:
    corpus = audit.corpus
    return {
        "schema": SCHEMA,
        "bsft": __version__,
        "benchmark": {
            "name": corpus.name,
            "source": source,
            "n_items": len(corpus.rows),
            "n_cases": len(corpus.cases),
            "splits": corpus.splits,
        },
        "command": command,
        "settings": asdict(audit.settings),
        "passed": audit.passed,
        "checks": [asdict(check) for check in audit.checks],
        "probes": [asdict(probe) for probe in audit.probes],
        "policies": [asdict(score) for score in audit.policy_scores],
        "duplicates": [asdict(duplicate) for duplicate in audit.duplicates],
        "tasks": [asdict(own) for own in counts],
        "twin_lengths": [
            {"task": own.task, "n_pairs": len(own.clean), "mean_difference_characters": own.mean_difference}
            for own in lengths
        ],
    }


def _subtitle(audit: Audit) -> str:
    corpus = audit.corpus
    settings = audit.settings
    return (
        f"{len(corpus.rows):,} items of {len(corpus.cases):,} cases in the splits {', '.join(corpus.splits)}; "
        f"probes on at most {settings.max_pairs:,} pairs per task and split; "
        f"95 % intervals from {settings.n_bootstrap:,} resamples of cases; seed {settings.seed}."
    )


def _designs(audit: Audit) -> list[str]:
    """How probes were fitted, each way once."""
    return list(dict.fromkeys(probe.design for probe in audit.probes))


def _markdown(audit: Audit, report: AuditReport, command: str) -> str:
    lines = [f"# Audit of {markdown(audit.corpus.name)}", "", markdown(report.verdict), "", markdown(_subtitle(audit))]
    lines += [f"Probes: {markdown('; '.join(_designs(audit)))}.", "", f"    {one_line(command)}", ""]
    for title, note, messages in (("Broken limits", "", report.broken), ("To be judged", REMARKS_NOTE, report.remarks)):
        if messages:
            lines += [f"## {title}", "", *([note, ""] if note else []), *(f"- {markdown(m)}" for m in messages), ""]
    for table in report.tables:
        lines += [f"## {markdown(table.title)}", "", *([markdown(table.note), ""] if table.note else [])]
        lines.append(table.markdown())
    return "\n".join(lines)


def _page(
    audit: Audit, report: AuditReport, counts: Sequence[TaskCounts], lengths: Sequence[TwinLengths], command: str
) -> str:
    limit = audit.settings.limits.max_auroc
    figures = [
        (
            "Telling twins apart",
            "AUROC of every probe of twins with its 95 % interval: blue with numerals masked, grey with them shown, "
            f"red above the dashed limit of {limit:g}; squares mark probes without a limit.",
            plots.auroc_figure(audit),
        ),
        (
            "Label balance",
            "Share of items of every task for which each label is right; flags without their prefix.",
            plots.balance_figure(counts),
        ),
        ("Lengths of twins", "Characters of perturbed and clean scenes.", plots.lengths_figure(lengths)),
    ]
    return render_page(
        "bsft.audit",
        "audit.html.j2",
        name=audit.corpus.name,
        passed=audit.passed,
        report=report,
        remarks_note=REMARKS_NOTE,
        subtitle=_subtitle(audit),
        designs=_designs(audit),
        command=command,
        figures=[(title, alt, image_source(figure)) for title, alt, figure in figures if figure is not None],
    )
