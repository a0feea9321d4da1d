"""Clinical words of a text: does a scene say anything that its source does not, or deny what the source affirms?

Clinical are the words of the case bank, words with clinical endings, and a short list; ordinary words are not. A scene
must take them from its source, up to inflection, spelling (British or American) and names of the same thing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from bsft.bench.bank.load import Bank, load_bank, read_checked
from bsft.importing.writer.quantities import readable

WORDS_FILE = Path(__file__).with_name("words.yaml")
NEGATION_WORDS = 8
"""How far a negation reaches, in words, unless its clause ends before."""
SIDE_WORDS = 3
"""How far "left" and "right" reach, in words."""
SIDES = frozenset({"left", "right"})

_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_SPELLINGS = (("ae", "e"), ("oe", "e"), ("our", "or"), ("leuc", "leuk"))
_INFLECTIONS = (("ies", "y"), ("ness", ""), ("ing", ""), ("ed", ""), ("ly", ""), ("s", ""))


@cache
def stem(word: str) -> str:
    """A crude stem: one for "nodes" and "node", "haemorrhages" and "hemorrhage", "tender" and "tenderness"."""
    word = word.lower().removesuffix("'s")
    for one, other in _SPELLINGS:
        word = word.replace(one, other)
    for ending, instead in _INFLECTIONS:
        is_singular = ending == "s" and word.endswith(("ss", "us", "is"))
        if word.endswith(ending) and len(word) >= len(ending) + 3 and not is_singular:
            word = word.removesuffix(ending) + instead
            break
    return word.removesuffix("e") if len(word) > 4 else word


@dataclass(frozen=True)
class Lexicon:
    """Which words are clinical, which can be denied, and which names mean the same: what `words.yaml` holds."""

    aliases: list[Annotated[list[str], Field(min_length=1)]]
    rewrites: dict[str, str]
    clinical: str
    polar: str
    endings: str
    ordinary: str
    negation: re.Pattern[str]
    clause_end: re.Pattern[str]
    negated_after: re.Pattern[str]

    @cached_property
    def _stems(self) -> dict[str, frozenset[str]]:
        """Those of the case bank's words are clinical, too."""
        bank = " ".join(
            word for phrase in _bank_phrases(load_bank()) for word in _WORD.findall(phrase) if len(word) > 2
        )
        lists = {"clinical": f"{bank} {self.clinical}", "polar": self.polar, "ordinary": self.ordinary}
        return {name: frozenset(map(stem, words.split())) for name, words in lists.items()}

    @cached_property
    def _names(self) -> list[tuple[re.Pattern[str], str]]:
        """Pattern of a group's names -> the group's first name."""
        groups = [(group, group[0]) for group in self.aliases]
        return [(_any_of(names), name) for names, name in (*groups, *(([w], r) for w, r in self.rewrites.items()))]

    @cached_property
    def measures(self) -> re.Pattern[str]:
        """Names of what is measured, as `canonical` leaves them."""
        analytes = (analyte.name.lower() for analyte in load_bank().analytes.values() if len(analyte.name) > 3)
        return _any_of([*(group[0] for group in self.aliases), *analytes])

    def holds(self, name: Literal["clinical", "polar"], word: str) -> bool:
        """Whether a word is in a list or has a clinical ending, and is no ordinary word."""
        base = stem(word)
        if base in self._stems["ordinary"] or base in self._stems[name]:
            return base not in self._stems["ordinary"]
        singular = word.lower().removesuffix("s") if not word.lower().endswith(("is", "us")) else word.lower()
        return len(word) > 5 and singular.endswith(tuple(self.endings.split()))

    def canonical(self, text: str) -> str:
        """The text with numbers and units in one spelling and one name for each thing that has several."""
        text = readable(text)
        for pattern, name in self._names:
            text = pattern.sub(name, text)
        return text


@cache
def load_lexicon() -> Lexicon:
    """
    Raises:
        BadInput: the file is damaged.
    """
    return read_checked(WORDS_FILE, TypeAdapter(Lexicon))


