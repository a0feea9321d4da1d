"""Where a causal LM keeps its decoder, its layers and its vocabulary: found in the model, not guessed from names."""

from __future__ import annotations

from typing import cast

from torch import nn
from transformers import PreTrainedModel


def decoder_of(causal: PreTrainedModel) -> nn.Module:
    """The part of a causal LM that makes hidden states of ids.

    Raises:
        ValueError: there is no such part.
    """
    if causal.base_model is not causal:
        return causal.base_model
    inner = [child for child in causal.children() if isinstance(child, PreTrainedModel)]
    if len(inner) != 1:
        raise ValueError(f"{type(causal).__name__} has no part that makes hidden states alone")
    return inner[0]


def decoder_layers(causal: PreTrainedModel) -> nn.ModuleList:
    """The decoder's layers, whatever their name; none where it keeps them otherwise than in one list."""
    n_layers = getattr(causal.config.get_text_config(), "num_hidden_layers", None)
    lists = (m for m in causal.modules() if isinstance(m, nn.ModuleList) and len(m) == n_layers)
    return next(lists, nn.ModuleList())


def embedding_of(causal: PreTrainedModel) -> nn.Embedding:
    return cast(nn.Embedding, causal.get_input_embeddings())


def head_of(causal: PreTrainedModel) -> nn.Linear | None:
    """The output layer; None where the model has none of its own."""
    return cast("nn.Linear | None", causal.get_output_embeddings())  # type: ignore[no-untyped-call]


def is_tied(causal: PreTrainedModel) -> bool:
    """Whether the output layer's matrix is the input embeddings'."""
    head = head_of(causal)
    return head is not None and head.weight is embedding_of(causal).weight


def name_of(part: nn.Module, whole: nn.Module) -> str:
    """The dotted name of a part.

    Raises:
        ValueError: it is not in it.
    """
    for name, module in whole.named_modules():
        if module is part:
            return cast(str, name)
    raise ValueError(f"{type(whole).__name__} has no such part")
