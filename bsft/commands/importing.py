"""`bsft-bench import`: other people's cases and benchmarks, from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from omegaconf import MISSING

from bsft.commands.arguments import parse
from bsft.display.console import SafeConsole
from bsft.importing import ImportedBenchmark
from bsft.importing import mederrbench as mederrbench_importer
from bsft.importing.agentclinic import UnstatedSex, import_agentclinic
from bsft.importing.cases import CASES_FILE, read_cases, write_cases
from bsft.importing.item_mapping import read_mapping
from bsft.importing.items import import_items
from bsft.importing.medec import LICENCE as MEDEC_LICENCE
from bsft.importing.medec import import_medec, medec_files
from bsft.importing.report import ImportReport, fresh_directory
from bsft.importing.writer.options import WriterOptions
from bsft.records.errors import BadInput
from bsft.records.paths import user_path
from bsft.records.schema import Case
from bsft.records.store import check_replaceable, write_benchmark
from bsft.records.untrusted import read_table

COMMAND = "bsft-bench import"
USAGE = """usage: bsft-bench import FORMAT SOURCE output=DIR [key=value ...]

formats:
  agentclinic   AgentClinic's OSCE cases (JSONL) -> cases
  cases         cases in our own form (JSONL), checked -> cases
  mederrbench   directory of MedErrBench-EN (CSV) -> benchmark
  medec         directory of MEDEC-MS (CSV) -> benchmark
  items         somebody else's items (JSONL), with mapping=FILE -> benchmark
  text          case reports (a directory of .txt or .md, or JSONL with id and text), with writer=llm -> cases, scenes

keys of all formats:
  output=DIR            where cases.jsonl or a benchmark is written, with import_report.json
keys of agentclinic, cases and items:
  invalid=stop          or drop: leave out lines that are wrong, and list them in the report
keys of agentclinic:
  unstated_sex=female   or male, or drop: for the few patients whose sex the text does not tell
keys of mederrbench and medec:
  seed=0                of the options' order
  normalise_case=true   remove what gives away edited texts without reading them
keys of items:
  mapping=FILE          YAML that says where things stand and what names mean
  version=1             of the resulting benchmark
keys of text:
  writer=llm            the only one: any OpenAI-compatible endpoint
  model=NAME            as the endpoint calls it
  base_url=URL          of the endpoint, such as http://127.0.0.1:8000/v1; default: OpenAI's
  api_key_env=VARIABLE  that holds the key; OPENAI_API_KEY for OpenAI's endpoint, none for any other
  licence=unknown       of the texts
  attempts=3            replies asked for until one passes every check
  context_tokens=16384  of the model
  reply_tokens=4096     at most, of one reply
  split=false           cut texts that do not fit into parts, instead of refusing them
  temperature=0         "null" where a model takes none
  schema_format=json_schema     or json_object: for servers that take the schema there (llama-cpp-python)
  timeout_s=120  max_retries=4  workers=4  progress=true
  redo_failed=false     ask again for texts that failed in an earlier run

