"""Keys and passwords, masked before anything that may hold one is written down or shown.

Two things give a secret away: the name that it stands under, and its own form. What is neither cannot be known.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

MASK = "***"
MIN_SECRET_CHARACTERS = 8
"""Shorter texts hold none that could be told from a word."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = {"secret", "secrets", "password", "passwd", "passphrase", "pwd", "credential", "credentials", "apikey"}
_GLUED_KEY = re.compile(r"(?:access|api|auth|hf|my|openai|private|secret|user|wandb|write)?key")
_MODEL_TOKENS = {
    "behavior", "behaviour", "bos", "cls", "end", "eos", "eot", "first", "image", "last", "mask", "max", "min", "new",
    "next", "pad", "per", "sep", "special", "start", "stop", "supervised", "unk",
}  # fmt: skip
"""What stands before the token of a text, which is no credential."""
_HEX_KEY = re.compile(r"[0-9a-f]{40}")
_DIGESTS = {"commit", "digest", "hash", "revision", "sha", "sha1", "sha256"}
"""Words of the names under which forty hexadecimal digits are not a key of wandb's."""

_FORMS = re.compile(
    r"(?<![\w-])(?:"
    r"sk-[\w-]{8,}|sk_live_\w{8,}"  # OpenAI and those like it; Stripe
    r"|hf_(?:(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{10,}|[A-Za-z0-9]{20,})"  # Hugging Face
    r"|wandb_v\d_\w{20,}"
    r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|xox[a-z]-[\w-]{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON web tokens
    r")"
)
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/@'\"]*@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_KEY = re.compile(r"""(?P<key>[A-Za-z_][\w.-]*)(?P<between>["']?\s*(?:=|:(?!//))\s*)""")
_VALUE = re.compile(r""""[^"\n]*"|'[^'\n]*'|[^\s,;&"'}\])]+""")
_PROSE = {"key", "token"}
"""Words that sentences and code have before a colon or an equals sign, too; then the value decides."""
_RANDOM = re.compile(r"(?=\S*\d)[\w+/.~=-]{8,}")
_NOT_SECRET = {"null", "none", "true", "false", "???", MASK}


@lru_cache(4096)
def is_secret_key(key: str) -> bool:
    """Whether what stands under a key or in an environment variable is a credential: `api_key`, `HF_TOKEN`; neither
    `behavior.token` nor `max_tokens`."""
    *outer, last = key.split(".")
    words = [word.lower() for word in _WORDS.findall(last)]
    if not words:
        return False
    if _SECRET_WORDS & set(words) or _GLUED_KEY.fullmatch(words[-1]):
        return True
    if words[-1] == "token":
        before = words[-2] if len(words) > 1 else "".join(outer[-1:])
        return before not in _MODEL_TOKENS
    return False


def masked(text: str, known: Sequence[str] | None = None) -> str:
    """The text with every credential in it replaced by `***`, those too whose values are `known`, or else those of the
    environment."""
    if len(text) < MIN_SECRET_CHARACTERS:
        return text
    for value in _environment_secrets() if known is None else known:
        text = text.replace(value, MASK)
    text = _URL_PASSWORD.sub(f"{MASK}@", _FORMS.sub(MASK, text))
    return _without_assignments(_BEARER.sub(rf"\1 {MASK}", text))


def _without_assignments(text: str) -> str:
    """Masks what is assigned to the name of a secret: `KEY=value`, `"key": "value"`."""
    parts, done = [], 0
    for key in _KEY.finditer(text):
        value = _VALUE.match(text, key.end())
        if value is None or key.start() < done or not _is_secret(key["key"], key["between"], value.group()):
            continue
        bare = value.group().strip("\"'")
        parts += [text[done : value.start()], value.group().replace(bare, MASK)]
        done = value.end()
    return "".join([*parts, text[done:]])


def _is_secret(key: str, between: str, value: str) -> bool:
    bare = value.strip("\"'")
    if not bare or bare.lower() in _NOT_SECRET or bare.startswith("${"):
        return False
    if key.rpartition(".")[2].lower() in _PROSE and between[0] not in "\"'" and not _RANDOM.fullmatch(bare):
        return False
    words = {word.lower() for word in _WORDS.findall(key)}
    return is_secret_key(key) or (_HEX_KEY.fullmatch(bare) is not None and not _DIGESTS & words)


def _environment_secrets() -> list[str]:
    """The values of this process's environment that are credentials by their names, the longest first."""
    found = {value for name, value in os.environ.items() if len(value) >= MIN_SECRET_CHARACTERS and is_secret_key(name)}
    return sorted(found, key=len, reverse=True)


def masked_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line's arguments; the value of `key=value` is judged by its key as a whole, spaces included."""
    shown = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        secret = is_secret_key(key.lstrip("+-~")) and value.lower() not in _NOT_SECRET | {""}
        shown.append(f"{key}={MASK}" if secret else masked(argument))
    return shown


def masked_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings and lists with the strings in them masked, by their dotted keys too."""
    known = _environment_secrets()

    def harmless(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {name: harmless(child, f"{key}.{name}") for name, child in value.items()}
        if isinstance(value, list | tuple):
            return [harmless(child, key) for child in value]
        if not isinstance(value, str):
            return value
        return MASK if value and is_secret_key(key) else masked(value, known)

    return {name: harmless(value, name) for name, value in tree.items()}
