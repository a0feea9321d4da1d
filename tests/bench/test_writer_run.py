"""Free text written up through a server of our own on loopback that replies, well and badly, as it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import CASE, DENIED, INVENTED, SCENE, TEXT, WRONG_NUMBER, Server, failure, good, kind_of, reply

from bsft.cli import main
from bsft.importing.writer.drafts import CaseScene
from bsft.importing.writer.endpoint import Completion, CompletionCache
from bsft.records.schema import Case

KEY = "sk-never-to-be-seen"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def write(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command on a source; returns the exit status and what it printed, which never holds the key."""
    monkeypatch.setenv("BSFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WRITER_KEY", KEY)

    def run(source: Path, *more: str, output: str = "out") -> tuple[int, str]:
        options = [f"--output={tmp_path / output}", "--model=m", f"--base-url={server.url}"]
        options += ["--api-key-env=WRITER_KEY", "--max-retries=1", "--workers=2", *more]
        status = main(["import", "text", str(source), *options])
        out, err = capsys.readouterr()
        kept = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file())
        assert KEY not in out + err + kept
        return status, out + err

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "reports"
    directory.mkdir()
    (directory / "flu.txt").write_text(TEXT, encoding="utf-8")
    return directory


def report_of(tmp_path: Path, output: str = "out") -> dict[str, Any]:
    report: dict[str, Any] = json.loads((tmp_path / output / "import_report.json").read_text(encoding="utf-8"))
    return report


Run = Callable[..., "tuple[int, str]"]


def test_a_text_becomes_a_case_and_a_scene(server: Server, write: Run, source: Path, tmp_path: Path) -> None:
    status, printed = write(source, "--licence=CC0-1.0")
    assert status == 0, printed
    case = Case.model_validate_json((tmp_path / "out" / "cases.jsonl").read_text(encoding="utf-8"))
    assert (case.id, case.licence, case.demographics.age_years, case.diagnosis) == ("flu", "CC0-1.0", 34.0, "Influenza")
    assert (case.facts[0].id, case.facts[0].value, case.facts[0].time_hours) == ("vital:1", 39.2, -48.0)
    scene = CaseScene.model_validate_json((tmp_path / "out" / "scenes.jsonl").read_text(encoding="utf-8"))
    assert (scene.case_id, [turn.role for turn in scene.turns]) == ("flu", ["resident", "patient"])
    assert report_of(tmp_path)["usage"] == {"calls": 2, "prompt_tokens": 200, "completion_tokens": 20}
    assert server.headers == [f"Bearer {KEY}"] * 2
    first, second = server.requests
    assert first["response_format"]["json_schema"]["strict"] is True
    assert first["temperature"] == 0
    assert TEXT in first["messages"][1]["content"]
    assert "39.2" in second["messages"][1]["content"]
    assert "Influenza" not in second["messages"][1]["content"]


def test_a_second_run_makes_no_call(server: Server, write: Run, source: Path, tmp_path: Path) -> None:
    assert write(source)[0] == 0
    server.requests.clear()
    assert write(source, output="again")[0] == 0
    assert server.requests == []
    assert report_of(tmp_path, "again")["usage"] == {"replies_from_cache": 2}
    assert (tmp_path / "again" / "cases.jsonl").read_bytes() == (tmp_path / "out" / "cases.jsonl").read_bytes()
    (source / "flu.txt").write_text(TEXT.replace("woman", "lady"), encoding="utf-8")
    write(source, output="changed")
    assert server.requests != []


