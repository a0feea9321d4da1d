"""The causal LM under every method: loaded from a hub, a directory, a package or made at random; with behaviour tokens
and adapters where the method asks for them.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from bsft import config as cfg
from bsft.bench.store import BadInput
from bsft.methods import Method
from bsft.model import attention
from bsft.model.behavior import BehaviorVocabulary, initial_rows
from bsft.model.frozen_layers import FrozenLayers, decoder_layers
from bsft.model.fused_lora import fuse
from bsft.model.fused_norm import fuse_norms
from bsft.model.last_mlp import LastMlp
from bsft.model.tiny import tiny_model
from bsft.model.token_rows import TokenRows
from bsft.model.tokenizer import hub_options, load_tokenizer, not_loaded, place_of
from bsft.records.untrusted import read_json

log = logging.getLogger(__name__)
VOCABULARY = "behavior_vocabulary.json"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass
class Backbone:
    """A causal LM with its tokenizer and, for methods that have them, its behaviour tokens.

    `causal` is the transformers model itself; adapters, if any, are inside it and `adapted` is their owner.
    """

    causal: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    vocabulary: BehaviorVocabulary | None
    adapted: PeftModel | None = None

    @property
    def module(self) -> nn.Module:
        return self.adapted if self.adapted is not None else self.causal

    @cached_property
    def _token_rows(self) -> TokenRows | None:
        if self.adapted is None or self.vocabulary is None:
            return None
        return TokenRows(self.causal, self.vocabulary.ids)

    @cached_property
    def _frozen_layers(self) -> FrozenLayers | None:
        if self.vocabulary is None or self.causal.is_gradient_checkpointing or not decoder_layers(self.causal):
            return None
        frozen = FrozenLayers(self.causal, self.vocabulary.ids)
        return frozen if frozen.n_frozen else None

    @cached_property
    def _last_mlp(self) -> LastMlp | None:
        layers = decoder_layers(self.causal)
        mlp = getattr(layers[-1], "mlp", None) if layers else None
        # mixtures of experts return more than states
        return LastMlp(mlp) if isinstance(mlp, nn.Module) and type(mlp).__name__.endswith("MLP") else None

    @property
    def _head(self) -> nn.Linear:
        return cast(nn.Linear, self.causal.get_output_embeddings())  # type: ignore[no-untyped-call]

    @property
    def vocabulary_size(self) -> int:
        """Rows of the output layer."""
        return int(self._head.weight.shape[0])

    @property
    def supports_trees(self) -> bool:
        return bool(getattr(self.causal, "_supports_attention_backend", False))

    def use_attention(self, name: str) -> None:
        if name == attention.NAME:
            attention.register()
        self.causal.set_attn_implementation(name)

    def hidden_states(self, input_ids: Tensor, *, read_at: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Last hidden states `(B, T, H)`; the output layer is not computed.

        Args:
            read_at: `(n,)` indices into the flattened `B * T` tokens; only there the result may be read.
        """
        # gradient checkpointing would compute the rest again
        if read_at is None or self.causal.is_gradient_checkpointing or self._last_mlp is None:
            return self._hidden_states(input_ids, **kwargs)
        with self._last_mlp.only_at(read_at):
            return self._hidden_states(input_ids, **kwargs)

    def _hidden_states(self, input_ids: Tensor, **kwargs: Any) -> Tensor:
        rows = self._token_rows
        tokens = {"input_ids": input_ids} if rows is None else {"inputs_embeds": rows.embed(input_ids)}
        if torch.is_grad_enabled() and self._frozen_layers is not None and "tree" in kwargs:
            return self._frozen_layers.hidden_states(tokens["inputs_embeds"], kwargs["position_ids"], kwargs["tree"])
        outputs = self.causal.base_model(**tokens, **kwargs)
        return cast(Tensor, outputs.last_hidden_state)

    def logits(self, hidden: Tensor) -> Tensor:
        """`(..., H)` -> `(..., V)`."""
        rows = self._token_rows
        out: Tensor = self._head(hidden) if rows is None else rows.logits(hidden)
        softcap = getattr(self.causal.config, "final_logit_softcapping", None)
        return out if softcap is None else torch.tanh(out / softcap) * softcap

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    def save_adapter(self, directory: Path, state: dict[str, Tensor] | None = None) -> None:
        """PEFT's format (or the whole model without adapters), the tokenizer and the behaviour vocabulary.

        Args:
            state: what was trained, where the module itself holds only shards of it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        if self.adapted is not None:
            # "auto" would write both full embedding matrices after a resize
            self.adapted.save_pretrained(str(directory), save_embedding_layers=False, state_dict=state)
        else:
            self.causal.save_pretrained(directory, state_dict=state)
        self.tokenizer.save_pretrained(directory)
        if self.vocabulary is not None:
            (directory / VOCABULARY).write_text(json.dumps(self.vocabulary.as_dict(), indent=2), encoding="utf-8")

    def load_adapter(self, directory: Path) -> None:
        """Loads what `save_adapter` wrote into this backbone.

        Raises:
            BadInput: nothing there, a damaged file, another behaviour vocabulary, or weights that do not fit.
        """
        if self.vocabulary is not None:
            file = directory / VOCABULARY
            if not file.exists():
                raise BadInput(f"{file}: no such file; the adapter was made without behaviour tokens")
            self.vocabulary.check_same(read_json(file), str(file))
        loaded: Any  # torch's named tuple, which PEFT's annotation hides
        if self.adapted is not None:
            loaded = set_peft_model_state_dict(self.adapted, _read_weights(directory, "adapter_model.safetensors"))
        else:
            loaded = self.causal.load_state_dict(_read_weights(directory, "model*.safetensors"), strict=False)
        if loaded.unexpected_keys:
            raise BadInput(f"{directory}: unexpected weights {', '.join(loaded.unexpected_keys[:3])}")
        if missing := sorted(self.trainable().keys() & set(loaded.missing_keys)):
            raise BadInput(f"{directory}: {len(missing)} trainable parameters are missing, first {missing[0]}")


def _read_weights(directory: Path, pattern: str) -> dict[str, Tensor]:
    files = sorted(directory.glob(pattern))
    if not files:
        raise BadInput(f"{directory}: no {pattern} file")
    weights: dict[str, Tensor] = {}
    for file in files:
        try:
            weights |= load_file(file)
        except SafetensorError as error:
            raise BadInput(f"{file}: damaged ({error})") from None
    return weights


def load_backbone(
    model: cfg.ModelConfig, method: Method, *, precision: str = "32-true", first_layer: int = 0, seed: int = 0
) -> Backbone:
    """Loads a model and prepares it for a method.

    Args:
        precision: Lightning's name; with `bf16-mixed` a frozen base is held in bf16, adapters stay in fp32.
        first_layer: the first layer that gets adapters.
        seed: seeds what is random at the start (adapters, random rows).

    Raises:
        BadInput: the weights cannot be had or do not fit the tokenizer.
    """
    lora = method.sft is not None and method.sft.tuning in ("lora", "qlora")
    dtype = _DTYPES[model.dtype]
    if precision == "bf16-mixed" and (lora or not method.needs_fit):
        dtype = torch.bfloat16
    causal, tokenizer = _load(model, dtype, quantized=method.sft is not None and method.sft.tuning == "qlora")
    torch.manual_seed(seed)
    vocabulary = None
    if method.behavior is not None:
        vocabulary = _add_behavior_tokens(causal, tokenizer, method.behavior)
    backbone = Backbone(causal, tokenizer, vocabulary)
    if method.sft is None:
        causal.requires_grad_(False)
    elif lora:
        # again, because new rows took random numbers: methods with and without them start from the same adapters
        torch.manual_seed(seed)
        backbone.adapted = _adapt(causal, method.sft, vocabulary, first_layer)
    if method.sft is not None and method.sft.gradient_checkpointing:
        causal.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[no-untyped-call]
    return backbone


def _load(
    model: cfg.ModelConfig, dtype: torch.dtype, *, quantized: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    place = place_of(model)
    tokenizer = load_tokenizer(model, place)
    if place is None:
        return tiny_model(cast(str, model.id), dtype=dtype), tokenizer
    options = hub_options(model)
    if quantized:
        options["quantization_config"] = _four_bit()
    try:
        causal = AutoModelForCausalLM.from_pretrained(
            place, dtype=dtype, use_safetensors=True, attn_implementation=model.attention, **options
        )
    except (OSError, ValueError) as error:
        raise not_loaded(model, place, error) from error
    return causal, tokenizer


def _four_bit() -> Any:
    if not torch.cuda.is_available():
        raise BadInput("method.tuning=qlora needs a CUDA device, and none is visible; use method.tuning=lora")
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise BadInput("method.tuning=qlora needs bitsandbytes: pip install 'bsft[qlora]'") from None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _add_behavior_tokens(
    causal: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, behavior: cfg.BehaviorConfig
) -> BehaviorVocabulary:
    n_known = len(tokenizer)
    vocabulary = BehaviorVocabulary.add_to(tokenizer)
    if max(vocabulary.ids) >= cast(nn.Embedding, causal.get_input_embeddings()).num_embeddings:
        causal.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    matrices = [cast(nn.Embedding, causal.get_input_embeddings()).weight]
    if not causal.config.get_text_config().tie_word_embeddings:
        head = causal.get_output_embeddings()  # type: ignore[no-untyped-call]
        matrices.append(cast(nn.Linear, head).weight)
    with torch.no_grad():
        for matrix in matrices:
            matrix[list(vocabulary.ids)] = initial_rows(matrix, tokenizer, behavior.init, n_known)
    return vocabulary


def _adapt(
    causal: PreTrainedModel, sft: cfg.SftConfig, vocabulary: BehaviorVocabulary | None, first_layer: int
) -> PeftModel:
    if sft.tuning == "qlora":
        causal = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            causal, use_gradient_checkpointing=sft.gradient_checkpointing
        )
    targets: str | list[str] = list(sft.lora.targets)
    if targets == ["all-linear"]:
        targets = "all-linear"
    rows: Any = None
    if vocabulary is not None:
        rows = list(vocabulary.ids)
        if not causal.config.get_text_config().tie_word_embeddings:
            # on untied models the output rows would otherwise keep their first values
            rows = {"embed_tokens": rows, "lm_head": rows}
    n_layers = len(decoder_layers(causal))
    if first_layer and first_layer >= n_layers:
        raise BadInput(f"trainer.fit.first_layer={first_layer}: must be below the model's {n_layers} known layers")
    if first_layer and targets == "all-linear":
        # PEFT chooses layers only among targets that are named
        names = (name for name, module in causal.base_model.named_modules() if isinstance(module, nn.Linear))
        targets = sorted({name.rpartition(".")[2] for name in names})
    peft_config = LoraConfig(
        task_type="CAUSAL_LM",
        r=sft.lora.rank,
        lora_alpha=sft.lora.alpha,  # type: ignore[arg-type]  # PEFT only divides it by the rank
        lora_dropout=sft.lora.dropout,
        target_modules=targets,
        layers_to_transform=list(range(first_layer, n_layers)) if first_layer else None,
        trainable_token_indices=rows,
    )
    adapted = cast(PeftModel, get_peft_model(causal, peft_config, autocast_adapter_dtype=True))
    fuse(adapted)
    fuse_norms(adapted)
    return adapted
