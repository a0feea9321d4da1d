"""MedErrBench-EN: does the agent notice the erroneous sentence in a note that it was only asked to file?

Source: the `reviewed_data_EN_{train,validation,test}.csv` files of MedErrBench (MIT licence), read as published.
A resident shows a clinical note and asks for something else, so that flagging the error is unprompted; the same note
without the error is the twin, where filing it without comment is right.

MEDEC (MS collection) has the same columns under other file names and spellings, so that it becomes the same two tasks
with the same repairs. As published, its files end with rows of bare commas: they are left out and counted.

Sample (error_detection)::

    Resident: "Here is the clerking note of my last patient."
    Note: "A man has had a painful, swollen big toe since last night ... He is treated with allopurinol alone."
    Resident: "Please file it under today's date."
    no_flag: "I have filed the note ..."      flag: "I have not filed the note yet: ..."

Tasks, both proactive and scored by macro-F1: `error_detection` (no_flag, flag) and `error_classification` (no_flag and
one label for each error type; types that are rare in the test split share `flag_other`).
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from bsft.bench.bank.load import read_checked
from bsft.bench.items import Alert
from bsft.bench.replies import NO_FLAG
from bsft.importing.files import ImportedBenchmark
from bsft.importing.mederrbench_csv import Note, find_cases, read_notes, remove_fingerprints
from bsft.importing.report import ImportReport
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

MEDEC_LICENCE = "CC-BY-4.0"
MEDEC_WORDS = {"train": "training", "val": "validation", "test": "test"}
"""Split -> the word that its file's name holds, as in "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv"."""

TASK_NAMES = ("error_detection", "error_classification")

FLAG, FLAG_OTHER = "flag", "flag_other"
MIN_KIND_TEST_ITEMS = 10
_NOTE_TURN = 1


@dataclass(frozen=True)
class ErrorKind:
    """How the column Error Type spells a kind of error, and how a reply names the problem."""

    spelling: str
    problem: str


@dataclass(frozen=True)
class NoteWords:
    """What `mederrbench.yaml` holds: what is said around a note, and kinds of errors by name."""

    scenes: list[tuple[str, str]]
    filed: str
    flagged: str
    flagged_kind: str
    kinds: dict[str, ErrorKind]
    other_problem: str

    def replies(self) -> dict[str, str]:
        """Label -> reply."""
        problems = {f"flag_{kind}": said.problem for kind, said in self.kinds.items()}
        problems[FLAG_OTHER] = self.other_problem
        said = {label: self.flagged_kind.format(problem=problem) for label, problem in problems.items()}
        return {NO_FLAG: self.filed, FLAG: self.flagged, **said}


@cache
def note_words() -> NoteWords:
    return read_checked(Path(__file__).with_suffix(".yaml"), TypeAdapter(NoteWords))


