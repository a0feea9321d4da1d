"""Models that come with a PEFT adapter of their own, which transformers puts on them when it loads them."""

from __future__ import annotations

from pathlib import Path

from bsft.config import ModelConfig
from bsft.records.errors import BadInput

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def has_own_adapter(model: ModelConfig) -> bool:
    """Whether a local model is one of these; of the hub's, this is seen when they are loaded."""
    return model.source == "local" and (Path(str(model.path)) / ADAPTER_CONFIG).is_file()


def check_own_adapter(model: ModelConfig, *, fitted: bool) -> None:
    """
    Args:
        model: one with an adapter of its own.
        fitted: whether the job fine-tunes it.

    Raises:
        BadInput: fitting would replace the adapter, or its base model lies elsewhere and could change.
    """
    merge = "merge the two with merge_and_unload() and save_pretrained()"
    if model.source == "hub":
        raise BadInput(
            f"model={model.name}: {model.id} is a PEFT adapter, whose base model is on a branch that may move; "
            f"{merge}, and give the result as model.source=local"
        )
    if not (Path(str(model.path)) / "config.json").exists():
        raise BadInput(f"model.path={model.path}: a PEFT adapter without its base model; {merge}, and give the result")
    if fitted:
        raise BadInput(
            f"model.path={model.path}: fine-tuning would replace the PEFT adapter in it; {merge}, or choose a method "
            "that is not fitted"
        )