BAD: dict[str, tuple[str, Callable[[], tuple[int, dict[str, Any]]], str, str]] = {
    "wrong number": ("case", lambda: reply(WRONG_NUMBER), "mismatch", "value 39.7 °C is not in its quote"),
    "invented finding": ("scene", lambda: reply(INVENTED), "mismatch", '"rash" is not in the text'),
    "denied finding": ("scene", lambda: reply(DENIED), "mismatch", '"cough" is denied in the text'),
    "no JSON": ("case", lambda: reply("Certainly! Here is"), "invalid_json", "not valid JSON"),
    "wrong schema": ("case", lambda: reply({**CASE, "mood": "good"}), "schema", "field mood: unknown field"),
    "cut off": ("scene", lambda: reply('{"turns": [', finish_reason="length"), "truncated", "cut off"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_reply_is_corrected_with_the_reason(
    server: Server, write: Run, source: Path, tmp_path: Path, name: str
) -> None:
    kind, bad, counted, reason = BAD[name]

    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return bad() if kind_of(request) == kind and len(request["messages"]) == 2 else good(request)

    server.answer = answer
    status, printed = write(source)
    assert status == 0, printed
    (corrected,) = [request for request in server.requests if len(request["messages"]) > 2]
    assert [message["role"] for message in corrected["messages"]] == ["system", "user", "assistant", "user"]
    assert reason in corrected["messages"][-1]["content"]
    assert report_of(tmp_path)["usage"][f"rejected_{counted}"] == 1


def test_a_text_is_given_up_after_its_attempts_and_others_go_on(
    server: Server, write: Run, source: Path, tmp_path: Path
) -> None:
    (source / "other.md").write_text(TEXT.replace("34", "35"), encoding="utf-8")
    server.answer = good  # says 34 of both
    status, printed = write(source, "--attempts=2")
    assert status == 0
    assert "other: case: not accepted after 2 attempts: age: " in printed
    report = report_of(tmp_path)
    assert (report["read"], report["written"]) == (2, {"cases.jsonl": 1, "scenes.jsonl": 1})
    assert report["usage"]["failed_rejected"] == 1

    server.requests.clear()
    write(source, "--attempts=2", output="same")
    assert server.requests == []
    status, _ = write(source, "--attempts=2", "--redo-failed", output="redone")
    assert status == 0
    assert len(server.requests) == 2
    assert all("35-year" in request["messages"][1]["content"] for request in server.requests)


def test_a_refusal_is_counted_and_not_argued_with(server: Server, write: Run, source: Path) -> None:
    server.answer = lambda request: reply("", refusal="I cannot help with that.")
    status, printed = write(source)
    assert status == 2
    assert "all of 1 records were dropped; the first: flu: the model refused: I cannot help" in printed
    assert len(server.requests) == 1


@pytest.mark.parametrize("status_code", [500, 503, 429])
def test_passing_errors_are_retried_by_the_client(server: Server, write: Run, source: Path, status_code: int) -> None:
    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return failure(status_code, "busy") if len(server.requests) == 1 else good(request)

    server.answer = answer
    assert write(source)[0] == 0
    assert len(server.requests) == 3


def test_lasting_errors_fail_a_text(server: Server, write: Run, source: Path) -> None:
    server.answer = lambda request: failure(500, "out of order")
    status, printed = write(source)
    assert status == 2
    assert "flu: " in printed
    assert "out of order" in printed
    assert len(server.requests) == 2


def test_timeouts_fail_a_text(server: Server, write: Run, source: Path) -> None:
    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        time.sleep(1.5)
        return good(request)

    server.answer = answer
    status, printed = write(source, "--timeout-s=0.5", "--max-retries=0")
    assert status == 2
    assert "no reply within 0.5 s" in printed


@pytest.mark.parametrize(
    ("status_code", "message"),
    [
        (401, "the key in WRITER_KEY is not accepted: Error code: 401"),
        (404, "no model 'm', or not an OpenAI-compatible endpoint"),
        (400, "does not accept the request"),
        (422, "does not accept the request"),
    ],
)
def test_errors_that_no_text_survives_stop_the_run(
    server: Server, write: Run, source: Path, status_code: int, message: str
) -> None:
    server.answer = lambda request: failure(status_code, f"bad, key {KEY}")
    status, printed = write(source)
    assert status == 2
    assert message in printed
    assert "***" in printed


def test_a_context_that_is_too_short_fails_the_text_only(server: Server, write: Run, source: Path) -> None:
    server.answer = lambda request: failure(400, "maximum context length is 10 tokens")
    status, printed = write(source)
    assert status == 2
    assert "flu: the endpoint's context is too short for this text" in printed


def test_an_endpoint_that_is_down_stops_the_run_and_the_rest_is_resumed(
    server: Server, write: Run, tmp_path: Path
) -> None:
    lines = [{"id": f"r{i:02d}", "text": TEXT + f" Note {i}."} for i in range(12)]
    source = tmp_path / "reports.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return good(request) if len(server.requests) <= 6 else failure(503, "down")

    server.answer = answer
    status, printed = write(source, "--workers=1", "--max-retries=0")
    assert status == 2
    assert "stopped after 5 texts in a row without a reply" in printed
    assert "run the same command again to continue" in printed
    assert not (tmp_path / "out").exists()

    # The scenes' requests are the same for all texts, and so are asked for once.
    done = sum(kind_of(request) == "case" for request in server.requests[:6])
    assert done == 5
    server.answer = good
    server.requests.clear()
    status, printed = write(source, "--workers=1")
    assert status == 0, printed
    assert [kind_of(request) for request in server.requests] == ["case"] * (12 - done)
    ids = [json.loads(line)["id"] for line in (tmp_path / "out" / "cases.jsonl").read_text().splitlines()]
    assert ids == [line["id"] for line in lines]


def test_nobody_listens(write: Run, server: Server, source: Path) -> None:
    server.close()
    status, printed = write(source, "--max-retries=0")
    assert status == 2
    assert "Connection error" in printed


def test_texts_that_are_too_long_are_refused_or_split(server: Server, write: Run, source: Path, tmp_path: Path) -> None:
    filler = "\n\n".join("He drank tea and read the paper." for _ in range(300))
    (source / "flu.txt").write_text(f"{TEXT}\n\n{filler}", encoding="utf-8")
    limits = ("--context-tokens=5000", "--reply-tokens=500")
    status, printed = write(source, *limits)
    assert status == 2
    assert "the text has about" in printed
    assert "raise context_tokens or give split=true" in printed
    assert server.requests == []

    status, printed = write(source, *limits, "--split")
    assert status == 0, printed
    structured = [request for request in server.requests if kind_of(request) == "case"]
    assert len(structured) > 1
    case = Case.model_validate_json((tmp_path / "out" / "cases.jsonl").read_text(encoding="utf-8"))
    assert len(case.facts) == 2  # the same facts of every part are one


def test_servers_that_take_the_schema_elsewhere(server: Server, write: Run, source: Path) -> None:
    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        constraint = request["response_format"]
        assert constraint["type"] == "json_object"
        return reply(CASE if "facts" in constraint["schema"]["properties"] else SCENE)

    server.answer = answer
    assert write(source, "--schema-format=json_object", "--temperature=null")[0] == 0
    assert "temperature" not in server.requests[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"id": "a"}'], "line 1: field text: missing"),
        (['{"id": "a", "text": " "}'], "line 1: the text is empty"),
        (['{"id": "a", "text": "x"}'] * 2, "line 2: field id: found 'a', which"),
    ],
)
def test_wrong_sources_are_named(write: Run, tmp_path: Path, lines: list[str], message: str) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    status, printed = write(file)
    assert (status, message in printed) == (2, True), printed


