"""`bsft fetch`: which models a command line means, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from bsft.cli import main
from bsft.commands.fetch import HUB_FILES, models_of
from bsft.config import ConfigError
from bsft.model import weights
from bsft.model.content import SETTINGS, TOKENIZER
from bsft.records.errors import BadInput


def run(*argv: str) -> int:
    return main(["fetch", *argv])


def test_several_models() -> None:
    assert [model.name for model in models_of(["model=tiny,qwen2_5_0_5b"])] == ["tiny", "qwen2_5_0_5b"]


def test_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no such model; did you mean smollm2_135m"):
        models_of(["model=smollm_135m"])


def test_unknown_key_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown key model\.revison; did you mean model\.revision"):
        models_of(["model=tiny", "model.revison=main"])


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [(["trainer=gpu"], "trainer=gpu: allowed are model=OPTION"), (["model.revision=main"], "say which model")],
)
def test_only_models_can_be_fetched(overrides: list[str], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        models_of(overrides)


def test_random_weights_need_no_fetching(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("model=tiny") == 0
    assert capsys.readouterr().out == "tiny: nothing to fetch (model.source=random)\n"


def test_packaged_weights_are_converted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(weights, "converted", lambda model: Path("/cache") / model.name)
    assert run("model=smollm2_135m") == 0
    assert capsys.readouterr().out == "smollm2_135m: /cache/smollm2_135m\n  licence: Apache-2.0\n"


def test_hub_weights_are_downloaded_without_other_formats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def snapshot_download(repo_id: str, **options: Any) -> str:
        asked.update(options, repo_id=repo_id)
        return "/cache/snapshot"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert run("model=llama3_2_1b", "model.revision=abc") == 0
    assert asked == {
        "repo_id": "meta-llama/Llama-3.2-1B-Instruct",
        "revision": "abc",
        "allow_patterns": HUB_FILES,
    }
    assert "  licence: Llama 3.2 Community License\n" in capsys.readouterr().out


def test_every_file_that_a_job_reads_is_downloaded() -> None:
    """A job on a machine without a hub has no second chance."""
    assert {*SETTINGS, *TOKENIZER, "*.safetensors", "*.safetensors.index.json"} <= set(HUB_FILES)


def test_an_unreachable_hub_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def snapshot_download(repo_id: str, **options: Any) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert run("model=qwen2_5_0_5b") == 2
    told = capsys.readouterr().err
    assert "the hub cannot be reached from here" in told and told.count("\n") == 1
