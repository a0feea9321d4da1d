"""The audit's files: `audit.json` with everything, `audit.csv` with all findings, two more for people."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bsft import __version__
from bsft.audit import plots
from bsft.audit.audit import Audit
from bsft.audit.tables import AuditReport, report_of
from bsft.display.pages import image_source, render_page
from bsft.records.errors import BadInput
from bsft.records.escaping import json_text, markdown, one_line
from bsft.records.files import write_atomically
from bsft.records.untrusted import read_json

SCHEMA = 2
FILES = ("audit.json", "audit.csv", "audit.md", "audit.html")


def write_documents(audit: Audit, output: Path, *, source: str, command: str) -> AuditReport:
    """Writes the four files.

    Args:
        output: their directory; it is made where it is missing.
        source: the benchmark's fingerprint, or where it came from.
        command: the command that was run, so that it can be run again.

    Raises:
        BadInput: the directory cannot be written to.
    """
    report = report_of(audit)
    record = json_text(_record(audit, source, command), indent=1)
    pages = _markdown(audit, report, command), _page(audit, report, command)
    texts = (record + "\n", report.everything.csv(), *pages)
    for name, text in zip(FILES, texts, strict=True):
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


def _record(audit: Audit, source: str, command: str) -> dict[str, Any]:
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
        "n_comparisons": audit.n_comparisons,
        "findings": [asdict(found) | {"status": found.status} for found in audit.findings],
        "duplicates": [asdict(duplicate) for duplicate in audit.duplicates],
        "tasks": [asdict(own) for own in audit.counts],
        "twin_lengths": [
            {"task": own.task, "n_pairs": len(own.clean), "mean_difference_characters": own.mean_difference}
            for own in audit.lengths
        ],
    }


def _subtitle(audit: Audit) -> str:
    corpus = audit.corpus
    settings = audit.settings
    return (
        f"{len(corpus.rows):,} items of {len(corpus.cases):,} cases in the splits {', '.join(corpus.splits)}; "
        f"probes by 5-fold cross-validation, cases whole, on at most {settings.max_cases:,} cases of a kind or task; "
        f"95 % intervals from {settings.n_bootstrap:,} resamples of cases; seed {settings.seed}."
    )


def _markdown(audit: Audit, report: AuditReport, command: str) -> str:
    lines = [f"# Audit of {markdown(audit.corpus.name)}", "", markdown(report.verdict), "", markdown(_subtitle(audit))]
    lines += ["", f"    {one_line(command)}", ""]
    if report.broken:
        lines += ["## Broken limits", "", *(f"- {markdown(message)}" for message in report.broken), ""]
    for table in report.tables:
        lines += [f"## {markdown(table.title)}", "", *([markdown(table.note), ""] if table.note else [])]
        lines.append(table.markdown())
    return "\n".join(lines)


def _page(audit: Audit, report: AuditReport, command: str) -> str:
    figures = {
        "auroc": plots.auroc_figure(audit),
        "balance": plots.balance_figure(audit.counts),
        "lengths": plots.lengths_figure(audit.lengths),
    }
    return render_page(
        "bsft.audit",
        "audit.html.j2",
        name=audit.corpus.name,
        passed=audit.passed,
        report=report,
        subtitle=_subtitle(audit),
        command=command,
        limit=audit.settings.limits.max_auroc,
        **{name: image_source(figure) if figure else None for name, figure in figures.items()},
    )
