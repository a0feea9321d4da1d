"""From items to token ids: the one place that knows the chat template, where the behaviour token stands, and what is
supervised.

A prompt is one system prompt, the exemplars of the method (if any) as earlier exchanges, then the scene with the query
last. Options are never shown. The assistant's turn is `[behaviour token] reply end-of-turn`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from bsft.bench.records import Behavior, Item, Turn
from bsft.bench.store import BadInput
from bsft.data.literal import LiteralEncoder
from bsft.methods import Method
from bsft.model.behavior import BehaviorVocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNPROMPTED = "Nobody has asked you anything. Give your next message."
_PROBE = "bsft-probe"
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

    @property
    def n_labels(self) -> int:
        return len(self.ids) - len(self.prompt_ids)


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
    ) -> None:
        """
        Args:
            vocabulary: the behaviour tokens of a method that has them, else None.
            scene_tokens: longest scene; half of `max_length_tokens` if that is less.
            max_length_tokens: the model's context.
        """
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self._scene_tokens = min(scene_tokens, max_length_tokens // 2)
        self._max_length_tokens = max_length_tokens
        self._method = method
        self._turn_lengths: dict[str, int] = {}
        self._text = LiteralEncoder(tokenizer)
        self._opening: list[dict[str, str]] = [{"role": "system", "content": self._text.mark(method.system_prompt)}]
        for item in exemplars:
            self._opening.append({"role": "user", "content": self.scene(item, ())})
            self._opening.append({"role": "assistant", "content": self._text.mark(item.gold.text)})
        self.end_of_turn = self._find_end_of_turn()

    def example(self, item: Item, twin: Item | None = None) -> Example:
        """The supervised sequence of an item's gold response (and gold behaviour, if the method has tokens)."""
        dropped = self.dropped_turns(item, twin)
        prompt = self.prompt(item, dropped)
        behavior = item.gold_behavior if self.vocabulary else None
        prompt_ids, [answer_ids] = self._encode(item, prompt, [item.gold.text], behavior)
        behavior_id = self.vocabulary.id_of(behavior) if self.vocabulary and behavior else None
        return Example(item.id, item.case_id, prompt_ids, behavior_id, answer_ids)

    def candidates(self, item: Item, twin: Item | None = None, *, with_behavior: bool = False) -> Candidates:
        """The prompt and all options of an item.

        Args:
            with_behavior: the options' ids are those that follow a behaviour token (the same for each of the three).
        """
        dropped = self.dropped_turns(item, twin)
        behavior: Behavior | None = "reactive" if with_behavior else None
        texts = [option.text for option in item.options]
        prompt_ids, option_ids = self._encode(item, self.prompt(item, dropped), texts, behavior)
        return Candidates(item, prompt_ids, option_ids, dropped)

    def prompt(self, item: Item, dropped: Sequence[int] = ()) -> str:
        """The prompt as text, up to where the assistant's turn begins; see `LiteralEncoder` for marks in it."""
        messages = [*self._opening, {"role": "user", "content": self.scene(item, dropped)}]
        return self._template(messages, add_generation_prompt=True)

    def shared_prefix(self) -> tuple[int, ...]:
        """Ids with which every prompt begins: the system prompt and the exemplars."""
        prompts = [
            self._template([*self._opening, {"role": "user", "content": text}], add_generation_prompt=True)
            for text in ("A", "0")
        ]
        first, second = self._text.encode(prompts)
        return tuple(first[: _common_length(first, second)])

    def scene(self, item: Item, dropped: Sequence[int]) -> str:
        lines = [_line(turn) for i, turn in enumerate(item.turns) if i not in dropped]
        return self._text.mark("\n".join([*lines, "", item.query if item.query is not None else UNPROMPTED]))

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
        self, item: Item, prompt: str, replies: Sequence[str], behavior: Behavior | None
    ) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """Encodes prompt and reply together and then splits, because a tokenizer may merge across the boundary."""
        token = ""
        if behavior is not None:
            assert self.vocabulary is not None
            token = self.vocabulary.tokens[self.vocabulary.ids.index(self.vocabulary.id_of(behavior))]
        texts = [prompt, *(prompt + token + self._text.mark(reply) + self.end_of_turn for reply in replies)]
        try:
            encoded = self._text.encode(texts)
        except BadInput as error:
            raise BadInput(f"item {item.id}: {error}") from None
        prompt_ids, joint = encoded[0], encoded[1:]
        start = min(_common_length(prompt_ids, ids) for ids in joint)
        if behavior is not None and start != len(prompt_ids):
            raise BadInput(f"item {item.id}: the tokenizer merges the prompt with the behaviour token {token}")
        if (bos := self.tokenizer.bos_token_id) is not None and prompt_ids[:2] == [bos, bos]:
            raise BadInput(f"item {item.id}: the prompt begins with two {self.tokenizer.bos_token} tokens")
        skip = start + (behavior is not None)
        answers = tuple(tuple(ids[skip:]) for ids in joint)
        if any(not ids for ids in answers):
            raise BadInput(f"item {item.id}: a reply has no token of its own, nothing would be supervised")
        longest = max(len(ids) for ids in joint)
        if longest > self._max_length_tokens:
            raise BadInput(
                f"item {item.id}: {longest} tokens with method {self._method.name}, but model.max_length_tokens="
                f"{self._max_length_tokens}; lower data.scene_tokens (now {self._scene_tokens}) or method.k"
            )
        return tuple(prompt_ids[:start]), answers

    def _find_end_of_turn(self) -> str:
        """What the template puts after the assistant's text, without the white space behind it."""
        probe = [*self._opening[:1], {"role": "user", "content": _PROBE}]
        start = self._template(probe, add_generation_prompt=True)
        whole = self._template([*probe, {"role": "assistant", "content": _PROBE}], add_generation_prompt=False)
        end = whole.removeprefix(start + _PROBE).rstrip() if whole.startswith(start + _PROBE) else ""
        if not end:
            raise BadInput(
                "the tokenizer's chat template does not mark where an assistant's turn begins and ends; "
                "set model.chat_template=chatml"
            )
        return end

    def _template(self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool) -> str:
        text = self.tokenizer.apply_chat_template(
            [dict(message) for message in messages], tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return cast(str, text)


def _line(turn: Turn) -> str:
    return f"{turn.speaker}: {turn.text}"


def _common_length(a: Sequence[int], b: Sequence[int]) -> int:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return min(len(a), len(b))
