"""Items that others made, such as the original BehaviorBench: JSONL, read through a mapping of names.

The mapping (`item_mapping.ItemMapping`, a YAML file) says where things are in a line and what its names mean; data
and code stay as they are. Names that the mapping does not know are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from bsft.importing.files import ImportedBenchmark, check_new, json_lines
from bsft.importing.item_layout import ItemLine
from bsft.importing.item_mapping import ItemMapping, Options
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explained, listed
from bsft.records.names import name_problem
from bsft.records.schema import BEHAVIORS, Autonomy, Item, TaskSpec, Variant


def import_items(
    source: Path, mapping: ItemMapping, report: ImportReport, *, drop_invalid: bool = False
) -> ImportedBenchmark:
    """Reads every line as an item.

    Args:
        report: takes counts and what was dropped.
        drop_invalid: leave out lines that are not valid items, instead of refusing the file.

    Raises:
        BadInput: a line cannot be read or names something unmapped; ids repeat; a case is in two splits.
    """
    items: dict[str, list[Item]] = {}
    seen: dict[str, str] = {}
    split_of: dict[str, str] = {}

    def read(place: str, line: int, found: object) -> Item:
        item = _item(ItemLine(place, found, mapping))
        if (other := split_of.setdefault(item.case_id, item.split)) != item.split:
            raise BadInput(
                f"{place}: field {mapping.fields.split}: case {item.case_id!r} is in split {other!r} and in "
                f"{item.split!r}; allowed: one split for all items of a case"
            )
        check_new(item.id, seen, place, mapping.fields.id)
        return item

    for item in json_lines(source, report, read, drop_invalid=drop_invalid):
        items.setdefault(item.split, []).append(item)
    if missing := sum(item.twin_id not in seen for found in items.values() for item in found if item.twin_id):
        report.noticed.append(f"{missing} items name a twin that is not in the file")
    return ImportedBenchmark(items, _tasks(mapping, items), report)


def _tasks(mapping: ItemMapping, items: Mapping[str, list[Item]]) -> list[TaskSpec]:
    """The tasks that occur, with the label sets that the mapping fixes or the items show."""
    used: dict[str, set[str]] = {}
    for item in (item for found in items.values() for item in found):
        used.setdefault(item.task, set()).update(option.label for option in item.options)
    specs = {category.task: category for category in mapping.categories.values()}
    tasks = []
    for task in sorted(used):
        spec = specs[task]
        labels = (spec.labels or sorted(used[task])) if spec.metric == "macro_f1" else []
        with explained(f"categories: task {task!r}"):
            tasks.append(TaskSpec(name=task, group=spec.group, metric=spec.metric, labels=labels))
    return tasks


def _item(line: ItemLine) -> Item:
    mapping, fields = line.mapping, line.mapping.fields
    found = line.part(fields.task)
    if (category := mapping.categories.get(str(found))) is None:
        known = listed([*mapping.categories])
        raise line.wrong(fields.task, found, f"which categories does not name; known are {known}")
    options, gold = line.options()
    if category.labels and (strange := [o["label"] for o in options if o["label"] not in category.labels]):
        allowed = f"allowed in {category.task}: {listed(category.labels)}"
        raise BadInput(f"{line.place}: found the label {strange[0]!r}, {allowed}")
    texts = {name: line.find(getattr(fields, name)) for name in ("twin_id", "query", "specialty")}
    record: dict[str, Any] = {
        "id": str(line.part(fields.id)),
        "case_id": str(line.part(fields.case_id or fields.id)),
        "task": category.task,
        "group": category.group,
        "turns": line.turns(),
        "split": mapping.defaults.split,
        "autonomy": mapping.defaults.autonomy,
        "label": options[gold]["label"],
        "options": options,
        "determinable": line.find(fields.determinable),
        **{name: None if value is None else str(value) for name, value in texts.items()},
    }
    if fields.split is not None:
        split = str(line.part(fields.split))
        record["split"] = line.named(fields.split, split, mapping.splits, () if mapping.splits else (split,))
        if problem := name_problem(record["split"]):
            raise BadInput(f"{line.place}: field {fields.split}: {problem}")
    names: list[tuple[str, str | None, Mapping[str, str], tuple[str, ...]]] = [
        ("autonomy", fields.autonomy, mapping.autonomy, get_args(Autonomy)),
        ("variant", fields.variant, mapping.variants, get_args(Variant)),
        ("gold_behavior", fields.behavior, mapping.behaviors, BEHAVIORS),
    ]
    for name, path, known_names, own in names:
        if path is not None:
            record[name] = line.named(path, line.part(path), known_names, own)
    _set_behavior_and_flags(mapping.options, record, gold)
    if record.get("variant") == "perturbed":
        record["perturbation"] = line.perturbation(record["turns"])
    with explained(line.place):
        return Item.model_validate(record)


def _set_behavior_and_flags(options: Options, record: dict[str, Any], gold: int) -> None:
    """Adds what the line does not say itself: which options raise a concern, and the behaviour that its group and
    right option imply."""
    if options.flag_labels is not None:
        for option in record["options"]:
            option["flag"] = option["label"] in options.flag_labels
    elif options.flag_if_proactive:
        for index, option in enumerate(record["options"]):
            option["flag"] = index == gold and record["gold_behavior"] == "proactive"
    is_silent = record["group"] == "proactive" and not record["options"][gold].get("flag")
    record.setdefault("gold_behavior", "reactive" if is_silent else record["group"])
