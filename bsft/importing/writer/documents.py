"""The texts that are to be written up: a directory of files or a JSONL file, cut into parts where they are too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bsft.importing.cases import json_lines
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, quoted
from bsft.records.untrusted import read_text

SUFFIXES = (".txt", ".md")
CHARACTERS_PER_TOKEN = 3
"""A cautious estimate for English clinical text, so that no tokenizer is needed."""

_BOUNDARIES = (r"\n\s*\n", r"\n", r"(?<=[.!?])\s+", r"\s+")
"""Where a text may be cut, from the best place to the worst."""


@dataclass(frozen=True)
class Document:
    id: str
    text: str


def read_documents(source: Path, report: ImportReport) -> list[Document]:
    """All texts of a directory (in order of name) or of a JSONL file.

    Raises:
        BadInput: nothing there, a text is empty or not UTF-8, or an id occurs twice.
    """
    found = _from_directory(source, report) if source.is_dir() else _from_jsonl(source, report)
    documents: dict[str, Document] = {}
    for place, document in found:
        if not document.text.strip():
            raise BadInput(f"{place}: the text is empty")
        if document.id in documents:
            raise BadInput(f"{place}: field id: found {document.id!r} a second time, allowed: unique ids")
        documents[document.id] = document
    report.read = len(documents)
    return list(documents.values())


def _from_directory(directory: Path, report: ImportReport) -> Iterator[tuple[str, Document]]:
    files = sorted(file for file in directory.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise BadInput(f"{directory}: no {' or '.join(SUFFIXES)} file in it")
    for file in files:
        report.add_source(file)
        yield str(file), Document(file.relative_to(directory).with_suffix("").as_posix(), read_text(file))


def _from_jsonl(file: Path, report: ImportReport) -> Iterator[tuple[str, Document]]:
    def read(place: str, line: int, found: Any) -> tuple[str, Document]:
        for name in ("id", "text"):
            value = found.get(name) if isinstance(found, dict) else None
            if not isinstance(value, str) or not value:
                raise BadInput(f"{place}: field {name}: found {quoted(value)}, allowed: a string that is not empty")
        return place, Document(found["id"], found["text"])

    yield from json_lines(file, report, read)
    report.add_source(file)


def tokens(text: str) -> int:
    """About how many tokens a text has; rather too many than too few."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def parts(text: str, max_tokens: int) -> list[str]:
    """The text in pieces of at most `max_tokens`, cut between paragraphs if possible, else lines, sentences, words."""
    return _parts(text, max_tokens, 0)


def _parts(text: str, max_tokens: int, boundary: int) -> list[str]:
    if tokens(text) <= max_tokens:
        return [text]
    if boundary == len(_BOUNDARIES):
        size = max_tokens * CHARACTERS_PER_TOKEN
        return [text[start : start + size] for start in range(0, len(text), size)]
    pieces: list[str] = []
    for piece in filter(None, re.split(f"({_BOUNDARIES[boundary]})", text)):
        if pieces and tokens(pieces[-1] + piece) <= max_tokens:
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return [part for piece in pieces for part in _parts(piece, max_tokens, boundary + 1) if part.strip()]
