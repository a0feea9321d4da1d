"""`bsft-bench`: making, importing and auditing benchmarks. A thin dispatcher; each command is a module of its own."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from rich.console import Console

COMMANDS = {
    "build": ("bsft.bench.build_command", "build BehaviorBench-Open"),
    "import": ("bsft.bench.importers.command", "import other people's cases and items"),
    "items": ("bsft.bench.caseitems.command", "make items from imported cases"),
    "audit": ("bsft.bench.audit.command", "look for what gives a benchmark's answers away"),
}
"""name -> (module with `main(arguments) -> int`, what it does)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("--help", "-h"):
        lines = [f"  {name:8} {what}" for name, (_, what) in COMMANDS.items()]
        usage = "usage: bsft-bench COMMAND ...; bsft-bench COMMAND --help tells more"
        Console().print("\n".join([usage, "", "commands:", *lines]), markup=False, highlight=False)
        return 0
    if arguments[0] not in COMMANDS:
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(COMMANDS)}"
        Console(stderr=True).print(f"bsft-bench: unknown command {arguments[0]!r}; {hint}", markup=False)
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    status: int = module.main(arguments[1:])
    return status