bsft-bench items CASES makes a benchmark from the cases. See docs/importing.md.
"""


@dataclass
class CaseOptions:
    """Keys of `cases`."""

    output: Path = MISSING
    invalid: str = "stop"


@dataclass
class AgentClinicOptions(CaseOptions):
    unstated_sex: str = "female"


@dataclass
class NoteOptions:
    """Keys of `mederrbench` and `medec`."""

    output: Path = MISSING
    seed: int = 0
    normalise_case: bool = True


@dataclass
class ItemOptions(CaseOptions):
    mapping: Path = MISSING
    version: str = "1"


def _choice(key: str, found: str, allowed: Sequence[str]) -> Any:
    """The value, if it is one of those allowed."""
    if found not in allowed:
        raise BadInput(f"{key}: found {found!r}, allowed: {' or '.join(allowed)}")
    return found


def _drops_invalid(options: CaseOptions) -> bool:
    return bool(_choice("invalid", options.invalid, ("stop", "drop")) == "drop")


def _agentclinic(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(AgentClinicOptions, arguments, COMMAND)
    report = ImportReport("agentclinic", str(source))
    sex = _choice("unstated_sex", options.unstated_sex, get_args(UnstatedSex))
    cases = import_agentclinic(source, report, unstated_sex=sex, drop_invalid=_drops_invalid(options))
    return _write_cases(cases, options.output, report)


def _cases(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(CaseOptions, arguments, COMMAND)
    report = ImportReport("cases", str(source))
    return _write_cases(read_cases(source, report, drop_invalid=_drops_invalid(options)), options.output, report)


def _mederrbench(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(NoteOptions, arguments, COMMAND)
    report = ImportReport("mederrbench", str(source))
    imported = mederrbench_importer.import_mederrbench(source, normalise_case=options.normalise_case, seed=options.seed)
    _add_notes(report, [source / name for name in mederrbench_importer.SOURCE_FILES.values()])
    return _write(imported, options.output, report, name="mederrbench", licence="MIT", seed=options.seed)


def _medec(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(NoteOptions, arguments, COMMAND)
    report = ImportReport("medec", str(source))
    imported = import_medec(source, normalise_case=options.normalise_case, seed=options.seed)
    _add_notes(report, medec_files(source).values())
    return _write(imported, options.output, report, name="medec", licence=MEDEC_LICENCE, seed=options.seed)


def _add_notes(report: ImportReport, files: Iterable[Path]) -> None:
    """Names the CSV files in the report and counts their rows that are not blank."""
    for file in files:
        report.add_source(file)
        report.read += len(read_table(file, ()).rows)


def _items(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(ItemOptions, arguments, COMMAND)
    report = ImportReport("items", str(source))
    drop_invalid = _choice("invalid", options.invalid, ("stop", "drop")) == "drop"
    mapping = read_mapping(options.mapping)
    imported = import_items(source, mapping, report, drop_invalid=drop_invalid)
    return _write(imported, options.output, report, name=mapping.name, version=options.version, licence=mapping.licence)


def _text(source: Path, arguments: Sequence[str]) -> tuple[Path, ImportReport]:
    options = parse(WriterOptions, arguments, COMMAND)
    check_replaceable(options.output, source=source)
    # The client is an optional dependency, and slow to import.
    from bsft.importing.writer.run import write_texts

    return options.output, write_texts(source, options)


def _write_cases(cases: Iterable[Case], output: Path, report: ImportReport) -> tuple[Path, ImportReport]:
    with fresh_directory(output, Path(report.source)) as directory:
        report.written[CASES_FILE] = write_cases(directory, cases)
        _refuse_nothing(report)
        report.write(directory)
    return output, report


def _write(
    imported: ImportedBenchmark, output: Path, report: ImportReport, *, name: str, licence: str, seed: int = 0,
    version: str = mederrbench_importer.IMPORTER_VERSION,
) -> tuple[Path, ImportReport]:  # fmt: skip
    """Writes a benchmark and its report."""
    report.written = {f"{split}.jsonl": len(found) for split, found in imported.items.items()}
    _refuse_nothing(report)
    report.dropped += [note for note in imported.dropped if note not in report.dropped]
    known = {*report.dropped, *report.noticed}
    report.repaired = [note for note in imported.notes if note not in known]
    with fresh_directory(output, Path(report.source)) as directory:
        write_benchmark(
            directory, imported.items, imported.tasks, name=name, version=version, seed=seed, licence=licence,
            notes=imported.notes,
        )  # fmt: skip
        report.write(directory)
    return output, report


def _refuse_nothing(report: ImportReport) -> None:
    if not any(report.written.values()):
        raise BadInput(f"{report.source}: all of {report.read} lines were dropped; the first: {report.dropped[0]}")


FORMATS: dict[str, Callable[[Path, Sequence[str]], tuple[Path, ImportReport]]] = {
    "agentclinic": _agentclinic,
    "cases": _cases,
    "mederrbench": _mederrbench,
    "medec": _medec,
    "items": _items,
    "text": _text,
}


def run(arguments: Sequence[str]) -> int:
    """Runs `bsft-bench import`.

    Args:
        arguments: what follows `import`: format, source, `key=value` pairs.

    Returns:
        The exit status, 0: something was written.

    Raises:
        BadInput: an argument or the source is wrong.
    """
    if arguments[0] not in FORMATS:
        raise BadInput(f"unknown format {arguments[0]!r}; known are {', '.join(FORMATS)}")
    if len(arguments) < 2 or "=" in arguments[1]:
        raise BadInput(f"no source; give bsft-bench import {arguments[0]} SOURCE output=DIR")
    output, report = FORMATS[arguments[0]](user_path(arguments[1]), arguments[2:])
    report.show(output, SafeConsole())
    return 0
