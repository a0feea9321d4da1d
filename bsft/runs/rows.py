"""CSV files that grow by rows while a fit goes on, and are cut back to a checkpoint's rows when it resumes."""

import csv
import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bsft.records.errors import BadInput
from bsft.records.files import replacing, to_disk

log = logging.getLogger(__name__)
SUMMARY = "test"
"""Columns that begin with this and a slash are those of the summary, the last row."""


class Rows:
    """A CSV file: the given columns, then any others that rows have, by name. Nothing is written before the first row.

    What two processes with the same rows write is the same, byte by byte, however often one was interrupted.
    """

    def __init__(self, file: Path, columns: Sequence[str]) -> None:
        self.file = file
        self._first = tuple(columns)
        self._columns = tuple(columns)
        self._n_rows = 0

    def cut(self, n_rows: int) -> None:
        """Keeps the first rows and drops those after them: they belong to steps that are done again."""
        kept = self._read()[:n_rows]
        if len(kept) < n_rows:
            log.warning("%s: %d of %d earlier rows are gone", self.file, n_rows - len(kept), n_rows)
        self._rewrite(kept)

    def append(self, row: Mapping[str, float]) -> None:
        """Raises `OSError` where the file cannot be written to."""
        if not self._n_rows or not row.keys() <= set(self._columns):
            self._rewrite([*self._read()[: self._n_rows], row])
            return
        with self.file.open("a", newline="", encoding="utf-8") as stream:
            stream.write(self._text([row]))
        self._n_rows += 1

    def to_disk(self) -> int:
        """Waits until all rows are on the disk, and says how many there are."""
        if self._n_rows:
            to_disk(self.file)
        return self._n_rows

    def replace_summary(self, row: Mapping[str, float]) -> None:
        """Puts the summary after all other rows, in the place of an earlier one."""
        others = [kept for kept in self._read() if not any(name.startswith(f"{SUMMARY}/") for name in kept)]
        self._rewrite([*others, row])

    def _read(self) -> list[dict[str, str]]:
        """The cells of all rows that are not empty."""
        try:
            with self.file.open(newline="", encoding="utf-8", errors="replace") as stream:
                rows = csv.DictReader(stream)
                return [{name: value for name, value in row.items() if name and value} for row in rows]
        except FileNotFoundError:
            return []
        except (csv.Error, OSError) as error:
            raise BadInput(f"{self.file}: damaged ({error}); delete it and run the command again") from None

    def _rewrite(self, rows: Sequence[Mapping[str, str | float]]) -> None:
        others = {name for row in rows for name in row} - set(self._first)
        self._columns = (*self._first, *sorted(others))
        with replacing(self.file) as scratch:
            scratch.write_text(self._text(rows, header=True), encoding="utf-8", newline="")
        self._n_rows = len(rows)

    def _text(self, rows: Iterable[Mapping[str, str | float]], *, header: bool = False) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns)
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
