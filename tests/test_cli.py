"""The program: help, version, exit statuses, terminals of any width, and what it does not import."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bsft import __version__, cli

PROGRAM = "import sys; from bsft.cli import main; sys.exit(main())"
OWN = [command for command in cli.COMMANDS if command != "train"]
"""All commands but the one whose help is Hydra's."""


def run(*argv: str) -> int:
    return cli.main(argv)


def on_terminal(n_columns: int, *argv: str, **environment: str) -> str:
    """What a terminal of that width shows of a command, which must end well."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, n_columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *argv],
        env={**kept, "TERM": "xterm-256color", **environment},
        stdin=theirs, stdout=theirs, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while True:
        try:
            told += (read := os.read(ours, 65536))
        except OSError:  # Linux says so when the other side is closed
            break
        if not read:
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0, told
    return told.decode().replace("\r\n", "\n")


def visible(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_help_names_every_command_in_our_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    told = capsys.readouterr().out
    assert re.findall(r"^│ (\w+)", told, re.MULTILINE) == list(cli.COMMANDS)
    assert run("-h") == 0 and capsys.readouterr().out == told


def test_no_argument_is_a_plea_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "Usage: bsft COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"bsft {__version__}\n"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("reprot", "no command 'reprot'; did you mean report?"), ("--jsn", "no command '--jsn'"), ("bench", "no command")],
)
def test_an_unknown_command_is_one_sentence_with_all_that_there_are(
    word: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(word) == 2
    told = capsys.readouterr().err
    assert sentence in told and told.endswith(f"(allowed: {', '.join(cli.COMMANDS)})\n") and told.count("\n") == 1


@pytest.mark.parametrize("command", OWN)
def test_every_command_has_help_that_says_what_each_argument_is(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--help") == 0
    told = capsys.readouterr().out
    assert f"Usage: bsft {command}" in told
    arguments = re.findall(r"^│ (?:\* )? ?(--[\w-]+|[A-Z]+\b)(?: --[\w-]+)*(?: [A-Z]+)?(.*)│$", told, re.MULTILINE)
    assert command == "import" or arguments
    assert all(re.search(r"[a-z]", what) or "no-" in what for _, what in arguments), arguments


def test_wrong_option_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--jsn") == 2
    told = capsys.readouterr()
    assert told.err == "bsft status: unknown option: --jsn. Did you mean --json? See bsft status --help\n"


def test_bad_input_is_one_sentence_and_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", str(tmp_path / "nowhere")) == 2
    told = capsys.readouterr()
    assert told.err == f"bsft report: {tmp_path / 'nowhere'}: no such directory\n"
    assert told.out == ""


@pytest.mark.parametrize("n_columns", [80, 160])
@pytest.mark.parametrize("argv", [("--help",), ("import", "text", "--help"), ("build", "--n-cases=10")])
def test_output_fills_a_terminal_and_does_not_leave_it(n_columns: int, argv: tuple[str, ...], tmp_path: Path) -> None:
    more = ("--output", str(tmp_path / "out"), "--workers=1", "--no-progress") if argv[0] == "build" else ()
    lines = visible(on_terminal(n_columns, *argv, *more)).splitlines()
    assert max(map(len, lines)) <= n_columns
    frames = {len(line) for line in lines if line.startswith(("╭", "╰", "┏", "└"))}
    assert len(frames) == 1 and (argv[0] == "build" or frames == {n_columns})


def test_colours_are_for_terminals_without_no_color() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*(?:3|4|9|10)[0-7]m")
    assert colour.search(on_terminal(80, "status", "--help"))
    assert not colour.search(on_terminal(80, "status", "--help", NO_COLOR="1"))
    piped = subprocess.run([sys.executable, "-c", PROGRAM, "status", "--help"], capture_output=True, text=True)
    assert piped.returncode == 0 and "\x1b" not in piped.stdout and piped.stderr == ""


def test_commands_import_no_torch() -> None:
    modules = [cli.COMMANDS[command][0].partition(":")[0] for command in cli.COMMANDS] + ["bsft.report.summary"]
    program = f"import sys, bsft.cli, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_help_imports_nothing_slow() -> None:
    """Rich, which draws it, is the slowest part: with it, help takes 0.2 s of processor time."""
    program = (
        "import sys, bsft.cli\n"
        "bsft.cli.main(['--help'])\n"
        "slow = ('hydra', 'omegaconf', 'pydantic', 'matplotlib', 'numpy', 'markdown_it')\n"
        "sys.exit(any(name in sys.modules for name in slow))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def test_train_is_bsft_train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything goes to it as it is; further ranks are started with `sys.argv`."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/bsft"])
    for arguments, code, told in (
        (["--help"], 0, "usage: bsft-train [GROUP=OPTION ...]"),
        (["model=tiny", "--cfg", "job"], 0, "name: tiny"),
        (["-m", "seed=0,1", "model=tiny", "dry_run=true"], 0, "2 jobs"),
        (["model=tny"], 2, "no such model; did you mean tiny?"),
    ):
        with pytest.raises(SystemExit) as end:
            run("train", *arguments)
        captured = capsys.readouterr()
        assert end.value.code == code and told in captured.out + captured.err
        assert sys.argv == ["/somewhere/bin/bsft-train", *arguments]


def test_train_does_not_import_the_other_commands_parser() -> None:
    program = (
        "import sys, contextlib, bsft.cli\n"
        "with contextlib.suppress(SystemExit): bsft.cli.main(['train', '--help'])\n"
        "sys.exit('cyclopts' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path: Path) -> None:
    argv = ["build", "--n-cases=2000", "--output", str(tmp_path / "out"), "--workers=1", "--no-progress"]
    # a shell that starts the tests in the background has told them to ignore the signal
    heeding = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {PROGRAM}"
    with subprocess.Popen([sys.executable, "-c", heeding, *argv], stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob(".out.*/*.json")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == "bsft build: stopped; the same command goes on from what is finished\n"
    assert process.returncode == 130


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "multirun").mkdir()
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    for argv in (["status", "--json"], ["--help"]):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *argv],
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
