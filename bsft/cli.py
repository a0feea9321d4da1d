"""`bsft`: finds the command's module and runs it. Exit status: 0 done, 1 a job or an audit failed, 2 wrong input, 130
after Ctrl+C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bsft import __version__
from bsft.display.console import SafeConsole, print_error

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

COMMANDS = {
    "train": ("bsft.train:main", "fit and score one job or, with -m, a sweep; the same as bsft-train"),
    "eval": ("bsft.commands.eval:evaluate", "score a finished run on other items, or a model as it is"),
    "build": ("bsft.commands.build:build", "build BehaviorBench-Open"),
    "import": ("bsft.commands.importing:app", "import other people's cases, items and texts"),
    "items": ("bsft.commands.items:items", "make items from imported cases"),
    "audit": ("bsft.commands.audit:audit", "look for what gives a benchmark's answers away"),
    "status": ("bsft.commands.status:status", "how the jobs of a sweep stand"),
    "report": ("bsft.commands.report:report", "compare a sweep's finished jobs: tables, figures, one page"),
    "show": ("bsft.commands.show:show", "one item of a benchmark, as a person or a model reads it"),
    "fetch": ("bsft.commands.fetch:fetch", "fill the cache of model weights ahead of a run"),
}
"""Command -> where it is, which is imported only when it is called, and what it does."""
FLAGS = ("--help", "-h", "--version")
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point.

    Args:
        argv: what follows `bsft`; by default what the user typed.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    asked = arguments[0] if arguments else "--help"
    if asked == "train":
        _train(arguments[1:])
    program = f"bsft {asked}" if asked in COMMANDS else "bsft"
    try:
        status = _app(asked)(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return int(status or 0)  # help has none
    except BrokenPipeError:
        # whoever read the output has closed it; keep Python from failing once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print_error(f"{program}: stopped; the same command goes on from what is finished")
        return INTERRUPTED
    except Exception as error:
        print_error(f"{program}: {_mistake(error)}")
        return 2


def _train(arguments: Sequence[str]) -> None:
    """Becomes `bsft-train`, whose arguments are Hydra's. Lightning starts further ranks with `sys.argv`."""
    from bsft.train import main as train

    sys.argv = [str(Path(sys.argv[0]).with_stem("bsft-train")), *arguments]
    train()


def _app(asked: str) -> App:
    """The program; the command that is asked for describes itself, the others stay unimported.

    Raises:
        BadInput: there is no such command.
    """
    from cyclopts import App, Parameter

    app = App(
        name="bsft",
        help="Behaviour-token conditioning for clinical language models. bsft COMMAND --help tells more.",
        version=f"bsft {__version__}",
        console=SafeConsole(),
        default_parameter=Parameter(allow_repeating=True),  # the last one counts
        help_format="markdown" if asked in COMMANDS else "plaintext",  # which takes less time
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    if asked not in (*COMMANDS, *FLAGS):
        from bsft.config import did_you_mean
        from bsft.records.errors import BadInput

        raise BadInput(f"no command {asked!r}{did_you_mean(asked, list(COMMANDS))} (allowed: {', '.join(COMMANDS)})")
    for i, (name, (place, what)) in enumerate(COMMANDS.items()):
        app.command(place, name=name, help=None if name == asked else what, sort_key=i)
    return app


def _mistake(error: Exception) -> str:
    """The sentence about a mistake of the user's, or of a place that cannot be read or written to."""
    from cyclopts import CycloptsError

    if isinstance(error, CycloptsError):
        return _misuse(error)
    from bsft.config import ConfigError
    from bsft.records.errors import BadInput, explain_os

    if isinstance(error, OSError):
        return explain_os(error)
    if isinstance(error, (BadInput, ConfigError)):
        return str(error)
    raise error


def _misuse(error: CycloptsError) -> str:
    from cyclopts import UnusedCliTokensError

    command = " ".join(error.command_chain or ())
    error.verbose = False
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        sentence = f"found {error.unused_tokens[0]!r}, allowed: options, as in --seed 1."
    else:
        sentence = str(error).removeprefix(f'Command "{command}" ')
    return f"{sentence[0].lower()}{sentence[1:]} See bsft {command} --help".replace("  ", " ")
