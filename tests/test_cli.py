"""The dispatcher: help, version, exit codes and what it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bsft import __version__, cli


def run(*argv: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    return int(end.value.code or 0)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    told = capsys.readouterr().out
    assert all(f"  {command}" in told for command in cli.COMMANDS)


def test_no_argument_is_a_plea_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "usage: bsft" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"bsft {__version__}\n"


def test_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("reprot") == 2
    assert "no command 'reprot'; did you mean report?" in capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"usage: bsft {command}" in capsys.readouterr().out


def test_wrong_option_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--jsn") == 2
    told = capsys.readouterr()
    assert told.err == "bsft status: unrecognized arguments: --jsn; see bsft status --help\n"


def test_bad_input_is_one_sentence_and_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", str(tmp_path / "nowhere")) == 2
    told = capsys.readouterr()
    assert told.err == f"bsft report: {tmp_path / 'nowhere'}: no such directory\n"
    assert told.out == ""


def test_commands_import_no_torch() -> None:
    modules = [f"bsft.commands.{command}" for command in cli.COMMANDS] + ["bsft.report.summary"]
    program = f"import sys, bsft.cli, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_help_imports_nothing_slow() -> None:
    program = (
        "import sys, contextlib, bsft.cli\n"
        "with contextlib.suppress(SystemExit): bsft.cli.main(['--help'])\n"
        "sys.exit(any(name in sys.modules for name in ('hydra', 'pydantic', 'rich', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "multirun").mkdir()
    program = "import bsft.cli; bsft.cli.main(['status', '--json'])"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=buffered,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=30) == 0
