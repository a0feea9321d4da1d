"""From items to token ids: the one place that knows the chat template, where the behaviour token stands, and what is
supervised.

A prompt is one system prompt, the exemplars of the method (if any) as earlier exchanges, then the scene with the query
last. Options are never shown. The assistant's turn is `[behaviour token] reply end-of-turn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from bsft.config import DEFAULT_DATE
from bsft.data.chat_format import ChatFormat
from bsft.data.conversation import Conversation, Exchange
from bsft.data.literal import LiteralEncoder
from bsft.data.methods import Method
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.records.errors import BadInput
from bsft.records.schema import Behavior, Item, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNPROMPTED = "Nobody has asked you anything. Give your next message."
_WORD_STARTS = "\u2581\u0120"
"""How SentencePiece and byte-level BPE write a space."""
_TURNS_REMEMBERED = 1 << 16
"""Lengths of turns are kept for the items that share them, but not those of a whole dataset."""


@dataclass(frozen=True)
class Example:
    """A supervised sequence: the prompt, then what is learnt. Every id after the prompt is a label."""

    item_id: str
    case_id: str
    prompt_ids: tuple[int, ...]
    behavior_id: int | None
    answer_ids: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        behavior = () if self.behavior_id is None else (self.behavior_id,)
        return self.prompt_ids + behavior + self.answer_ids


@dataclass(frozen=True)
class Candidates:
    """An item ready for scoring: its prompt and, for each option in order, the reply's ids with its end of turn."""

    item: Item
    prompt_ids: tuple[int, ...]
    option_ids: tuple[tuple[int, ...], ...]
    dropped_turns: tuple[int, ...]

    @property
    def evidence_lost(self) -> bool:
        """Shortening removed the turn that shows the problem, so the item cannot be solved any more."""
        return self.item.perturbation is not None and self.item.perturbation.locus.turn in self.dropped_turns


