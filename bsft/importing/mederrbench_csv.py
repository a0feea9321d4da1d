"""MedErrBench-EN's CSV files: checked rows, repaired text, twins.

Each file holds clinical notes of two kinds: notes with one erroneous sentence (Error Flag 1, with that sentence and its
correction) and the same notes with the correction in place (Error Flag 0), as a rule one right after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from bsft.importing.text_repair import capitalise_sentences, plain, strip_sentence_numbers, undo_mac_roman
from bsft.records.errors import BadInput
from bsft.records.untrusted import read_table

COLUMNS = (
    "Text ID",
    "Text",
    "Error Flag",
    "Error Sentence ID",
    "Error Sentence",
    "Error Type",
    "Corrected Sentence",
    "Corrected Text",
)

ERROR_TYPES = {
    "Diagnosis": "diagnosis",
    "Management": "management",
    "Pharmacotherapy": "pharmacotherapy",
    "Treatment": "treatment",
    "Causal Organism": "causal_organism",
    "Lab / Serum Value": "lab_value",
    "Physiology and waveform": "waveform",
    "Physiology": "physiology",
    "Anatomy": "anatomy",
    "Histology": "histology",
    "Epidemiology": "epidemiology",
}
"""Error Type as the files spell it -> the name used in labels and perturbation kinds."""

_NOTHING = ("", "nan")
"""What a cell holds that says nothing: tools that write tables spell a missing value "nan"."""

_SENTENCE_ID = re.compile(r"[0-9]{1,9}")
MIN_TWIN_SIMILARITY = 0.6
"""Share of words that neighbouring rows have in common when one is the other's correction (seen: 0.84 and more)."""
MAX_COMPARED_WORDS = 2000
"""Longer than any note; comparing takes time that grows with the square."""


@dataclass(frozen=True)
class Error:
    """What is annotated of an erroneous note."""

    kind: str
    sentence_id: int
    sentence: str
    correction: str


@dataclass(frozen=True)
class Note:
    """One row. `error` is None for a note without an error; `twin` is the id of the same note with or without it."""

    id: str
    text: str
    error: Error | None
    corrected_text: str
    twin: str | None = None


@dataclass
class Repairs:
    """Counts of what was repaired in one file."""

    decoded: int = 0
    lost: int = 0
    numbered: int = 0
    matched: int = 0
    capitalised: int = 0
    unpaired: int = 0
    inexact: int = 0
    blank: int = 0


def read_notes(file: Path, repairs: Repairs, kind_of: Callable[[str], str] = str) -> list[Note]:
    """Reads one file in file order, with the characters' decoding repaired and twins paired.

    Args:
        file: the CSV file.
        repairs: takes counts.
        kind_of: an error type as the file spells it -> as `ERROR_TYPES` does.

    Raises:
        BadInput: the file or a column is missing, a column is there twice, a row has another number of fields, or a
            value is not allowed.
    """
    notes: dict[str, Note] = {}
    table = read_table(file, COLUMNS)
    repairs.blank += table.n_blank
    for number, row in table.rows:
        note = _note(f"{file}: row {number}", row, repairs, kind_of)
        if note.id in notes:
            raise BadInput(f"{file}: row {number}: field Text ID: found {note.id!r} a second time, allowed: unique ids")
        notes[note.id] = note
    if not notes:
        raise BadInput(f"{file}: the file has no rows")
    return _pair(list(notes.values()), repairs)


def _note(place: str, row: dict[str, str], repairs: Repairs, kind_of: Callable[[str], str]) -> Note:
    if (flag := row["Error Flag"].strip()) not in ("0", "1"):
        raise BadInput(f"{place}: field Error Flag: found {flag!r}, allowed: 0 or 1")
    needed = ("Text ID", "Text", *(("Error Sentence", "Corrected Sentence") if flag == "1" else ()))
    for field in needed:
        if row[field].strip().lower() in _NOTHING:
            raise BadInput(f"{place}: field {field}: found nothing, allowed: text")

    def decoded(field: str) -> str:
        text, repaired, lost = undo_mac_roman(row[field].strip())
        repairs.decoded += repaired
        repairs.lost += lost
        return text

    error = None
    if flag == "1":
        if (kind := kind_of(row["Error Type"].strip())) not in ERROR_TYPES:
            raise BadInput(f"{place}: field Error Type: found {kind!r}, allowed: {', '.join(ERROR_TYPES)}")
        if not _SENTENCE_ID.fullmatch(sentence_id := row["Error Sentence ID"].strip()):
            raise BadInput(f"{place}: field Error Sentence ID: found {sentence_id!r}, allowed: a number from 0 on")
        error = Error(
            ERROR_TYPES[kind], int(sentence_id), plain(decoded("Error Sentence")), plain(decoded("Corrected Sentence"))
        )
    text = decoded("Text")
    repairs.inexact += error is not None and error.sentence not in plain(text)
    return Note(row["Text ID"].strip(), text, error, decoded("Corrected Text"))


