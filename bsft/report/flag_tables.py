"""The tables about raising alarms: overall, at matched over-intervention, and by kind of problem."""

from __future__ import annotations

from collections.abc import Sequence

from bsft.display.table import Cell, Column, Table
from bsft.report.rows import Block, Row
from bsft.report.tables import full_label, score_cell

_COLUMNS = {
    "auc": "AUC",
    "paired_auc": "paired AUC",
    "over_intervention_rate": "over-intervention",
    "missed_intervention_rate": "missed",
    "pair_accuracy": "pair accuracy",
    "pair_accuracy_by_chance": "by chance",
}
_NATS = {
    "twin_effect_nats": "problem against twin",
    "noise.paraphrase": "paraphrase",
    "noise.other_sex": "other sex",
    "spread": "among concerns",
}
_MATCHED = {
    "proactive": "proactive",
    "over_intervention_rate": "over-intervention",
    "missed_intervention_rate": "missed",
}


def flags_table(rows: Sequence[Row], several_blocks: bool) -> Table:
    """Whether alarms are raised where they are due."""
    lines = [
        [Cell(full_label(row, several_blocks)), *(score_cell(row.values.get(name), interval=True) for name in _COLUMNS)]
        for row in rows
        if "auc" in row.values
    ]
    note = (
        "AUC and paired AUC need no threshold: how often an item that needs an alarm brings the model nearer to one "
        "than an item that needs none, or than its own clean twin. Missed: share of due alarms that were not raised. "
        "By chance: pair accuracy if twins were answered independently of each other."
    )
    return Table(
        "Raising alarms", [Column("method"), *(Column(name, "number") for name in _COLUMNS.values())], lines, note
    )


def noise_table(rows: Sequence[Row], several_blocks: bool) -> Table:
    """How far margins move with a problem, and with nothing that matters."""
    lines = [
        [Cell(full_label(row, several_blocks)), *(score_cell(row.values.get(name)) for name in _NATS)]
        for row in rows
        if "twin_effect_nats" in row.values
    ]
    note = (
        "Medians in nats: how far a problem moves the margin from its clean twin's; how far a restatement does that "
        "changes nothing that matters; how far apart an item's concerns lie, per token."
    )
    return Table(
        "Effect and noise", [Column("method"), *(Column(name, "number") for name in _NATS.values())], lines, note
    )


def matched_table(rows: Sequence[Row], several_blocks: bool) -> Table:
    """All methods at a threshold that was chosen on validation items for the same over-intervention."""
    lines = []
    for row in rows:
        for prefix, title in (("matched", "as it is"), ("prior_removed", "prior removed")):
            values = [row.values.get(f"{prefix}.{name}") for name in _MATCHED]
            if any(values):
                area = row.values.get("auc" if prefix == "matched" else "prior_removed.auc")
                cells = [score_cell(value) for value in (area, *values)]
                lines.append([Cell(full_label(row, several_blocks)), Cell(title), *cells])
    targets = {
        job.result.flags.matched.target
        for row in rows
        for job in row.jobs
        if job.result.flags and job.result.flags.matched
    }
    target = " or ".join(f"{100 * value:g} %" for value in sorted(targets))
    note = (
        f"Alarms are raised above the threshold at which {target} of the validation items that need none would get "
        "one. Prior removed: less what the model says to the same request without its scene."
    )
    headers = ("AUC", *_MATCHED.values())
    columns = [Column("method"), Column("margin"), *(Column(header, "number") for header in headers)]
    return Table("At matched over-intervention", columns, lines, note)


def kinds_table(block: Block) -> Table:
    """Paired AUC: a row per kind of problem, a column per row of the comparison."""
    lines = []
    for kind in sorted({kind for row in block.rows for kind in row.kinds}):
        pairs = max(
            job.result.flags.kind[kind].n_pairs
            for row in block.rows
            for job in row.jobs
            if job.result.flags and kind in job.result.flags.kind
        )
        scores = [score_cell(row.kinds.get(kind), interval=True) for row in block.rows]
        lines.append([Cell(kind.replace("_", " ")), Cell(f"{pairs:,}", number=pairs), *scores])
    columns = [Column("kind"), Column("pairs", "number"), *(Column(r.method, "number", r.settings) for r in block.rows)]
    return Table(f"Paired AUC by kind of problem: {block.model}, {block.data}", columns, lines)
