"""What the content of a model is: a commit of the hub, as branches move, or the files of a local model that determine
what it computes, those that transformers reads and no others.

Among them may be a PEFT adapter of its own, which transformers puts on a model when it loads it. Imports no torch.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from fnmatch import translate
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, cast

from bsft.config import ModelConfig
from bsft.records.errors import BadInput, reason_of
from bsft.records.files import write_atomically
from bsft.records.hashing import digest, noted, sha256_of
from bsft.records.paths import cache_dir
from bsft.records.untrusted import read_text

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SETTINGS = (CONFIG, "generation_config.json")
TOKENIZER = (
    "tokenizer.json", "tokenizer.*.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "additional_chat_templates/*.jinja",
    "vocab.json", "vocab.txt", "vocab-*.json", "*_vocab.json", "merges.txt", "bpe.codes", "dict.txt",
    "*.model", "tokenizer.model.*", "*.spm", "*.tiktoken", "tekken.json", "prophetnet.tokenizer", "byte_maps.json",
    "emoji.json", "normalizer.json", "word_shape.json", "word_pronunciation.json",
)  # fmt: skip
"""Patterns of all names under which a tokenizer of transformers looks for its files, chat templates among them."""
_COUNTED = re.compile("|".join(translate(pattern) for pattern in (*SETTINGS, *TOKENIZER)))
_COMMIT = re.compile(r"[0-9a-f]{40}")


def model_content(model: ModelConfig) -> str:
    """What stands for a model's weights, settings, tokenizer and chat template; none of them is loaded for it.

    Raises:
        BadInput: a local directory lacks a file, or the commit of a branch cannot be known.
    """
    if model.source == "random":
        return f"random {model.id}"
    if model.source == "packaged":
        return model.gguf_sha256 or f"{model.package}=={model.package_version}"
    if model.source == "hub":
        return f"{model.id}@{commit_of(model)}"
    return sha256_of_model(Path(cast(str, model.path)), remote_code=model.trust_remote_code)


def commit_of(model: ModelConfig) -> str:
    """The commit that `model.revision` means: itself, or what its branch (tag) is known to be.

    A branch is looked up in the cache of the hub's client, then among the answers of earlier commands, then at the hub,
    whose answer is kept: the jobs of a sweep, wherever and whenever they start, load the commit that was planned.

    Raises:
        BadInput: the commit cannot be known here.
    """
    branch = model.revision or "main"
    if _COMMIT.fullmatch(branch):
        return branch
    from huggingface_hub import constants

    hub_id = cast(str, model.id)
    answer = cache_dir() / "commits" / digest(f"{hub_id}@{branch}")[:32]
    for known in (Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}" / "refs" / branch, answer):
        if (commit := noted(known, r"\s*([0-9a-f]{40})\s*")) is not None:
            return commit
    try:
        commit = _asked(hub_id, branch)
    except Exception as error:  # of the hub's client or of the HTTP library under it, which differs between versions
        raise BadInput(
            f"model={model.name}: the commit of {hub_id}, branch {branch}, is neither in the cache nor to be had from "
            f"the hub ({reason_of(error, 160)}); set model.revision=<commit>, 40 hexadecimal digits"
        ) from None
    # without it each process asks again
    with contextlib.suppress(BadInput):
        write_atomically(answer, commit)
    return commit


@cache
def _asked(hub_id: str, branch: str) -> str:
    """What the hub says, in one try."""
    from huggingface_hub import HfApi

    commit = HfApi().model_info(hub_id, revision=branch, timeout=10).sha
    if commit is None or not _COMMIT.fullmatch(commit):
        raise ValueError(f"the hub named no commit but {commit}")
    return commit


def sha256_of_model(directory: Path, *, remote_code: bool) -> str:
    """One SHA-256 of a model's weights, settings, tokenizer, chat templates and adapter, wherever it lies.

    Args:
        directory: what `save_pretrained` wrote.
        remote_code: the model's own code may run. It may read anything, so every file counts then.

    Raises:
        BadInput: no such directory, or it lacks a file that transformers would need; names the file.
    """
    names = _all_files(directory) if remote_code else []
    counted = sorted({*_needed(directory), *_optional(directory), *names})
    return digest(*(f"{name} {sha256_of(directory / name)}" for name in counted))


def _needed(directory: Path) -> Iterator[str]:
    if not directory.is_dir():
        raise BadInput(f"model.path={directory}: no such directory")
    if (directory / ADAPTER_CONFIG).is_file():
        yield from (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
    yield CONFIG
    yield from _weights(directory)


def _optional(directory: Path) -> Iterator[str]:
    for folder in ("", "additional_chat_templates/"):
        if (directory / folder).is_dir():
            names = (f"{folder}{file.name}" for file in (directory / folder).iterdir() if file.is_file())
            yield from (name for name in names if _COUNTED.match(name))


def _all_files(directory: Path) -> list[str]:
    """Every file, at any depth, but hidden ones (of git, of a downloader)."""
    names = (file.relative_to(directory) for file in directory.rglob("*") if file.is_file())
    return [name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts)]


def has_own_adapter(model: ModelConfig) -> bool:
    """Whether a local model is one of these; of the hub's, this is seen when they are loaded."""
    return model.source == "local" and (Path(str(model.path)) / ADAPTER_CONFIG).is_file()


