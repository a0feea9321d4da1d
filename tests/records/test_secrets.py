"""Keys and passwords are masked; what only looks a little like them is not."""

from __future__ import annotations

import pytest

from bsft.records.secrets import is_secret_key, masked, masked_arguments, masked_tree

HEX = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "key",
    [
        "api_key", "apiKey", "APIKEY", "OPENAI_API_KEY", "hydra.job.env_set.WANDB_API_KEY", "HF_TOKEN", "token",
        "auth_token", "access-token", "password", "db.password", "secret", "AWS_SECRET_ACCESS_KEY", "client_secret",
        "passphrase", "credentials",
    ],
)  # fmt: skip
def test_names_of_secrets(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "behavior.token", "method.behavior.token", "max_tokens", "max_new_tokens", "scene_tokens", "eos_token",
        "pad_token_id", "token_accuracy", "tokenizer", "api_key_env", "num_key_value_heads", "keys", "monkey",
    ],
)  # fmt: skip
def test_names_of_other_things(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Incorrect API key provided: sk-proj-abcDEF123456.", "Incorrect API key provided: ***."),
        ("hf_abcDEF123456789 was refused", "*** was refused"),
        ("ghp_abcdefghijklmnopqrst", "***"),
        ("git clone https://me:pass@host/x", "git clone https://***@host/x"),
        (f"WANDB_API_KEY={HEX}", "WANDB_API_KEY=***"),
        ("export HF_TOKEN='abc def'; run", "export HF_TOKEN='***'; run"),
        ('{"api_key": "abc", "max_tokens": 5}', '{"api_key": "***", "max_tokens": 5}'),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
        ("https://host/?token=abcdefgh1&x=1", "https://host/?token=***&x=1"),
        (f"key={HEX}", "key=***"),
        ("env=[--api-key=abc, 'export DB_PASSWORD=x y']", "env=[--api-key=***, 'export DB_PASSWORD=*** y']"),
    ],
)
def test_secrets_in_text(text: str, found: str) -> None:
    assert masked(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "method.behavior.token=proactive",
        "trainer.score.max_new_tokens=64",
        f"model.revision={HEX}",
        f"commit {HEX}",
        "allowed are data=OPTION, data.KEY=VALUE",
        "unknown key: method.lora.rnk; did you mean rank?",
        "sorted(items, key=lambda item: item.id)",
        "the end of turn token: <|im_end|>",
        "task-abcdefghijkl and hf_baseline, hf_transformers",
        "http://127.0.0.1:8000/v1",
        "KeyError: 'behavior'",
        "api_key_env=OPENAI_API_KEY",
        "api_key=null",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


def test_values_of_the_environment_are_masked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_KEY", "correct-horse-battery")
    monkeypatch.setenv("MY_SERVICE_URL", "battery-charger")
    assert masked("refused: correct-horse-battery, battery-charger") == "refused: ***, battery-charger"


def test_arguments_and_trees() -> None:
    given = ["+hydra.job.env_set.OPENAI_API_KEY=two words", "seed=1", "method.behavior.token=proactive"]
    assert masked_arguments(given) == ["+hydra.job.env_set.OPENAI_API_KEY=***", "seed=1", given[2]]
    tree = {"model": {"id": "https://a:b@host/m", "api_key": "x", "revision": HEX}, "behavior": {"token": "proactive"}}
    assert masked_tree(tree) == {
        "model": {"id": "https://***@host/m", "api_key": "***", "revision": HEX},
        "behavior": {"token": "proactive"},
    }
