"""A model's tokenizer and the place that it and the weights are read from."""

from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from bsft.config import ModelConfig
from bsft.data.chat_format import ChatFormat
from bsft.model.content import commit_of
from bsft.model.tiny import tiny_tokenizer
from bsft.model.weights import converted
from bsft.records.errors import BadInput, reason_of


def place_of(model: ModelConfig) -> str | Path | None:
    """A hub id or a directory; None for random models. Packaged weights are converted on first use."""
    if model.source == "random":
        return None
    return {"hub": model.id, "local": model.path}.get(model.source) or converted(model)


def hub_options(model: ModelConfig) -> dict[str, Any]:
    """What every `from_pretrained` of this model is told; of the hub's, the commit that the job's identity names.

    Raises:
        BadInput: the commit cannot be known.
    """
    revision = {"revision": commit_of(model)} if model.source == "hub" else {}
    return {"trust_remote_code": model.trust_remote_code, **revision}


def load_tokenizer(model: ModelConfig, place: str | Path | None) -> PreTrainedTokenizerBase:
    """A tokenizer from `place_of(model)`, with the chat template that its conversations are written with: its own, or
    `model.chat_template`.

    Raises:
        BadInput: it cannot be loaded, or has no chat template.
    """
    if place is None:
        return tiny_tokenizer()  # which writes ChatML anyway
    try:
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(place, **hub_options(model)))
    except Exception as error:  # whatever transformers and tokenizers raise for files that are damaged
        raise not_loaded(model, place, error) from error
    try:
        tokenizer.chat_template = ChatFormat.of(tokenizer, override=model.chat_template).template
    except BadInput as error:
        raise BadInput(f"model={model.name}: {error}") from None
    return tokenizer


def not_loaded(model: ModelConfig, place: str | Path, error: Exception) -> BadInput:
    """The sentence for an error of `from_pretrained`."""
    return BadInput(f"model={model.name}: {place} could not be loaded from the {model.source}: {reason_of(error)}")
