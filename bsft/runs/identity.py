"""What determines a job's result, and nothing else: the identity that names its directory and says when it is done.

Imports no torch.
"""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from bsft import config as cfg
from bsft.data.source import fingerprint as data_fingerprint
from bsft.model.content import model_content
from bsft.records.schema import SCHEMA_VERSION
from bsft.records.secrets import masked_tree

IDENTITY_VERSION = 5
"""Raised when the same job would get another identity; runs of an earlier one are then other jobs."""

NOT_OF_THE_RESULT = frozenset({
    "root", "sweep", "redo", "dry_run", "logger",
    "trainer.name", "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy",
    "trainer.threads", "trainer.fit.checkpoint_every_steps",
    "data.path", "model.terms",
})  # fmt: skip
"""Where a job lies and runs, how it reports, and what is only shown. All else counts, so that a new setting is never
forgotten. The names of method, model and data stay: results are filed under them."""
WHERE_A_MODEL_COMES_FROM = frozenset({
    "model.source", "model.id", "model.revision", "model.path",
    "model.package", "model.package_version", "model.gguf_sha256",
})  # fmt: skip
"""`model.content` stands for them."""


def identity(config: cfg.Config) -> dict[str, Any]:
    """What determines a job's result, as plain containers; credentials are masked in it.

    The recipe of fitting is left out for methods that are not fitted, so that their runs are shared between recipes.

    Raises:
        BadInput: a file of the data or the model is missing, or the model's commit cannot be known.
    """
    left_out = NOT_OF_THE_RESULT | WHERE_A_MODEL_COMES_FROM
    if not isinstance(config.method, cfg.SftConfig):
        left_out |= {"trainer.fit"}
    whole = _without(cfg.plain(config), left_out)
    for key in ("tasks", "flags"):  # sets, in whatever order they are given
        whole["data"][key] = sorted(set(whole["data"][key]))
    whole["data"]["sha256"] = data_fingerprint(config.data)
    whole["model"]["content"] = model_content(config.model)
    whole["schema_version"] = SCHEMA_VERSION
    whole["identity_version"] = IDENTITY_VERSION
    return masked_tree(whole)


def _without(tree: dict[str, Any], left_out: frozenset[str], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without(value, left_out, f"{prefix}{key}.") if isinstance(value, dict) else value
        for key, value in tree.items()
        if f"{prefix}{key}" not in left_out
    }


def job_name(config: cfg.Config) -> str:
    """Readable and unique: `behavior_sft-smollm2_135m-s0-1f3a9c2e`."""
    return f"{config.method.name}-{config.model.name}-s{config.seed}-{short_digest(identity(config))}"


def short_digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


def register_resolver() -> None:
    """`${bsft.job:}` names the job of the config it stands in; Hydra uses it for the job's directory."""

    def resolve(*, _root_: DictConfig) -> str:
        return job_name(cfg.validate(_root_))

    OmegaConf.register_new_resolver("bsft.job", resolve, replace=True)
