"""Checks what a model wrote against the text it was given: quotes, numbers, names with numbers, findings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bsft.importing.demographics import sex_in
from bsft.importing.writer.drafts import CaseDraft, FactDraft, SceneDraft
from bsft.importing.writer.findings import Sentence, load_lexicon, sentences, unsupported
from bsft.importing.writer.quantities import Quantity, names_with_numbers, pairs, quantities, quantity

MIN_TURNS = 2

_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-"})


Labelled = tuple[Quantity, str | None]
"""A number and the name of what it measures, if its sentence names that before the number."""


@dataclass(frozen=True)
class Source:
    """A text that replies are checked against; what is looked up in it is prepared once."""

    text: str

    @cached_property
    def plain(self) -> str:
        return _plain(self.text)

    @cached_property
    def sentences(self) -> list[Sentence]:
        return sentences(self.text)

    @cached_property
    def numbers(self) -> list[Labelled]:
        return labelled(self.text)

    @cached_property
    def pairs(self) -> frozenset[str]:
        return frozenset(pairs(self.text))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(map(_name, names_with_numbers(self.text)))


def labelled(text: str) -> list[Labelled]:
    """The numbers of a text with the measured thing named before each; "120/80" and "38.2 °C (100.8 °F)" share one."""
    found: list[Labelled] = []
    for sentence in sentences(text):
        end, label = 0, None
        for number in quantities(sentence.text):
            between = sentence.text[end : number.start]
            if re.search(r"[A-Za-z]", between):
                measures = load_lexicon().measures.findall(between)
                label = measures[-1].lower() if measures else None
            found.append((number, label))
            end = number.end
    return found


def check_text(said: str, source: Source) -> Iterator[str]:
    """What a text says that its source does not."""
    yield from check_numbers(said, source)
    yield from unsupported(said, source.sentences)


def check_numbers(said: str, source: Source) -> Iterator[str]:
    """Numbers, pairs and names with numbers that the source does not have, or has for something else."""
    for number, label in labelled(said):
        others = {other_label for other, other_label in source.numbers if number.equals(other)}
        if not others:
            yield f'the number "{number.shown}" is not in the text'
        elif label and not others & {label, None}:
            yield f'"{number.shown}" is {label} here, but {" or ".join(sorted(map(str, others)))} in the text'
    for pair in pairs(said):
        if pair not in source.pairs:
            yield f'the pair "{pair}" is not in the text'
    for name in names_with_numbers(said):
        if _name(name) not in source.names:
            yield f'"{name}" is not in the text'


def check_case(draft: CaseDraft, source: Source) -> list[str]:
    """Everything in a case draft that the text does not bear out."""
    return list(dict.fromkeys(_case_problems(draft, source)))


def _case_problems(draft: CaseDraft, source: Source) -> Iterator[str]:
    if draft.age is not None:
        yield from _quoted("age", draft.age.quote, source)
        if not _has(draft.age.quote, quantity(draft.age.number, f"{draft.age.unit}s")):
            yield f"age: {draft.age.number:g} {draft.age.unit} is not in its quote {draft.age.quote!r}"
    stated = sex_in(source.text)
    if draft.sex is not None and stated is not None and draft.sex != stated:
        yield f"sex: the text says {stated}"
    said = [("diagnosis", draft.diagnosis or ""), *(("differential", text) for text in draft.differential)]
    for name, text in (*said, *(("management", text) for text in draft.management)):
        yield from (f"{name} {text!r}: {problem}" for problem in check_text(text, source))
    if not draft.facts:
        yield "facts: the list is empty"
    for index, fact in enumerate(draft.facts):
        yield from (f"facts.{index}: {problem}" for problem in _fact_problems(fact, source))


def _fact_problems(fact: FactDraft, source: Source) -> Iterator[str]:
    quoted = list(_quoted("quote", fact.quote, source))
    yield from quoted
    yield from check_numbers(f"{fact.name}: {fact.text}", source)
    yield from unsupported(fact.text, source.sentences)
    # A name is a heading: it affirms nothing, and may say what was measured where the text only has the number.
    heading = load_lexicon().measures.sub("", load_lexicon().canonical(fact.name))
    yield from unsupported(f"{heading}?", source.sentences)
    if quoted:
        return
    if isinstance(fact.value, str) and _plain(fact.value) not in _plain(fact.quote):
        yield f"value {fact.value!r} is not in its quote {fact.quote!r}"
    if isinstance(fact.value, float) and not _has(fact.quote, quantity(fact.value, fact.unit)):
        yield f"value {fact.value:g} {fact.unit or ''} is not in its quote {fact.quote!r}"
    for name in ("reference_low", "reference_high"):
        limit = getattr(fact, name)
        if limit is not None and not _has(source.text, quantity(limit, None)):
            yield f"{name} {limit:g} is not in the text"
    if fact.time is not None and not _has(fact.quote, quantity(fact.time.number, f"{fact.time.unit}s")):
        yield f"time: {fact.time.number:g} {fact.time.unit} is not in its quote {fact.quote!r}"


def check_scene(draft: SceneDraft, source: Source) -> list[str]:
    """Everything in a scene that the text does not bear out."""
    problems = [] if len(draft.turns) >= MIN_TURNS else [f"turns: {len(draft.turns)} are too few"]
    for index, turn in enumerate(draft.turns):
        problems += [f"turns.{index}: {problem}" for problem in check_text(turn.text, source)]
        if quantities(turn.speaker):
            problems.append(f"turns.{index}: the speaker's name has a number")
    return list(dict.fromkeys(problems))


def _quoted(name: str, quote: str, source: Source) -> Iterator[str]:
    if _plain(quote) not in source.plain:
        yield f"{name}: {quote!r} does not stand in the text word for word"


def _has(text: str, wanted: Quantity) -> bool:
    return any(wanted.equals(found) for found in quantities(text))


def _plain(text: str) -> str:
    return " ".join(text.translate(_STRAIGHT).lower().split())


def _name(name: str) -> str:
    return name.lower().replace("-", "")
