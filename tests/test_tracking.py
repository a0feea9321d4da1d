"""Runs of wandb: where they go by config and environment, and that none stops a training."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import wandb
from making import make_config
from wandb.proto.wandb_internal_pb2 import Record, RunRecord  # type: ignore[attr-defined]  # re-exported by version

from bsft import config as cfg
from bsft.training.loggers import open_logger, target_of

NAMES = ("WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_DIR", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, no settings of wandb's, and nothing of its earlier set-up."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.parametrize(
    ("config", "environment", "found"),
    [
        ({}, {}, ("offline", "bsft", None)),
        ({}, {"WANDB_MODE": "disabled"}, ("disabled", "bsft", None)),
        ({}, {"WANDB_MODE": "online", "WANDB_PROJECT": "p", "WANDB_ENTITY": "e"}, ("online", "p", "e")),
        ({}, {"WANDB_MODE": "dryrun"}, ("offline", "bsft", None)),
        ({}, {"WANDB_MODE": "nonsense"}, ("offline", "bsft", None)),
        ({"mode": "offline"}, {"WANDB_MODE": "online"}, ("offline", "bsft", None)),
        ({"mode": "online"}, {"WANDB_MODE": "disabled"}, ("online", "bsft", None)),
        ({"project": "mine", "entity": "us"}, {"WANDB_PROJECT": "p", "WANDB_ENTITY": "e"}, ("offline", "mine", "us")),
    ],
    ids=str,
)
def test_the_config_prevails_over_the_environment(
    config: dict[str, str], environment: Mapping[str, str], found: tuple[str, ...]
) -> None:
    target = target_of(cfg.LoggerConfig(name="wandb", **config), Path("job"), environment)
    assert tuple(target.values()) == (*found, "job")
    elsewhere = target_of(cfg.LoggerConfig(name="wandb"), Path("job"), {"WANDB_DIR": "/there"})
    assert elsewhere["dir"] == "/there"


def job(**logger: str) -> cfg.Config:
    return make_config(logger=cfg.LoggerConfig(name="wandb", **logger), sweep="pilot")


def log_once(config: cfg.Config, directory: Path) -> None:
    with open_logger(config, directory) as logger:
        logger.summarise({"overall": {"macro_f1": 0.5}})


def records_of(content: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: a header, then blocks of 32 KiB as in LevelDB's logs, in which records are cut."""
    block_bytes, header = 32768, struct.Struct("<IHB")
    place, data = header.size, b""
    while place + header.size <= len(content):
        if (left := block_bytes - place % block_bytes) < header.size:
            place += left
            continue
        _, n_bytes, kind = header.unpack_from(content, place)
        place += header.size
        data += content[place : place + n_bytes]
        place += n_bytes
        if kind in (1, 4):  # whole, or the last part
            yield data
            data = b""


def recorded(directory: Path) -> tuple[RunRecord, dict[str, str]]:
    """What an offline run says of itself, and what it logged."""
    [file] = directory.glob("wandb/offline-run-*/*.wandb")
    deadline = time.monotonic() + 30
    while (found := _read(file.read_bytes())) is None and time.monotonic() < deadline:
        time.sleep(0.2)  # wandb's own process writes it
    assert found is not None
    return found


def _read(content: bytes) -> tuple[RunRecord, dict[str, str]] | None:
    run = None
    logged: dict[str, str] = {}
    for data in records_of(content):
        record = Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "run":
            run = record.run
        if record.WhichOneof("record_type") == "history":
            logged |= {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
    return None if run is None or not logged else (run, logged)


def test_an_offline_run_reads_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "behavior_sft-tiny-s0-00000000"
    log_once(job(project="mine"), directory)
    run, logged = recorded(directory)
    assert (run.run_id, run.project, run.run_group) == (directory.name, "mine", "pilot")
    assert run.display_name == "behavior_sft-tiny-small-s0" and logged["test/overall/macro_f1"] == "0.5"
    assert os.environ.get("WANDB_MODE") is None
    assert capfd.readouterr() == ("", "")


def test_disabled_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    log_once(job(), tmp_path / "job")
    assert not (tmp_path / "job").exists() and capfd.readouterr() == ("", "")


def test_online_without_a_key_is_offline_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    modes: list[str] = []
    start = wandb.init

    def noted(mode: Literal["online", "offline", "disabled"], **more: Any) -> wandb.Run:
        modes.append(mode)
        return start(mode=mode, **more)

    monkeypatch.setattr(wandb, "init", noted)
    log_once(job(mode="online"), tmp_path / "job")
    assert modes == ["offline"]
    assert recorded(tmp_path / "job")[1]["test/overall/macro_f1"] == "0.5"
    told = capfd.readouterr()
    assert told.out == "" and told.err == (
        "bsft-train: logger.mode=online: no key of wandb's is configured (wandb login); this run is kept offline\n"
    )


def test_a_key_that_is_none_leaves_the_run_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "not-a-key-of-theirs")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    log_once(job(mode="online"), tmp_path / "job")
    assert recorded(tmp_path / "job")[1]["test/overall/macro_f1"] == "0.5"
    told = capfd.readouterr().err
    assert told.startswith("bsft-train: wandb did not start online (") and "this run is kept offline" in told
    assert "not-a-key-of-theirs" not in told


def test_a_wandb_that_does_not_start_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no space left; api_key=abcdefgh")

    monkeypatch.setattr(wandb, "init", fail)
    log_once(job(), tmp_path / "job")
    told = capfd.readouterr().err
    assert told.count("\n") == 1 and "(no space left; api_key=***); this run goes on without it" in told


def test_a_config_of_a_run_holds_no_password(tmp_path: Path) -> None:
    config = make_config("https://me:secret-pass@host/x", logger=cfg.LoggerConfig(name="wandb"))
    log_once(config, tmp_path / "job")
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"secret-pass" not in kept
