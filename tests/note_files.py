"""Small CSV files with the damage that the published ones of MedErrBench have, for the tests of its importer."""

from __future__ import annotations

import csv
from pathlib import Path

from bsft.importing.mederrbench import SOURCE_FILES

COLUMNS = ["Text ID", "Text", "Sentences", "Error Flag", "Error Sentence ID", "Error Sentence", "Error Type"]
COLUMNS += ["Corrected Sentence", "Corrected Text"]
Row = dict[str, str]

STORIES = {
    "train": "A man of {n} fell from a ladder and hurt his right wrist badly. It is swollen and tender at the snuffbox",
    "validation": "A woman of {n} has had watery stools since she ate oysters on holiday. She drinks and passes urine",
    "test": "A child of {n} months coughs at night and breathes fast with a hoarse cry. The chest moves evenly",
}


def pair(split: str, number: int, kind: str = "Diagnosis", *, story: str | None = None) -> list[Row]:
    """A note with an error and its clean twin, damaged as published: the correction has lost its first word."""
    bed = 100 * list(STORIES).index(split) + number
    start = (story or STORIES[split]).format(n=number + 20) + f", bed {bed}."
    wrong = f"The most likely cause is cause {bed}."
    right = f"The most likely cause is another, {bed}."
    clean = f"{start} most likely cause is another, {bed}. He rests."
    ids = [f"en-{split}-{2 * number + i}" for i in range(2)]
    first = [ids[0], f"{start}\n{wrong} He rests.", "", "1", "2", wrong, kind, right, clean]
    second = [ids[1], clean, "", "0", "-1", "NA", "NA", "NA", "NA"]
    return [dict(zip(COLUMNS, values, strict=True)) for values in (first, second)]


def all_rows() -> dict[str, list[Row]]:
    """Rows of every split, each note with an error followed by its twin."""
    unlike = "{n} words: alpha beta gamma"
    stories = {
        "train": [STORIES["train"], "Alpha {n} beta gamma delta epsilon zeta eta theta iota kappa lambda", unlike],
        "validation": [STORIES["validation"]],
        "test": [STORIES["test"], "One {n} two three four five six seven eight nine ten eleven twelve"],
    }
    return {
        split: [row for number, story in enumerate(texts) for row in pair(split, number, story=story)]
        for split, texts in stories.items()
    }


def write(directory: Path, rows: dict[str, list[Row]], columns: list[str] = COLUMNS) -> Path:
    for (split, split_rows), name in zip(rows.items(), SOURCE_FILES.values(), strict=True):
        assert split in name
        with (directory / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(split_rows)
    return directory
