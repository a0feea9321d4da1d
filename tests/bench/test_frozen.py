"""A published version never changes. Who changes what it contains gives it another name and freezes that one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bsft.bench.build import VERSION, BuildSpec, build

FROZEN = {
    ("open-v1", 60): "f37a0de46ea3d67ced65a9c2e52ba376d51b0eaeb60f52fe33732ed2789e93e0",
    ("open-v1", 6876): "3f0d3f4b2a9a96bebee3bdb01b6a472cbf3e700e649c968b2d515b8b54938743",
}
"""(version, number of cases) -> SHA-256 of the benchmark's files; the second is the published benchmark."""


@pytest.mark.parametrize("n_cases", [60, pytest.param(6876, marks=pytest.mark.slow)])
def test_the_version_has_its_frozen_content(tmp_path: Path, n_cases: int) -> None:
    manifest = build(BuildSpec(n_cases), tmp_path / "bench", workers=2, progress=False)
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(manifest.sha256.items()))
    found = hashlib.sha256(listing.encode()).hexdigest()
    assert found == FROZEN[VERSION, n_cases], f"{VERSION} has changed: give VERSION in bsft/bench/build.py a new name"
