"""What the room may not know."""

from __future__ import annotations

import subprocess
import sys


def test_the_statistics_know_no_torch_and_no_other_room() -> None:
    code = """
import sys
import bsft.stats.bootstrap, bsft.stats.comparison, bsft.stats.measures, bsft.stats.policies
print(*sorted(name for name in sys.modules if name == "torch" or name.startswith("bsft.")))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "bsft.stats.policies" in found
    assert [name for name in found if not name.startswith("bsft.stats")] == []
