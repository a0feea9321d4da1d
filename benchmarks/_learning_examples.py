"""From scenes to token ids, labels and scores: what is learnt from a pair, and how a model ranks its twins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from benchmarks._learning_scenes import OPENERS, Pair, Scene
from bsft.data.batches import Batch, tree_batches
from bsft.data.chat_format import ChatFormat
from bsft.data.conversation import Conversation
from bsft.data.render import Example
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.model.backbone import Backbone
from bsft.records.schema import Behavior

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SYSTEM_PROMPT = "You take part in the talk of a hospital team. Do what is asked, and speak up when something is wrong."
_SCENE = "@@"
Ids = tuple[int, ...]


@dataclass(frozen=True)
class Labels:
    """What a fit is taught with.

    Attributes:
        every_turn: a behaviour label after every turn, too: reactive before the problem is there, proactive after it.
        behavior_weight: of behaviour tokens, `w_b`.
        decision_weight: of the first reply token in which twins differ (the concern's first, or the end of turn).
        max_tokens: of a micro-batch.
    """

    every_turn: bool = False
    behavior_weight: float = 1.0
    decision_weight: float = 1.0
    max_tokens: int = 4096


class PairEncoder:
    """Encodes scenes piece by piece, so that twins and the prompts after earlier turns share their tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: BehaviorVocabulary | None, date: str) -> None:
        self._tokenizer, self.vocabulary = tokenizer, vocabulary
        conversation = Conversation(ChatFormat.of(tokenizer), SYSTEM_PROMPT, date=date)
        before, after = conversation.prompt(_SCENE).split(_SCENE)
        self._before, self._after = self.encode(before), self.encode(after)
        self.end = self.encode(conversation.end_of_turn)
        self.openers = sorted({self.encode(opener)[0] for opener in OPENERS})

    def encode(self, text: str) -> Ids:
        return tuple(cast(list[int], self._tokenizer(text, add_special_tokens=False)["input_ids"]))

    def prompt(self, scene: Scene, n_turns: int | None = None) -> Ids:
        """Ids up to the reply: after all turns and the request, or after the first `n_turns` turns."""
        turns = [i for turn in scene.turns[:n_turns] for i in self.encode(turn + "\n")]
        request = self.encode(scene.request) if n_turns is None else ()
        return (*self._before, *turns, *request, *self._after)

    def examples(self, pair: Pair, *, every_turn: bool) -> list[Example]:
        """The supervised sequences of both twins."""
        made = []
        for side, scene in zip("pc", pair.scenes, strict=True):
            name = f"{pair.kind} {pair.level} {pair.name}"
            answer = (*self.encode(scene.errand), *(self.encode(scene.concern) if scene.concern else ()), *self.end)
            label = self._behavior("reactive" if scene.due is None else "proactive")
            made.append(Example(f"{name}{side}", name, self.prompt(scene), label, answer))
            if every_turn:
                for i in range(len(scene.turns)):
                    label = self._behavior("reactive" if scene.due is None or i < scene.due else "proactive")
                    made.append(Example(f"{name}{side}{i}", name, self.prompt(scene, i + 1), label, ()))
        return made

    def _behavior(self, behavior: Behavior) -> int | None:
        return None if self.vocabulary is None else self.vocabulary.id_of(behavior)

    def batches(self, pairs: Sequence[Pair], labels: Labels) -> list[Batch]:
        """Micro-batches of a step, with the weights that `labels` asks for."""
        examples = [example for pair in pairs for example in self.examples(pair, every_turn=labels.every_turn)]
        decided = {e.item_id: self._decision(pair) for pair in pairs for e in self.examples(pair, every_turn=False)}
        batches = list(tree_batches(examples, max_tokens=labels.max_tokens, behavior_weight=labels.behavior_weight))
        rest = iter(examples)
        for batch in batches:
            own = [next(rest) for _ in range(batch.n_examples)]
            if labels.decision_weight != 1:
                _emphasise(batch, own, decided, labels.decision_weight)
        return batches

    def _decision(self, pair: Pair) -> int:
        """How many answer tokens stand before the one in which twins differ."""
        return len(self.encode(pair.calm.errand))


def _emphasise(batch: Batch, examples: Sequence[Example], decided: dict[str, int], weight: float) -> None:
    """Multiplies the weights of the labels that decide; `decided` says where they are in the answers."""
    assert batch.tree is not None
    row = {key: i for i, key in enumerate(zip(batch.positions.tolist(), batch.targets.tolist(), strict=True))}
    for example, path in zip(examples, batch.tree.paths, strict=True):
        if (errand := decided.get(example.item_id)) is not None:
            at = len(example.ids) - len(example.answer_ids) + errand
            batch.weights[row[int(path[at - 1]), example.ids[at]]] *= weight


@dataclass(frozen=True)
class Ranked:
    """Scores of a pair, `(problem, calm)`, the higher the more a model would speak up; above `threshold` it would."""

    pair: Pair
    problem: float
    calm: float
    threshold: float


def rank(backbone: Backbone, encoder: PairEncoder, pairs: Sequence[Pair], max_tokens: int) -> Iterator[Ranked]:
    """Log p(proactive) among the behaviour tokens at the end of the prompt; without behaviour tokens the flag margin
    after the errand: log p(a concern begins) - log p(the turn ends)."""
    label = encoder.end[0]
    for start in range(0, len(pairs), 8):
        some = pairs[start : start + 8]
        examples = [
            Example(f"{i}", f"{i // 2}", _scored_prompt(encoder, scene), label, ())
            for i, scene in enumerate(scene for pair in some for scene in pair.scenes)
        ]
        scores: list[float] = []
        for batch in tree_batches(examples, max_tokens=max_tokens, behavior_weight=1.0):
            scores += _scores(backbone, encoder, batch).tolist()
        threshold = 0.0 if encoder.vocabulary is None else float(torch.tensor(0.5).log())
        for pair, problem, calm in zip(some, scores[::2], scores[1::2], strict=True):
            yield Ranked(pair, problem, calm, threshold)


def _scored_prompt(encoder: PairEncoder, scene: Scene) -> Ids:
    prompt = encoder.prompt(scene)
    return prompt if encoder.vocabulary is not None else prompt + encoder.encode(scene.errand)


@torch.inference_mode()
def _scores(backbone: Backbone, encoder: PairEncoder, batch: Batch) -> Tensor:
    """`(E,)` scores of a batch's examples, in their order."""
    assert batch.tree is not None
    logits = backbone.logits(backbone.label_states(batch)).float()
    if encoder.vocabulary is None:
        score = logits[:, encoder.openers].logsumexp(-1) - logits[:, encoder.end[0]]
    else:
        behaviors = logits[:, list(encoder.vocabulary.ids)].log_softmax(-1)
        score = behaviors[:, encoder.vocabulary.ids.index(encoder.vocabulary.id_of("proactive"))]
    ends = torch.tensor([int(path[-1]) for path in batch.tree.paths])
    return score[torch.searchsorted(batch.positions, ends)]
