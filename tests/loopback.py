"""A server on loopback that speaks /v1/chat/completions and says what it is told to, and one report for it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "A 34-year-old woman came in with a fever of 39.2 °C for two days. She denied cough. Influenza was diagnosed."
CASE: dict[str, Any] = {
    "specialty": None,
    "age": {"number": 34, "unit": "year", "quote": "A 34-year-old woman"},
    "sex": "female",
    "diagnosis": "Influenza",
    "facts": [
        {
            "kind": "vital", "name": "Temperature", "text": "a fever of 39.2 °C for two days", "value": 39.2,
            "unit": "°C", "reference_low": None, "reference_high": None, "quote": "a fever of 39.2 °C for two days",
            "time": {"number": 2, "unit": "day", "direction": "before"},
        },
        {
            "kind": "symptom", "name": "cough", "text": "She denied cough", "value": None, "unit": None,
            "reference_low": None, "reference_high": None, "time": None, "quote": "She denied cough",
        },
    ],
    "differential": [],
    "management": [],
}  # fmt: skip
SCENE: dict[str, Any] = {
    "turns": [
        {"speaker": "Dr Falk", "role": "resident", "text": "A 34-year-old woman with a fever of 39.2 °C."},
        {"speaker": "Patient", "role": "patient", "text": "I have had the fever for two days, but no cough."},
    ]
}

Answer = Callable[[dict[str, Any]], "tuple[int, dict[str, Any]]"]


def reply(content: object, **choice: Any) -> tuple[int, dict[str, Any]]:
    """A chat completion; `choice` overrides fields of the choice or its message."""
    text = content if isinstance(content, str) else json.dumps(content)
    message = {"role": "assistant", "content": text, "refusal": choice.pop("refusal", None)}
    return 200, {
        "id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }  # fmt: skip


def failure(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": "error", "code": None, "param": None}}


def kind_of(request: dict[str, Any]) -> str:
    """ "case" or "scene"."""
    return str(request["response_format"]["json_schema"]["name"])


def good(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return reply(CASE if kind_of(request) == "case" else SCENE)


def edited(record: dict[str, Any], *path: str | int, value: object) -> dict[str, Any]:
    """A copy with another value at a path."""
    result = copy.deepcopy(record)
    inner: Any = result
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return result


WRONG_NUMBER = edited(CASE, "facts", 0, "value", value=39.7)
INVENTED = edited(SCENE, "turns", 0, "text", value="A 34-year-old woman with a fever of 39.2 °C and a rash.")
DENIED = edited(SCENE, "turns", 1, "text", value="I have had the fever for two days, and a cough.")


class Server:
    """Speaks /v1/chat/completions. `answer` decides what it says; `requests` and `headers` (of authorization, and all)
    keep what was sent; `location` is where it redirects to."""

    def __init__(self) -> None:
        self.answer: Answer = good
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str | None] = []
        self.all_headers: list[dict[str, str]] = []
        self.location: str | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.requests.append(request)
                owner.headers.append(self.headers["Authorization"])
                owner.all_headers.append(dict(self.headers.items()))
                status, body = owner.answer(request) if self.path == "/v1/chat/completions" else failure(404, "path")
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("retry-after-ms", "1")
                if owner.location is not None:
                    self.send_header("Location", owner.location)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: pytest shows enough."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:  # a client that stopped waiting
                    return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
