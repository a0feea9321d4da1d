"""`metrics.json` in memory and on disk."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from golden_files import DIRECTORY

from bsft.scoring.result import Result


@pytest.mark.parametrize("method", ["baseline", "behavior_sft"])
def test_what_is_read_is_written_again_byte_for_byte(method: str) -> None:
    written = json.loads((DIRECTORY / f"metrics_{method}.json").read_text(encoding="utf-8"))
    written["cost"] = {"fit_s": 1.5, "score_s": 2.0, "tokens": 100, "peak_rss_mb": 900}
    assert json.dumps(Result.model_validate(written).to_dict()) == json.dumps(written)


def test_a_result_needs_no_torch() -> None:
    code = "import sys, bsft.scoring.result as r; sys.exit('torch' in sys.modules or not r)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
