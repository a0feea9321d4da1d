"""Progress bars with an ETA: drawn on a terminal, a log line now and then elsewhere (cluster logs, files)."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bsft.display.console import SafeConsole

log = logging.getLogger(__name__)
LOG_EVERY_S = 30.0


@contextmanager
def progress_bar(title: str, total: int, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Yields a function that advances the bar by a number of items."""
    if not shown:
        yield lambda n: None
        return
    console = SafeConsole(stderr=True)
    if not console.is_terminal:
        yield _logged(title, total, console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)


def _logged(title: str, total: int, console: Console) -> Callable[[int], None]:
    start = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if done and (now - last >= LOG_EVERY_S or done == total):
            last = now
            eta_s = (now - start) / done * (total - done)
            console.print(f"{title}: {done}/{total}, ETA {eta_s:.0f} s")

    return advance