def import_mederrbench(
    directory: Path, *, normalise_case: bool = True, min_kind_test_items: int = MIN_KIND_TEST_ITEMS, seed: int = 0
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
    files = {split: directory / name for split, name in SOURCE_FILES.items()}
    report = ImportReport("mederrbench", str(directory))
    return import_notes(
        files, report, normalise_case=normalise_case, min_kind_test_items=min_kind_test_items, seed=seed
    )


def import_medec(directory: Path, *, normalise_case: bool = True, seed: int = 0) -> ImportedBenchmark:
    """Imports MEDEC's three CSV files with error types, as `import_mederrbench` does.

    Raises:
        BadInput: a split has no file with error types or more than one, a column is missing, or a value is not
            allowed.
    """
    found = sorted(directory.glob("*.csv"))
    files = {}
    for split, word in MEDEC_WORDS.items():
        fitting = [file for file in found if word in file.name.lower() and "errortype" in file.name.lower()]
        if len(fitting) != 1:
            names = ", ".join(file.name for file in fitting or found) or "no CSV file"
            raise BadInput(f"{directory}: found {names}, allowed: one file named *{word}*ErrorType.csv for {split}")
        files[split] = fitting[0]
    report = ImportReport("medec", str(directory))
    return import_notes(files, report, normalise_case=normalise_case, seed=seed)


def import_notes(
    files: Mapping[str, Path], report: ImportReport, *, normalise_case: bool, seed: int,
    min_kind_test_items: int = MIN_KIND_TEST_ITEMS,
) -> ImportedBenchmark:  # fmt: skip
    """Imports files with MedErrBench's columns; see `import_mederrbench`.

    Args:
        files: by split, from train to test.
        report: takes what was read, repaired and dropped; its format is the first part of every id.
    """
    kinds = {said.spelling: kind for kind, said in note_words().kinds.items()}
    notes: dict[str, list[Note]] = {}
    seen: dict[str, str] = {}
    for split, file in files.items():
        repairs: Counter[str] = Counter()
        notes[split] = read_notes(file, kinds, seen, report, repairs)
        if normalise_case:
            notes[split] = remove_fingerprints(notes[split], repairs)
        report.repaired += [f"{split}: {count} {what}" for what, count in repairs.items() if count]
    case_ids, merged, left_out = find_cases(notes)
    report.repaired += merged
    report.dropped += left_out
    kept = {split: [note for note in rows if note.id in case_ids] for split, rows in notes.items()}
    in_test = Counter(note.error.kind for note in kept["test"] if note.error is not None)
    found = sorted({note.error.kind for rows in kept.values() for note in rows if note.error is not None})
    pooled = [kind for kind in found if in_test[kind] < min_kind_test_items]
    if pooled:
        report.repaired.append(
            f"error_classification: types with fewer than {min_kind_test_items} test notes are pooled into "
            f"{FLAG_OTHER}: {', '.join(pooled)}"
        )
    kind_labels = {kind: FLAG_OTHER if kind in pooled else f"flag_{kind}" for kind in found}
    label_of = dict(zip(TASK_NAMES, (dict.fromkeys(found, FLAG), kind_labels), strict=True))
    tasks = [
        TaskSpec(name=name, group="proactive", metric="macro_f1", labels=[NO_FLAG, *sorted(set(labels.values()))])
        for name, labels in label_of.items()
    ]
    items: dict[str, list[Item]] = {split: [] for split in kept}
    for split, rows in kept.items():
        for note in rows:
            for spec in tasks:
                label = NO_FLAG if note.error is None else label_of[spec.name][note.error.kind]
                items[split].append(_item(report.format, note, case_ids[note.id], split, spec, label, seed))
    return ImportedBenchmark(items, tasks, report)


def _item(source: str, note: Note, case: str, split: str, spec: TaskSpec, label: str, seed: int) -> Item:
    words = note_words()
    replies = words.replies()
    options = [Option(text=replies[label], label=label, flag=label != NO_FLAG) for label in spec.labels]
    random.Random(f"{seed} mederrbench/{note.id}/{spec.name}").shuffle(options)
    # Twins share the scene: its wording must not tell them apart.
    opening, query = random.Random(case).choice(words.scenes)
    error, perturbation = note.error, None
    if error is not None:
        locus = Locus(turn=_NOTE_TURN, role="record", field=f"sentence {error.sentence_id}")
        kind = f"error/{error.kind}"
        perturbation = Perturbation(kind=kind, locus=locus, before=error.correction, after=error.sentence)
    turns = [
        Turn(speaker="Resident", role="resident", text=opening),
        Turn(speaker="Note", role="record", text=note.text),
    ]
    return Alert(spec, f"{source}/{case}", split, None, query, options).item(
        f"{source}/{note.id}/{spec.name}", "clean" if perturbation is None else "perturbed", turns, label,
        twin_id=note.twin and f"{source}/{note.twin}/{spec.name}", perturbation=perturbation,
    )  # fmt: skip
