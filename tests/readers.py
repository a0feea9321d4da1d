"""Every reader of files that nobody vouches for, each with a valid file: what is fuzzed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from foreign_files import LINE, MAPPING, MEDEC_FILES, osce, write_medec
from made_runs import CURVE, Sweep
from mutations import Kind
from note_files import pair, write
from pydantic import TypeAdapter
from small import case_items, write_small
from story_cases import case

from bsft.bench import build
from bsft.bench.bank import load as bank
from bsft.bench.bank.load import read_checked
from bsft.bench.recorded import naming
from bsft.bench.recorded.make import make_items
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.importing.agentclinic import import_agentclinic
from bsft.importing.files import read_cases
from bsft.importing.item_mapping import read_mapping
from bsft.importing.items import import_items
from bsft.importing.mederrbench import SOURCE_FILES, import_medec, import_mederrbench
from bsft.importing.report import ImportReport
from bsft.importing.writer import findings, run
from bsft.importing.writer.documents import read_documents
from bsft.importing.writer.drafts import CaseDraft
from bsft.importing.writer.endpoint import Completion, CompletionCache
from bsft.model import weights
from bsft.records.errors import BadInput
from bsft.records.store import index, line_of, open_benchmark
from bsft.records.untrusted import check_structure, read_json, read_record, read_text
from bsft.report.rows import blocks, comparison
from bsft.report.summary import markdown
from bsft.report.sweep import flatten, read_curve, read_sweep
from bsft.report.tables import unrounded_table
from bsft.runs.directory import CONFIG, METRICS, STATUS, RunDirectory


@dataclass(frozen=True)
class Reader:
    """A reader, and where its file is.

    Attributes:
        file: holds a valid file at first.
        read: reads it; refuses with `BadInput`.
    """

    name: str
    kind: Kind
    file: Path
    read: Callable[[], object]


def all_readers(home: Path) -> list[Reader]:
    """
    Args:
        home: an empty directory, where valid files are written.
    """
    return [*_of_benchmarks(home), *_of_imports(home), *_of_runs(home), *_of_the_rest(home)]


def _lines(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _put(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def _flaws_are_refused(flaw: str | None) -> None:
    if flaw is not None:
        raise BadInput(flaw)


def _none_is_refused(found: object) -> object:
    """Where a cache answers with None for what it cannot use."""
    if found is None:
        raise BadInput("refused")
    return found


def _of_benchmarks(home: Path) -> list[Reader]:
    items = _put(home / "items.jsonl", "".join(map(line_of, case_items(0, "test"))).encode())
    small = home / "small"
    write_small(small, train=1, val=1, test=1)
    sidecar = _put(home / "test-0000.jsonl.json", b'[["lab_interpretation", "low", 3], ["a", "b", 1]]')
    benchmark = open_benchmark(items)
    key = "a" * 32

    def load_index() -> object:
        if (found := index.load_index(key)) is not None:
            assert found[0] == benchmark.manifest  # never anything else
        return _none_is_refused(found)

    index.MIN_ITEMS, before = 1, index.MIN_ITEMS
    index.save_index(key, benchmark.manifest, benchmark.index)
    index.MIN_ITEMS = before
    return [
        Reader("items", "lines", items, lambda: list(open_benchmark(items).items("test"))),
        Reader("manifest", "json", small / "manifest.json", lambda: open_benchmark(small)),
        Reader("counts of a shard", "json", sidecar, lambda: read_record(build._Counts, sidecar)),
        Reader("index", "bytes", index._kept(key), load_index),
    ]


def _of_imports(home: Path) -> list[Reader]:
    stories = [case(name, 0).model_dump(exclude_defaults=True) for name in ("Scurvy", "Scabies")]
    cases = _put(home / "cases.jsonl", _lines(*stories))
    clinic = _put(home / "osce.jsonl", _lines(osce(), osce(Correct_Diagnosis="Gout")))
    others = _put(home / "others.jsonl", _lines(LINE, {**LINE, "uid": 8}))
    mapping = _put(home / "mapping.yaml", yaml.safe_dump(MAPPING).encode())
    rows = {split: [*pair(split, 0), *pair(split, 1)] for split in ("train", "validation", "test")}
    notes = home / "notes"
    notes.mkdir()
    write(notes, rows)
    medec = write_medec(home / "medec")
    texts = _put(home / "texts.jsonl", _lines({"id": "a", "text": "A man."}, {"id": "b", "text": "A woman."}))
    folder = _put(home / "folder" / "a.txt", b"A man of 40 with a cough.\n").parent

    def make(*, drop: bool) -> object:
        found = list(read_cases(cases, ImportReport("cases", ""), drop_invalid=drop))
        return make_items({"test": found}, 0)

    def foreign() -> object:
        return import_items(others, read_mapping(mapping), ImportReport("items", ""))

    def report() -> ImportReport:
        return ImportReport("x", "")

    def drop(file: Path) -> object:
        return import_agentclinic(file, report(), drop_invalid=True)

    return [
        Reader("cases and their items", "lines", cases, lambda: make(drop=False)),
        Reader("cases, dropping", "lines", cases, lambda: make(drop=True)),
        Reader("AgentClinic", "lines", clinic, lambda: import_agentclinic(clinic, report())),
        Reader("AgentClinic, dropping", "lines", clinic, lambda: drop(clinic)),
        Reader("others' items", "lines", others, foreign),
        Reader(
            "others' items, dropping", "lines", others,
            lambda: import_items(others, read_mapping(mapping), report(), drop_invalid=True),
        ),
        Reader("mapping of items", "yaml", mapping, foreign),
        Reader("MedErrBench", "csv", notes / SOURCE_FILES["test"], lambda: import_mederrbench(notes)),
        Reader("MEDEC", "csv", medec / MEDEC_FILES["test"], lambda: import_medec(medec)),
        Reader("texts, lines", "lines", texts, lambda: read_documents(texts, report())),
        Reader("texts, folder", "bytes", folder / "a.txt", lambda: read_documents(folder, report())),
    ]  # fmt: skip


def _of_runs(home: Path) -> list[Reader]:
    sweep = Sweep(home / "sweep")
    job = sweep.job("general_sft", curve=CURVE)
    sweep.job("baseline")

    def report() -> object:
        """What a report says of the sweep; damaged runs are named in it."""
        found = read_sweep(sweep.path)
        rows = comparison(found.jobs)
        said = markdown(found, rows), unrounded_table(rows).csv(), blocks(rows)
        if found.problems:
            raise BadInput("; ".join(found.problems))
        return said

    return [
        Reader("status of a run", "json", job / STATUS, report),
        Reader("config of a run", "yaml", job / CONFIG, report),
        Reader("metrics of a run", "json", job / METRICS, report),
        Reader("curve of a run", "csv", job / "train.csv", report),
        Reader("identity alone", "yaml", job / CONFIG, lambda: flatten(RunDirectory(job).frozen_identity() or {})),
        Reader("curve alone", "csv", job / "train.csv", lambda: read_curve(job / "train.csv")),
    ]


def _of_the_rest(home: Path) -> list[Reader]:
    vocabulary = BehaviorVocabulary(("<|reactive|>", "<|balanced|>", "<|proactive|>"), (5, 6, 7))
    saved = _put(home / "vocabulary.json", json.dumps(vocabulary.as_dict()).encode())
    tensors = _put(home / "weights" / "model.safetensors", b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    record = _put(
        tensors.with_name(weights.RECORD), json.dumps({"gguf": "a.gguf", "sha256": {tensors.name: digest}}).encode()
    )
    replies = CompletionCache(home / "replies")
    replies.put("abcd", Completion("text", "stop", None, 1, 2))
    draft = _put(home / "draft.json", json.dumps(_DRAFT).encode())
    own = _put(home / "pilot.yaml", b"defaults:\n  - override /trainer: cpu\nseed: 3\nmethod: {lora: {rank: 8}}\n")
    folder = Path(findings.WORDS_FILE).parent
    lexicon = Path(shutil.copy(folder / "words.yaml", home / "words.yaml"))
    said = Path(shutil.copy(Path(naming.__file__).with_name("analytes.yaml"), home / "analytes.yaml"))
    condition = bank.__file__.replace("load.py", "conditions/cardiology/inferior_stemi.yaml")
    place = _put(home / "cardiology" / "inferior_stemi.yaml", Path(condition).read_bytes())

    def read_draft() -> object:
        text = read_text(draft)
        return _none_is_refused(run._read(Completion(text, "stop", None, 1, 2), CaseDraft)[0])

    return [
        Reader("vocabulary", "json", saved, lambda: vocabulary.check_same(read_json(saved), "here")),
        Reader("record of weights", "json", record, lambda: _flaws_are_refused(weights._damage(record.parent))),
        Reader("cached reply", "json", home / "replies/ab/abcd.json", lambda: _none_is_refused(replies.get("abcd"))),
        Reader("draft in a reply", "json", draft, read_draft),
        Reader("user's config", "yaml", own, lambda: check_structure(read_text(own), str(own))),
        Reader("words of findings", "yaml", lexicon, lambda: read_checked(lexicon, TypeAdapter(findings.Lexicon))),
        Reader("spellings", "yaml", said, lambda: read_checked(said, TypeAdapter(dict[str, naming.Spelling]))),
        Reader("condition of the bank", "yaml", place, lambda: bank._read_condition(place)),
    ]


_DRAFT = {
    "specialty": None, "age": {"number": 40, "unit": "year", "quote": "40"}, "sex": "male", "diagnosis": "gout",
    "facts": [
        {"kind": "symptom", "name": "pain", "text": "pain", "value": 3.5, "unit": None, "reference_low": None,
         "reference_high": None, "time": {"number": 2, "unit": "day", "direction": "before"}, "quote": "pain"}
    ],
    "differential": [], "management": ["rest"],
}  # fmt: skip