def test_wrong_options_are_named(write: Run, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for option, message in {
        "--attempts=0": "attempts: found 0, allowed: 1 to 1000",
        "--base-url=here": "base_url: found 'here', allowed: an http or https address",
        "--context-tokens=8000": "allowed: more than twice reply_tokens (4096)",
        "--schema-format=xml": 'Choose from: "json_schema", "json_object"',
    }.items():
        status, printed = write(source, option)
        assert (status, message in printed) == (2, True), printed
    (tmp_path / "none").mkdir()
    assert "no .txt or .md file in it" in write(tmp_path / "none")[1]
    monkeypatch.delenv("WRITER_KEY")
    assert "the environment variable WRITER_KEY is not set" in write(source, "--base-url=https://api.openai.com/v1")[1]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"text": "a"}', "[" * 100_000, "\xff"])
def test_a_damaged_reply_is_asked_for_again(tmp_path: Path, damage: str) -> None:
    cache = CompletionCache(tmp_path)
    reply = Completion("text", "stop", None, 3, 4)
    cache.put("ab12", reply)
    assert cache.get("ab12") == reply
    [file] = tmp_path.rglob("*.json")
    for text in (damage, file.read_text().replace('"text"', "7", 1), file.read_text().replace("3", '"3"')):
        file.write_text(text, encoding="latin-1")
        assert cache.get("ab12") is None
        cache.put("ab12", reply)
        assert cache.get("ab12") == reply
