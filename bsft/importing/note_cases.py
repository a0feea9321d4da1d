"""Which notes are one case, and which are left out because a later split has a near-duplicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bsft.importing.mederrbench_csv import Note
from bsft.importing.near_duplicates import connected, near_duplicates


@dataclass(frozen=True)
class NoteCases:
    """Case id of every note that stays, and a sentence about each case that does not stand for itself.

    Attributes:
        merged: what was counted as one case with another.
        left_out: what was left out with its twin.
    """

    case_ids: dict[str, str]
    merged: list[str]
    left_out: list[str]


def find_cases(notes: Mapping[str, Sequence[Note]]) -> NoteCases:
    """Twins are one case. Cases that are alike, one with the next, form a group.

    Only the group's cases in its latest split stay, as one case; those in earlier splits are left out, with their
    twins, whichever of the group they are alike to. So the last split is whole, and nothing of an earlier one is in it.

    Args:
        notes: by split, from the first (training) to the last (test).
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
    return NoteCases(stays, merged, left_out)


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
