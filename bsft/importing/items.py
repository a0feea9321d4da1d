"""Items that others made, such as the original BehaviorBench: JSONL, read through a mapping of names.

The mapping (`item_mapping.ItemMapping`, a YAML file) says where things are in a line and what its names mean; data
and code stay as they are. Names that the mapping does not know are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from bsft.importing.cases import check_new, json_lines
from bsft.importing.item_layout import find, named, options_of, part, perturbation_of, turns_of
from bsft.importing.item_mapping import Category, ItemMapping, Options
from bsft.importing.report import ImportReport
from bsft.importing.writing import ImportedBenchmark
from bsft.records.errors import BadInput, explained, listed, quoted
from bsft.records.names import name_problem
from bsft.records.schema import BEHAVIORS, Autonomy, Item, TaskSpec, Variant


def import_items(
    source: Path, mapping: ItemMapping, report: ImportReport, *, drop_invalid: bool = False
) -> ImportedBenchmark:
    """Reads every line as an item.

    Args:
        source: the JSONL file.
        mapping: its layout and names.
        report: takes counts and what was dropped.
        drop_invalid: leave out lines that are not valid items, instead of refusing the file.

    Raises:
        BadInput: a line cannot be read or names something unmapped; ids repeat; a case is in two splits.
    """
    items: dict[str, list[Item]] = {}
    seen: dict[str, str] = {}
    split_of: dict[str, str] = {}

    def read(place: str, line: int, found: object) -> Item:
        item = _item(place, found, mapping)
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


def _item(place: str, line: object, mapping: ItemMapping) -> Item:
    fields = mapping.fields
    category_name = part(place, line, fields.task)
    if str(category_name) not in mapping.categories:
        raise BadInput(
            f"{place}: field {fields.task}: found {quoted(category_name)}, which categories does not name; "
            f"known are {listed([*mapping.categories])}"
        )
    category = mapping.categories[str(category_name)]
    options, gold = options_of(place, line, mapping)
    if category.labels and (strange := [o["label"] for o in options if o["label"] not in category.labels]):
        raise BadInput(
            f"{place}: found the label {strange[0]!r}, allowed in {category.task}: {listed(category.labels)}"
        )
    record: dict[str, Any] = {
        "id": str(part(place, line, fields.id)),
        "case_id": str(part(place, line, fields.case_id or fields.id)),
        "task": category.task,
        "group": category.group,
        "turns": turns_of(place, line, mapping),
        "split": mapping.defaults.split,
        "autonomy": mapping.defaults.autonomy,
        "label": options[gold]["label"],
        "options": options,
    }
    for name in ("twin_id", "query", "specialty", "determinable"):
        path = getattr(fields, name)
        value = None if path is None else find(line, path)
        record[name] = value if name == "determinable" or value is None else str(value)
    if fields.split is not None:
        split = str(part(place, line, fields.split))
        record["split"] = named(place, fields.split, split, mapping.splits, ()) if mapping.splits else split
        if problem := name_problem(record["split"]):
            raise BadInput(f"{place}: field {fields.split}: {problem}")
    if fields.autonomy is not None:
        found = part(place, line, fields.autonomy)
        record["autonomy"] = named(place, fields.autonomy, found, mapping.autonomy, get_args(Autonomy))
    if fields.variant is not None:
        found = part(place, line, fields.variant)
        record["variant"] = named(place, fields.variant, found, mapping.variants, get_args(Variant))
    record["gold_behavior"] = _behavior(place, line, mapping, category, options[gold])
    _set_flags(mapping.options, record, gold)
    if record.get("variant") == "perturbed":
        record["perturbation"] = perturbation_of(place, line, mapping, record["turns"])
    with explained(place):
        return Item.model_validate(record)


def _behavior(place: str, line: object, mapping: ItemMapping, category: Category, gold: dict[str, Any]) -> str:
    """The gold behaviour that the line states, or the one that its group and right option imply."""
    if mapping.fields.behavior is not None:
        found = part(place, line, mapping.fields.behavior)
        return named(place, mapping.fields.behavior, found, mapping.behaviors, BEHAVIORS)
    if category.group != "proactive":
        return category.group
    flagged = gold.get("flag") or gold["label"] in (mapping.options.flag_labels or ())
    return "proactive" if flagged else "reactive"


def _set_flags(options: Options, record: dict[str, Any], gold: int) -> None:
    """Marks the options that raise a concern, where the options do not say it themselves."""
    for index, option in enumerate(record["options"]):
        if options.flag_labels is not None:
            option["flag"] = option["label"] in options.flag_labels
        elif options.flag_if_proactive:
            option["flag"] = index == gold and record["gold_behavior"] == "proactive"
