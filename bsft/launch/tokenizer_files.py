"""How a model writes conversations, read off the files of its tokenizer: without torch, in a few milliseconds.

Of a GGUF file, what stands before the weights is read. The library `gguf` indexes every token and tensor first, which
takes seconds; a pre-flight has less. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from bsft import config as cfg
from bsft.data.chat_format import TINY_CHAT, ChatFormat
from bsft.model.content import commit_of, read_settings
from bsft.model.weights import converted_already, packaged_gguf_as_is
from bsft.records.errors import BadInput
from bsft.records.untrusted import read_text

_CONFIG = "tokenizer_config.json"
_FILES = ("tokenizer.json", _CONFIG, "chat_template.jinja", "added_tokens.json")
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_CONTROL, _USER_DEFINED = 3, 4
_GGUF_NAMES = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def format_of(model: cfg.ModelConfig) -> ChatFormat | None:
    """How a model's tokenizer writes conversations; None when its files are not here and cannot be had now.

    Raises:
        BadInput: the tokenizer has no format, or one of its files is damaged.
    """
    if model.source == "random":
        return TINY_CHAT
    if model.source == "local":
        directory: Path | None = Path(str(model.path))
    elif model.source == "packaged":
        directory = converted_already(model)
    else:
        directory = _hub_directory(str(model.id), commit_of(model))
    if directory is not None:
        found = _format_in(directory, model.chat_template, *(_stamp(directory / name) for name in _FILES))
        if found is None:  # only the tokenizer's class knows it all: transformers (and torch) have to load it
            from bsft.model.tokenizer import load_tokenizer

            found = ChatFormat.of(load_tokenizer(model, directory))
        return found
    gguf = packaged_gguf_as_is(model) if model.source == "packaged" else None
    return None if gguf is None else _format_in_gguf(gguf, model.chat_template, _stamp(gguf))


@cache
def _hub_directory(model_id: str, revision: str) -> Path | None:
    """Where the cache of the hub has a tokenizer's files; fetches them (some megabytes) if the hub can be reached."""
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    cached = try_to_load_from_cache(model_id, "tokenizer_config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent
    try:
        directory = Path(snapshot_download(model_id, revision=revision, allow_patterns=list(_FILES), etag_timeout=3))
    except Exception:  # whatever the hub's client raises: the job says why, if it does not get them either
        return None
    return directory if (directory / _CONFIG).exists() else None


def _stamp(file: Path) -> tuple[int, int] | None:
    """What changes with a file's content."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


@cache
def _format_in(directory: Path, override: str | None, *stamps: tuple[int, int] | None) -> ChatFormat | None:
    """By the stamps of `_FILES`; None for one that is missing."""
    if stamps[0] is None or stamps[1] is None:
        return None
    config = read_settings(directory / _CONFIG)
    special = {name: text for name in _NAMED if (text := _text(config.get(name))) is not None}
    if "eos_token" not in special:
        return None
    added = {*special.values(), *_added(directory, config)}
    jinja = directory / "chat_template.jinja"
    own = read_text(jinja) if jinja.exists() else config.get("chat_template")
    if isinstance(own, list):
        own = _by_name(own, directory / _CONFIG)
    return ChatFormat.chosen(own, special, frozenset(added), override=override)


def _by_name(templates: Sequence[object], file: Path) -> dict[str, object]:
    found = {}
    for each in templates:
        if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
            raise BadInput(f"{file}: field chat_template: found {str(each)[:60]!r}, allowed: a name and its template")
        found[each["name"]] = each.get("template")
    return found


def _added(directory: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """The tokens that a text is cut at before anything else, wherever a tokenizer's files name them."""
    vocabulary = directory / "tokenizer.json"
    entries = [*_entries(vocabulary, read_settings(vocabulary), "added_tokens")]
    for field in ("added_tokens_decoder", "extra_special_tokens", "additional_special_tokens"):
        entries += _entries(directory / _CONFIG, config, field)
    yield from (text for entry in entries if (text := _text(entry)) is not None)
    if (more := directory / "added_tokens.json").exists():
        yield from read_settings(more)


def _entries(file: Path, settings: Mapping[str, Any], field: str) -> Iterable[object]:
    """What a list holds, or an object under whatever names."""
    found = settings.get(field)
    if isinstance(found, Mapping):
        return found.values()
    if isinstance(found, list | None):
        return found or ()
    raise BadInput(f"{file}: field {field}: found {str(found)[:60]!r}, allowed: a list or an object")


def _text(token: object) -> str | None:
    """A token is written as its text, or as a record with its text."""
    text = token.get("content") if isinstance(token, Mapping) else token
    return text if isinstance(text, str) else None


@cache
def _format_in_gguf(file: Path, override: str | None, stamp: tuple[int, int] | None) -> ChatFormat:
    """By the file's stamp."""
    try:
        with file.open("rb") as stream:
            header = _header(stream)
        tokens, kinds = header["tokenizer.ggml.tokens"], header["tokenizer.ggml.token_type"]
        ids = {name: header.get(f"tokenizer.ggml.{key}_token_id") for name, key in _GGUF_NAMES.items()}
        special = {name: tokens[i] for name, i in ids.items() if i is not None}
    except (struct.error, KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{file}: damaged, or without a tokenizer ({type(error).__name__}: {error})") from None
    added = {t for t, kind in zip(tokens, kinds, strict=False) if kind in (_CONTROL, _USER_DEFINED)}
    unsplittable = frozenset(added | set(special.values()))
    return ChatFormat.chosen(header.get("tokenizer.chat_template"), special, unsplittable, override=override)


def _header(stream: BinaryIO) -> Mapping[str, Any]:
    magic, _, _, n_values = struct.unpack("<4sIQQ", stream.read(24))
    if magic != b"GGUF":
        raise ValueError("not a GGUF file")
    return {_string(stream): _gguf_value(stream, _number(stream, 4)) for _ in range(n_values)}


def _number(stream: BinaryIO, kind: int) -> Any:
    layout = _FORMATS[kind]
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))[0]


def _string(stream: BinaryIO) -> str:
    return stream.read(_number(stream, 10)).decode("utf-8")


def _gguf_value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind != _ARRAY:
        return _number(stream, kind)
    of, n = _number(stream, 4), _number(stream, 10)
    return [_gguf_value(stream, of) for _ in range(n)]
