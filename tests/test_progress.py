"""Progress without a terminal: a line now and then, and one at the end."""

from __future__ import annotations

import pytest

from bsft.display.progress import progress_bar


def test_only_the_end_is_said_when_it_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("scoring", 4) as advance:
        for _ in range(4):
            advance(1)
    assert capsys.readouterr().err == "scoring: 4/4, ETA 0 s\n"


def test_a_line_is_written_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 20.0, 40.0, 50.0, 80.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress_bar("fitting", 8) as advance:
        for _ in range(4):
            advance(1)
    assert capsys.readouterr().err.splitlines() == ["fitting: 2/8, ETA 120 s", "fitting: 4/8, ETA 80 s"]


def test_nothing_done_after_a_slow_start_is_no_rate_yet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 500.0, 510.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress_bar("fitting", 2) as advance:
        advance(0)
        advance(1)
    assert capsys.readouterr().err == "fitting: 1/2, ETA 510 s\n"
