"""MedErrBench-EN's CSV files: checked rows, repaired text, twins; and which notes are one case.

Each file holds clinical notes of two kinds: notes with one erroneous sentence (Error Flag 1, with that sentence and its
correction) and the same notes with the correction in place (Error Flag 0), as a rule one right after the other.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from bsft.importing.files import check_new
from bsft.importing.near_duplicates import connected, near_duplicates
from bsft.importing.report import ImportReport
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


def read_notes(
    file: Path, kinds: Mapping[str, str], seen: dict[str, str], report: ImportReport, repairs: Counter[str]
) -> list[Note]:
    """Reads one file in file order, with the characters' decoding repaired and twins paired.

    Args:
        kinds: error type as the files spell it -> its name. Upper case, spaces and signs do not count.
        seen: id of a note of another file -> its place; takes those of this one.
        report, repairs: take what was read, and counts.

    Raises:
        BadInput: the file or a column is missing, a column is there twice, a row has another number of fields, or a
            value is not allowed.
    """
    table = read_table(file, COLUMNS)
    if not table.rows:
        raise BadInput(f"{file}: the file has no rows")
    report.add_source(file)
    report.read += len(table.rows)
    if table.n_blank:
        report.dropped.append(f"{file.name}: {table.n_blank} blank rows left out")
    notes = []
    for number, row in table.rows:
        place = f"{file}: row {number}"
        note = _note(place, row, kinds, repairs)
        check_new(note.id, seen, place, "Text ID")
        notes.append(note)
    return _pair(notes, repairs)


def _note(place: str, row: dict[str, str], kinds: Mapping[str, str], repairs: Counter[str]) -> Note:
    if (flag := row["Error Flag"].strip()) not in ("0", "1"):
        raise BadInput(f"{place}: field Error Flag: found {flag!r}, allowed: 0 or 1")
    needed = ("Text ID", "Text", *(("Error Sentence", "Corrected Sentence") if flag == "1" else ()))
    for field in needed:
        if row[field].strip().lower() in _NOTHING:
            raise BadInput(f"{place}: field {field}: found nothing, allowed: text")

    def decoded(field: str) -> str:
        text, repaired, lost = undo_mac_roman(row[field].strip())
        repairs["runs of wrongly decoded characters repaired"] += repaired
        repairs["replacement characters left, whose meaning is lost"] += lost
        return text

    error = None
    if flag == "1":
        spelled = row["Error Type"].strip()
        kind = {_letters(name): kind for name, kind in kinds.items()}.get(_letters(spelled))
        if kind is None:
            raise BadInput(f"{place}: field Error Type: found {spelled!r}, allowed: {', '.join(kinds)}")
        if not _SENTENCE_ID.fullmatch(sentence_id := row["Error Sentence ID"].strip()):
            raise BadInput(f"{place}: field Error Sentence ID: found {sentence_id!r}, allowed: a number from 0 on")
        error = Error(kind, int(sentence_id), plain(decoded("Error Sentence")), plain(decoded("Corrected Sentence")))
    text = decoded("Text")
    if error is not None and error.sentence not in plain(text):
        repairs["annotated sentences that their note words otherwise"] += 1
    return Note(row["Text ID"].strip(), text, error, decoded("Corrected Text"))


def _letters(spelled: str) -> str:
    return re.sub(r"[^a-z]", "", spelled.lower())


def _pair(notes: list[Note], repairs: Counter[str]) -> list[Note]:
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
    repairs["notes without a twin"] += len(notes) - len(twins)
    return [replace(note, twin=twins.get(note.id)) for note in notes]


def _similar(one: str, other: str) -> bool:
    first, second = (text.split()[:MAX_COMPARED_WORDS] for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= MIN_TWIN_SIMILARITY


def remove_fingerprints(notes: list[Note], repairs: Counter[str]) -> list[Note]:
    """Removes what tells erroneous from clean notes without reading them.

    As published, correcting a note also stripped the corrected sentence's first word, and rows of one kind kept line
    breaks or running sentence numbers that their twins lost. So: spaces, quotes and capitals are made alike, sentence
    numbers are removed, and a clean note is its twin with the erroneous sentence exchanged for the corrected one,
    wherever that sentence is found once. Twins then differ in that sentence only.
    """
    by_id = {note.id: note for note in notes}
    return [_alike(note, by_id.get(note.twin or ""), repairs) for note in notes]


def _alike(note: Note, twin: Note | None, repairs: Counter[str]) -> Note:
    text = strip_sentence_numbers(plain(note.text))
    repairs["notes freed of running sentence numbers"] += text != plain(note.text)
    if twin is not None and twin.error is not None:
        erroneous = strip_sentence_numbers(plain(twin.text))
        if _can_exchange(erroneous, text, twin.error):
            unmatched, text = text, _exchange(erroneous, twin.error)
            repairs["clean notes made equal to their twins outside the annotated sentence"] += text != unmatched
    capitalised, error = capitalise_sentences(text), note.error
    repairs["further notes with sentences that began in lower case"] += capitalised != text
    if error is not None:
        sentence, correction = capitalise_sentences(error.sentence), capitalise_sentences(error.correction)
        error = replace(error, sentence=sentence, correction=correction)
    return replace(note, text=capitalised, error=error)


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


# --- cases ---


def find_cases(notes: Mapping[str, Sequence[Note]]) -> tuple[dict[str, str], list[str], list[str]]:
    """Twins are one case. Cases that are alike, one with the next, form a group.

    Only the group's cases in its latest split stay, as one case; those in earlier splits are left out, with their
    twins, whichever of the group they are alike to. So the last split is whole, and nothing of an earlier one is in it.

    Args:
        notes: by split, from the first (training) to the last (test).

    Returns:
        The case id of every note that stays; sentences about cases that were counted as one with another, and about
        those that were left out.
    """
    rows = [note for split_rows in notes.values() for note in split_rows]
    split_of = {note.id: split for split, split_rows in notes.items() for note in split_rows}
    case_ids: dict[str, str] = {}
    for note in rows:
        case_ids[note.id] = case_ids.get(note.twin or note.id, note.id)
    cases = list(dict.fromkeys(case_ids.values()))
    shares = _shares(rows, case_ids)
    place_of = {case: place for place, case in enumerate(cases)}
    pairs = [(place_of[one], place_of[other]) for one, other in shares]
    merged, left_out = [], []
    head_of: dict[str, str] = {}
    for group in connected(len(cases), pairs):
        members = [cases[place] for place in group]
        last = split_of[members[-1]]
        kept = [case for case in members if split_of[case] == last]
        head_of |= dict.fromkeys(kept, kept[0])
        merged += [f"{last}: {kept[0]}: near-duplicate of {case}, counted as one case" for case in kept[1:]]
        left_out += [
            f"{split_of[case]}: {case}: {_why_left_out(case, kept, last, shares)}" for case in members[: -len(kept)]
        ]
    stays = {note_id: head_of[case] for note_id, case in case_ids.items() if case in head_of}
    return stays, merged, left_out


def _shares(rows: Sequence[Note], case_ids: Mapping[str, str]) -> dict[tuple[str, str], float]:
    """(earlier case, later case) -> the largest share that two of their notes have in common."""
    shares: dict[tuple[str, str], float] = {}
    for i, j, share in near_duplicates([note.text for note in rows]):
        pair = case_ids[rows[i].id], case_ids[rows[j].id]
        if pair[0] != pair[1]:
            shares[pair] = max(share, shares.get(pair, 0.0))
    return shares


def _why_left_out(case: str, kept: Sequence[str], split: str, shares: Mapping[tuple[str, str], float]) -> str:
    share, nearest = max((shares.get((case, other), 0.0), other) for other in kept)
    if share:
        return f"dropped with its twin, near-duplicate of {nearest} ({share:.0%} shared) in {split}"
    return f"dropped with its twin, alike through other notes to {kept[0]} in {split}"
