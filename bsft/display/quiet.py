"""Keeps the messages of libraries off the terminal, since users cannot act on them: they go to a log, or nowhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = ("huggingface_hub", "lightning", "lightning.fabric", "lightning.pytorch", "peft", "transformers", "wandb")
"""Loggers that bring handlers of their own, which write to the terminal."""


@contextmanager
def libraries_to(handler: logging.Handler) -> Iterator[None]:
    """Sends logs and warnings to a handler while the block runs; those of libraries that are imported by then."""
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
