"""Lines of the small benchmark for the tests of benchmarks on disk, and files of such lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from small import case_items

Record = dict[str, Any]


def records(cases: int = 2, split: str = "test") -> list[Record]:
    return [item.model_dump(exclude_defaults=True) for case in range(cases) for item in case_items(case, split)]


def write_lines(file: Path, lines: list[Record]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file
