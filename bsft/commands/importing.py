"""`bsft import`: other people's cases and benchmarks, one sub-command per format."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bsft.commands.options import Flag, Flat, Json, UserPath, write_json
from bsft.display.console import console_for
from bsft.importing.agentclinic import UnstatedSex, import_agentclinic
from bsft.importing.files import read_cases, write_cases
from bsft.importing.item_mapping import read_mapping
from bsft.importing.items import import_items
from bsft.importing.mederrbench import IMPORTER_VERSION, MEDEC_LICENCE, import_medec, import_mederrbench
from bsft.importing.report import ImportReport
from bsft.importing.writer.options import WriterOptions

app = App(
    name="import",
    help="""Imports other people's cases, items and texts; each format has options of its own.

What is made of them is written with import_report.json, which says what was read, repaired, dropped and not
understood. bsft items makes a benchmark from cases. See docs/importing.md.""",
    version_flags=(),  # `items` has a version of its own
)
Output = Annotated[UserPath, Parameter(help="directory that is written")]
DropInvalid = Annotated[Flag, Parameter(help="leave out lines that are wrong, and list them in the report")]
Normalise = Annotated[bool, Parameter(help="remove what gives away edited texts without reading them")]
OrderSeed = Annotated[int, Parameter(help="decides the order of the options")]


@app.command
def agentclinic(
    source: UserPath, /, *, output: Output, unstated_sex: UnstatedSex = "female", drop_invalid: DropInvalid = False,
    json: Json = False,
) -> int:  # fmt: skip
    """AgentClinic's OSCE cases -> cases

    Args:
        source: JSONL file.
        unstated_sex: for the few patients whose sex the text does not tell.
    """
    report = ImportReport("agentclinic", str(source))
    found = import_agentclinic(source, report, unstated_sex=unstated_sex, drop_invalid=drop_invalid)
    write_cases(found, output, report)
    return _show(report, output, json)


@app.command
def cases(source: UserPath, /, *, output: Output, drop_invalid: DropInvalid = False, json: Json = False) -> int:
    """cases in our own form, checked -> cases

    Args:
        source: JSONL file.
    """
    report = ImportReport("cases", str(source))
    write_cases(read_cases(source, report, drop_invalid=drop_invalid), output, report)
    return _show(report, output, json)


@app.command
def mederrbench(
    source: UserPath, /, *, output: Output, normalise_case: Normalise = True, seed: OrderSeed = 0, json: Json = False
) -> int:
    """MedErrBench-EN -> benchmark

    Args:
        source: directory with its three CSV files.
    """
    imported = import_mederrbench(source, normalise_case=normalise_case, seed=seed)
    imported.write(output, name="mederrbench", licence="MIT", version=IMPORTER_VERSION, seed=seed)
    return _show(imported.report, output, json)


@app.command
def medec(
    source: UserPath, /, *, output: Output, normalise_case: Normalise = True, seed: OrderSeed = 0, json: Json = False
) -> int:
    """MEDEC-MS -> benchmark

    Args:
        source: directory with its three CSV files whose names end in ErrorType.csv.
    """
    imported = import_medec(source, normalise_case=normalise_case, seed=seed)
    imported.write(output, name="medec", licence=MEDEC_LICENCE, version=IMPORTER_VERSION, seed=seed)
    return _show(imported.report, output, json)


@app.command
def items(
    source: UserPath, /, *, output: Output, mapping: UserPath, version: str = "1", drop_invalid: DropInvalid = False,
    json: Json = False,
) -> int:  # fmt: skip
    """somebody else's items -> benchmark

    Args:
        source: JSONL file.
        mapping: YAML that says where things stand and what names mean.
        version: version of the resulting benchmark.
    """
    report = ImportReport("items", str(source))
    layout = read_mapping(mapping)
    imported = import_items(source, layout, report, drop_invalid=drop_invalid)
    imported.write(output, name=layout.name, licence=layout.licence, version=version)
    return _show(report, output, json)


@app.command
def text(source: UserPath, /, *, output: Output, options: Annotated[WriterOptions, Flat], json: Json = False) -> int:
    """case reports in free text, with a language model -> cases and scenes

    The same command goes on from what an interrupted one has finished.

    Args:
        source: directory of .txt or .md files, or a JSONL file with id and text.
    """
    # The client is an optional dependency, and slow to import.
    from bsft.importing.writer.run import write_texts

    return _show(write_texts(source, output, options), output, json)


def _show(report: ImportReport, output: Path, json: bool) -> int:
    if json:
        write_json({"path": str(output)} | asdict(report))
    else:
        report.show(output, console_for(sys.stdout))
    return 0
