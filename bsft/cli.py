"""`bsft`: finds the command's module and runs it. Exit status: 0 done, 1 a job failed, 2 wrong input."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bsft import __version__

COMMANDS = {
    "status": "how the jobs of a sweep stand",
    "report": "compare a sweep's finished jobs: tables, figures, one page",
    "show": "one item of a benchmark, as a person or a model reads it",
    "fetch": "fill the cache of model weights ahead of a run",
}
"""Command -> what it does; the module is `bsft.commands.<command>`."""
_FORMATTER = argparse.RawDescriptionHelpFormatter


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{self.prog}: {message}; see {self.prog} --help")
        sys.exit(2)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    sys.exit(_run(list(sys.argv[1:] if argv is None else argv)))


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        return _top(arguments)
    name = arguments[0]
    command = importlib.import_module(f"bsft.commands.{name}")
    parser = Parser(prog=f"bsft {name}", description=command.__doc__, formatter_class=_FORMATTER)
    command.configure(parser)
    from bsft.config import ConfigError
    from bsft.records.errors import BadInput, explain_os

    try:
        status = int(command.run(parser.parse_intermixed_args(arguments[1:])))
        sys.stdout.flush()
        return status
    except (BadInput, ConfigError) as error:
        _complain(f"bsft {name}: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read the output has closed it; keep Python from failing once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of a place that cannot be read or written to
        sys.stderr.write(f"bsft {name}: {explain_os(error)}\n")
        return 2


def _complain(sentence: str) -> None:
    from bsft.display.console import print_error  # help needs no console, which takes its time to import

    print_error(sentence)


def _top(arguments: list[str]) -> int:
    """Help, version, or the sentence that there is no such command."""
    parser = Parser(
        prog="bsft",
        description="Behaviour-token conditioning for clinical language models: read what bsft-train has made.",
        epilog="commands:\n" + "\n".join(f"  {name:10}{what}" for name, what in COMMANDS.items()),
        formatter_class=_FORMATTER,
    )
    parser.add_argument("--version", action="version", version=f"bsft {__version__}")
    parser.add_argument("command", metavar="COMMAND", nargs="?", help="one of the commands below; bsft COMMAND --help")
    found = parser.parse_args(arguments[:1]).command
    if found is not None:
        from bsft.config import did_you_mean

        parser.error(f"no command {found!r}{did_you_mean(found, list(COMMANDS))} (allowed: {', '.join(COMMANDS)})")
    parser.print_help()
    return 0
