"""What the model says when it may say anything: greedy replies, matched to the options.

Scored second: likelihood and generation disagree for chat models on many items (arXiv 2402.14499), so the agreement is
reported. A reply that resembles no option is unparsed, which counts as wrong and adds no class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, cast

import torch
from torch import Tensor

from bsft.data.render import Candidates
from bsft.model.backbone import Backbone
from bsft.records.schema import Item
from bsft.scoring.choices import Context
from bsft.scoring.metrics import Response
from bsft.scoring.result import Generation

MIN_SIMILARITY = 0.5
"""Share of matching words (ratio of difflib) below which a reply is unparsed."""


@dataclass(frozen=True)
class Generated(Response):
    """A reply without special tokens, and the option that it matches."""

    text: str


def generate(
    backbone: Backbone,
    candidates: Sequence[Candidates],
    contexts: Sequence[Context],
    *,
    max_new_tokens: int,
    end_of_turn: str,
    on_progress: Callable[[int], None] = lambda n: None,
) -> list[Generated]:
    """Greedy replies, one item at a time.

    Args:
        contexts: for each item, the behaviour token that is put before the reply, or None.
        end_of_turn: the token that ends a reply.
    """
    tokenizer = backbone.tokenizer
    device = next(backbone.causal.parameters()).device
    end = cast(int, tokenizer.convert_tokens_to_ids(end_of_turn))
    replies: list[Generated] = []
    with backbone.reading("flat"), backbone.products(), torch.inference_mode():
        for candidate, context in zip(candidates, contexts, strict=True):
            token = () if context is None or backbone.vocabulary is None else backbone.vocabulary.ids_of(context)
            prompt = torch.tensor([candidate.prompt_ids + token], device=device)
            output: Tensor = cast(Any, backbone.causal).generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                eos_token_id=end,
                pad_token_id=end,  # of one sequence at a time nothing is padded
            )
            said = [i for i in output[0, prompt.shape[1] :].tolist() if i != end]  # it need not be a special one
            text = cast(str, tokenizer.decode(said, skip_special_tokens=True)).strip()
            replies.append(Generated(candidate.item, match(text, candidate.item), text))
            on_progress(1)
    return replies


def match(text: str, item: Item) -> int | None:
    """The option that a reply resembles most, word by word; None when none is near enough."""
    said = text.lower().split()
    similarity = [SequenceMatcher(None, said, option.text.lower().split()).ratio() for option in item.options]
    best = max(range(len(similarity)), key=lambda i: similarity[i])
    return best if similarity[best] >= MIN_SIMILARITY else None


def generation_metrics(replies: Sequence[Generated], chosen: Sequence[int | None]) -> Generation | None:
    """Also their agreement with the options that likelihood chose; None without replies."""
    if not replies:
        return None
    n = len(replies)
    return Generation(
        n=n,
        unparsed_rate=sum(r.chosen is None for r in replies) / n,
        accuracy=sum(r.correct for r in replies) / n,
        agreement=sum(r.chosen == c for r, c in zip(replies, chosen, strict=True)) / n,
    )
