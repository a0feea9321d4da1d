"""The terminal: consoles that show the text they are given and never obey it, error messages, and libraries kept quiet.

Markup, emoji codes and control characters in names, reasons and item texts are shown as they are. Styles come from
`rich.text.Text` alone; titles of panels must be such texts, as rich reads markup in any other.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from bsft.records.escaping import one_line, visible
from bsft.records.secrets import masked

LIBRARIES = ("huggingface_hub", "lightning", "lightning.fabric", "lightning.pytorch", "peft", "transformers", "wandb")
"""Loggers that bring handlers of their own, which write to the terminal."""


class SafeConsole(Console):
    """A console without markup, whose text reaches the terminal visible."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def on_broken_pipe(self) -> NoReturn:
        """Whoever read the output has closed it; rich would end the program with exit status 1."""
        raise BrokenPipeError

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, with what the text hides made visible before it is laid out (a picture is one cell wide)."""
        if isinstance(renderable, str):
            renderable = visible(renderable)
        elif isinstance(renderable, Text) and (shown := visible(renderable.plain)) != renderable.plain:
            renderable = renderable.copy()
            renderable.plain = shown
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


def console_for(stream: TextIO) -> Console:
    """A console as wide as the terminal; in files and pipes nothing is wrapped or cut."""
    return SafeConsole(file=stream, width=None if stream.isatty() else 240)


def print_error(sentence: str) -> None:
    """One line on stderr, in red where there are colours, without keys and passwords."""
    SafeConsole(stderr=True).print(one_line(masked(sentence)), style="red", soft_wrap=True)


@contextmanager
def libraries_to(handler: logging.Handler) -> Iterator[None]:
    """Sends logs and warnings, on which users cannot act, to a handler while the block runs; those of libraries that
    are imported by then."""
    root = logging.getLogger()
    before = [(logger, logger.handlers[:], logger.propagate) for logger in map(logging.getLogger, LIBRARIES)]
    for logger, _, _ in before:
        logger.handlers, logger.propagate = [], True
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
