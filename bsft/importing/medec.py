"""MEDEC (MS collection, CC BY 4.0): the same CSV columns as MedErrBench-EN, other file names and spellings.

The MedErrBench importer reads them, so that both become the same two tasks with the same repairs. As published, files
end with rows of bare commas: they are left out and counted.
"""

from __future__ import annotations

from pathlib import Path

from bsft.importing.mederrbench import import_notes
from bsft.importing.report import ImportReport
from bsft.importing.writing import ImportedBenchmark
from bsft.records.errors import BadInput

LICENCE = "CC-BY-4.0"
SPLIT_WORDS = {"train": "training", "val": "validation", "test": "test"}
"""Split -> the word that its file's name holds, as in "MEDEC-MS-TestSet-with-GroundTruth-and-ErrorType.csv"."""


def import_medec(directory: Path, *, normalise_case: bool = True, seed: int = 0) -> ImportedBenchmark:
    """Imports MEDEC as `error_detection` and `error_classification`.

    Args:
        directory: holds the three CSV files with error types.
        normalise_case: also remove the fingerprints of editing, as for MedErrBench.
        seed: of the options' order.

    Raises:
        BadInput: a split has no file with error types or more than one, a column is missing, or a value is not
            allowed.
    """
    found = sorted(directory.glob("*.csv"))
    files = {}
    for split, word in SPLIT_WORDS.items():
        fitting = [file for file in found if word in file.name.lower() and "errortype" in file.name.lower()]
        if len(fitting) != 1:
            names = ", ".join(file.name for file in fitting or found) or "no CSV file"
            raise BadInput(f"{directory}: found {names}, allowed: one file named *{word}*ErrorType.csv for {split}")
        files[split] = fitting[0]
    report = ImportReport("medec", str(directory))
    return import_notes(files, report, normalise_case=normalise_case, seed=seed)
