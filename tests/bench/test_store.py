"""Benchmarks on disk: every malformed input is one sentence with its file, line and field."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small import TASKS, case_items, write_small
from store_lines import Record, records, write_lines

from bsft.records.errors import BadInput
from bsft.records.schema import Item
from bsft.records.store import Benchmark, line_of, open_benchmark, read_items, write_benchmark
from bsft.records.untrusted import file_sha256

# --- reading --------------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    written = write_small(tmp_path / "small", train=2, val=1, test=1)
    benchmark = open_benchmark(tmp_path / "small")
    assert benchmark.manifest == written
    assert benchmark.splits == ["train", "val", "test"]
    assert list(benchmark.items("train")) == case_items(0, "train") + case_items(1, "train")
    assert benchmark.tasks == {task.name: task for task in TASKS}
    assert written.counts["critical_data_alert"]["train"] == {"flag_allergy": 2, "no_flag": 2}
    assert written.counts["lab_interpretation"]["test"] == {"high": 1}
    assert written.sha256["train.jsonl"] == file_sha256(tmp_path / "small" / "train.jsonl")


def test_a_fingerprint_depends_on_content_only(tmp_path: Path) -> None:
    for name, n_cases in (("a", 2), ("b", 2), ("c", 3)):
        write_small(tmp_path / name, train=n_cases)
    a, b, c = (open_benchmark(tmp_path / name).sha256 for name in "abc")
    assert a == b != c


def test_one_file_is_a_benchmark_with_tasks_derived_from_its_items(tmp_path: Path) -> None:
    lines = records(2, "train") + [{**line, "case_id": "x", "id": line["id"] + "x"} for line in records(2)]
    benchmark = open_benchmark(write_lines(tmp_path / "items.jsonl", lines))
    assert (benchmark.manifest.name, benchmark.splits) == ("items", ["train", "test"])
    assert len(list(benchmark.items("train"))) == len(list(benchmark.items("test"))) == 8
    assert benchmark.tasks["lab_interpretation"].labels == ["flag", "high", "low"]
    assert benchmark.tasks["treatment_planning"].metric == "accuracy", "its gold label is constant"
    assert benchmark.tasks["critical_data_alert"].group == "proactive"


def test_a_directory_without_manifest_takes_all_its_files(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", records(1, "train"))
    write_lines(tmp_path / "test.jsonl", [{**r, "case_id": "t", "id": f"t{i}"} for i, r in enumerate(records(1))])
    benchmark = open_benchmark(tmp_path)
    assert benchmark.splits == ["test", "train"]
    assert set(benchmark.manifest.sha256) == {"train.jsonl", "test.jsonl"}


def test_blank_lines_count_as_lines_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("\n" + "\n\n".join(json.dumps(record) for record in records(1)) + "\n\n")
    assert [number for number, _, _ in read_items(file)] == [2, 4, 6, 8]


# --- one bad line ---------------------------------------------------------------------------------------------------


def changed(**fields: Any) -> Callable[[Record], bytes]:
    return lambda record: json.dumps({**record, **fields}).encode()


def without(key: str) -> Callable[[Record], bytes]:
    return lambda record: json.dumps({k: v for k, v in record.items() if k != key}).encode()


BAD_LINES: list[tuple[Callable[[Record], bytes], str]] = [
    (lambda _: b"{not json", r"not valid JSON: "),
    (lambda _: b'{"id": "a"', r"not valid JSON: "),
    (lambda _: b'{"id": "\xff"}', r"byte 9 is 0xff, which is not UTF-8"),
    (lambda _: b"[]", r"field record: found \[\]"),
    (without("task"), r"field task: missing"),
    (without("options"), r"field options: missing"),
    (changed(id=7), r"field id: found 7: input should be a valid string"),
    (changed(id=""), r"field id: found '': string should have at least 1 character"),
    (changed(determinable="yes"), r"field determinable: found 'yes': input should be a valid boolean"),
    (changed(group="active"), r"field group: found 'active': input should be 'reactive', 'balanced' or 'proactive'"),
    (changed(autonomy="L6"), r"field autonomy: found 'L6'"),
    (changed(lable="x"), r"field lable: unknown field"),
    (changed(turns=[]), r"field turns: found \[\]: list should have at least 1 item"),
    (changed(turns=[{"speaker": "A", "role": "king", "text": "."}]), r"field turns\.0\.role: found 'king'"),
    (changed(label="nosuch"), r"exactly one option must carry the item's label 'nosuch'; found 0"),
    (changed(variant="perturbed"), r"a perturbed item must record its perturbation"),
    (changed(query="x" * 10_000, id=None), r"field id: found None"),
]


@pytest.mark.parametrize(("damage", "sentence"), BAD_LINES, ids=[sentence[:45] for _, sentence in BAD_LINES])
def test_a_bad_line_is_named_by_file_line_and_field(
    tmp_path: Path, damage: Callable[[Record], bytes], sentence: str
) -> None:
    good, bad = records(1)[:2]
    file = tmp_path / "items.jsonl"
    file.write_bytes(json.dumps(good).encode() + b"\n" + damage(bad) + b"\n")
    with pytest.raises(BadInput, match=rf"^{file}: line 2: {sentence}") as caught:
        open_benchmark(file)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_the_same_task_in_two_groups_is_refused(tmp_path: Path) -> None:
    lines = [*records(1), {**records(2)[4], "group": "balanced"}]
    file = write_lines(tmp_path / "items.jsonl", lines)
    with pytest.raises(BadInput, match=r"line 5: field group: found 'balanced', but earlier items of task 'lab_inter"):
        open_benchmark(file)


# --- the benchmark as a whole ---------------------------------------------------------------------------------------


def test_a_duplicate_id_is_refused(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "items.jsonl", [*records(1), records(1)[0]])
    with pytest.raises(
        BadInput, match=r"line 5: field id: found 'case0/lab' again; the ids of a benchmark must be unique"
    ):
        open_benchmark(file)


def test_a_case_in_two_splits_is_refused(tmp_path: Path) -> None:
    line = {**records(1)[0], "id": "other"}
    file = write_lines(tmp_path / "items.jsonl", [*records(1, "train"), line])
    with pytest.raises(
        BadInput, match=r"line 5: field case_id: found 'case0' in split 'test', but earlier .* in split 'train'; a case"
    ):
        open_benchmark(file)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_items_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text(content)
    with pytest.raises(BadInput, match=r"items\.jsonl: the file has no items"):
        open_benchmark(file)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no such file or directory"):
        open_benchmark(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"no manifest\.json and no \.jsonl file in this directory"):
        open_benchmark(tmp_path)
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: no such file"):
        list(read_items(tmp_path / "nowhere.jsonl"))


def test_what_restates_items_may_lie_in_the_noise_split_of_its_case(tmp_path: Path) -> None:
    [item, *_] = case_items(0, "test")
    same = {"id": "again", "split": "test_noise", "variant": "paraphrase"}
    restated = item.model_copy(update={**same, "original_id": item.id})
    splits = {"test": [item], "test_noise": [restated]}
    write_benchmark(tmp_path / "b", splits, TASKS, name="b", version="1", seed=0, licence="Apache-2.0")
    assert set(open_benchmark(tmp_path / "b").splits) == {"test", "test_noise"}
    for wrong in (item.model_copy(update=same), restated.model_copy(update={"split": "val_noise"})):
        with pytest.raises(BadInput, match="a case must stay in one split"):
            (tmp_path / "wrong.jsonl").write_text(line_of(item) + line_of(wrong))
            open_benchmark(tmp_path / "wrong.jsonl")


def test_an_unknown_split_is_said_with_those_there_are(small: Path) -> None:
    with pytest.raises(BadInput, match="no split 'dev'; it has train, val, test"):
        list(open_benchmark(small).items("dev"))


def manifest_with(directory: Path, **fields: Any) -> None:
    file = directory / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_a_changed_file_is_found_by_its_hash(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    with (tmp_path / "small" / "val.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(BadInput, match=r"val\.jsonl: SHA-256 is [0-9a-f]{12}\.\.\., manifest\.json says .* build"):
        open_benchmark(tmp_path / "small")


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    (tmp_path / "small" / "val.jsonl").unlink()
    with pytest.raises(BadInput, match=r"val\.jsonl: no such file, though manifest\.json lists it"):
        open_benchmark(tmp_path / "small")


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    manifest_with(tmp_path / "small", schema_version=0)
    with pytest.raises(BadInput, match=r"manifest\.json: field schema_version: found 0, this bsft reads 1"):
        open_benchmark(tmp_path / "small")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"manifest\.json: .*JSON"),
        ('{"name": "a"}', r"manifest\.json: field version: missing"),
        ("\xff", r"manifest\.json: "),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    write_small(tmp_path / "small")
    (tmp_path / "small" / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match=sentence):
        open_benchmark(tmp_path / "small")


def test_an_unknown_category_or_label_and_a_wrong_group_or_split_are_named_by_line(tmp_path: Path) -> None:
    """With a manifest, the categories are those that it lists."""
    for number, (fields, sentence) in enumerate(
        [
            ({"task": "small_talk"}, "line 2: field task: found 'small_talk', allowed: critical_data_alert, lab_int"),
            (
                {"group": "reactive"},
                "line 2: field group: found 'reactive', but task 'treatment_planning' is 'bal",
            ),
            (
                {"task": "lab_interpretation"},
                "line 2: field label: found 'correct', allowed in task 'lab_interpretation'",
            ),
            ({"split": "train"}, "line 2: field split: found 'train', expected 'test'"),
        ]
    ):
        directory = tmp_path / str(number)
        write_small(directory, test=1)
        lines = [json.loads(line) for line in (directory / "test.jsonl").read_text().splitlines()]
        write_lines(directory / "test.jsonl", [lines[0], {**lines[1], **fields}])
        sha256 = json.loads((directory / "manifest.json").read_text())["sha256"]
        manifest_with(directory, sha256={**sha256, "test.jsonl": file_sha256(directory / "test.jsonl")})
        with pytest.raises(BadInput, match=sentence):
            open_benchmark(directory)


def test_a_task_of_macro_f1_needs_labels(tmp_path: Path) -> None:
    write_small(tmp_path / "small")
    tasks = [{"name": "a", "group": "reactive", "metric": "macro_f1", "labels": ["only"]}]
    manifest_with(tmp_path / "small", tasks=tasks)
    with pytest.raises(BadInput, match="task 'a' is scored by macro-F1 and needs at least two labels"):
        open_benchmark(tmp_path / "small")


# --- writing --------------------------------------------------------------------------------------------------------


def write(directory: Path, items: list[Item]) -> Benchmark:
    write_benchmark(directory, {"train": items}, TASKS, name="n", version="1", seed=0, licence="Apache-2.0")
    return open_benchmark(directory)


def test_writing_replaces_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "out", case_items(0, "train"))
    assert len(list(write(tmp_path / "out", case_items(0, "train")[:2]).items("train"))) == 2
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["manifest.json", "out", "train.jsonl"]


def test_a_write_that_fails_leaves_the_old_benchmark_and_no_scraps(tmp_path: Path) -> None:
    """A full disk in the middle of the items."""
    write(tmp_path / "out", case_items(0, "train"))
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}

    def items_until_the_disk_is_full() -> Any:
        yield case_items(1, "train")[0]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(BadInput, match="out: could not be written: No space left on device"):
        write_benchmark(
            tmp_path / "out",
            {"train": items_until_the_disk_is_full()},
            TASKS,
            name="n",
            version="1",
            seed=0,
            licence="Apache-2.0",
        )
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_an_interrupted_write_leaves_no_scraps(tmp_path: Path) -> None:
    def interrupted() -> Any:
        yield case_items(0, "train")[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_benchmark(
            tmp_path / "out", {"train": interrupted()}, TASKS, name="n", version="1", seed=0, licence="Apache-2.0"
        )
    assert list(tmp_path.iterdir()) == []
