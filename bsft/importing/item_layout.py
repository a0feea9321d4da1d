"""Takes turns, options and names out of a line of another project's item JSONL, as an `ItemMapping` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, get_args

from bsft.importing.item_mapping import ItemMapping
from bsft.records.errors import BadInput, listed, quoted
from bsft.records.schema import Role

CORRECT = "correct"
DISTRACTOR = "distractor_{}"
MAX_SPEAKER_CHARACTERS = 40
"""What stands before the first colon of a line is a speaker if it is no longer than this."""
_POSITION = re.compile(r"[0-9]{1,9}")


def find(value: object, path: str) -> Any:
    """The value at a path; None if there is none."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _POSITION.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def part(place: str, line: object, path: str, kind: type = object) -> Any:
    """The value at a path.

    Raises:
        BadInput: there is none, or it has another JSON type.
    """
    if (value := find(line, path)) is None:
        has = f"; the line has {listed([*map(str, line)])}" if isinstance(line, dict) else ""
        raise BadInput(f"{place}: field {path}: missing{has}")
    if not isinstance(value, kind):
        raise BadInput(f"{place}: field {path}: found {quoted(value)}, allowed: a JSON {_JSON_NAMES[kind.__name__]}")
    return value


_JSON_NAMES = {"dict": "object", "list": "array", "bool": "true or false"}


def named(place: str, field: str, found: object, names: Mapping[str, str], own: tuple[str, ...]) -> str:
    """Our name for a name of the source; names that are ours already need no entry.

    Raises:
        BadInput: the name is in neither; the message lists what is known.
    """
    name = str(found)
    if name in names:
        return names[name]
    if name in own:
        return name
    known = listed([*dict.fromkeys([*names, *own])])
    raise BadInput(f"{place}: field {field}: found {name!r}, which the mapping does not name; known are {known}")


def options_of(place: str, line: object, mapping: ItemMapping) -> tuple[list[dict[str, Any]], int]:
    """The options as records, and the position of the right one."""
    spec = mapping.options
    found = _raw_options(place, line, mapping)
    gold = _gold_position(place, line, mapping, found)
    distractors = 0
    for index, option in enumerate(found):
        if spec.are_named:
            known = (*spec.labels.values(),) if spec.labels else (str(option["label"]),)
            option["label"] = named(place, "options", option["label"], spec.labels, known)
        elif index == gold:
            option["label"] = CORRECT
        else:
            distractors += 1
            option["label"] = DISTRACTOR.format(distractors)
    return found, gold


def _raw_options(place: str, line: object, mapping: ItemMapping) -> list[dict[str, Any]]:
    """Text, label and flag of every option, as the source has them."""
    spec = mapping.options
    if spec.layout == "fields":
        texts = {label: find(line, path) for label, path in spec.fields.items()}
        return [{"text": text, "label": label} for label, text in texts.items() if text is not None]
    path = mapping.fields.options or ""
    if spec.layout == "by_label":
        return [{"text": text, "label": label} for label, text in part(place, line, path, dict).items()]
    found = part(place, line, path, list)
    if spec.layout == "texts":
        return [{"text": text, "label": None} for text in found]
    options = []
    for index in range(len(found)):
        at = f"{path}.{index}"
        record = {"text": part(place, line, f"{at}.{spec.text}"), "label": None}
        if spec.label is not None:
            record["label"] = part(place, line, f"{at}.{spec.label}")
        if spec.flag is not None:
            record["flag"] = part(place, line, f"{at}.{spec.flag}", bool)
        options.append(record)
    return options


def _gold_position(place: str, line: object, mapping: ItemMapping, options: list[dict[str, Any]]) -> int:
    spec, path = mapping.options, mapping.fields.gold
    found = part(place, line, path)
    if spec.gold in ("label", "text"):
        allowed = [str(option[spec.gold]) for option in options]
    elif spec.gold == "letter":
        allowed = list(ascii_uppercase[: len(options)])
    else:
        allowed = [str(index + (spec.gold == "number")) for index in range(len(options))]
    wanted = str(found).strip().upper() if spec.gold == "letter" else str(found)
    if allowed.count(wanted) != 1:
        raise BadInput(f"{place}: field {path}: found {quoted(found)}, allowed: one of {listed(allowed)}")
    return allowed.index(wanted)


def turns_of(place: str, line: object, mapping: ItemMapping) -> list[dict[str, str]]:
    """The turns as records, documents last."""
    spec, path = mapping.turns, mapping.fields.turns
    turns = []
    if spec.layout == "lines":
        for speaker, text in _spoken_lines(place, path, part(place, line, path)):
            role = named(place, path, speaker, spec.roles, get_args(Role))
            turns.append({"speaker": speaker, "role": role, "text": text})
    else:
        for index in range(len(part(place, line, path, list))):
            at = f"{path}.{index}"
            speaker, text = (str(part(place, line, f"{at}.{name}")) for name in (spec.speaker, spec.text))
            said = speaker if spec.role is None else part(place, line, f"{at}.{spec.role}")
            role = named(place, f"{at}.{spec.role or spec.speaker}", said, spec.roles, get_args(Role))
            turns.append({"speaker": speaker, "role": role, "text": text})
    documents = [(added.speaker, find(line, added.field)) for added in spec.add]
    turns += [{"speaker": name, "role": "record", "text": str(text)} for name, text in documents if text is not None]
    return turns


def _spoken_lines(place: str, path: str, found: object) -> list[tuple[str, str]]:
    """(speaker, text) of lines "Speaker: text"."""
    lines = "\n".join(str(part) for part in found) if isinstance(found, list) else str(found)
    spoken: list[tuple[str, str]] = []
    for text in filter(None, map(str.strip, lines.splitlines())):
        speaker, colon, words = text.partition(":")
        if colon and len(speaker) <= MAX_SPEAKER_CHARACTERS and words.strip():
            spoken.append((speaker.strip(), words.strip()))
        elif spoken:
            spoken[-1] = spoken[-1][0], f"{spoken[-1][1]}\n{text}"
        else:
            raise BadInput(f'{place}: field {path}: found {quoted(text)} at its beginning, allowed: "Speaker: text"')
    return spoken


def perturbation_of(place: str, line: object, mapping: ItemMapping, turns: list[dict[str, str]]) -> dict[str, Any]:
    """What was changed in a perturbed item, as a record."""
    paths = mapping.perturbation
    if paths is None:
        raise BadInput(f"{place}: a perturbed item must say what was changed; the mapping has no section perturbation")
    turn = part(place, line, paths.turn)
    if not isinstance(turn, int) or not 0 <= turn < len(turns):
        raise BadInput(f"{place}: field {paths.turn}: found {quoted(turn)}, allowed: 0 to {len(turns) - 1}")
    kind, before, after = (str(part(place, line, path)) for path in (paths.kind, paths.before, paths.after))
    locus = {"turn": turn, "role": turns[turn]["role"], "field": "text"}
    return {"kind": kind, "locus": locus, "before": before, "after": after}
