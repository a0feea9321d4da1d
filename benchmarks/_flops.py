"""How much arithmetic a training step needs.

Necessary floating-point operations of one step, with frozen base weights and LoRA on every linear layer, over the
`N` distinct tokens of the prefix tree (a token that several examples share is counted once):

    frozen layers   2 P N forward, 2 P N backward (gradients of activations; none of weights)
    LoRA            2 A N forward, 4 A N backward (gradients of activations and of weights)
    attention       4 H D S forward, 8 H D S backward, for S query-key pairs (a token, its ancestors and itself)
    output layer    2 V E L forward, 2 V E L backward, at the L labelled positions only

with P the weights of the layers' linear maps, A those of the adapters, H heads of size D in each of the layers,
V the vocabulary and E the width. Norms, activations, rotary embeddings, softmax and the optimiser are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from bsft.data.batches import tree_batch
from bsft.data.render import Example


def necessary_flops(weights: str, examples: Sequence[Example], lora_rank: int) -> float:
    """Floating-point operations that one training step on these examples needs."""
    config = AutoConfig.from_pretrained(weights).get_text_config()
    with torch.device("meta"):
        causal = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    linear = [m for m in causal.base_model.modules() if isinstance(m, nn.Linear)]
    frozen = sum(m.in_features * m.out_features for m in linear)
    adapters = sum(lora_rank * (m.in_features + m.out_features) for m in linear)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention_width: int = config.num_hidden_layers * config.num_attention_heads * head_size
    batch = tree_batch(examples, behavior_weight=1.0)
    n_tokens = batch.input_ids.shape[1]
    n_pairs = int((batch.position_ids + 1).sum())
    n_labels = len(set(batch.positions.tolist()))
    flops: float = (
        (4.0 * frozen + 6.0 * adapters) * n_tokens
        + 12.0 * attention_width * n_pairs
        + 4.0 * config.vocab_size * config.hidden_size * n_labels
    )
    return flops
