"""`bsft-bench`: making, importing and auditing benchmarks. A thin dispatcher; each command is a module of its own."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from bsft.display.console import SafeConsole, print_error
from bsft.records.errors import BadInput, explain_os

COMMANDS = {
    "build": ("bsft.commands.build", "build BehaviorBench-Open"),
    "import": ("bsft.commands.importing", "import other people's cases and items"),
    "items": ("bsft.commands.items", "make items from imported cases"),
    "audit": ("bsft.commands.audit", "look for what gives a benchmark's answers away"),
}
"""name -> (module with `USAGE` and `run(arguments) -> int`, what it does)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point.

    Returns:
        The command's exit status; 0 for help, 2 for bad input, 130 after Ctrl+C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("--help", "-h"):
        lines = [f"  {name:8} {what}" for name, (_, what) in COMMANDS.items()]
        usage = "usage: bsft-bench COMMAND ...; bsft-bench COMMAND --help tells more"
        SafeConsole().print("\n".join([usage, "", "commands:", *lines]))
        return 0
    if arguments[0] not in COMMANDS:
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(COMMANDS)}"
        print_error(f"bsft-bench: unknown command {arguments[0]!r}; {hint}")
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    given = arguments[1:]
    if not given or "--help" in given or "-h" in given:
        SafeConsole().print(module.USAGE)
        return 0
    try:
        status: int = module.run(given)
    except BadInput as error:
        print_error(f"bsft-bench: {error}")
        return 2
    except OSError as error:  # of a place that cannot be read or written to
        print_error(f"bsft-bench: {explain_os(error)}")
        return 2
    except KeyboardInterrupt:
        print_error("bsft-bench: stopped; the same command goes on from what is finished")
        return 130
    return status
