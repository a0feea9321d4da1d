"""What stands before the weights in a GGUF file. The library `gguf` indexes every token and tensor first, which takes
seconds; a pre-flight has less. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from bsft.data.chat_format import ChatFormat
from bsft.records.errors import BadInput

_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_CONTROL, _USER_DEFINED = 3, 4
_NAMES = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def chat_format(file: Path, *, override: str | None) -> ChatFormat:
    """How the tokenizer in a GGUF file writes conversations; see `ChatFormat.chosen`.

    Raises:
        BadInput: it has no format, or the file is damaged.
    """
    try:
        with file.open("rb") as stream:
            header = _read(stream)
        tokens, kinds = header["tokenizer.ggml.tokens"], header["tokenizer.ggml.token_type"]
        ids = {name: header.get(f"tokenizer.ggml.{key}_token_id") for name, key in _NAMES.items()}
        special = {name: tokens[i] for name, i in ids.items() if i is not None}
    except (struct.error, KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{file}: damaged, or without a tokenizer ({type(error).__name__}: {error})") from None
    added = {t for t, kind in zip(tokens, kinds, strict=False) if kind in (_CONTROL, _USER_DEFINED)}
    return ChatFormat.chosen(
        header.get("tokenizer.chat_template"), special, frozenset(added | set(special.values())), override=override
    )


def _read(stream: BinaryIO) -> Mapping[str, Any]:
    magic, _, _, n_values = struct.unpack("<4sIQQ", stream.read(24))
    if magic != b"GGUF":
        raise ValueError("not a GGUF file")
    return {_string(stream): _value(stream, _number(stream, 4)) for _ in range(n_values)}


def _number(stream: BinaryIO, kind: int) -> Any:
    layout = _FORMATS[kind]
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))[0]


def _string(stream: BinaryIO) -> str:
    return stream.read(_number(stream, 10)).decode("utf-8")


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind != _ARRAY:
        return _number(stream, kind)
    of, n = _number(stream, 4), _number(stream, 10)
    return [_value(stream, of) for _ in range(n)]
