"""CSV that nobody vouches for."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bsft.records.errors import BadInput, listed
from bsft.records.untrusted.files import read_text


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Attributes:
        rows: (row number as a spreadsheet shows it, where the header is row 1; column -> cell).
        n_blank: rows without anything in any cell, which are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    n_blank: int


def read_table(file: Path, needed: Sequence[str]) -> Table:
    """Reads a CSV file with a header, which has to have the columns that are needed.

    Raises:
        BadInput: it cannot be read, is not UTF-8 or not CSV; a column is missing or is there twice; a row has another
            number of cells than the header.
    """
    text = read_text(file)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, dict[str, str]]] = []
    n_blank = 0
    try:
        columns = tuple(name.strip() for name in next(rows, []))
        _check_header(file, columns, needed)
        for number, row in enumerate(rows, start=2):
            if not any(cell.strip() for cell in row):
                n_blank += 1
            elif len(row) != len(columns):
                raise BadInput(f"{file}: row {number}: found {len(row)} fields, allowed: {len(columns)}")
            else:
                found.append((number, dict(zip(columns, row, strict=True))))
    except csv.Error as error:
        raise BadInput(f"{file}: not valid CSV: {error}") from None
    return Table(columns, tuple(found), n_blank)


def _check_header(file: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    named = [name for name in columns if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise BadInput(f"{file}: row 1: found column {twice[0]!r} more than once, allowed: once")
    if missing := [name for name in needed if name not in named]:
        raise BadInput(f"{file}: row 1: no column {missing[0]!r}; found: {listed(named) or 'none'}")
