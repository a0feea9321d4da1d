"""Which commit a model of the hub is. No hub is needed: tests make its client's cache, and a client that answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from bsft.config import ModelConfig
from bsft.model import content
from bsft.model.content import commit_of
from bsft.model.tokenizer import hub_options
from bsft.records.errors import BadInput

A, B, C = "a" * 40, "b" * 40, "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub client's cache and ours, both empty."""
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    content._asked.cache_clear()
    return tmp_path / "hub"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The questions put to the hub, which answers with commit C."""
    questions: list[tuple[str, str]] = []

    def model_info(self: Any, repo_id: str, *, revision: str, timeout: float) -> Any:
        assert 0 < timeout <= 10
        questions.append((repo_id, revision))
        return SimpleNamespace(sha=C)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return questions


def of_hub(revision: str | None = None) -> ModelConfig:
    return ModelConfig(name="mine", source="hub", id="org/model", revision=revision)


def point(hub_cache: Path, branch: str, commit: str) -> None:
    """As a download of the hub's client leaves it."""
    ref = hub_cache / "models--org--model" / "refs" / branch
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


def test_a_commit_is_itself_and_nothing_is_looked_up(hub_cache: Path, asked: list[Any]) -> None:
    point(hub_cache, "main", B)
    assert commit_of(of_hub(A)) == A
    assert asked == []


def test_a_branch_is_the_commit_that_the_cache_has_and_moves_with_it(hub_cache: Path, asked: list[Any]) -> None:
    for commit in (A, B):
        point(hub_cache, "main", commit)
        assert commit_of(of_hub()) == commit_of(of_hub("main")) == commit
    point(hub_cache, "refs/pr/3", C + "\n")
    assert commit_of(of_hub("refs/pr/3")) == C
    assert asked == []


@pytest.mark.parametrize("damage", ["", "main", A[:-1], A + "0", A.upper(), "\xff" * 1000])
def test_a_damaged_reference_is_no_commit(hub_cache: Path, asked: list[Any], damage: str) -> None:
    point(hub_cache, "main", damage)
    assert commit_of(of_hub()) == C
    assert asked == [("org/model", "main")]


def test_the_hub_is_asked_once_for_all_jobs_and_processes(
    hub_cache: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert [commit_of(of_hub("v2")) for _ in range(500)] == [C] * 500
        content._asked.cache_clear()  # as a new process would
    assert asked == [("org/model", "v2")]
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: SimpleNamespace(sha=A))
    assert commit_of(of_hub("v2")) == C, "what was planned is what runs"
    assert commit_of(of_hub("v3")) == A


def test_a_download_of_the_branch_moves_what_the_hub_once_said(hub_cache: Path, asked: list[Any]) -> None:
    assert commit_of(of_hub()) == C
    point(hub_cache, "main", B)
    assert commit_of(of_hub()) == B


def test_without_a_cache_of_ours_one_process_still_asks_once(hub_cache: Path, asked: list[Any]) -> None:
    (hub_cache.parent / "cache").touch()
    assert {commit_of(of_hub()) for _ in range(5)} == {C}
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OfflineModeIsEnabled("offline mode is enabled"), "offline mode is enabled"),
        (ConnectionError("[Errno -2] Name or service not known"), r"\[Errno -2\] Name or service not known"),
        (TimeoutError(), "TimeoutError"),
        (OSError("401 Client Error.\n\nRepository Not Found"), r"401 Client Error\. Repository Not Found"),
    ],
)
def test_a_commit_that_cannot_be_known_is_one_sentence(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    n_tries = 0

    def model_info(*_: Any, **__: Any) -> Any:
        nonlocal n_tries
        n_tries += 1
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    with pytest.raises(BadInput) as refused:
        commit_of(of_hub("dev"))
    assert str(refused.value).startswith("model=mine: the commit of org/model, branch dev, is neither in the cache nor")
    assert str(refused.value).endswith("; set model.revision=<commit>, 40 hexadecimal digits")
    assert refused.match(reason) and "\n" not in str(refused.value)
    assert n_tries == 1


@pytest.mark.parametrize("said", [None, "main", ""])
def test_an_answer_that_is_no_commit_is_refused(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: SimpleNamespace(sha=said))
    with pytest.raises(BadInput, match="the hub named no commit"):
        commit_of(of_hub())


def test_the_commit_is_what_is_loaded(hub_cache: Path) -> None:
    point(hub_cache, "main", A)
    assert hub_options(of_hub())["revision"] == A
    assert hub_options(of_hub(B))["revision"] == B
    assert "revision" not in hub_options(ModelConfig(name="x", source="local", path="x", revision="main"))


def test_the_cache_is_found_where_the_hubs_client_keeps_it(tmp_path: Path) -> None:
    """In a process of its own, because the client reads `HF_HOME` once."""
    point(tmp_path / "home" / "hub", "main", A)
    script = (
        "import sys; from bsft.config import ModelConfig; from bsft.model.content import commit_of\n"
        "heavy = {'torch', 'transformers', 'httpx', 'httpx2'}\n"
        "print(commit_of(ModelConfig(source='hub', id='org/model')), sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "BSFT_CACHE": str(tmp_path / "cache")}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"{A} []\n"
