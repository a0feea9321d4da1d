"""Trained token rows at the cost of three rows.

PEFT's `trainable_token_indices` merges the trained rows into the whole embedding matrix on every call, its backward
makes the gradient of that whole matrix, and it leaves out an output layer's bias. Here the frozen matrices are used as
they are, and only the rows' own share is computed; the parameters, and so what is saved, stay PEFT's.
"""

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

TOKEN_ROWS = "trainable_tokens_delta"
"""What PEFT calls the parameter that holds the rows."""


class TokenRows:
    """The trained rows of one model's input embeddings and output layer; the model itself reads them from here."""

    def __init__(self, causal: PreTrainedModel, ids: tuple[int, ...]) -> None:
        """For a model that PEFT adapted with `trainable_token_indices=ids` (tied or untied).

        Raises:
            ValueError: PEFT has not wrapped one embedding and one output layer.
        """
        wrapped: list[Any] = [m for m in causal.modules() if isinstance(m, TrainableTokensWrapper)]
        embeddings = [m for m in wrapped if isinstance(m.original_module, nn.Embedding)]
        heads = [m for m in wrapped if isinstance(m.original_module, nn.Linear)]
        if len(embeddings) != 1 or len(heads) != 1:
            raise ValueError(f"expected one wrapped embedding and one wrapped head, found {len(wrapped)} in all")
        self._embedding, self._head = embeddings[0], heads[0]
        self._ids = ids
        self._embedding.forward = self._embed
        self._head.forward = self._logits

    def _embed(self, input_ids: Tensor) -> Tensor:
        """`(B, T)` ids -> `(B, T, H)`."""
        embedding = cast(nn.Embedding, self._embedding.original_module)
        states: Tensor = embedding(input_ids).detach()
        for row, token_id in zip(self._embedded_rows(embedding), self._ids, strict=True):
            at = (input_ids == token_id).nonzero(as_tuple=True)
            if len(at[0]):
                states = states.index_put(at, row.to(states.dtype).expand(len(at[0]), -1))
        return states

    def _embedded_rows(self, embedding: nn.Embedding) -> Tensor:
        """The rows as the embedding returns them, which may scale them."""
        rows = self._rows(self._embedding)
        of_rows = copy.copy(embedding)
        of_rows._parameters = {**embedding._parameters, "weight": cast(nn.Parameter, rows.to(embedding.weight.dtype))}
        of_rows.padding_idx = None
        return cast(Tensor, of_rows(torch.arange(len(self._ids), device=rows.device)))

    def _logits(self, hidden: Tensor) -> Tensor:
        """`(..., H)` -> `(..., V)`."""
        head = cast(nn.Linear, self._head.original_module)
        index = torch.tensor(self._ids, device=hidden.device)
        frozen = F.linear(hidden, head.weight.detach(), head.bias)
        own = F.linear(hidden, self._rows(self._head).to(hidden.dtype))
        if head.bias is not None:
            own = own + head.bias[index]
        return frozen.index_copy(-1, index, own.to(frozen.dtype))

    @staticmethod
    def _rows(wrapper: TrainableTokensWrapper) -> Tensor:
        """`(number of rows, H)`; for tied models the head's adapter shares the embedding's parameter."""
        adapter = wrapper.token_adapter
        return cast(Tensor, adapter.trainable_tokens_delta[adapter.active_adapters[0]])
