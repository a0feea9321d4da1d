"""MEDEC (MS collection, CC BY 4.0): the same CSV columns as MedErrBench-EN, other file names and spellings.

The files are respelled in a temporary directory and read by the MedErrBench importer, so that both become the same two
tasks with the same repairs.
"""

from __future__ import annotations

import csv
import re
import tempfile
from pathlib import Path

from bsft.bench.importers import ImportedBenchmark
from bsft.bench.importers.mederrbench import SOURCE_FILES, import_mederrbench
from bsft.bench.importers.mederrbench_csv import ERROR_TYPES
from bsft.bench.records import Item
from bsft.bench.store import BadInput

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
    with tempfile.TemporaryDirectory() as scratch:
        for split, file in files.items():
            _respell(file, Path(scratch) / SOURCE_FILES[split])
        try:
            imported = import_mederrbench(Path(scratch), normalise_case=normalise_case, seed=seed)
        except BadInput as error:
            message = str(error)
            for split, file in files.items():
                message = message.replace(str(Path(scratch) / SOURCE_FILES[split]), str(file))
            raise BadInput(message) from None
    items = {split: [_renamed(item) for item in found] for split, found in imported.items.items()}
    return ImportedBenchmark(items, imported.tasks, imported.notes)


def _respell(file: Path, target: Path) -> None:
    """Copies a CSV file with error types as MedErrBench spells them; all else is left for its importer to judge."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as found, target.open("w", encoding="utf-8", newline="") as to:
            rows = csv.reader(found, strict=True)
            header = next(rows, [])
            writer = csv.writer(to)
            writer.writerow(header)
            column = header.index("Error Type") if "Error Type" in header else None
            for row in rows:
                if column is not None and column < len(row):
                    row[column] = _ERROR_TYPES.get(re.sub(r"[^a-z]", "", row[column].lower()), row[column])
                writer.writerow(row)
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8: {error.reason}, byte 0x{error.object[error.start]:02x}") from None
    except csv.Error as error:
        raise BadInput(f"{file}: not valid CSV: {error}") from None


def _renamed(item: Item) -> Item:
    """The item under MEDEC's name."""
    ids = {name: getattr(item, name) for name in ("id", "case_id", "twin_id")}
    return item.model_copy(
        update={name: value and value.replace("mederrbench/", "medec/", 1) for name, value in ids.items()}
    )
