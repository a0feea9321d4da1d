"""A line of another project's item JSONL: takes its turns, options and names out as an `ItemMapping` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, get_args

from bsft.importing.item_mapping import ItemMapping
from bsft.records.errors import BadInput, listed, quoted
from bsft.records.schema import Role

MAX_SPEAKER_CHARACTERS = 40
"""What stands before the first colon of a line is a speaker if it is no longer than this."""
_POSITION = re.compile(r"[0-9]{1,9}")
_JSON_NAMES: Mapping[type, str] = {dict: "object", list: "array", bool: "true or false"}


@dataclass(frozen=True)
class ItemLine:
    """
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
