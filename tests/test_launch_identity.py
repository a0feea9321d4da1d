"""The command line and what determines a result: what changed runs again, what did not is done, the rest is told."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from launching import Launch
from making import write_local_model

from bsft.model import content
from bsft.runs import identity

A, B = "a" * 40, "b" * 40
MIB = 1 << 20


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A local model with 16 MiB of weights, which these jobs never load."""
    return write_local_model(tmp_path / "model", 16 * MIB)


def of_local(directory: Path) -> list[str]:
    return ["method=baseline", "model.source=local", f"model.path={directory}"]


def test_editing_template_tokenizer_or_weights_makes_a_new_job(launched: Launch, local: Path) -> None:
    assert len(launched(*of_local(local)).ran) == 1
    for name in ("chat_template.jinja", "tokenizer.json", "tokenizer_config.json"):
        (local / name).write_text((local / name).read_text() + " ")
        assert len(launched(*of_local(local)).ran) == 1, name
    with (local / "model.safetensors").open("r+b") as stream:
        stream.seek(8 * MIB)
        stream.write(b"\x01" * 100_000)
    assert len(launched(*of_local(local)).ran) == 1
    assert "1 of 1 jobs are already done" in launched(*of_local(local)).err


def test_what_is_only_shown_or_not_read_makes_none(launched: Launch, local: Path, tmp_path: Path) -> None:
    [name] = launched(*of_local(local)).ran
    (local / "README.md").write_text("new")
    os.utime(local / "model.safetensors", (1, 1))
    local.rename(tmp_path / "moved")
    again = launched(*of_local(tmp_path / "moved"), "model.terms='Some License, 2026'", "trainer.threads=2")
    assert (again.ran, again.code) == ([], 0)
    assert "1 of 1 jobs are already done" in again.err and name


def test_a_model_with_an_adapter_of_its_own_is_scored_but_not_fitted(launched: Launch, local: Path, root: Path) -> None:
    (local / "adapter_config.json").write_text("{}")
    (local / "adapter_model.safetensors").write_bytes(b"adapter")
    ended = launched(*of_local(local), "method=general_sft")
    assert (ended.code, root.exists()) == (2, False)
    assert f"model.path={local}: fine-tuning would replace the PEFT adapter in it; merge the two" in ended.err
    assert len(launched(*of_local(local)).ran) == 1
    (local / "adapter_config.json").write_text('{"r": 8}')
    assert len(launched(*of_local(local)).ran) == 1
    (local / "config.json").unlink()
    ended = launched(*of_local(local))
    assert ended.code == 2 and "a PEFT adapter without its base model; merge the two" in ended.err


# --- models of the hub ----------------------------------------------------------------------------------------------


@pytest.fixture
def refs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The branches that the cache of the hub's client knows of a model; our own cache is empty."""
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    content._asked.cache_clear()
    directory = tmp_path / "hub" / "models--org--model" / "refs"
    directory.mkdir(parents=True)
    return directory


OF_HUB = ["method=baseline", "model.source=hub", "model.id=org/model"]


def test_a_branch_that_moved_makes_a_new_job_and_a_pinned_commit_is_the_same_one(launched: Launch, refs: Path) -> None:
    (refs / "main").write_text(A)
    [first] = launched(*OF_HUB).ran
    assert "1 of 1 jobs are already done" in launched(*OF_HUB, f"model.revision={A}").err
    (refs / "main").write_text(B)
    [second] = launched(*OF_HUB).ran
    assert first != second
    assert "1 of 1 jobs are already done" in launched(*OF_HUB, f"model.revision={B}").err


def test_the_frozen_identity_holds_the_commit(launched: Launch, refs: Path, root: Path) -> None:
    from bsft.runs.directory import RunDirectory

    (refs / "main").write_text(A)
    [name] = launched(*OF_HUB).ran
    frozen = RunDirectory(root / "runs" / name).frozen_identity()
    assert frozen is not None and frozen["model"]["content"] == f"org/model@{A}"


def test_a_sweep_asks_the_hub_once(launched: Launch, refs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def model_info(self: Any, repo_id: str, **_: Any) -> Any:
        asked.append(repo_id)
        return SimpleNamespace(sha=A)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    ended = launched("-m", *OF_HUB, "seed=range(30)", "dry_run=true")
    assert ended.code == 0 and "30 jobs" in ended.out
    assert asked == ["org/model"]


def test_a_branch_that_nobody_knows_is_one_sentence(launched: Launch, refs: Path, root: Path) -> None:
    ended = launched("-m", *OF_HUB, "seed=range(3)")
    assert (ended.code, ended.ran, root.exists()) == (2, [], False)
    assert ended.err.startswith("bsft-train: model=tiny: the commit of org/model, branch main, is neither in the cache")
    assert ended.err.endswith("; set model.revision=<commit>, 40 hexadecimal digits\n") and ended.err.count("\n") == 1


def test_the_models_that_come_along_are_planned_without_a_hub(launched: Launch, refs: Path) -> None:
    ended = launched("-m", "model=qwen2_5_0_5b,llama3_2_1b", "dry_run=true")
    assert ended.code == 0 and "2 jobs" in ended.out


# --- run directories of an earlier bsft -----------------------------------------------------------------------------


def test_runs_of_an_earlier_identity_are_other_jobs_and_no_damage(
    launched: Launch, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(identity, "IDENTITY_VERSION", 1)
        [old] = launched("method=baseline").ran
    ended = launched("method=baseline")
    assert (ended.code, len(ended.ran)) == (0, 1) and ended.ran != [old]
    assert "already done" not in ended.err and "damaged" not in ended.err and "another configuration" not in ended.err
    assert {path.name for path in (root / "runs").iterdir() if path.is_dir()} == {old, *ended.ran}
