"""Reading `metrics.json`."""

from __future__ import annotations

from pathlib import Path

from bsft.records.untrusted import read_record
from bsft.scoring.result import Result


def read_result(file: Path) -> Result:
    """Reads and checks one `metrics.json`.

    Raises:
        BadInput: missing, not JSON, or a field is wrong; names the file and the field.
    """
    return read_record(Result, file)
