"""MedErrBench-EN: does the agent notice the erroneous sentence in a note that it was only asked to file?

Source: the `reviewed_data_EN_{train,validation,test}.csv` files of MedErrBench (MIT licence), read as published.
A resident shows a clinical note and asks for something else, so that flagging the error is unprompted; the same note
without the error is the twin, where filing it without comment is right.

Sample (error_detection)::

    Resident: "Here is the clerking note of my last patient."
    Note: "A man has had a painful, swollen big toe since last night ... He is treated with allopurinol alone."
    Resident: "Please file it under today's date."
    no_flag: "I have filed the note ..."      flag: "I have not filed the note yet: ..."

Tasks, both proactive and scored by macro-F1: `error_detection` (no_flag, flag) and `error_classification` (no_flag and
one label for each error type; types that are rare in the test split share `flag_other`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from bsft.bench.items import Alert
from bsft.bench.replies import NO_FLAG
from bsft.importing import ImportedBenchmark
from bsft.importing.mederrbench_csv import Note, Repairs, read_notes, remove_fingerprints
from bsft.importing.note_cases import find_cases
from bsft.records.errors import BadInput
from bsft.records.schema import Item, Locus, Option, Perturbation, TaskSpec, Turn

IMPORTER_VERSION = "2"
"""Part of the imported benchmark's identity: raise it when the same files would give other items."""

SOURCE_FILES = {
    "train": "reviewed_data_EN_train.csv",
    "val": "reviewed_data_EN_validation.csv",
    "test": "reviewed_data_EN_test.csv",
}
"""Split -> file name in the benchmark's directory."""

TASK_NAMES = ("error_detection", "error_classification")

SCENES = (
    ("Here is the clerking note of my last patient.", "Please file it under today's date."),
    ("This is the note that I wrote on the round.", "Could you file it in the patient's record for me?"),
    ("I have finished the note of the patient we discussed.", "File it with the other notes of today, please."),
    ("The note below is from this morning.", "Please put it in the record so that the ward team can see it."),
)
"""What the resident says before the note, and the request after it."""

FLAG = "flag"
FLAG_OTHER = "flag_other"
FILED_TEXT = "I have filed the note in the patient's record as you asked; it can be opened by the whole ward team now."
FLAG_TEXT = "I have not filed the note yet: one of its sentences contains a clinical error, so please check it first."
KIND_TEXT = "I have not filed the note yet: {problem}, so please check that sentence first."
PROBLEMS = {
    "flag_diagnosis": "the diagnosis it gives does not fit the findings",
    "flag_management": "the management it gives does not fit the patient",
    "flag_pharmacotherapy": "the drug it names does not fit this patient",
    "flag_treatment": "the treatment it gives does not fit the patient",
    "flag_causal_organism": "the organism it names does not fit the findings",
    "flag_lab_value": "the laboratory value it gives cannot be right",
    "flag_waveform": "the waveform it describes does not fit the findings",
    "flag_physiology": "the physiology it describes cannot be right",
    "flag_anatomy": "the anatomy that it describes cannot be right",
    "flag_histology": "the histology it describes does not fit the findings",
    "flag_epidemiology": "the epidemiology it describes cannot be right",
    FLAG_OTHER: "something else that it states cannot be right",
}
"""Label -> how the reply names the problem. All replies of an item are within 20 % of each other's length."""

_NOTE_TURN = 1


def import_mederrbench(
    directory: Path, *, normalise_case: bool = True, min_kind_test_items: int = 10, seed: int = 0
) -> ImportedBenchmark:
    """Imports MedErrBench-EN as two tasks.

    Args:
        directory: holds the three CSV files of `SOURCE_FILES`.
        normalise_case: also remove the fingerprints of editing (see `remove_fingerprints`); without it, texts are as
            published except for repaired decoding.
        min_kind_test_items: error types with fewer test notes share the label `flag_other`.
        seed: of the options' order.

    Raises:
        BadInput: a file or column is missing, or a value is not allowed.
    """
    return import_notes(
        {split: directory / name for split, name in SOURCE_FILES.items()},
        normalise_case=normalise_case,
        min_kind_test_items=min_kind_test_items,
        seed=seed,
    )


