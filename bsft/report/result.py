"""Reading `metrics.json`."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from bsft.bench.store import BadInput, explain
from bsft.runs import read_json
from bsft.scoring.result import Result


def read_result(file: Path) -> Result:
    """Reads and checks one `metrics.json`.

    Raises:
        BadInput: missing, not JSON, or a field is wrong; names the file and the field.
    """
    try:
        return Result.model_validate(read_json(file))
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
