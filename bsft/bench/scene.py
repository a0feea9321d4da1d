"""A scene as data: an ordered list of slots, each a template with named fields.

Twins come from one scene by putting another text into one field, so that they pass through the same renderer with the
same wordings and differ at the locus only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from bsft.bench.grammar import tidy
from bsft.records.schema import Locus, Role, Turn

Speaker = tuple[str, Role]
"""Who speaks, as the scene names them, and their role."""

ECHOES = ("/accept", "/agree", "/object", "/answer2", "/thanks")
"""Acts that only make sense right after what they answer."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def capitalise(text: str) -> str:
    """First letter upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Fills `{name}`; `{Name}` is the field `name` with its first letter capitalised.

    Raises:
        KeyError: the template names a field that is not given.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return fields[name] if name in fields else capitalise(fields[name[0].lower() + name[1:]])

    return _PLACEHOLDER.sub(value, template)


@dataclass(frozen=True)
class Slot:
    """One utterance before it is rendered."""

    id: str
    speaker: str
    role: Role
    template: str
    fields: Mapping[str, str]

    @property
    def topic(self) -> str:
        """The part of the id before its slash."""
        return self.id.partition("/")[0]

    @cached_property
    def turn(self) -> Turn:
        text = capitalise(tidy(fill(self.template, self.fields)))
        return Turn.model_construct(speaker=self.speaker, role=self.role, text=text)


@dataclass(frozen=True)
class Scene:
    """Slots in the order in which they are spoken. Every method returns a new scene."""

    slots: tuple[Slot, ...]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __contains__(self, slot_id: object) -> bool:
        return any(slot.id == slot_id for slot in self.slots)

    def __getitem__(self, slot_id: str) -> Slot:
        return self.slots[self.index(slot_id)]

    def index(self, slot_id: str) -> int:
        """Position of a slot.

        Raises:
            KeyError: there is no such slot.
        """
        for position, slot in enumerate(self.slots):
            if slot.id == slot_id:
                return position
        raise KeyError(slot_id)

    def put(self, slot_id: str, **fields: str) -> Scene:
        """The scene with other texts in the named fields of one slot."""
        position = self.index(slot_id)
        slot = self.slots[position]
        if unknown := set(fields) - set(slot.fields):
            raise KeyError(f"slot {slot_id!r} has no field {sorted(unknown)}")
        edited = replace(slot, fields={**slot.fields, **fields})
        return Scene((*self.slots[:position], edited, *self.slots[position + 1 :]))

    def swap(self, slot: Slot) -> Scene:
        """The scene with `slot` in place of the slot of the same id."""
        position = self.index(slot.id)
        return Scene((*self.slots[:position], slot, *self.slots[position + 1 :]))

    def without(self, slot_id: str) -> Scene:
        """The scene without a slot."""
        position = self.index(slot_id)
        return Scene((*self.slots[:position], *self.slots[position + 1 :]))

    def insert(self, position: int, *slots: Slot) -> Scene:
        return Scene((*self.slots[:position], *slots, *self.slots[position:]))

    def append(self, *slots: Slot) -> Scene:
        return Scene((*self.slots, *slots))

    def before(self, *topics: str) -> Scene:
        """The scene up to, and without, the first turn about one of the topics."""
        stops = [i for i, slot in enumerate(self.slots) if slot.topic in topics]
        return Scene(self.slots[: stops[0]]) if stops else self

    def may_be_cut_at(self, position: int) -> bool:
        """Whether a turn may be put in before a position: not between a question and its answer, nor before an echo."""
        if not 0 < position < len(self.slots):
            return True
        before, after = self.slots[position - 1], self.slots[position]
        return not (before.id.endswith("/ask") or after.id.endswith(ECHOES) or after.topic == "acted on")

    def locus(self, slot_id: str, field: str) -> Locus:
        return Locus.model_construct(turn=self.index(slot_id), role=self[slot_id].role, field=field)

    @cached_property
    def turns(self) -> list[Turn]:
        return [slot.turn for slot in self.slots]

    @cached_property
    def text(self) -> str:
        return "\n".join(turn.text for turn in self.turns)
