"""Every reader, on damaged files: each gives a result or one sentence, never another exception or a wait."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from mutations import ABSENT, DIRECTORY, PIPE, mutations
from readers import Reader, all_readers

from bsft.records.errors import BadInput

FEW, MANY = 12, 350
"""Mutations of each reader's file: in the default suite, and in the slow test, where they are over 10,000 together."""
MAX_CHARACTERS = 5000
"""Of a sentence: values are quoted shortened."""
LIMIT_S = 20
"""No mutation is larger than some kilobytes: a reader that takes longer hangs."""


@contextmanager
def limited() -> Iterator[None]:
    """Fails when what it holds takes longer than `LIMIT_S`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def put(file: Path, content: bytes) -> None:
    """Puts content, or what is no file, in a file's place."""
    if file.is_dir():
        file.rmdir()
    file.unlink(missing_ok=True)
    match content:
        case _ if content == DIRECTORY:
            file.mkdir()
        case _ if content == PIPE:
            os.mkfifo(file)
        case _ if content != ABSENT:
            file.write_bytes(content)


def fuzzed(reader: Reader, n: int) -> Counter[str]:
    """How many of `n` mutations were accepted and refused."""
    valid = reader.file.read_bytes()
    counts: Counter[str] = Counter()

    # what fails is shown shortened, not shrunk, which would take minutes
    @settings(
        max_examples=n, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(mutations(valid, reader.kind))
    def each_gives_a_result_or_a_sentence(content: bytes) -> None:
        put(reader.file, content)
        try:
            with limited():
                reader.read()
        except BadInput as error:
            assert str(error).isprintable() and len(str(error)) < MAX_CHARACTERS, reader.name
            counts["refused"] += 1
        except Exception as error:
            shown = content if len(content) <= 2000 else content[:1000] + b" ... " + content[-1000:]
            raise AssertionError(f"{reader.name}: {type(error).__name__}: {error}: {shown!r}") from error
        else:
            counts["accepted"] += 1

    try:
        each_gives_a_result_or_a_sentence()
    finally:
        put(reader.file, valid)
    return counts


def fuzz_all(home: Path, n: int) -> str:
    """Fuzzes every reader and returns a table of counts."""
    lines = [f"{'reader':28}{'mutations':>10}{'accepted':>10}{'refused':>10}"]
    total: Counter[str] = Counter()
    for reader in all_readers(home):
        reader.read()  # the valid file is read
        counts = fuzzed(reader, n)
        assert counts["refused"] or n < MANY, f"{reader.name}: nothing was refused"
        lines.append(f"{reader.name:28}{counts.total():>10,}{counts['accepted']:>10,}{counts['refused']:>10,}")
        total += counts
    lines.append(f"{'together':28}{total.total():>10,}{total['accepted']:>10,}{total['refused']:>10,}")
    return "\n".join(lines)


def test_a_few_mutations_of_every_file(tmp_path: Path) -> None:
    assert fuzz_all(tmp_path, FEW).splitlines()[-1].startswith("together")


@pytest.mark.slow
def test_ten_thousand_mutations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = fuzz_all(tmp_path, MANY)
    with capsys.disabled():
        print(f"\n{table}")
    shutil.rmtree(tmp_path)
    n_mutations = int(table.splitlines()[-1].split()[1].replace(",", ""))
    assert n_mutations >= 10_000
