"""A small benchmark of random words that can only be solved by reading, and the defects that can be planted in it."""

from __future__ import annotations

import random
from collections.abc import Callable

from bsft.records.schema import Item, Locus, Option, Perturbation, TaskSpec, Turn

TASKS = (
    TaskSpec(name="alert", group="proactive", metric="macro_f1", labels=["no_flag", "flag_allergy", "flag_dose"]),
    TaskSpec(name="answer", group="reactive", metric="accuracy"),
)
N_CASES = 160
WORDS = [
    a + b for a in ("bel", "cor", "dan", "fil", "gam", "hul", "jor", "kes") for b in ("an", "ep", "im", "os", "ut")
]
DRUGS = ("amoxicillin", "clopidogrel", "simvastatin", "fluconazole", "risperidone", "allopurinol")
Benchmark = dict[str, list[Item]]
Plant = Callable[[Benchmark], None]


def option(text: str, label: str, *, flag: bool = False) -> Option:
    return Option(text=text, label=label, flag=flag)


def case_items(case: int, split: str) -> list[Item]:
    """Twins, of whom one is allergic to the drug that is ordered, and a question; all words are random."""
    rng = random.Random(f"case {case}")
    opening = [Turn(speaker="Nurse", role="nurse", text=" ".join(rng.choices(WORDS, k=rng.randint(12, 30))) + ".")]
    drug, other = rng.sample(DRUGS, 2)
    flags = [option(f"Stop: allergy to {drug}.", "flag_allergy", flag=True)]
    flags.append(option(f"Stop: dosages of {drug}.", "flag_dose", flag=True))
    options = [option(f"Given as asked, {drug}.", "no_flag"), *flags]
    rng.shuffle(options)

    def twin(name: str, label: str) -> Item:
        perturbed = name == "perturbed"
        allergy, remedy = (drug, other) if perturbed else (other, drug)
        edit = Perturbation(
            kind="critical/allergy", locus=Locus(turn=1, role="record", field="allergy"), before=other, after=drug
        )
        return Item(
            id=f"{case}/alert/{name}",
            case_id=f"case {case}",
            twin_id=f"{case}/alert/{'clean' if perturbed else 'perturbed'}",
            task="alert",
            group="proactive",
            gold_behavior="proactive" if perturbed else "reactive",
            autonomy="L3" if perturbed else "L2",
            turns=[
                *opening,
                Turn(
                    speaker="Chart", role="record", text=f"Allergic to {allergy}, better with {remedy} {case} days ago."
                ),
                Turn(speaker="Resident", role="resident", text=f"Please give {drug}."),
            ],
            query="Sign the chart, please." if case % 2 else None,
            options=options,
            label=label,
            variant="perturbed" if perturbed else "clean",
            perturbation=edit if perturbed else None,
            determinable=True,
            split=split,
        )

    right, *wrong = rng.sample(WORDS, 4)
    answers = [option(f"It is {right}.", "correct"), *(option(f"It is {w}.", f"wrong_{w}") for w in wrong)]
    answers.append(option("Stop it now.", "flag", flag=True))
    rng.shuffle(answers)
    question = twin("clean", "no_flag").model_copy(
        update={
            "id": f"{case}/answer", "twin_id": None, "task": "answer", "group": "reactive", "options": answers,
            "label": "correct", "variant": "plain", "determinable": None, "query": "Which one?",
        }
    )  # fmt: skip
    return [twin("perturbed", "flag_allergy"), twin("clean", "no_flag"), question]


def clean_benchmark() -> Benchmark:
    starts = {"train": (0, 110), "test": (110, N_CASES)}
    return {split: [i for c in range(a, b) for i in case_items(c, split)] for split, (a, b) in starts.items()}


def changed(benchmark: Benchmark, change: Callable[[Item], Item | None]) -> None:
    for split, items in benchmark.items():
        benchmark[split] = [new for item in items if (new := change(item)) is not None]


def with_turn(item: Item, index: int, text: str) -> Item:
    turns = [turn.model_copy(update={"text": text}) if i == index else turn for i, turn in enumerate(item.turns)]
    return item.model_copy(update={"turns": turns})


def plant_fingerprint(benchmark: Benchmark) -> None:
    """Clean twins begin the edited sentence in lower case."""
    changed(
        benchmark,
        lambda i: with_turn(i, 1, i.turns[1].text.replace("Allergic", "allergic")) if i.variant == "clean" else i,
    )


def plant_scene_length(benchmark: Benchmark) -> None:
    """The edited turn of perturbed twins is longer by a few random words."""

    def longer(item: Item) -> Item:
        padding = " ".join(random.Random(item.id).choices(WORDS, k=30))
        return with_turn(item, 1, f"{item.turns[1].text} {padding}") if item.variant == "perturbed" else item

    changed(benchmark, longer)


def plant_duplicate(benchmark: Benchmark) -> None:
    """A test case is a training case, but for a number."""
    copied = benchmark["train"][0]
    turns = [*copied.turns[:1], copied.turns[1].model_copy(update={"text": copied.turns[1].text.replace("0", "7")})]
    benchmark["test"][2] = benchmark["test"][2].model_copy(update={"turns": [*turns, copied.turns[2]]})


