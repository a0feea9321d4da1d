"""What scoring writes, the report reads."""

from __future__ import annotations

from made_runs import Sweep

from bsft.records.schema import Item, Locus, Option, Perturbation, TaskSpec, Turn
from bsft.report.rows import comparison
from bsft.report.sweep import read_sweep
from bsft.scoring.metrics import Response, evaluate, label_counts, responses_of
from bsft.stats.policies import POLICIES


def pair(case: int) -> list[Item]:
    """A perturbed item and its clean twin."""
    locus = Locus(turn=0, role="nurse", field="text")
    items = []
    for variant, label, twin in (("perturbed", "flag", "clean"), ("clean", "no_flag", "perturbed")):
        items.append(
            Item(
                id=f"{case}-{variant}",
                case_id=f"{case}",
                twin_id=f"{case}-{twin}",
                task="error_correction",
                group="proactive",
                gold_behavior="proactive" if variant == "perturbed" else "reactive",
                autonomy="L3",
                turns=[Turn(speaker="Nurse", role="nurse", text="Potassium is 41 mmol/L.")],
                options=[
                    Option(text="Noted.", label="no_flag", flag=False),
                    Option(text="Repeat it.", label="flag", flag=True),
                ],
                label=label,
                variant=variant,  # type: ignore[arg-type]
                perturbation=Perturbation(kind="error/decimal_shift", locus=locus, before="4.1", after="41")
                if variant == "perturbed"
                else None,
                split="test",
            )
        )
    return items


def test_report_reads_what_scoring_writes(sweep: Sweep) -> None:
    spec = TaskSpec(name="error_correction", group="proactive", metric="macro_f1", labels=["no_flag", "flag"])
    tasks = {spec.name: spec}
    items = [item for case in range(4) for item in pair(case)]
    # everything right but for one alarm missed and one too many, in different cases
    chosen = [item.label == "flag" for item in items]
    chosen[0], chosen[3] = False, True
    responses = [Response(item, int(flag)) for item, flag in zip(items, chosen, strict=True)]
    naive = {}
    for name, policy in POLICIES.items():
        scores = evaluate(responses_of(policy, items, label_counts(items)), tasks, bootstrap_samples=20)
        naive[name] = scores.model_dump() | {"task": {task: entry.score for task, entry in scores.task.items()}}
    scores = evaluate(responses, tasks, bootstrap_samples=20)
    sweep.job("general_sft", n=len(items), naive=naive, **scores.model_dump())
    row, always_flag, never_flag, *_ = comparison(read_sweep(sweep.path).jobs)
    assert row.values["proactive"].mean == 0.75
    assert row.values["over_intervention_rate"].mean == 0.25
    assert row.values["pair_accuracy"].mean == 0.5
    assert always_flag.values["over_intervention_rate"].mean == 1.0
    assert never_flag.values["over_intervention_rate"].mean == 0.0
    assert never_flag.tasks["error_correction"].mean < 0.5
