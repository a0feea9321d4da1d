"""What determines a job's result names it, and nothing else does: setting by setting, and by the content of files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from making import make_config, method_config, model_config
from small import write_small

from bsft import config as cfg
from bsft.importing.mederrbench import SOURCE_FILES
from bsft.model.content import model_content, sha256_of_model
from bsft.records.schema import SCHEMA_VERSION
from bsft.runs.identity import IDENTITY_VERSION, identity, job_name

# --- setting by setting ---------------------------------------------------------------------------------------------

DETERMINES: dict[str, Any] = {
    "seed": 1,
    "method.name": "other",
    "method.system_prompt": "Answer.",
    "method.instruction": "Warn.",
    "method.k": 2,
    "method.tuning": "full",
    "method.gradient_checkpointing": True,
    "method.lora.rank": 4,
    "method.lora.alpha": 8.0,
    "method.lora.dropout": 0.1,
    "method.lora.targets": ["q_proj"],
    "method.behavior.init": "mean",
    "method.behavior.loss_weight": 2.0,
    "method.behavior.row_lr": 0.1,
    "method.behavior.mode": "none",
    "method.behavior.token": "proactive",
    "model.name": "other",
    "model.dtype": "bfloat16",
    "model.attention": "eager",
    "model.fast": False,
    "model.max_length_tokens": 512,
    "model.chat_template": "chatml",
    "model.date": "2025-06-01",
    "model.trust_remote_code": True,
    "data.name": "other",
    "data.train_split": "val",
    "data.val_split": "train",
    "data.eval_split": "val",
    "data.tasks": ["lab_interpretation"],
    "data.flags": ["flag_allergy"],
    "data.max_train_items": 3,
    "data.max_val_items": 3,
    "data.max_eval_items": 3,
    "data.scene_tokens": 64,
    "data.n_cases": 20,
    "data.build_seed": 1,
    "data.normalise_case": False,
    "data.min_kind_test_items": 3,
    "trainer.precision": "bf16-mixed",
    "trainer.batching": "flat",
    "trainer.fit.max_epochs": 2,
    "trainer.fit.max_steps": 7,
    "trainer.fit.cases_per_step": 2,
    "trainer.fit.items_per_case": 2,
    "trainer.fit.micro_batch_tokens": 99,
    "trainer.fit.first_layer": 1,
    "trainer.fit.val_every_steps": 3,
    "trainer.fit.patience": 3,
    "trainer.fit.optim.lr": 2e-3,
    "trainer.fit.optim.weight_decay": 0.1,
    "trainer.fit.optim.beta1": 0.8,
    "trainer.fit.optim.beta2": 0.99,
    "trainer.fit.optim.eps": 1e-6,
    "trainer.fit.optim.warmup_fraction": 0.1,
    "trainer.fit.optim.final_lr_fraction": 0.2,
    "trainer.fit.optim.max_grad_norm": 0.5,
    "trainer.fit.optim.fused": False,
    "trainer.score.batch_tokens": 99,
    "trainer.score.max_items": 3,
    "trainer.score.bootstrap_samples": 7,
    "trainer.score.generate_items": 3,
    "trainer.score.max_new_tokens": 3,
    "trainer.score.matched_items": 7,
    "trainer.score.matched_over_intervention": 0.1,
    "trainer.score.prior": False,
    "trainer.score.noise_floor": False,
    "method.behavior.every_turn": True,
    "method.behavior.form": "words",
    "method.behavior.shuffled": True,
    "method.threshold": "validation",
    "method.l2": 2.0,
}
"""Setting -> another value. What changes a result's numbers, even by rounding, or the names that it is filed under."""

DOES_NOT: dict[str, Any] = {
    "root": "/elsewhere",
    "sweep": "other",
    "redo": True,
    "dry_run": True,
    "logger.name": "wandb",
    "logger.project": "other",
    "logger.entity": "us",
    "logger.mode": "online",
    "model.terms": "MIT",
    "trainer.name": "other",
    "trainer.accelerator": "cuda",
    "trainer.devices": 2,
    "trainer.num_nodes": 2,
    "trainer.strategy": "ddp",
    "trainer.threads": 4,
    "trainer.fit.checkpoint_every_steps": 3,
}
"""Where a job lies and runs, how it reports, what is only shown."""

BY_CONTENT = {
    "data.path", "model.source", "model.id", "model.revision", "model.path", "model.package", "model.package_version",
    "model.gguf_sha256",
}  # fmt: skip
"""Where data and model come from. What is there counts, and has tests of its own."""

FIRST: dict[str, dict[str, Any]] = {
    "method.behavior.token": {"method.behavior": cfg.BehaviorConfig(mode="force", token="reactive")},
    "trainer.devices": {"trainer.strategy": "ddp"},
    "trainer.fit.patience": {"trainer.fit.val_every_steps": 2},
}
"""Setting -> what must be set before it can be."""


def leaves(section: type[cfg.Section], prefix: str = "") -> set[str]:
    found = set()
    types = get_type_hints(section)
    for name in (field.name for field in dataclasses.fields(section)):  # type: ignore[arg-type]
        below = isinstance(types[name], type) and issubclass(types[name], cfg.Section)
        found |= leaves(types[name], f"{prefix}{name}.") if below else {f"{prefix}{name}"}
    return found


def all_leaves() -> set[str]:
    found = {leaf for leaf in leaves(cfg.Config) if leaf.partition(".")[0] not in cfg.SCHEMAS}
    return found.union(*(leaves(s, f"{group}.") for group, of in cfg.SCHEMAS.items() for s in of.values()))


