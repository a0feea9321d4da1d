"""Training curves on disk: appended while a run goes on, cut back when it resumes."""

from __future__ import annotations

from pathlib import Path

from making import make_config

from bsft.loggers import CurveWriter, open_logger


def write_steps(directory: Path, first: int, steps: range) -> None:
    writer = CurveWriter(directory, first)
    for step in steps:
        writer.write(step=step, loss=step / 2, lr=0.1)


def steps_of(directory: Path) -> list[int]:
    return [int(line.split(",")[0]) for line in (directory / "train.csv").read_text().splitlines()[1:]]


def test_a_new_training_starts_a_new_file(tmp_path: Path) -> None:
    write_steps(tmp_path, 0, range(1, 4))
    write_steps(tmp_path, 0, range(1, 3))
    assert (tmp_path / "train.csv").read_text() == "step,loss,lr,val_macro_f1\n1,0.5,0.1,\n2,1.0,0.1,\n"


def test_a_resumed_training_drops_the_rows_behind_its_checkpoint(tmp_path: Path) -> None:
    write_steps(tmp_path, 0, range(1, 8))
    write_steps(tmp_path, 4, range(5, 7))
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_resumed_training_without_a_file_starts_one(tmp_path: Path) -> None:
    write_steps(tmp_path, 4, range(5, 7))
    assert steps_of(tmp_path) == [5, 6]


def test_validation_has_its_own_row(tmp_path: Path) -> None:
    CurveWriter(tmp_path, 0).write(step=3, val_macro_f1=0.25)
    assert (tmp_path / "train.csv").read_text().splitlines()[1] == "3,,,0.25"


def test_no_logger_logs_nothing(tmp_path: Path) -> None:
    with open_logger(make_config(), tmp_path) as logger:
        logger.summarise({"overall": {"macro_f1": 1.0}})
    assert logger.lightning is None
    assert list(tmp_path.iterdir()) == []
