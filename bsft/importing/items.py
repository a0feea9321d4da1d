"""Items that others made, such as the original BehaviorBench: JSONL, read through a mapping of names.

The mapping (`item_mapping.ItemMapping`, a YAML file) says where things are in a line and what its names mean; data
and code stay as they are. Names that the mapping does not know are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, get_args

from bsft.importing.files import ImportedBenchmark, check_new, json_lines
from bsft.importing.item_mapping import ItemMapping, Options
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explained, listed, quoted
from bsft.records.names import name_problem
from bsft.records.schema import BEHAVIORS, Autonomy, Item, Role, TaskSpec, Variant

MAX_SPEAKER_CHARACTERS = 40
"""What stands before the first colon of a line is a speaker if it is no longer than this."""
_POSITION = re.compile(r"[0-9]{1,9}")
_JSON_NAMES: Mapping[type, str] = {dict: "object", list: "array", bool: "true or false"}


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


@dataclass(frozen=True)
class ItemLine:
    """A line, whose turns, options and names are taken out as an `ItemMapping` says.

    Attributes:
        place: file and line, what an error begins with.
        value: the line's JSON value.
        mapping: says what is where.
    """

    place: str
    value: object
    mapping: ItemMapping

    def wrong(self, path: str, found: object, allowed: str) -> BadInput:
        return BadInput(f"{self.place}: field {path}: found {quoted(found)}, {allowed}")

    def find(self, path: str | None) -> Any:
        """The value at a path; None if there is none."""
        if path is None:
            return None
        value = self.value
        for step in path.split("."):
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and _POSITION.fullmatch(step) and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    def part(self, path: str, kind: type = object) -> Any:
        """The value at a path.

        Raises:
            BadInput: there is none, or it has another JSON type.
        """
        if (value := self.find(path)) is None:
            has = f"; the line has {listed([*map(str, self.value)])}" if isinstance(self.value, dict) else ""
            raise BadInput(f"{self.place}: field {path}: missing{has}")
        if not isinstance(value, kind):
            raise self.wrong(path, value, f"allowed: a JSON {_JSON_NAMES[kind]}")
        return value

    def named(self, path: str, found: object, names: Mapping[str, str], own: tuple[str, ...]) -> str:
        """Our name for a name of the source; names that are ours already need no entry.

        Raises:
            BadInput: the name is in neither; the message lists what is known.
        """
        name = str(found)
        if name not in names and name not in own:
            known = listed([*dict.fromkeys([*names, *own])])
            raise self.wrong(path, name, f"which the mapping does not name; known are {known}")
        return names.get(name, name)

    def options(self) -> tuple[list[dict[str, Any]], int]:
        """The options as records, and the position of the right one."""
        spec, found = self.mapping.options, self._raw_options()
        gold = self._gold_position(found)
        if spec.are_named:
            for option in found:
                known = (*spec.labels.values(),) if spec.labels else (str(option["label"]),)
                option["label"] = self.named("options", option["label"], spec.labels, known)
        else:
            for number, option in enumerate((o for i, o in enumerate(found) if i != gold), start=1):
                option["label"] = f"distractor_{number}"
            found[gold]["label"] = "correct"
        return found, gold

    def _raw_options(self) -> list[dict[str, Any]]:
        """Text, label and flag of every option, as the source has them."""
        spec, path = self.mapping.options, self.mapping.fields.options or ""
        if spec.layout == "fields":
            texts = {label: self.find(at) for label, at in spec.fields.items()}
            return [{"text": text, "label": label} for label, text in texts.items() if text is not None]
        if spec.layout == "by_label":
            return [{"text": text, "label": label} for label, text in self.part(path, dict).items()]
        found = self.part(path, list)
        if spec.layout == "texts":
            return [{"text": text, "label": None} for text in found]
        parts = {"text": (spec.text, object), "label": (spec.label, object), "flag": (spec.flag, bool)}
        return [
            {"label": None}
            | {name: self.part(f"{path}.{i}.{at}", kind) for name, (at, kind) in parts.items() if at is not None}
            for i in range(len(found))
        ]

    def _gold_position(self, options: list[dict[str, Any]]) -> int:
        spec, path = self.mapping.options, self.mapping.fields.gold
        found = self.part(path)
        wanted = str(found).strip().upper() if spec.gold == "letter" else str(found)
        if spec.gold in ("label", "text"):
            allowed = [str(option[spec.gold]) for option in options]
        elif spec.gold == "letter":
            allowed = list(ascii_uppercase[: len(options)])
        else:
            allowed = [str(index + (spec.gold == "number")) for index in range(len(options))]
        if allowed.count(wanted) != 1:
            raise self.wrong(path, found, f"allowed: one of {listed(allowed)}")
        return allowed.index(wanted)

    def turns(self) -> list[dict[str, str]]:
        """The turns as records, documents last."""
        spec, path = self.mapping.turns, self.mapping.fields.turns
        if spec.layout == "lines":
            said = [(path, speaker, speaker, text) for speaker, text in self._spoken_lines(path)]
        else:
            said = []
            for at in (f"{path}.{index}" for index in range(len(self.part(path, list)))):
                speaker, text = (str(self.part(f"{at}.{name}")) for name in (spec.speaker, spec.text))
                role_at = f"{at}.{spec.role or spec.speaker}"
                said.append((role_at, speaker, self.part(role_at), text))
        turns = [
            {"speaker": speaker, "role": self.named(at, role, spec.roles, get_args(Role)), "text": text}
            for at, speaker, role, text in said
        ]
        documents = [(added.speaker, self.find(added.field)) for added in spec.add]
        turns += [{"speaker": who, "role": "record", "text": str(text)} for who, text in documents if text is not None]
        return turns

    def _spoken_lines(self, path: str) -> list[tuple[str, str]]:
        """(speaker, text) of lines "Speaker: text"."""
        found = self.part(path)
        lines = "\n".join(map(str, found)) if isinstance(found, list) else str(found)
        spoken: list[tuple[str, str]] = []
        for text in filter(None, map(str.strip, lines.splitlines())):
            speaker, colon, words = text.partition(":")
            if colon and len(speaker) <= MAX_SPEAKER_CHARACTERS and words.strip():
                spoken.append((speaker.strip(), words.strip()))
            elif spoken:
                spoken[-1] = spoken[-1][0], f"{spoken[-1][1]}\n{text}"
            else:
                raise self.wrong(path, text, 'at its beginning, allowed: "Speaker: text"')
        return spoken

    def perturbation(self, turns: list[dict[str, str]]) -> dict[str, Any]:
        """What was changed in a perturbed item, as a record."""
        if (paths := self.mapping.perturbation) is None:
            raise BadInput(
                f"{self.place}: a perturbed item must say what was changed; the mapping has no section perturbation"
            )
        turn = self.part(paths.turn)
        if not isinstance(turn, int) or not 0 <= turn < len(turns):
            raise self.wrong(paths.turn, turn, f"allowed: 0 to {len(turns) - 1}")
        said = {name: str(self.part(getattr(paths, name))) for name in ("kind", "before", "after")}
        return {"locus": {"turn": turn, "role": turns[turn]["role"], "field": "text"}, **said}
