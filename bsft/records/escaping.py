"""Text that nobody vouches for, made harmless for the medium that it is written into.

Names, reasons and item texts come from files and from other people. What a reader cannot see, but a terminal, a browser
or a spreadsheet obeys, is shown instead.
"""

import json
import re
from typing import Any

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls of a terminal, all but tab and line feed
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # order of writing, and nothing at all
    "\u2028\u2029"  # ends of lines, for some readers
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of characters, which cannot be written; invisible tags
)
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_MARKDOWN = re.compile(r"[\\`*\[\]>|~$#]|(?<![^\W_])_|_(?![^\W_])")
_LINE_ENDS = re.compile(r"\s*[\r\n\u0085\u2028\u2029]\s*")


def visible(text: str) -> str:
    """The text with control characters, bidirectional marks and lone surrogates as pictures; its lines stay."""
    return _HIDDEN.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """Visible, and without line ends."""
    return visible(_LINE_ENDS.sub(" ", text)).replace("\t", " ")


def markdown(text: str) -> str:
    """For a paragraph, a list or a table's cell of Markdown: no markup, link or HTML comes of it."""
    escaped = _MARKDOWN.sub(lambda match: f"\\{match.group()}", one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def csv_text(text: str) -> str:
    """For a text cell of CSV, quoted by the writer: a spreadsheet takes it for no formula. Not for numbers."""
    shown = one_line(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n") else shown


def json_text(value: Any, indent: int | None = 2) -> str:
    """JSON that reads back as the value and holds nothing that a terminal obeys."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], text)
