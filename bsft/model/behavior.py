"""First values of the behaviour tokens' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bsft.records.schema import BEHAVIORS, Behavior

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DESCRIPTIONS: dict[Behavior, str] = {
    "reactive": "answer only the question that was asked, briefly",
    "balanced": "answer the question and add what is useful, suggest advise",
    "proactive": "warning: speak up unasked about a problem, error, risk, alert",
}
"""Words whose mean embedding a token starts from (`method.behavior.init=description`)."""


def initial_rows(embeddings: Tensor, tokenizer: PreTrainedTokenizerBase, init: str, n_known: int) -> Tensor:
    """First values of the three tokens' rows.

    Args:
        embeddings: `(V, H)`, the matrix the rows belong to.
        init: `description` (mean of the rows of describing words), `mean` (mean of all rows) or `random` (a normal
            with the rows' own mean and standard deviation).
        n_known: rows below it belong to the model's own vocabulary.

    Returns:
        `(3, H)` in the embeddings' dtype.
    """
    known = embeddings[:n_known].float()
    if init == "mean":
        return known.mean(0).expand(len(BEHAVIORS), -1).to(embeddings.dtype)
    if init == "random":
        noise = torch.randn(len(BEHAVIORS), known.shape[1], device=known.device)
        return (known.mean(0) + known.std(0) * noise).to(embeddings.dtype)
    rows = [known[tokenizer.encode(DESCRIPTIONS[name], add_special_tokens=False)].mean(0) for name in BEHAVIORS]
    return torch.stack(rows).to(embeddings.dtype)