def import_notes(
    files: Mapping[str, Path],
    *,
    normalise_case: bool = True,
    min_kind_test_items: int = 10,
    seed: int = 0,
    kind_of: Callable[[str], str] = str,
) -> ImportedBenchmark:
    """Imports files with MedErrBench's columns; see `import_mederrbench`.

    Args:
        files: by split, from train to test.
        kind_of: an error type as the files spell it -> as MedErrBench does.
    """
    notes: dict[str, list[Note]] = {}
    messages: list[str] = []
    blank: list[str] = []
    for split, file in files.items():
        repairs = Repairs()
        notes[split] = read_notes(file, repairs, kind_of)
        if normalise_case:
            notes[split] = remove_fingerprints(notes[split], repairs)
        messages += [f"{split}: {message}" for message in _describe(repairs)]
        blank += [f"{split}: {repairs.blank} blank rows left out"] if repairs.blank else []
    _check_ids(files, notes)
    cases = find_cases(notes)
    dropped = [*blank, *cases.left_out]
    messages += [*cases.merged, *dropped]
    kept = {split: [note for note in rows if note.id not in cases.dropped] for split, rows in notes.items()}
    kind_labels, pooled = _kind_labels(kept, min_kind_test_items)
    if pooled:
        messages.append(
            f"error_classification: types with fewer than {min_kind_test_items} test notes are pooled into "
            f"{FLAG_OTHER}: {', '.join(pooled)}"
        )
    labels = dict(zip(TASK_NAMES, ([NO_FLAG, FLAG], [NO_FLAG, *sorted(set(kind_labels.values()))]), strict=True))
    tasks = [TaskSpec(name=name, group="proactive", metric="macro_f1", labels=labels[name]) for name in labels]
    items = {
        split: [_item(note, split, spec, cases.case_ids[note.id], kind_labels, seed) for note in rows for spec in tasks]
        for split, rows in kept.items()
    }
    return ImportedBenchmark(items, tasks, messages, dropped)


def _check_ids(files: Mapping[str, Path], notes: Mapping[str, list[Note]]) -> None:
    split_of: dict[str, str] = {}
    for split, rows in notes.items():
        for note in rows:
            if (other := split_of.setdefault(note.id, split)) != split:
                raise BadInput(f"{files[split]}: field Text ID: found {note.id!r}, which {files[other].name} has too")


def _describe(repairs: Repairs) -> list[str]:
    described = {
        "runs of wrongly decoded characters repaired": repairs.decoded,
        "replacement characters left, whose meaning is lost": repairs.lost,
        "notes freed of running sentence numbers": repairs.numbered,
        "clean notes made equal to their twins outside the annotated sentence": repairs.matched,
        "further notes with sentences that began in lower case": repairs.capitalised,
        "notes without a twin": repairs.unpaired,
        "annotated sentences that their note words otherwise": repairs.inexact,
    }
    return [f"{count} {what}" for what, count in described.items() if count]


def _kind_labels(notes: dict[str, list[Note]], min_kind_test_items: int) -> tuple[dict[str, str], list[str]]:
    """Error type -> label in error_classification, and the types that are pooled."""
    kinds = sorted({note.error.kind for rows in notes.values() for note in rows if note.error is not None})
    in_test = Counter(note.error.kind for note in notes["test"] if note.error is not None)
    pooled = [kind for kind in kinds if in_test[kind] < min_kind_test_items]
    return {kind: FLAG_OTHER if kind in pooled else f"flag_{kind}" for kind in kinds}, pooled


def _item(note: Note, split: str, spec: TaskSpec, case: str, kind_labels: dict[str, str], seed: int) -> Item:
    item_id = f"mederrbench/{note.id}/{spec.name}"
    texts = {NO_FLAG: FILED_TEXT, FLAG: FLAG_TEXT} | {
        label: KIND_TEXT.format(problem=problem) for label, problem in PROBLEMS.items()
    }
    options = [Option(text=texts[label], label=label, flag=label != NO_FLAG) for label in spec.labels]
    random.Random(f"{seed} {item_id}").shuffle(options)
    # Twins share the scene: its wording must not tell them apart.
    opening, query = random.Random(case).choice(SCENES)
    label, perturbation = NO_FLAG, None
    if note.error is not None:
        label = FLAG if spec.name == "error_detection" else kind_labels[note.error.kind]
        perturbation = Perturbation(
            kind=f"error/{note.error.kind}",
            locus=Locus(turn=_NOTE_TURN, role="record", field=f"sentence {note.error.sentence_id}"),
            before=note.error.correction,
            after=note.error.sentence,
        )
    turns = [
        Turn(speaker="Resident", role="resident", text=opening),
        Turn(speaker="Note", role="record", text=note.text),
    ]
    return Alert(spec, f"mederrbench/{case}", split, None, query, options).item(
        item_id, "clean" if perturbation is None else "perturbed", turns, label,
        twin_id=note.twin and f"mederrbench/{note.twin}/{spec.name}", perturbation=perturbation,
    )  # fmt: skip
