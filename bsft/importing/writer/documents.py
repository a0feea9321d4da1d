"""The texts that are to be written up: a directory of files or a JSONL file, cut into parts where they are too long."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bsft.importing.files import check_new, json_lines
from bsft.importing.report import ImportReport
from bsft.records.errors import BadInput, explained
from bsft.records.schema import NonEmpty
from bsft.records.untrusted import read_text

SUFFIXES = (".txt", ".md")
CHARACTERS_PER_TOKEN = 3
"""A cautious estimate for English clinical text, so that no tokenizer is needed."""

_BOUNDARIES = (r"\n\s*\n", r"\n", r"(?<=[.!?])\s+", r"\s+")
"""Where a text may be cut, from the best place to the worst."""


class Document(BaseModel):
    """One text; a line of JSON may hold more, which is passed over."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: NonEmpty
    text: str


def read_documents(source: Path, report: ImportReport) -> list[Document]:
    """All texts of a directory (in order of name) or of a JSONL file.

    Raises:
        BadInput: nothing there, a text is empty or not UTF-8, or an id occurs twice.
    """
    seen: dict[str, str] = {}

    def read(place: str, line: int, found: object) -> Document:
        with explained(place):
            document = Document.model_validate(found)
        if not document.text.strip():
            raise BadInput(f"{place}: the text is empty")
        check_new(document.id, seen, place, "id")
        return document

    if not source.is_dir():
        return list(json_lines(source, report, read))
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise BadInput(f"{source}: no {' or '.join(SUFFIXES)} file in it")
    for file in files:
        report.add_source(file)
    report.read = len(files)
    names = [file.relative_to(source).with_suffix("").as_posix() for file in files]
    return [read(str(file), 0, {"id": name, "text": read_text(file)}) for file, name in zip(files, names, strict=True)]


def tokens(text: str) -> int:
    """About how many tokens a text has; rather too many than too few."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def parts(text: str, max_tokens: int, boundary: int = 0) -> list[str]:
    """The text in pieces of at most `max_tokens`, cut between paragraphs if possible, else lines, sentences, words.

    Args:
        boundary: of `_BOUNDARIES`, the first to try.
    """
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
    return [part for piece in pieces for part in parts(piece, max_tokens, boundary + 1) if part.strip()]
