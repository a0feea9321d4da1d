"""`bsft items`: items from imported cases."""

import sys
from typing import Annotated

from bsft.bench.left_out import Reasons
from bsft.commands.options import Flat, Json, UserPath, write_json
from bsft.display.console import console_for
from bsft.display.table import Cell, Column, Table
from bsft.importing.recorded_items import Shares


def items(
    cases: UserPath,
    /,
    *,
    output: UserPath,
    name: str = "cases",
    shares: Annotated[Shares, Flat] = Shares(),  # noqa: B008  (frozen)
    seed: int = 0,
    json: Json = False,
) -> int:
    """Makes a benchmark from cases, whoever wrote them: only tasks whose truth is certain from the record.

    See docs/importing.md.

    Args:
        cases: a file of cases (JSONL), or a directory that bsft import has written.
        output: the benchmark's directory; a report in it says what was left out and why.
        name: name of the benchmark.
        seed: decides every random choice.

    Raises:
        BadInput: a value is not allowed, the cases are wrong, or the output holds something else.
    """
    from bsft.commands import build
    from bsft.importing.recorded_items import make_benchmark

    manifest, reasons = make_benchmark(cases, output, name=name, shares=shares, seed=seed)
    if json:
        write_json(build.summary(manifest, output) | {"left_out": reasons.counts})
        return 0
    console = console_for(sys.stdout)
    console.print(build.table(manifest, output).rich())
    console.print(_reason_table(reasons).rich())
    return 0


def _reason_table(reasons: Reasons) -> Table:
    rows = [
        [Cell(what), Cell(reason), Cell(f"{count:,}")]
        for what, counts in reasons.counts.items()
        for reason, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]
    return Table("left out", [Column("task and label"), Column("why left out"), Column("cases", "number")], rows)
