"""The compiled library in the cache, on any processor: a compiler that writes text, and a loader that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsft.model.fast.native import build

WHOLE = "whole library\n"


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Leaves a line in `calls` each time it is called."""
    program = tmp_path / "compiler"
    program.write_text(f'#!/bin/sh\nfor last; do :; done; echo {WHOLE.strip()} > "$last"; echo x >> {tmp_path}/calls\n')
    program.chmod(0o755)
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(program))
    monkeypatch.setattr(build, "obstacle", lambda: None)
    monkeypatch.setattr("ctypes.CDLL", lambda path: Path(path).read_text())
    return program


def library_and_calls(compiler: Path) -> tuple[object, int]:
    return build.library.__wrapped__(), len((compiler.parent / "calls").read_text().split())


def test_a_library_is_compiled_once(compiler: Path) -> None:
    assert library_and_calls(compiler) == (WHOLE, 1)
    assert library_and_calls(compiler) == (WHOLE, 1)


@pytest.mark.parametrize("kept", [0, 5])
def test_a_damaged_library_is_compiled_again(compiler: Path, kept: int) -> None:
    """Loading half a library would end the process, so that it is not tried."""
    assert library_and_calls(compiler) == (WHOLE, 1)
    [made] = compiler.parent.glob("cache/native/*.so")
    made.write_text(WHOLE[:kept])
    assert library_and_calls(compiler) == (WHOLE, 2)
    [record] = compiler.parent.glob("cache/native/*.sha256")
    record.unlink()
    assert library_and_calls(compiler) == (WHOLE, 3)
