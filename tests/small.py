"""A small benchmark that tests make themselves: three tasks, one of each group, with twins."""

from __future__ import annotations

from pathlib import Path

from bsft.records.schema import Behavior, Item, Locus, Manifest, Option, Perturbation, TaskSpec, Turn
from bsft.records.store import write_benchmark

TASKS = (
    TaskSpec(name="lab_interpretation", group="reactive", metric="macro_f1", labels=["low", "high", "flag"]),
    TaskSpec(name="treatment_planning", group="balanced", metric="accuracy"),
    TaskSpec(name="critical_data_alert", group="proactive", metric="macro_f1", labels=["no_flag", "flag_allergy"]),
)
_DRUGS = ("amoxicillin", "ibuprofen", "codeine", "morphine", "aspirin", "warfarin")


def _option(text: str, label: str, *, flag: bool = False) -> Option:
    return Option(text=text, label=label, flag=flag)


def _alert(case: int, split: str, *, perturbed: bool) -> Item:
    drug, other = _DRUGS[case % 6], _DRUGS[(case + 1) % 6]
    name = "perturbed" if perturbed else "clean"
    twin = "clean" if perturbed else "perturbed"
    allergy = drug if perturbed else other
    behavior: Behavior = "proactive" if perturbed else "reactive"
    return Item(
        id=f"case{case}/alert/{name}",
        case_id=f"case{case}",
        twin_id=f"case{case}/alert/{twin}",
        task="critical_data_alert",
        group="proactive",
        gold_behavior=behavior,
        autonomy="L3" if perturbed else "L2",
        turns=[*_opening(case), Turn(speaker="Nurse", role="nurse", text=f"Allergic to {allergy}.")],
        query=f"Write up {drug}.",
        options=[
            _option(f"Ordered {drug} now.", "no_flag"),
            _option(f"Stop: {drug} allergy!", "flag_allergy", flag=True),
        ],
        label="flag_allergy" if perturbed else "no_flag",
        variant="perturbed" if perturbed else "clean",
        perturbation=Perturbation(
            kind="critical/allergy_order",
            locus=Locus(turn=2, role="nurse", field="allergy"),
            before=other,
            after=drug,
        )
        if perturbed
        else None,
        determinable=True,
        split=split,
    )


def _opening(case: int) -> list[Turn]:
    return [
        Turn(speaker="Resident", role="resident", text=f"Bed {case} has had a fever since {case % 5 + 1} days."),
        Turn(speaker="Chart", role="record", text=f"Potassium {'2.9' if case % 2 else '5.9'} mmol/L (ref 3.5-5.1)"),
    ]


def case_items(case: int, split: str) -> list[Item]:
    low = case % 2 == 1
    lab = Item(
        id=f"case{case}/lab",
        case_id=f"case{case}",
        task="lab_interpretation",
        group="reactive",
        gold_behavior="reactive",
        autonomy="L1",
        turns=_opening(case),
        query="How is the potassium?",
        options=[
            _option("The potassium is low.", "low"),
            _option("The potassium is high.", "high"),
            _option("Stop: the chart errs.", "flag", flag=True),
        ],
        label="low" if low else "high",
        split=split,
    )
    plan = lab.model_copy(
        update={
            "id": f"case{case}/plan",
            "task": "treatment_planning",
            "group": "balanced",
            "gold_behavior": "balanced",
            "query": "What next?",
            "options": [
                _option("Replace it." if low else "Lower it.", "correct"),
                _option("Lower it." if low else "Replace it.", "distractor_1"),
                _option("Stop: error.", "flag", flag=True),
            ],
            "label": "correct",
        }
    )
    return [lab, plan, _alert(case, split, perturbed=True), _alert(case, split, perturbed=False)]


def write_small(directory: Path, *, train: int = 12, val: int = 3, test: int = 6) -> Manifest:
    """Writes the benchmark: `train`, `val` and `test` cases of four items each."""
    starts = {"train": (0, train), "val": (100, val), "test": (200, test)}
    items = {s: [i for c in range(a, a + n) for i in case_items(c, s)] for s, (a, n) in starts.items()}
    return write_benchmark(directory, items, TASKS, name="small", version="1", seed=0, licence="Apache-2.0")
