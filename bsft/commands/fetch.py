"""`bsft fetch`: fills the cache of model weights ahead of a run, so that jobs find them there."""

from collections.abc import Sequence
from pathlib import Path

from bsft.commands.options import planned
from bsft.config import ModelConfig
from bsft.display.console import SafeConsole
from bsft.model.content import SETTINGS, TOKENIZER
from bsft.records.errors import BadInput

HUB_FILES = ["*.safetensors", "*.safetensors.index.json", *SETTINGS, *TOKENIZER, "LICENSE*"]


def fetch(*overrides: str) -> int:
    """Fills the cache of model weights ahead of a run, so that jobs find them there.

    Packaged weights are converted once; weights from the hub are downloaded (safetensors and tokenizer only).

    Args:
        overrides: model=OPTION, or several, model=A,B; further settings of the model may follow, model.revision=...

    Raises:
        BadInput, ConfigError: unknown option or key, or the weights cannot be had.
    """
    console = SafeConsole(soft_wrap=True)
    for model in models_of(overrides):
        path = fetched(model)
        if path is None:
            console.print(f"{model.name}: nothing to fetch (model.source={model.source})")
        else:
            console.print(f"{model.name}: {path}\n  licence: {model.terms or 'see the model card'}")
    return 0


def models_of(overrides: Sequence[str]) -> list[ModelConfig]:
    """The models that a command line means, composed and checked as for a job."""
    keys = [override.partition("=")[0] for override in overrides]
    for key, override in zip(keys, overrides, strict=True):
        if key != "model" and not key.startswith("model."):
            raise BadInput(f"{override}: allowed are model=OPTION and model.KEY=VALUE")
    if "model" not in keys:
        raise BadInput("say which model: model=OPTION")
    return [job.model for job in planned(overrides, multirun=True)]


def fetched(model: ModelConfig) -> Path | None:
    """Puts a model's weights into the cache and says where they are; None when there is nothing to fetch.

    Raises:
        BadInput: the package is not installed, or the hub does not give the files.
    """
    if model.source == "packaged":
        from bsft.model.weights import converted

        SafeConsole(stderr=True, soft_wrap=True).print(
            f"{model.name}: looking in the cache; a first conversion takes about a minute"
        )
        return converted(model)
    if model.source == "hub":
        return _snapshot(model)
    return None


def _snapshot(model: ModelConfig) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    assert model.id is not None
    patterns = [*HUB_FILES, "*.py"] if model.trust_remote_code else HUB_FILES
    where = f"model={model.name}: {model.id}"
    try:
        return Path(snapshot_download(model.id, revision=model.revision, allow_patterns=patterns))
    except GatedRepoError:
        raise BadInput(
            f"{where} asks for consent: accept its terms on the hub, then log in with `hf auth login`"
        ) from None
    except RepositoryNotFoundError:
        raise BadInput(f"{where}: the hub has no such model, or it is private: log in with `hf auth login`") from None
    except LocalEntryNotFoundError:
        raise BadInput(f"{where}: the hub cannot be reached from here, and the cache does not have the model") from None
    except Exception as error:  # of the hub's client or of the HTTP library under it, which differs between versions
        raise BadInput(f"{where}: {' '.join(str(error).split()) or type(error).__name__}") from None