def with_setting(section: Any, key: str, value: Any) -> Any:
    """The section with another value of `a.b.c`."""
    name, _, rest = key.partition(".")
    return dataclasses.replace(section, **{name: with_setting(getattr(section, name), rest, value) if rest else value})


@pytest.fixture
def job_with(small: Path, tmp_path: Path) -> Any:
    """Makes a job that has a setting, whatever method or data this takes."""
    for name in SOURCE_FILES.values():
        (tmp_path / name).write_text("Text ID\n")

    def job(key: str) -> cfg.Config:
        data: list[cfg.DataConfig] = [
            cfg.JsonlConfig(name="small", path=str(small)),
            cfg.OpenBenchConfig(name="small"),
            cfg.MedErrBenchConfig(name="small", path=str(tmp_path)),
        ]
        methods = [method_config(), method_config("few_shot"), method_config("instructed", instruction="Mind.")]
        methods.append(method_config("classifier"))
        group, _, name = key.partition(".")
        name = name.partition(".")[0]
        config = make_config(
            method=next((m for m in methods if group == "method" and hasattr(m, name)), methods[0]),
        )
        config.data = next((d for d in data if group == "data" and hasattr(d, name)), data[0])
        return config

    return job


def test_every_setting_is_said_to_determine_the_result_or_not_to() -> None:
    """A new setting belongs into one of the tables above; until then it counts."""
    said: list[set[str]] = [set(DETERMINES), set(DOES_NOT), BY_CONTENT]
    assert all_leaves() - set().union(*said) == set(), "not classified"
    assert set().union(*said) - all_leaves() == set(), "no such setting any more"
    assert sum(map(len, said)) == len(set().union(*said)), "classified twice"


@pytest.mark.parametrize("key", [*DETERMINES, *DOES_NOT])
def test_a_setting_names_the_job_if_and_only_if_it_determines_the_result(job_with: Any, key: str) -> None:
    before = job_with(key)
    for needed, value in FIRST.get(key, {}).items():
        before = with_setting(before, needed, value)
    after = with_setting(before, key, (DETERMINES | DOES_NOT)[key])
    assert (identity(after) != identity(before)) == (key in DETERMINES)
    assert (job_name(after) != job_name(before)) == (key in DETERMINES)


@pytest.mark.parametrize("method", ["baseline", "instructed", "few_shot"])
def test_the_recipe_of_fitting_does_not_name_a_method_that_is_not_fitted(small: Path, method: str) -> None:
    options = {"instruction": "Warn."} if method == "instructed" else {}
    other = {"optim": cfg.OptimConfig(lr=2e-3), "max_epochs": 9}
    names = [name_of(small, method=method_config(method, **options), fit=fit) for fit in ({}, other)]
    assert names[0] == names[1]


def test_tasks_and_flags_are_sets(small: Path) -> None:
    orders = (["lab_interpretation", "treatment_planning"], ["treatment_planning", "lab_interpretation"])
    assert len({name_of(small, data={"tasks": order}) for order in orders}) == 1


def name_of(path: Path, **options: Any) -> str:
    return job_name(make_config(path, **options))


def test_a_name_says_method_model_and_seed(small: Path) -> None:
    name = name_of(small, seed=3)
    assert name.startswith("behavior_sft-tiny-s3-")
    assert len(name.rsplit("-", 1)[1]) == 8


def test_identity_says_its_versions_and_no_paths(small: Path) -> None:
    found = identity(make_config(small))
    assert (found["schema_version"], found["identity_version"]) == (SCHEMA_VERSION, IDENTITY_VERSION)
    assert len(found["data"]["sha256"]) == 64
    assert found["model"]["content"] == "random llama"
    assert str(small) not in json.dumps(found)


# --- data by content ------------------------------------------------------------------------------------------------


def test_the_data_names_a_job_by_content_and_not_by_place(small: Path, tmp_path: Path) -> None:
    write_small(tmp_path / "copy")
    write_small(tmp_path / "larger", train=13)
    assert name_of(tmp_path / "copy") == name_of(small)
    assert name_of(tmp_path / "larger") != name_of(small)


def test_changed_data_change_the_name(tmp_path: Path) -> None:
    write_small(tmp_path / "data")
    before = name_of(tmp_path / "data")
    with (tmp_path / "data" / "train.jsonl").open("a") as stream:
        stream.write("\n")
    assert name_of(tmp_path / "data") != before


# --- models by content ----------------------------------------------------------------------------------------------


def test_models_of_every_source_are_named_without_loading_them(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert model_content(cfg.ModelConfig(source="hub", id="a/b", revision=commit)) == f"a/b@{commit}"
    packaged = cfg.ModelConfig(source="packaged", package="p", package_version="1")
    assert model_content(packaged) == "p==1"
    assert model_content(dataclasses.replace(packaged, gguf_sha256="f00")) == "f00"
    assert model_content(model_config("qwen2")) == "random qwen2"
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    local = cfg.ModelConfig(source="local", path=str(tmp_path), id="not/read", revision="not-read")
    assert model_content(local) == sha256_of_model(tmp_path, remote_code=False)


def test_every_hub_model_that_comes_along_is_pinned_to_a_commit() -> None:
    from bsft.launch import plan
    from bsft.records.paths import config_dir

    options = [file.stem for file in sorted((config_dir() / "model").glob("*.yaml"))]
    models = [plan([f"model={option}"], multirun=False).jobs[0].model for option in options]
    hub = [model for model in models if model.source == "hub"]
    assert len(hub) == 6
    for model in hub:
        assert model_content(model) == f"{model.id}@{model.revision}"
        assert model.revision is not None and len(model.revision) == 40
