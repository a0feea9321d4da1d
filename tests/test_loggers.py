"""Training curves on disk: appended while a run goes on, cut back when it resumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import make_config

from bsft.training.loggers import Rows, open_logger


def rows_of(directory: Path) -> Rows:
    return Rows(directory / "train.csv", ("step", "loss"))


def test_a_new_training_starts_a_new_file(tmp_path: Path) -> None:
    for last in (3, 2):
        rows = rows_of(tmp_path)
        rows.cut(0)
        for step in range(1, last + 1):
            rows.append({"step": step, "loss": step / 2})
    assert (tmp_path / "train.csv").read_bytes() == b"step,loss\r\n1,0.5\r\n2,1.0\r\n"


def test_rows_behind_a_checkpoint_are_dropped_whatever_they_are(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    rows.append({"step": 1, "loss": 0.5})
    assert rows.to_disk() == 1
    rows.append({"step": 1, "val/macro_f1": 0.25})
    (tmp_path / "train.csv").open("a").write('2,"0.')
    resumed = rows_of(tmp_path)
    resumed.cut(1)
    resumed.append({"step": 2, "loss": 0.25})
    assert (tmp_path / "train.csv").read_bytes() == b"step,loss\r\n1,0.5\r\n2,0.25\r\n"


def test_a_new_column_joins_by_name(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    for row in (
        {"step": 1, "loss": 0.5},
        {"step": 1, "val/b": 2.0},
        {"step": 1, "val/a": 3.0},
        {"step": 2, "loss": 1.0},
    ):
        rows.append(row)
    assert (tmp_path / "train.csv").read_text().split() == [
        *("step,loss,val/a,val/b", "1,0.5,,", "1,,,2.0", "1,,3.0,", "2,1.0,,"),
    ]


def test_rows_that_are_gone_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_of(tmp_path)
    rows.cut(4)
    rows.append({"step": 5, "loss": 0.5})
    assert (tmp_path / "train.csv").read_text().split() == ["step,loss", "5,0.5"]
    assert "train.csv: 4 of 4 earlier rows are gone" in caplog.text


def test_no_logger_logs_nothing(tmp_path: Path) -> None:
    with open_logger(make_config(), tmp_path) as logger:
        logger.summarise({"overall": {"macro_f1": 1.0}})
    assert logger.lightning is None
    assert list(tmp_path.iterdir()) == []