class Renderer:
    """Renders items for one method and one tokenizer."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        method: Method,
        *,
        vocabulary: BehaviorVocabulary | None,
        exemplars: Sequence[Item] = (),
        scene_tokens: int = 1024,
        max_length_tokens: int = 2048,
        date: str = DEFAULT_DATE,
    ) -> None:
        """
        Args:
            vocabulary: the behaviour tokens of a method that has them, else None.
            scene_tokens: longest scene; half of `max_length_tokens` if that is less.
            max_length_tokens: the model's context.
            date: what chat templates that write the date write (ISO 8601).

        Raises:
            BadInput: the chat template cannot write such a conversation.
        """
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self._scene_tokens = min(scene_tokens, max_length_tokens // 2)
        self._max_length_tokens = max_length_tokens
        self.method = method
        self._turn_lengths: dict[str, int] = {}
        chat = ChatFormat.of(tokenizer)
        self._text = LiteralEncoder(tokenizer, template=chat.template)
        exchanges = [Exchange(self.scene(item, ()), self._text.mark(item.gold.text)) for item in exemplars]
        self._chat = Conversation(chat, self._text.mark(method.system_prompt), exchanges, date=date)
        self.end_of_turn = self._chat.end_of_turn
        self._end_id = cast(int, tokenizer.convert_tokens_to_ids(self.end_of_turn))
        self._leading_ids = _leading_ids(tokenizer)
        self._space_is_read_with_reply = self._merges_space()

    def example(self, item: Item, twin: Item | None = None, behavior: Behavior | None = None) -> Example:
        """The supervised sequence of an item's gold response (and, if the method has them, of a behaviour before it).

        Args:
            behavior: by default the gold one.
        """
        behavior = behavior or item.gold_behavior
        dropped = self.dropped_turns(item, twin)
        prompt_ids, [answer_ids] = self._encode(item, dropped, [item.gold.text], behavior)
        return self._example(item.id, item.case_id, prompt_ids, behavior, answer_ids)

    def _example(
        self, item_id: str, case_id: str, prompt_ids: tuple[int, ...], behavior: Behavior, answer_ids: tuple[int, ...]
    ) -> Example:
        """Words are a part of the answer, as any others are; a token is a label of its own."""
        if self.vocabulary is None:
            return Example(item_id, case_id, prompt_ids, None, answer_ids)
        if self.vocabulary.is_words:
            return Example(item_id, case_id, prompt_ids, None, self.vocabulary.ids_of(behavior) + answer_ids)
        return Example(item_id, case_id, prompt_ids, self.vocabulary.id_of(behavior), answer_ids)

    def decisions(self, item: Item, twin: Item | None = None) -> list[Example]:
        """The behaviour that is due after every turn, nobody having asked: of an item with a twin, to wait until its
        problem can be seen, and to speak up from then on. Nothing for other items, or if that turn is not known."""
        assert self.vocabulary is not None
        visible = item.perturbation.visible_from if item.perturbation else len(item.turns)
        if item.twin_id is None or visible is None:
            return []
        dropped = self.dropped_turns(item, twin)
        shown = [i for i in range(len(item.turns)) if i not in dropped]
        lines = [_line(item.turns[i]) for i in shown]
        prompts = [self._chat.prompt(self._text.mark("\n".join(lines[: n + 1]))) for n in range(len(lines))]
        return [
            self._example(f"{item.id}@{i}", item.case_id, tuple(ids), "proactive" if i >= visible else "reactive", ())
            for i, ids in zip(shown, self._read(prompts), strict=True)
        ]

    def candidates(self, item: Item, twin: Item | None = None) -> Candidates:
        """The prompt and all options of an item; if the method has behaviour tokens, the options as they follow one
        (the same for each of the three)."""
        return self._candidates(item, self.dropped_turns(item, twin))

    def without_scene(self, item: Item) -> Candidates:
        """The same request and options with nothing of the case shown: what is said without having seen anything."""
        return self._candidates(item, tuple(range(len(item.turns))))

    def _candidates(self, item: Item, dropped: tuple[int, ...]) -> Candidates:
        prompt_ids, option_ids = self._encode(item, dropped, [option.text for option in item.options], "reactive")
        return Candidates(item, prompt_ids, option_ids, dropped)

    def prompt(self, item: Item, dropped: Sequence[int] = ()) -> str:
        """The prompt as text, up to where the reply begins; see `LiteralEncoder` for marks in it."""
        return self._chat.prompt(self.scene(item, dropped))

    def shared_prefix(self) -> tuple[int, ...]:
        """Ids with which every prompt begins: the system prompt and the exemplars."""
        one, other = self._chat.prompt("A"), self._chat.prompt("0")
        # a space is read with the word after it
        text = one[: _n_common(one, other)].rstrip(" ")
        prefix, whole = self._read([text, one])
        return tuple(prefix[: _n_common(prefix, whole)])

    def scene(self, item: Item, dropped: Sequence[int]) -> str:
        lines = [_line(turn) for i, turn in enumerate(item.turns) if i not in dropped]
        request = item.query if item.query is not None else UNPROMPTED
        return self._text.mark("\n".join([*lines, "", request] if lines else [request]))

    def dropped_turns(self, item: Item, twin: Item | None) -> tuple[int, ...]:
        """Which turns a scene loses to fit `scene_tokens`: speech before documents, older before newer, never the
        last; decided on the longer of both twins, so that both lose the same."""
        lengths = self._lengths(item)
        if twin is not None and len(twin.turns) == len(item.turns):
            lengths = [max(pair) for pair in zip(lengths, self._lengths(twin), strict=True)]
        excess = sum(lengths) - self._scene_tokens
        dropped: list[int] = []
        for i in sorted(range(len(lengths) - 1), key=lambda i: (item.turns[i].role == "record", i)):
            if excess <= 0:
                break
            dropped.append(i)
            excess -= lengths[i]
        return tuple(sorted(dropped))

    def _lengths(self, item: Item) -> list[int]:
        if len(self._turn_lengths) > _TURNS_REMEMBERED:
            self._turn_lengths.clear()
        for turn in item.turns:
            line = _line(turn)
            if line not in self._turn_lengths:
                [ids] = self._text.encode([self._text.mark(line + "\n")])
                self._turn_lengths[line] = len(ids)
        return [self._turn_lengths[_line(turn)] for turn in item.turns]

    def _encode(
        self, item: Item, dropped: Sequence[int], replies: Sequence[str], behavior: Behavior
    ) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """Encodes prompt and reply together and then splits, because a tokenizer may merge across the boundary."""
        token = "" if self.vocabulary is None else self.vocabulary.token_of(behavior)
        try:
            scene = self.scene(item, dropped)
            prompt, written = self._chat.replies(scene, [self._text.mark(reply) for reply in replies])
            alone = prompt.rstrip(" ") if self._space_is_read_with_reply and not token else prompt
            encoded = self._read([alone, *(prompt + token + reply for reply in written)])
        except BadInput as error:
            raise BadInput(f"item {item.id}: {error}") from None
        prompt_ids, joint = encoded[0], encoded[1:]
        start = _n_common(*encoded)
        if token and start != len(prompt_ids):
            raise BadInput(f"item {item.id}: the tokenizer merges the prompt with the behaviour token {token}")
        behavior_ids = () if self.vocabulary is None else self.vocabulary.ids_of(behavior)
        skip = start + len(behavior_ids)
        if any(tuple(ids[start:skip]) != behavior_ids for ids in joint):
            raise BadInput(f"item {item.id}: the tokenizer merges the behaviour {token.strip()} with the reply")
        answers = tuple(tuple(ids[skip:]) for ids in joint)
        self._check_answers(item, answers)
        longest = max(len(ids) for ids in joint)
        if longest > self._max_length_tokens:
            raise BadInput(
                f"item {item.id}: {longest} tokens with method {self.method.name}, but model.max_length_tokens="
                f"{self._max_length_tokens}; lower data.scene_tokens (now {self._scene_tokens}) or method.k"
            )
        return tuple(prompt_ids[:start]), answers

    def _check_answers(self, item: Item, answers: Sequence[Sequence[int]]) -> None:
        for ids in answers:
            if len(ids) < 2:
                raise BadInput(f"item {item.id}: a reply has no token of its own, nothing would be supervised")
            if self._end_id not in ids or ids.index(self._end_id) != len(ids) - 1:
                raise BadInput(
                    f"item {item.id}: a reply does not end where its first {self.end_of_turn} token stands, which the "
                    "tokenizer does not read as one token there; set model.chat_template=chatml"
                )

    def _read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids as the tokenizer itself would begin them: what it puts first comes once, whoever writes it."""
        first = self._leading_ids
        return [ids if ids[: len(first)] == first else first + ids for ids in self._text.encode(texts)]

    def _merges_space(self) -> bool:
        """Whether a space that the template writes before a reply may be read as a part of the reply's first token."""
        vocabulary = self.tokenizer.get_vocab() if self._chat.prompt("A").endswith(" ") else {}
        return any(len(piece) > 1 and piece[0] in _WORD_STARTS for piece in vocabulary)


def _leading_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What a tokenizer puts before every text, most often one token that begins a sequence."""
    plain = cast(list[int], tokenizer("A", add_special_tokens=False)["input_ids"])
    whole = cast(list[int], tokenizer("A")["input_ids"])
    return next((whole[:n] for n in range(len(whole)) if whole[n : n + len(plain)] == plain), [])


def _line(turn: Turn) -> str:
    return f"{turn.speaker}: {turn.text}"


def _n_common(*sequences: Sequence[object]) -> int:
    """Length of their longest common prefix."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*sequences, strict=False)))