def _pair(notes: list[Note], repairs: Repairs) -> list[Note]:
    """Pairs each erroneous note with its clean twin: the row with its corrected text, else a similar neighbour."""
    clean_by_text = {plain(note.text): note.id for note in notes if note.error is None}
    twins: dict[str, str] = {}
    for note in notes:
        if note.error is not None and (twin := clean_by_text.get(plain(note.corrected_text))) and twin not in twins:
            twins |= {note.id: twin, twin: note.id}
    for note, other in [*pairwise(notes), *pairwise(notes[::-1])]:
        free = note.id not in twins and other.id not in twins
        if free and note.error is not None and other.error is None and _similar(note.text, other.text):
            twins |= {note.id: other.id, other.id: note.id}
    repairs.unpaired += len(notes) - len(twins)
    return [replace(note, twin=twins.get(note.id)) for note in notes]


def _similar(one: str, other: str) -> bool:
    first, second = (text.split()[:MAX_COMPARED_WORDS] for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= MIN_TWIN_SIMILARITY


def remove_fingerprints(notes: list[Note], repairs: Repairs) -> list[Note]:
    """Removes what tells erroneous from clean notes without reading them.

    As published, correcting a note also stripped the corrected sentence's first word, and rows of one kind kept line
    breaks or running sentence numbers that their twins lost. So: spaces, quotes and capitals are made alike, sentence
    numbers are removed, and a clean note is its twin with the erroneous sentence exchanged for the corrected one,
    wherever that sentence is found once. Twins then differ in that sentence only.
    """
    by_id = {note.id: note for note in notes}
    tidied = [_tidy(note, by_id.get(note.twin or ""), repairs) for note in notes]
    for note in tidied:
        repairs.capitalised += note.text != capitalise_sentences(note.text)
    return [
        replace(
            note,
            text=capitalise_sentences(note.text),
            error=note.error
            and replace(
                note.error,
                sentence=capitalise_sentences(note.error.sentence),
                correction=capitalise_sentences(note.error.correction),
            ),
        )
        for note in tidied
    ]


def _tidy(note: Note, twin: Note | None, repairs: Repairs) -> Note:
    text = plain(note.text)
    unnumbered = strip_sentence_numbers(text)
    repairs.numbered += unnumbered != text
    if note.error is None and twin is not None and twin.error is not None:
        erroneous = strip_sentence_numbers(plain(twin.text))
        if _can_exchange(erroneous, unnumbered, twin.error):
            matched = _exchange(erroneous, twin.error)
            repairs.matched += matched != unnumbered
            return replace(note, text=matched)
    return replace(note, text=unnumbered)


def _can_exchange(erroneous: str, clean: str, error: Error) -> bool:
    """Whether the annotated sentence is found once, as a sentence of its own.

    A few annotations name only the wrong words within a sentence, while their correction is a whole one. Those begin
    after a word, not after punctuation or a number, and in lower case or in notes whose clean twin is complete.
    """
    if erroneous.count(error.sentence) != 1:
        return False
    before = erroneous[: erroneous.index(error.sentence)].rstrip()
    return not before[-1:].isalpha() or (error.sentence[0].isupper() and error.correction not in clean)


def _exchange(erroneous: str, error: Error) -> str:
    # The full stop may be inside one annotation and outside the other.
    ending = error.sentence[-1] if error.sentence[-1] in ".?!" else ""
    return erroneous.replace(error.sentence, error.correction.rstrip(".?!") + ending)
