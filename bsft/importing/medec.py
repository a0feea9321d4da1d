"""MEDEC (MS collection, CC BY 4.0): the same CSV columns as MedErrBench-EN, other file names and spellings.

The MedErrBench importer reads them, so that both become the same two tasks with the same repairs. As published, files
end with rows of bare commas: they are left out and counted.
"""

from __future__ import annotations

import re
from pathlib import Path

from bsft.importing import ImportedBenchmark
from bsft.importing.mederrbench import import_notes
from bsft.importing.mederrbench_csv import ERROR_TYPES
from bsft.records.errors import BadInput
from bsft.records.schema import Item

LICENCE = "CC-BY-4.0"
SPLIT_WORDS = {"train": "training", "val": "validation", "test": "test"}
"""Split -> the word that its file's name holds, as in "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv"."""

_ERROR_TYPES = {kind.replace("_", ""): name for name, kind in ERROR_TYPES.items()}


def medec_files(directory: Path) -> dict[str, Path]:
    """Split -> its file.

    Raises:
        BadInput: a split has no file with error types, or more than one.
    """
    found = sorted(directory.glob("*.csv"))
    files = {}
    for split, word in SPLIT_WORDS.items():
        fitting = [file for file in found if word in file.name.lower() and "errortype" in file.name.lower()]
        if len(fitting) != 1:
            names = ", ".join(file.name for file in fitting or found) or "no CSV file"
            raise BadInput(f"{directory}: found {names}, allowed: one file named *{word}*ErrorType.csv for {split}")
        files[split] = fitting[0]
    return files


def import_medec(directory: Path, *, normalise_case: bool = True, seed: int = 0) -> ImportedBenchmark:
    """Imports MEDEC as `error_detection` and `error_classification`.

    Args:
        directory: holds the three CSV files with error types.
        normalise_case: also remove the fingerprints of editing, as for MedErrBench.
        seed: of the options' order.

    Raises:
        BadInput: a file or column is missing, or a value is not allowed.
    """
    files = medec_files(directory)
    imported = import_notes(files, normalise_case=normalise_case, seed=seed, kind_of=_kind_of)
    items = {split: [_renamed(item) for item in found] for split, found in imported.items.items()}
    return ImportedBenchmark(items, imported.tasks, imported.notes, imported.dropped)


def _kind_of(spelled: str) -> str:
    """An error type as MedErrBench spells it; what is none is left for its reader to judge."""
    return _ERROR_TYPES.get(re.sub(r"[^a-z]", "", spelled.lower()), spelled)


def _renamed(item: Item) -> Item:
    """The item under MEDEC's name."""
    ids = {name: getattr(item, name) for name in ("id", "case_id", "twin_id")}
    return item.model_copy(
        update={name: value and value.replace("mederrbench/", "medec/", 1) for name, value in ids.items()}
    )
