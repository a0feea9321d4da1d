"""A published version never changes. Who changes what it contains raises it and freezes the new one's items."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bsft.bench import build as build_module
from bsft.bench.bank.load import load_bank
from bsft.bench.build import BuildSpec, build, identity
from bsft.bench.splits import plan_cases
from bsft.bench.version import FROZEN, VERSION


def test_the_frozen_builds_are_a_quick_one_with_every_condition_and_the_published_one() -> None:
    assert list(FROZEN[VERSION]) == [300, 6876]
    bank = load_bank()
    planned = {case.condition.id for cases in plan_cases(bank, 300, 0).values() for case in cases}
    assert planned == set(bank.conditions)


@pytest.mark.parametrize("n_cases", [300, pytest.param(6876, marks=pytest.mark.slow)])
def test_the_version_has_its_frozen_items(tmp_path: Path, n_cases: int) -> None:
    manifest = build(BuildSpec(n_cases), tmp_path / "bench", workers=2, progress=False)
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(manifest.sha256.items()))
    found = hashlib.sha256(listing.encode()).hexdigest()
    assert manifest.version == VERSION
    assert found == FROZEN[VERSION][n_cases], (
        f"items changed but VERSION was not raised: give VERSION in bsft/bench/version.py a new name beside {VERSION}, "
        f"with {n_cases}: {found}"
    )


def test_another_version_and_other_items_are_another_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = BuildSpec(n_cases=12, seed=1)
    seen = {identity(spec)}
    monkeypatch.setitem(FROZEN, VERSION, {300: "0"})
    seen.add(identity(spec))
    monkeypatch.setitem(FROZEN, "open-v3", {300: "0"})
    monkeypatch.setattr(build_module, "VERSION", "open-v3")
    seen.add(identity(spec))
    assert len(seen) == 3


def test_the_engines_source_is_no_part_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment in it makes no new benchmark: none of its files is read for the identity."""
    before = identity(BuildSpec(n_cases=12))

    def no_reading(self: Path, *_: object, **__: object) -> bytes:
        raise AssertionError(f"{self} was read")

    monkeypatch.setattr(Path, "read_bytes", no_reading)
    monkeypatch.setattr(Path, "open", no_reading)
    assert identity(BuildSpec(n_cases=12)) == before
