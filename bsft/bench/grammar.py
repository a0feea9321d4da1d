"""Wordings with alternatives: `[a|b|]` stands for one of its parts, which may hold alternatives again.

A wording is chosen first (`choose`), which leaves a plain template with `{fields}`; twins share that template.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod

_TOKEN = re.compile(r"[\[\]|]|[^\[\]|]+")
_SPACES = re.compile(r" {2,}")
_SPACED_MARKS = ((" .", "."), (" ,", ","), (" ;", ";"), (" :", ":"), (" ?", "?"), (" !", "!"))


@dataclass(frozen=True)
class Choice:
    """Alternatives, each a sequence of texts and further choices."""

    parts: tuple[tuple[str | Choice, ...], ...]

    @property
    def n_forms(self) -> int:
        """How many different texts it can become, if no two of its parts are alike."""
        return sum(prod(1 if isinstance(p, str) else p.n_forms for p in part) for part in self.parts)

    def draw(self, random: Callable[[], float]) -> str:
        """One of the texts; `random` gives numbers in [0, 1)."""
        # int(random() * n) is a third of the cost of choice(), and a benchmark draws tens of millions of times
        text = ""
        for part in self.parts[int(random() * len(self.parts))]:
            text += part if isinstance(part, str) else part.draw(random)
        return text


def choose(template: str, rng: random.Random) -> str:
    """One of the texts that a template stands for, its fields not filled.

    Raises:
        ValueError: a bracket that is not closed, or closed but not opened.
    """
    return _parsed(template).draw(rng.random) if "[" in template else template


def n_forms(template: str) -> int:
    """How many texts a template stands for."""
    return _parsed(template).n_forms


def tidy(text: str) -> str:
    """Without the spaces that empty alternatives leave."""
    if "  " in text:
        text = _SPACES.sub(" ", text)
    for spaced, mark in _SPACED_MARKS:
        text = text.replace(spaced, mark)
    return text.strip(" ")


@cache
def _parsed(template: str) -> Choice:
    stack: list[list[list[str | Choice]]] = [[[]]]
    for token in _TOKEN.findall(template):
        if token == "[":
            stack.append([[]])
        elif token == "]":
            if len(stack) == 1:
                raise ValueError(f"{template!r}: a closing bracket that none opens")
            closed = Choice(tuple(tuple(part) for part in stack.pop()))
            stack[-1][-1].append(closed)
        elif token == "|" and len(stack) > 1:
            stack[-1].append([])
        else:
            stack[-1][-1].append(token)
    if len(stack) > 1:
        raise ValueError(f"{template!r}: a bracket that is not closed")
    return Choice(tuple(tuple(part) for part in stack[0]))
