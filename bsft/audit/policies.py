"""How naive policies score on the tasks of a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bsft.audit.corpus import Corpus
from bsft.records.schema import Metric
from bsft.stats import policies as naive
from bsft.stats.arrays import label_indices
from bsft.stats.bootstrap import Bootstrap, Estimate

POLICIES: Mapping[str, naive.Policy] = {
    name.replace("_", " "): policy for name, policy in (naive.POLICIES | naive.SURFACE_POLICIES).items()
}
"""By the name under which they are shown."""


@dataclass(frozen=True)
class PolicyScore:
    """A policy's score on a task."""

    task: str
    policy: str
    metric: Metric
    estimate: Estimate
    n: int


def try_policies(corpus: Corpus, task: str, bootstrap: Bootstrap) -> Iterator[PolicyScore]:
    """Scores of all policies on all items of a task; they learn from `train` where there is one."""
    rows = corpus.of_task(task)
    training = [row for row in rows if row.split == "train"] or rows
    counts = naive.TrainingCounts(Counter(row.label for row in training), Counter(row.gold for row in training))
    questions = [
        naive.Question(row.id, row.options, [len(corpus.texts[option.text]) for option in row.options]) for row in rows
    ]
    cases = [row.case_id for row in rows]
    metric = corpus.tasks[task].metric
    labels = sorted({option.label for row in rows for option in row.options})
    gold = label_indices([row.label for row in rows], labels)
    for name, policy in POLICIES.items():
        chosen = [policy(question, counts) for question in questions]
        predicted = label_indices([row.options[i].label for row, i in zip(rows, chosen, strict=True)], labels)
        if metric == "accuracy":
            estimate = bootstrap.mean(predicted == gold, cases)
        else:
            estimate = bootstrap.macro_f1(gold, predicted, len(labels), cases)
        yield PolicyScore(task, name, metric, estimate, len(rows))
