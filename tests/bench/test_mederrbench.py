"""The MedErrBench importer, on small CSV files with the damage that the published ones have."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from note_files import COLUMNS, Row, all_rows, write

from bsft.importing.files import ImportedBenchmark
from bsft.importing.mederrbench import IMPORTER_VERSION, SOURCE_FILES, import_mederrbench, note_words
from bsft.importing.near_duplicates import near_duplicates
from bsft.importing.text_repair import capitalise_sentences, strip_sentence_numbers, undo_mac_roman
from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import open_benchmark, write_benchmark


@pytest.fixture
def rows() -> dict[str, list[Row]]:
    return all_rows()


def detection(benchmark: ImportedBenchmark, split: str) -> list[Item]:
    return [item for item in benchmark.items[split] if item.task == "error_detection"]


def note(item: Item) -> str:
    return item.turns[1].text


def test_items_are_twins_that_differ_in_the_annotated_sentence_only(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    benchmark = import_mederrbench(write(tmp_path, rows))
    assert {split: len(items) for split, items in benchmark.items.items()} == {"train": 12, "val": 4, "test": 8}
    perturbed, clean = detection(benchmark, "test")[:2]
    assert (perturbed.id, perturbed.twin_id) == (
        "mederrbench/en-test-0/error_detection",
        "mederrbench/en-test-1/error_detection",
    )
    assert clean.twin_id == perturbed.id
    assert clean.case_id == perturbed.case_id == "mederrbench/en-test-0"
    assert (perturbed.label, perturbed.gold_behavior, perturbed.autonomy, perturbed.variant) == (
        "flag",
        "proactive",
        "L3",
        "perturbed",
    )
    assert (clean.label, clean.gold_behavior, clean.autonomy, clean.variant) == ("no_flag", "reactive", "L2", "clean")
    assert clean.perturbation is None
    found = perturbed.perturbation
    assert found is not None
    assert (found.kind, found.locus.turn, found.locus.role, found.locus.field) == (
        "error/diagnosis",
        1,
        "record",
        "sentence 2",
    )
    assert note(perturbed).replace(found.after, found.before) == note(clean)
    assert "The most likely cause is another, 200. He rests." in note(clean)
    assert perturbed.turns[0] == clean.turns[0]
    assert perturbed.query == clean.query


FROZEN = {
    "1": "a47da27f9a514b114f39b3952dab02d1804e03089b757cd1037eb943a31bb637",
    "2": "a47da27f9a514b114f39b3952dab02d1804e03089b757cd1037eb943a31bb637",
}
"""Version of the importer -> SHA-256 of the items that it makes of `rows`, with and without normalisation."""
ADDED_SINCE: Any = {"level": True, "track": True, "original_id": True, "perturbation": {"visible_from"}}
"""Fields of an item that came later, and that the importer leaves empty."""


def test_the_importers_version_has_its_frozen_items(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    write(tmp_path, rows)
    digest = hashlib.sha256()
    for normalise_case in (True, False):
        for split, items in import_mederrbench(tmp_path, normalise_case=normalise_case).items.items():
            digest.update("\n".join([split, *(item.model_dump_json(exclude=ADDED_SINCE) for item in items)]).encode())
    assert digest.hexdigest() == FROZEN[IMPORTER_VERSION], (
        "items changed but IMPORTER_VERSION was not raised: raise it in bsft/importing/mederrbench.py, and put "
        "the new hash beside it here"
    )


def test_without_normalisation_texts_stay_as_published(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    benchmark = import_mederrbench(write(tmp_path, rows), normalise_case=False)
    assert [note(item) for item in detection(benchmark, "val")] == [row["Text"] for row in rows["validation"]]
    assert not any("annotated sentence" in message for message in benchmark.notes)


def test_annotated_words_within_a_sentence_are_not_exchanged_for_a_whole_one(
    tmp_path: Path, rows: dict[str, list[Row]]
) -> None:
    start = "Seventy residents are asked about accidents after their calls. The P value will be"
    perturbed, clean = rows["validation"]
    perturbed |= {"Text": f"{start} less than 0.5", "Error Sentence": "less than 0.5"}
    perturbed["Corrected Sentence"] = "The P value will be more than 0.5"
    perturbed["Corrected Text"] = clean["Text"] = f"{start} more than 0.5"
    assert note(detection(import_mederrbench(write(tmp_path, rows)), "val")[1]) == clean["Text"]


def test_an_annotation_that_the_note_words_otherwise_is_reported(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    rows["validation"][0]["Error Sentence"] = "The likeliest cause is cause 100."
    benchmark = import_mederrbench(write(tmp_path, rows))
    assert "val: 1 annotated sentences that their note words otherwise" in benchmark.notes
    assert note(detection(benchmark, "val")[1]) == rows["validation"][1]["Text"].replace(". most", ". Most")


def test_neighbours_are_twins_when_the_corrected_text_is_damaged_and_strangers_are_not(
    tmp_path: Path, rows: dict[str, list[Row]]
) -> None:
    rows["train"][0]["Corrected Text"] = "damaged"
    rows["validation"][0]["Corrected Text"] = "damaged"
    rows["validation"][1]["Text"] = "Another patient altogether came for a vaccination before a journey."
    benchmark = import_mederrbench(write(tmp_path, rows))
    assert detection(benchmark, "train")[0].twin_id == "mederrbench/en-train-1/error_detection"
    assert [item.twin_id for item in detection(benchmark, "val")] == [None, None]
    assert len({item.case_id for item in benchmark.items["val"]}) == 2
    assert "val: 2 notes without a twin" in benchmark.notes


def test_rare_types_are_pooled_and_options_are_of_one_length(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    for row in (rows["train"][0], rows["test"][0]):
        row["Error Type"] = "Lab / Serum Value"
    benchmark = import_mederrbench(write(tmp_path, rows), min_kind_test_items=2)
    labels = {task.name: task.labels for task in benchmark.tasks}
    assert labels == {"error_detection": ["no_flag", "flag"], "error_classification": ["no_flag", "flag_other"]}
    assert any("pooled into flag_other: diagnosis, lab_value" in message for message in benchmark.notes)

    benchmark = import_mederrbench(tmp_path, min_kind_test_items=1)
    labels = {task.name: task.labels for task in benchmark.tasks}
    assert labels["error_classification"] == ["no_flag", "flag_diagnosis", "flag_lab_value"]
    golds = [item.label for item in benchmark.items["test"] if item.task == "error_classification"]
    assert golds == ["flag_lab_value", "no_flag", "flag_diagnosis", "no_flag"]


def test_every_reply_is_within_20_percent_of_every_other() -> None:
    lengths = [len(reply) for reply in note_words().replies().values()]
    assert max(lengths) <= 1.2 * min(lengths)


def test_options_are_shuffled_by_seed(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    write(tmp_path, rows)

    def orders(seed: int) -> list[list[str]]:
        items = import_mederrbench(tmp_path, min_kind_test_items=1, seed=seed).items["train"]
        return [[option.label for option in item.options] for item in items]

    assert orders(0) == orders(0) != orders(1)


def test_training_notes_that_near_duplicate_a_test_note_are_dropped(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    for row in rows["train"][2:4]:
        row["Text"] = rows["test"][2]["Text"].replace("seven", "7")
    # Within a split near-duplicates stay, as one case.
    for row, copied in zip(rows["train"][4:6], rows["train"][0:2], strict=True):
        row["Text"] = copied["Text"].replace("snuffbox", "elbow")
        row["Corrected Text"] = "damaged"
    benchmark = import_mederrbench(write(tmp_path, rows), normalise_case=False)
    assert [item.id.split("/")[1] for item in detection(benchmark, "train")] == [
        "en-train-0",
        "en-train-1",
        "en-train-4",
        "en-train-5",
    ]
    assert {item.case_id for item in benchmark.items["train"]} == {"mederrbench/en-train-0"}
    assert any("en-train-2: dropped with its twin, near-duplicate of en-test-2" in line for line in benchmark.notes)
    assert any("en-train-0: near-duplicate of en-train-4" in line for line in benchmark.notes)


def test_a_written_import_opens(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    imported = import_mederrbench(write(tmp_path, rows))
    write_benchmark(
        tmp_path / "out", imported.items, imported.tasks, name="m", version="1", seed=0, licence="MIT",
        notes=imported.notes,
    )  # fmt: skip
    benchmark = open_benchmark(tmp_path / "out")
    assert list(benchmark.items("val")) == imported.items["val"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("Error Flag", "yes", "row 2: field Error Flag: found 'yes', allowed: 0 or 1"),
        ("Error Type", "Spelling", "row 2: field Error Type: found 'Spelling', allowed: Diagnosis, Management,"),
        ("Error Sentence ID", "two", "row 2: field Error Sentence ID: found 'two', allowed: a number"),
        ("Text", " ", "row 2: field Text: found nothing"),
        ("Corrected Sentence", "", "row 2: field Corrected Sentence: found nothing"),
        ("Text ID", "en-test-1", "row 3: field Text ID: found 'en-test-1', which .*: row 2 has"),
    ],
)
def test_a_bad_value_is_refused(
    tmp_path: Path, rows: dict[str, list[Row]], field: str, value: str, message: str
) -> None:
    rows["test"][0][field] = value
    with pytest.raises(BadInput, match=message) as error:
        import_mederrbench(write(tmp_path, rows))
    assert "reviewed_data_EN_test.csv" in str(error.value)


def test_a_bad_file_is_refused(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    with pytest.raises(BadInput, match=r"reviewed_data_EN_train\.csv: no such file"):
        import_mederrbench(tmp_path)
    write(tmp_path, rows, [column for column in COLUMNS if column != "Error Type"])
    with pytest.raises(BadInput, match="row 1: no column 'Error Type'; found: Text ID, Text"):
        import_mederrbench(tmp_path)
    train = write(tmp_path, rows) / SOURCE_FILES["train"]
    text = train.read_text(encoding="utf-8")
    for damaged, message in (
        (text + "en-train-9,too short\n", "row 8: found 2 fields, allowed: 9"),
        (text + '"never closed', "not valid CSV"),
        (text.splitlines(keepends=True)[0], "has no rows"),
    ):
        train.write_text(damaged, encoding="utf-8")
        with pytest.raises(BadInput, match=message):
            import_mederrbench(tmp_path)
    train.write_bytes(text.encode() + b"\xff")
    with pytest.raises(BadInput, match="is 0xff, which is not UTF-8"):
        import_mederrbench(tmp_path)


def test_wrong_decoding_is_undone() -> None:
    damaged = "37\u00ac\u221eC, 4\u201a\u00c4\u00ec6 cups, caf\u00e9, lost \ufffd"
    assert undo_mac_roman(damaged) == ("37°C, 4–6 cups, café, lost \ufffd", 2, 1)


def test_repairs_of_decoding_are_reported(tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    for row in rows["validation"]:
        row["Text"] += " Temperature 39 \u00ac\u221eC\ufffd."
    rows["validation"][0]["Corrected Text"] += " Temperature 39 \u00ac\u221eC\ufffd."
    benchmark = import_mederrbench(write(tmp_path, rows))
    assert all("39 °C" in note(item) for item in benchmark.items["val"])
    assert "val: 3 runs of wrongly decoded characters repaired" in benchmark.notes
    assert "val: 3 replacement characters left, whose meaning is lost" in benchmark.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he fell. most likely drunk.", "He fell. Most likely drunk."),
        ('He said "no." then he left! why? ok', 'He said "no." Then he left! Why? Ok'),
        ("It grew E. coli. it was treated, e.g. by rest.", "It grew E. coli. It was treated, e.g. by rest."),
        ("It fell. pH was 7.1. p53 was normal.", "It fell. pH was 7.1. p53 was normal."),
    ],
)  # fmt: skip
def test_sentences_begin_with_capitals(text: str, expected: str) -> None:
    assert capitalise_sentences(text) == expected


def test_running_sentence_numbers_are_removed_and_other_numbers_kept() -> None:
    assert strip_sentence_numbers("He fell. 0 He rose. 1 He ran. 2 He sat. 3") == "He fell. He rose. He ran. He sat."
    assert strip_sentence_numbers("He fell. 1 He rose. 2 He ran. 3 He sat.") == "He fell. He rose. He ran. He sat."
    for text in ("Children: 2 She has. 5 Dogs. 7 Cats.", "One: 1 Dog. No more."):
        assert strip_sentence_numbers(text) == text


def test_near_duplicates_share_five_grams() -> None:
    texts = ["a b c d e f g h i j", "x y", "A b c, d e f g h i K", "a b c d e q r s t u", "x y"]
    assert list(near_duplicates(texts)) == [(0, 2, 5 / 6), (1, 4, 1.0)]
