"""Whom a key is sent to: the endpoint that it is named for, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Server, failure, reply

from bsft.importing.writer.endpoint import LOCAL_KEY, CompletionCache, Endpoint
from bsft.importing.writer.options import OPENAI_URL, WriterOptions
from bsft.records.errors import BadInput

KEY = "sk-for-openai-alone-1234"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LOCAL_SERVER_KEY", "local-key-5678")
    server = Server()
    server.answer = lambda request: reply({})
    yield server
    server.close()


def options(url: str, *, max_retries: int = 0, **more: Any) -> WriterOptions:
    return WriterOptions(model="m", base_url=url, max_retries=max_retries, **more)


def ask(server: Server, tmp_path: Path, **more: Any) -> None:
    endpoint = Endpoint(options(server.url, **more), CompletionCache(tmp_path))
    try:
        endpoint.ask([{"role": "user", "content": "x"}], "case", {"type": "object"}, fresh=True)
    finally:
        endpoint.close()


def test_another_endpoint_does_not_get_openais_key(server: Server, tmp_path: Path) -> None:
    ask(server, tmp_path)
    assert server.headers == [f"Bearer {LOCAL_KEY}"]


@pytest.mark.parametrize(("variable", "key"), [("LOCAL_SERVER_KEY", "local-key-5678"), ("OPENAI_API_KEY", KEY)])
def test_it_gets_the_key_that_is_named(server: Server, tmp_path: Path, variable: str, key: str) -> None:
    ask(server, tmp_path, api_key_env=variable)
    assert server.headers == [f"Bearer {key}"]


def test_the_clients_own_variables_do_not_count(server: Server, tmp_path: Path) -> None:
    ask(server, tmp_path)
    [headers] = server.all_headers
    assert not {"openai-organization", "openai-project"} & {name.lower() for name in headers}
    assert KEY not in str(headers)


def test_a_redirect_is_not_followed(server: Server, tmp_path: Path) -> None:
    other = Server()
    server.answer = lambda request: (307, {})
    server.location = f"{other.url}/chat/completions"
    try:
        with pytest.raises(BadInput, match=f"redirects to {other.url}/.*; nothing is sent there unless base_url"):
            ask(server, tmp_path, api_key_env="LOCAL_SERVER_KEY")
        assert other.headers == []
    finally:
        other.close()


def test_a_named_key_has_to_be_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the environment variable NO_SUCH_KEY is not set"):
        ask(server, tmp_path, api_key_env="NO_SUCH_KEY")


def test_a_server_that_wants_a_key_says_so(server: Server, tmp_path: Path) -> None:
    server.answer = lambda request: failure(401, "no key")
    with pytest.raises(BadInput, match="asks for a key: --api-key-env VARIABLE"):
        ask(server, tmp_path)


@pytest.mark.parametrize("url", [OPENAI_URL, "https://api.openai.com/v1/", "https://api.openai.com:443/v1"])
def test_openais_own_endpoint_gets_openais_key(url: str) -> None:
    assert options(url).key_variable == "OPENAI_API_KEY"
    assert options(url, api_key_env="MINE").key_variable == "MINE"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://eu.api.openai.com/v1",
    ],
)
def test_no_other_endpoint_is_openais(url: str) -> None:
    assert options(url).key_variable is None


@pytest.mark.parametrize("url", ["https://api.openai.com@evil.example/v1", "https://me:secret-pass@host/v1"])
def test_an_address_holds_no_password(url: str) -> None:
    with pytest.raises(BadInput) as error:
        options(url)
    assert "put the key into a variable" in str(error.value) and "secret-pass" not in str(error.value)


def test_a_key_in_place_of_its_variable_is_not_repeated() -> None:
    with pytest.raises(BadInput) as error:
        options("http://host/v1", api_key_env=KEY)
    assert KEY not in str(error.value)
