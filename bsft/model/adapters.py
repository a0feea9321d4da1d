"""What a method adds to a model: behaviour tokens, with the first values of their rows, and LoRA adapters."""

from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from bsft import config as cfg
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.model.parts import decoder_layers, decoder_of, embedding_of, head_of, is_tied, name_of
from bsft.model.token_rows import TokenRows
from bsft.records.errors import BadInput, reason_of
from bsft.records.schema import BEHAVIORS, Behavior

DESCRIPTIONS: dict[Behavior, str] = {
    "reactive": "answer only the question that was asked, briefly",
    "balanced": "answer the question and add what is useful, suggest advise",
    "proactive": "warning: speak up unasked about a problem, error, risk, alert",
}
"""Words whose mean embedding a token starts from (`method.behavior.init=description`)."""


def add_behavior_tokens(
    causal: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, behavior: cfg.BehaviorConfig
) -> BehaviorVocabulary:
    """Adds the tokens to tokenizer and model, with their first rows.

    Raises:
        BadInput: the model has no output layer of its own.
    """
    if head_of(causal) is None:
        raise BadInput(f"{type(causal).__name__} has no output layer that behaviour tokens could be added to")
    n_known = len(tokenizer)
    vocabulary = BehaviorVocabulary.add_to(tokenizer)
    if max(vocabulary.ids) >= embedding_of(causal).num_embeddings:
        causal.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    matrices = [embedding_of(causal).weight]
    if not is_tied(causal):
        matrices.append(cast(nn.Linear, head_of(causal)).weight)
    with torch.no_grad():
        for matrix in matrices:
            matrix[list(vocabulary.ids)] = initial_rows(matrix, tokenizer, behavior.init, n_known)
    return vocabulary


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


def adapt(
    causal: PreTrainedModel, sft: cfg.SftConfig, vocabulary: BehaviorVocabulary | None, first_layer: int
) -> PeftModel:
    """Puts LoRA adapters into a model, from `first_layer` on, and the tokens' trained rows.

    Raises:
        BadInput: the model has too few layers, or PEFT cannot adapt it so.
    """
    if sft.tuning == "qlora":
        causal = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            causal, use_gradient_checkpointing=sft.gradient_checkpointing
        )
    targets = "all-linear" if sft.lora.targets == ["all-linear"] else list(sft.lora.targets)
    n_layers = len(decoder_layers(causal))
    if first_layer and first_layer >= n_layers:
        raise BadInput(f"trainer.fit.first_layer={first_layer}: must be below the model's {n_layers} known layers")
    if first_layer and targets == "all-linear":
        # PEFT chooses layers only among targets that are named
        linear = (nn.Linear, Conv1D)
        names = (name for name, module in decoder_of(causal).named_modules() if isinstance(module, linear))
        targets = sorted({name.rpartition(".")[2] for name in names})
    peft_config = LoraConfig(
        task_type="CAUSAL_LM",
        r=sft.lora.rank,
        lora_alpha=sft.lora.alpha,  # type: ignore[arg-type]  # PEFT only divides it by the rank
        lora_dropout=sft.lora.dropout,
        target_modules=targets,
        layers_to_transform=list(range(first_layer, n_layers)) if first_layer else None,
        trainable_token_indices=None if vocabulary is None else _trained_rows(causal, vocabulary.ids),
    )
    try:
        adapted = cast(PeftModel, get_peft_model(causal, peft_config, autocast_adapter_dtype=True))
    except ValueError as error:
        what = f"PEFT cannot adapt {type(causal).__name__}: {reason_of(error)}"
        raise BadInput(f"{what}; name other layers in method.lora.targets") from error
    if vocabulary is not None:
        TokenRows(causal, vocabulary.ids)
    return adapted


def _trained_rows(causal: PreTrainedModel, ids: tuple[int, ...]) -> Any:
    """PEFT's `trainable_token_indices`: on untied models the output rows would otherwise keep their first values."""
    if is_tied(causal):
        return list(ids)
    parts = embedding_of(causal), cast(nn.Linear, head_of(causal))
    return {name_of(part, causal): list(ids) for part in parts}