def check_own_adapter(model: ModelConfig, *, fitted: bool) -> None:
    """Raises `BadInput` where fitting would replace a model's own adapter, or its base model lies elsewhere and could
    change."""
    merge = "merge the two with merge_and_unload() and save_pretrained()"
    if model.source == "hub":
        raise BadInput(
            f"model={model.name}: {model.id} is a PEFT adapter, whose base model is on a branch that may move; "
            f"{merge}, and give the result as model.source=local"
        )
    if not (Path(str(model.path)) / CONFIG).exists():
        raise BadInput(f"model.path={model.path}: a PEFT adapter without its base model; {merge}, and give the result")
    if fitted:
        raise BadInput(
            f"model.path={model.path}: fine-tuning would replace the PEFT adapter in it; {merge}, or choose a method "
            "that is not fitted"
        )


def _weights(directory: Path) -> Iterator[str]:
    """The files of weights by transformers' rule: the one that config.json names, or else one file, or an index."""
    config = directory / CONFIG
    named = _field(config, sha256_of(config), "transformers_weights") if config.exists() else None
    if named is not None:
        name = _below(config, "transformers_weights", named)
    else:
        name = next((name for name in (WEIGHTS, INDEX) if (directory / name).exists()), "")
    if not name:
        raise BadInput(f"model.path={directory}: no .safetensors file in it that is read: {WEIGHTS} or {INDEX}")
    yield name
    if name.endswith(".index.json"):
        index = directory / name
        shards = _field(index, sha256_of(index), "weight_map")
        if not isinstance(shards, dict) or not shards:
            raise BadInput(f"{index}: field weight_map: must name the file of each weight")
        for shard in sorted({_below(index, "weight_map", value) for value in shards.values()}):
            if not (directory / shard).exists():
                raise BadInput(f"{directory / shard}: no such file, though {name} names it")
            yield shard


def _below(file: Path, field: str, found: object) -> str:
    """A name that stays below the model's directory and is of safetensors; other formats can run code."""
    if (
        not isinstance(found, str)
        or PurePosixPath(found).is_absolute()
        or ".." in PurePosixPath(found).parts
        or not found.endswith((".safetensors", ".safetensors.index.json"))
    ):
        raise BadInput(f"{file}: field {field}: found {str(found)[:60]!r}, allowed: a .safetensors file below it")
    return found


@cache
def _field(file: Path, sha256: str, field: str) -> Any:
    """A field of a JSON object, if it has it; by the file's `sha256`, so that a changed one is read again."""
    return read_settings(file).get(field)


def read_settings(file: Path) -> dict[str, Any]:
    """The JSON object in one of a model's files. They are read as transformers reads them, which writes whole numbers
    that pass 64 bits (`model_max_length`) and takes the last of repeated keys.

    Raises:
        BadInput: it cannot be read, is not UTF-8, no JSON, or no object.
    """
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadInput(f"{file}: found {type(content).__name__}, allowed: a JSON object")
    return content
