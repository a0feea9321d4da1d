"""Mixed precision: products in bf16, everything between them in float32.

Each layer adds to what the layers below have made. Were that sum bf16, each layer would round it twice, by about as
much as scenes differ that differ in one word. So embeddings, norms and the output layer are held in float32: embeddings
start the sum in float32, promotion keeps every addition there, and autocast rounds what products read. PEFT does the
same with quantised models (`prepare_model_for_kbit_training`).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from bsft.model.parts import head_of


def narrow_layers(causal: PreTrainedModel) -> None:
    """Casts the matrices of a frozen model's layers to bf16, and all else (embeddings, output layer, norms, biases) to
    float32."""
    whole = [*(m for m in causal.modules() if isinstance(m, nn.Embedding)), *filter(None, [head_of(causal)])]
    wide = {id(parameter) for module in whole for parameter in module.parameters()}
    for parameter in causal.parameters():
        is_wide = parameter.dim() < 2 or id(parameter) in wide
        parameter.data = parameter.data.to(torch.float32 if is_wide else torch.bfloat16)


def keep_logits_float32(causal: PreTrainedModel) -> None:
    """Lets the output layer compute in float32 under autocast too, so that no two logits are rounded to one."""
    head = head_of(causal)
    if head is not None:
        head.forward = partial(_float32_forward, head.forward)  # type: ignore[method-assign]


def _float32_forward(forward: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
    """`(..., H)` -> `(..., V)`."""
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())