def _bank_phrases(bank: Bank) -> Iterator[str]:
    yield from bank.drugs
    yield from bank.allergens
    yield from (analyte.name for analyte in bank.analytes.values())
    for condition in bank.conditions.values():
        yield from (condition.name, *condition.complaint, *condition.red_flags, condition.next_test.test)
        yield from (illness.name for illness in condition.history)
        yield from (rival.name for rival in condition.differentials)
        for event in condition.course:
            yield from event.phrases
        for finding in condition.exam:
            yield from (finding.site, *finding.finding, *finding.normal)
        for study in condition.imaging:
            yield from (study.study, *study.finding, *study.normal)


def _any_of(names: Sequence[str]) -> re.Pattern[str]:
    """Any of some names; those with capitals are matched as they are written, others in any case."""
    alternatives = [
        re.escape(name) if name != name.lower() else f"(?i:{re.escape(name)})"
        for name in sorted(names, key=len, reverse=True)
    ]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(alternatives)})(?![\w-])")


@dataclass(frozen=True)
class Mention:
    """A clinical word in a sentence: whether it is denied, asked about, and the word before it."""

    word: str
    denied: bool
    asked: bool
    side: str | None
    before: str | None
    """The clinical word right before it: "chest" of "chest pain"."""

    @property
    def shown(self) -> str:
        return f"{self.before} {self.word}" if self.before else self.word


@dataclass(frozen=True)
class Sentence:
    text: str

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stem(word) for word in _WORD.findall(self.text))

    @cached_property
    def mentions(self) -> Sequence[Mention]:
        return list(self._mentions(load_lexicon()))

    def _mentions(self, lexicon: Lexicon) -> Iterator[Mention]:
        words = list(_WORD.finditer(self.text))
        denied = self._denied_spans(lexicon)
        for index, match in enumerate(words):
            if not lexicon.holds("clinical", match[0]):
                continue
            adjacent = index > 0 and not self.text[words[index - 1].end() : match.start()].strip()
            before = words[index - 1][0].lower() if adjacent else ""
            yield Mention(
                word=match[0].lower(),
                denied=any(start <= match.start() < end for start, end in denied)
                or lexicon.negated_after.match(self.text, match.end()) is not None,
                asked=self.text.rstrip().endswith("?"),
                side=self._side(words[max(0, index - SIDE_WORDS) : index], match.start()),
                before=before if lexicon.holds("clinical", before) else None,
            )

    def _denied_spans(self, lexicon: Lexicon) -> list[tuple[int, int]]:
        spans = []
        for match in lexicon.negation.finditer(self.text):
            stop = lexicon.clause_end.search(self.text, match.end())
            reached = [word.end() for word in _WORD.finditer(self.text, match.end())][:NEGATION_WORDS]
            end = min(stop.start() if stop else len(self.text), reached[-1] if reached else match.end())
            spans.append((match.end(), end))
        return spans

    def _side(self, before: Sequence[re.Match[str]], start: int) -> str | None:
        for match in reversed(before):
            between = self.text[match.end() : start]
            if match[0].lower() in SIDES and not re.search(r"[^\w\s-]", between):
                return match[0].lower()
        return None


def sentences(text: str) -> list[Sentence]:
    return [Sentence(part) for part in _SENTENCE_END.split(load_lexicon().canonical(text)) if part.strip()]


def unsupported(said: str, source: Sequence[Sentence]) -> list[str]:
    """What is said and not in the source, denied there, or affirmed there; one sentence each."""
    known = frozenset().union(*(sentence.stems for sentence in source))
    problems = []
    for sentence in sentences(said):
        for mention in sentence.mentions:
            if stem(mention.word) not in known:
                problems.append(f'"{mention.word}" is not in the text')
            elif problem := _contradiction(mention, source):
                problems.append(problem)
    return list(dict.fromkeys(problems))


def _contradiction(mention: Mention, source: Sequence[Sentence]) -> str | None:
    base = stem(mention.word)
    if mention.side and not any({mention.side, base} <= sentence.stems for sentence in source):
        return f'"{mention.side} ... {mention.word}" is not in the text'
    if not load_lexicon().holds("polar", mention.word):
        return None
    needed = {base, stem(mention.before)} if mention.before else {base}
    holding = [sentence for sentence in source if needed <= sentence.stems]
    if not holding:
        return f'"{mention.shown}" is not in the text'
    denied = {m.denied for sentence in holding for m in sentence.mentions if stem(m.word) == base}
    if mention.asked or mention.denied in denied or not denied:
        return None
    return f'"{mention.shown}" is {"affirmed" if mention.denied else "denied"} in the text'
