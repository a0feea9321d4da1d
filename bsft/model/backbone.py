"""The causal LM under every method: loaded from a hub, a directory, a package or made at random; with behaviour tokens
and adapters where the method asks for them.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from bsft import config as cfg
from bsft.data.batches import Batch
from bsft.data.methods import Method
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.model import fast
from bsft.model.adapters import adapt, add_behavior_tokens
from bsft.model.attention import NAME, TreeLayout, register
from bsft.model.content import check_own_adapter
from bsft.model.detector import Detector
from bsft.model.parts import decoder_layers, decoder_of, embedding_of, head_of, logits_of
from bsft.model.precision import keep_logits_float32, narrow_layers
from bsft.model.road_trial import Road
from bsft.model.self_check import choose_road
from bsft.model.tiny import tiny_model
from bsft.model.tokenizer import hub_options, load_tokenizer, not_loaded, place_of
from bsft.records.errors import BadInput, reason_of
from bsft.records.untrusted import read_json

log = logging.getLogger(__name__)
VOCABULARY = "behavior_vocabulary.json"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass
class Backbone:
    """A causal LM with its tokenizer and, for methods that have them, its behaviour tokens.

    `causal` is the transformers model itself; adapters, if any, are inside it and `adapted` is their owner. `road` is
    the way that it is read; `attention` and `tree_attention` are the attention of sequences and of trees. `is_mixed`
    says that products are bf16 (`precision.py`). `detector` says which behaviour is due, where a method has one.
    """

    causal: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    vocabulary: BehaviorVocabulary | None
    adapted: PeftModel | None = None
    attention: str = "sdpa"
    tree_attention: str = NAME
    road: Road = field(default_factory=lambda: Road("tree"))
    is_mixed: bool = False
    detector: Detector | None = None

    @property
    def module(self) -> nn.Module:
        return self.adapted if self.adapted is not None else self.causal

    @property
    def vocabulary_size(self) -> int:
        """Rows of the output layer."""
        head = head_of(self.causal)
        return int(head.weight.shape[0] if head is not None else self.causal.config.get_text_config().vocab_size)

    def use_attention(self, name: str) -> None:
        """Reads with another attention from now on.

        Raises:
            BadInput: the architecture has no exchangeable attention.
        """
        if name == NAME:
            register()
        if self.causal.config._attn_implementation == name:
            return
        if not self.causal._can_set_attn_implementation():
            raise BadInput(f"the attention of {type(self.causal).__name__} cannot be exchanged for {name}")
        self.causal.set_attn_implementation(name)

    @contextmanager
    def reading(self, batching: str) -> Iterator[None]:
        """With the attention of trees (`tree`) or of sequences (`flat`), and after it with the one before."""
        before: str = self.causal.config._attn_implementation
        self.use_attention(self.tree_attention if batching == "tree" else self.attention)
        try:
            yield
        finally:
            self.use_attention(before)

    def products(self) -> AbstractContextManager[None]:
        """What a forward pass runs in: bf16 products, if precision is mixed."""
        device = embedding_of(self.causal).weight.device
        return torch.autocast(device.type, torch.bfloat16) if self.is_mixed else nullcontext()

    def hidden_states(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        """Last hidden states `(B, T, H)` of ids `(B, T)`, without the output layer; where the road is not split, logits
        `(B, T, V)`. `logits` takes either."""
        with self.products():
            if not self.road.split:
                return self._whole_logits(input_ids, inputs.get("attention_mask"))
            return self.decode(input_ids, **inputs)

    def decode(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        """The decoder's last hidden states, `(B, T)` -> `(B, T, H)`."""
        return cast(Tensor, decoder_of(self.causal)(input_ids=input_ids, **inputs).last_hidden_state)

    def _whole_logits(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """`(B, T)` ids and mask -> `(B, T, V)`, zero where there is no token."""
        n_tokens = input_ids.shape[1]
        lengths = [n_tokens] * len(input_ids) if attention_mask is None else attention_mask.sum(1).tolist()
        sequences = (row[None, :n] for row, n in zip(input_ids, lengths, strict=True))
        rows = [self.causal(sequence, use_cache=False).logits[0] for sequence in sequences]
        return pad_sequence(rows, batch_first=True)

    def label_states(self, batch: Batch) -> Tensor:
        """The states from which `logits` computes the logits of a batch's labels, `(N, ...)`."""
        if batch.tree is not None:
            inputs: dict[str, Any] = {"position_ids": batch.position_ids, "tree": TreeLayout(batch.tree)}
        else:
            inputs = {"attention_mask": batch.attention_mask}
        states = self.hidden_states(batch.input_ids, use_cache=False, **inputs)
        return states.flatten(0, 1)[batch.positions]

    def logits(self, hidden: Tensor) -> Tensor:
        """What `hidden_states` returned, `(..., H)`, to `(..., V)`."""
        return logits_of(self.causal, hidden) if self.road.split else hidden

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    def save_adapter(self, directory: Path, state: dict[str, Tensor] | None = None) -> None:
        """PEFT's format (or the whole model without adapters), the tokenizer and the behaviour vocabulary.

        `state` is what was trained, where the module itself holds only shards of it.
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
        if self.detector is not None:
            self.detector.save(directory)

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
        self.detector = Detector.load(directory)


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
    model: cfg.ModelConfig,
    method: Method,
    *,
    precision: str = "32-true",
    first_layer: int = 0,
    seed: int = 0,
    batching: str = "tree",
) -> Backbone:
    """Loads a model and prepares it for a method.

    Args:
        precision: `32-true`, or `bf16-mixed` for products in bf16; then the layers of a frozen base are held in bf16.
            A model of `model.dtype=bfloat16` is always read so.
        first_layer: the first layer that gets adapters.
        seed: seeds what is random at the start (adapters, random rows).
        batching: what is wanted, `tree` or `flat`; the backbone's road says what can be had.

    Raises:
        BadInput: the weights cannot be had, do not fit the tokenizer or the method, have an adapter that is in the way,
            or the model is not one that can be read token by token.
    """
    is_quantized = method.sft is not None and method.sft.tuning == "qlora"
    causal, tokenizer = _load(model, _DTYPES[model.dtype], quantized=is_quantized)
    if causal._hf_peft_config_loaded:
        check_own_adapter(model, fitted=method.needs_fit)
    on_trial = partial(_on_trial, tokenizer=tokenizer, method=method, upper=first_layer > 0)
    road = choose_road(model, causal, batching, on_trial)
    is_mixed = precision == "bf16-mixed" or model.dtype == "bfloat16"
    is_frozen = method.sft is None or method.sft.tuning != "full"
    if is_mixed and is_frozen and not is_quantized:
        narrow_layers(causal)
    torch.manual_seed(seed)
    vocabulary = None
    if method.behavior is not None and method.behavior.form == "words":
        vocabulary = BehaviorVocabulary.of_words(tokenizer)
    elif method.behavior is not None:
        vocabulary = add_behavior_tokens(causal, tokenizer, method.behavior)
    # again, because new rows took random numbers: methods with and without them start from the same adapters
    torch.manual_seed(seed)
    backbone = _prepared(causal, tokenizer, vocabulary, method.sft, first_layer, road)
    if is_mixed:
        backbone.is_mixed = True
        keep_logits_float32(causal)
    if method.sft is not None and method.sft.gradient_checkpointing:
        causal.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[no-untyped-call]
    return backbone


def backbone_of(
    loaded: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, model: cfg.ModelConfig
) -> Backbone:
    """A model that somebody else has loaded, with its adapters and behaviour tokens, if any. Nothing of it is replaced.

    Args:
        model: what it would be to a job.

    Raises:
        BadInput: the model is not one that can be read token by token.
    """
    adapted = loaded if isinstance(loaded, PeftModel) else None
    causal = cast(PreTrainedModel, loaded if adapted is None else adapted.get_base_model())

    def on_trial(copied: PreTrainedModel, road: Road, ids: tuple[int, ...]) -> Backbone:
        return _prepared(copied, tokenizer, None, None, 0, road)

    road = choose_road(replace(model, fast=False), causal, "tree", on_trial)
    vocabulary, attention = BehaviorVocabulary.of(tokenizer), causal.config._attn_implementation
    return Backbone(causal, tokenizer, vocabulary, adapted, attention, road=road)


def _prepared(
    causal: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: BehaviorVocabulary | None,
    sft: cfg.SftConfig | None,
    first_layer: int,
    road: Road,
) -> Backbone:
    """A model as a method wants it: frozen, whole, or with adapters."""
    attention_name: str = causal.config._attn_implementation
    adapted = None
    if sft is None:
        causal.requires_grad_(False)
    elif sft.tuning != "full":
        adapted = adapt(causal, sft, None if vocabulary is None or vocabulary.is_words else vocabulary, first_layer)
    backbone = Backbone(causal, tokenizer, vocabulary, adapted, attention_name, road=road)
    fast.install(backbone)
    return backbone


def _on_trial(
    causal: PreTrainedModel,
    road: Road,
    ids: tuple[int, ...],
    *,
    tokenizer: PreTrainedTokenizerBase,
    method: Method,
    upper: bool,
) -> Backbone:
    """A small copy of a model as the method wants it, without quantisation; `ids` stand for the behaviour tokens."""
    sft = method.sft
    if sft is not None and sft.tuning == "qlora":
        sft = replace(sft, tuning="lora")
    has_rows = method.behavior is not None and method.behavior.form == "token"
    vocabulary = BehaviorVocabulary(tuple(map(str, ids)), ids) if has_rows else None
    first_layer = min(int(upper), len(decoder_layers(causal)) - 1)
    return _prepared(causal, tokenizer, vocabulary, sft, max(0, first_layer), road)


def _load(
    model: cfg.ModelConfig, dtype: torch.dtype, *, quantized: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    place = place_of(model)
    tokenizer = load_tokenizer(model, place)
    if place is None:
        causal = tiny_model(cast(str, model.id), dtype=dtype)
        causal.set_attn_implementation(model.attention)
        return causal, tokenizer
    options = hub_options(model)
    if quantized:
        options["quantization_config"] = _four_bit()
    read = partial(AutoModelForCausalLM.from_pretrained, place, dtype=dtype, use_safetensors=True, **options)
    try:
        return read(attn_implementation=model.attention), tokenizer
    except (OSError, ValueError, ImportError) as error:
        if model.attention != "sdpa" or isinstance(error, OSError):
            raise not_loaded(model, place, error) from error
        refused = error
    try:  # the default, which some architectures do not have
        causal = read(attn_implementation="eager")
    except (OSError, ValueError) as error:
        raise not_loaded(model, place, error) from error
    what = "model=%s: model.attention=sdpa is refused, eager is used instead: %s"
    log.warning(what, model.name, reason_of(refused, 200))
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