def plant_missing_twin(benchmark: Benchmark) -> None:
    del benchmark["test"][1]


def plant_other_edit(benchmark: Benchmark) -> None:
    """A twin differs in a turn that is not the recorded one."""
    benchmark["train"][0] = with_turn(benchmark["train"][0], 0, "Somebody else.")


def plant_other_options(benchmark: Benchmark) -> None:
    first = benchmark["train"][0]
    benchmark["train"][0] = first.model_copy(update={"options": first.options[::-1]})


def plant_wrong_gold(benchmark: Benchmark) -> None:
    benchmark["train"][1] = benchmark["train"][1].model_copy(update={"label": "flag_dose"})


def plant_position(benchmark: Benchmark) -> None:
    """The right answer comes first more often than not."""

    def sorted_first(item: Item) -> Item:
        if item.task != "answer" or random.Random(item.id).random() < 0.4:
            return item
        return item.model_copy(update={"options": [item.gold, *(o for o in item.options if o != item.gold)]})

    changed(benchmark, sorted_first)


def plant_option_length(benchmark: Benchmark) -> None:
    """The right answer is one character longer than the others."""
    changed(benchmark, lambda i: with_options(i, lambda o: o.text + ("!" if o.label == "correct" else "")))


def plant_no_flag_option(benchmark: Benchmark) -> None:
    def unflagged(item: Item) -> Item:
        kept = [o for o in item.options if item.task == "alert" or not o.flag]
        return item.model_copy(update={"options": kept})

    changed(benchmark, unflagged)


def plant_blind_cue(benchmark: Benchmark) -> None:
    """Who asks about a problem says so."""
    changed(benchmark, lambda i: i.model_copy(update={"query": "Careful?"}) if i.variant == "perturbed" else i)


def plant_order(benchmark: Benchmark) -> None:
    """The concern follows the right answer."""

    def followed(item: Item) -> Item:
        if item.task != "answer":
            return item
        flag = next(o for o in item.options if o.flag)
        options = [o for o in item.options if not o.flag]
        options.insert(options.index(item.gold) + 1, flag)
        return item.model_copy(update={"options": options})

    changed(benchmark, followed)


def plant_option_text(benchmark: Benchmark) -> None:
    """The right answer has a word of its own, as long as that of the others."""
    changed(
        benchmark,
        lambda i: with_options(i, lambda o: o.text.replace("It is", "It be") if o.label == "correct" else o.text),
    )


def plant_complaint(benchmark: Benchmark) -> None:
    """What the patient complains of is the answer."""

    def named(item: Item) -> Item:
        return item if item.task != "answer" else with_turn(item, 0, f"Came for {item.gold.text.split()[-1]}")

    changed(benchmark, named)


def plant_number(benchmark: Benchmark) -> None:
    """Problems show one number, clean twins another; a control shows the problem's, and that it has been dealt with."""
    for split, items in benchmark.items():
        numbers = {"perturbed": "Potassium 7", "clean": "Potassium 4"}
        shown = [
            with_turn(i, 1, f"{i.turns[1].text} {numbers[i.variant]}.") if i.variant in numbers else i for i in items
        ]
        controls = [
            with_turn(i, 2, f"{i.turns[2].text} Being treated.").model_copy(
                update={"id": f"{i.id}/handled", "variant": "distractor", "twin_id": None, "label": "no_flag",
                        "gold_behavior": "reactive", "perturbation": None}
            )
            for i in shown if i.variant == "perturbed"
        ]  # fmt: skip
        benchmark[split] = [*shown, *controls]


def with_options(item: Item, text: Callable[[Option], str]) -> Item:
    return item.model_copy(update={"options": [o.model_copy(update={"text": text(o)}) for o in item.options]})


def plant_two_kinds(benchmark: Benchmark) -> None:
    """Every other case has a wrong dose, not an allergy, and all replies begin with the ward, which tells so."""

    def other_kind(item: Item) -> Item:
        if item.task != "alert":
            return item
        is_dose = int(item.case_id.split()[1]) % 2 == 1
        ward = "north" if is_dose else "south"
        options = [o.model_copy(update={"text": f"For the {ward} ward: {o.text}"}) for o in item.options]
        changes: dict[str, object] = {"options": options}
        if is_dose and item.perturbation is not None:
            changes |= {
                "label": "flag_dose",
                "perturbation": item.perturbation.model_copy(update={"kind": "error/dose"}),
            }
        return item.model_copy(update=changes)

    changed(benchmark, other_kind)


def plant_two_kinds_and_a_telling_concern(benchmark: Benchmark) -> None:
    """The same, and only the right concern is urgent."""
    plant_two_kinds(benchmark)

    def urgent(item: Item) -> Item:
        if item.variant != "perturbed":
            return item
        options = [
            o.model_copy(update={"text": f"{o.text} Urgent."}) if o.label == item.label else o for o in item.options
        ]
        return item.model_copy(update={"options": options})

    changed(benchmark, urgent)
