"""Can the trainer teach a small model when to speak up? Paired AUC on held-out twins against pairs seen.

`fit` fits prototypes of four kinds of problem and goes on where it was interrupted; `report` reads all fits under a
directory, prints a table and writes a figure (PNG and SVG) with all points (JSON) beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks._learning_fit import Learner, run
from benchmarks._learning_report import draw, read, show_table, write_points
from benchmarks._learning_settings import add_options, chosen

_OUT = Path("multirun/learning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    report = commands.add_parser("report", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for command in (fit, report):
        command.add_argument("--out", type=Path, default=_OUT, help="directory with one directory per fit")
    add_options(fit)
    report.add_argument("--figure", type=Path, help="where to write figure and points, without suffix")
    arguments = parser.parse_args()
    if arguments.command == "fit":
        settings = chosen(arguments)
        run(Learner(settings), settings, arguments.out / settings.name)
    else:
        fits = read(arguments.out)
        show_table(fits)
        if arguments.figure is not None:
            draw(fits, arguments.figure)
            write_points(fits, arguments.figure)


if __name__ == "__main__":
    main()
