"""YAML that nobody vouches for: its plain part, without tags and dates, and without structures that grow or recur."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from bsft.records.errors import BadInput
from bsft.records.untrusted.files import read_text
from bsft.records.untrusted.json_values import check_numbers

MAX_YAML_BYTES = 4 << 20
"""YAML is written by hand, or is the config of a job: kilobytes."""
MAX_DEPTH = 100
MAX_VALUES = 200_000
"""Values in one document, each alias counted with all that it stands for."""

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"
_TAGS = (None, "!", "tag:yaml.org,2002:str")
"""Those that make nothing but a text."""


class _Loader(_SafeLoader):  # type: ignore[misc]
    """libyaml's loader where it is available. Repeated keys, which YAML would overwrite, are refused; dates are texts,
    so that none is impossible."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"repeated key {key!r}", key_node.start_mark)
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(file: Path, max_bytes: int = MAX_YAML_BYTES) -> dict[str, Any]:
    """The mapping that a YAML file holds. Dates stay texts.

    Raises:
        BadInput: it cannot be read, is not UTF-8 or not YAML; a key is there twice or is no text; a tag, an alias of
            what holds it, nesting more than 100 deep, too many values, or a number that is not finite or longer than
            64 bits.
    """
    text = read_text(file, max_bytes)
    check_structure(text, str(file))
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise BadInput(f"{file}: {_reason(error)}") from None
    except (ValueError, OverflowError):  # such as "0x_", or one of 5,000 digits
        raise BadInput(f"{file}: not valid YAML: a number that cannot be read") from None
    if not isinstance(value, dict):
        raise BadInput(f"{file}: found {_yaml_name(value)}, allowed: a mapping")
    if strange := [key for key in value if not isinstance(key, str)]:
        raise BadInput(f"{file}: found the key {strange[0]!r}, allowed: texts")
    check_numbers(value, str(file))
    return value


def check_structure(text: str, where: str) -> None:
    """Raises `BadInput` for a document that cannot be loaded: not YAML, a tag, an alias of what holds it, nesting more
    than 100 deep, or too many values."""
    sizes: dict[str, int] = {}
    holding: list[tuple[str | None, int]] = []  # the collections that are open: anchor, values so far
    total = 0
    try:
        for event in yaml.parse(text, Loader=_SafeLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                anchor, before = holding.pop()
                if anchor is not None:
                    sizes[anchor] = total - before
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            place = where if event.start_mark is None else f"{where}: line {event.start_mark.line + 1}"
            if isinstance(event, yaml.AliasEvent):
                if event.anchor not in sizes:
                    raise BadInput(f"{place}: alias {event.anchor!r} of nothing before it, or of what holds it")
                total += sizes[event.anchor]
            elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in _TAGS:
                raise BadInput(f"{place}: found the tag {event.tag!r}, allowed: none")
            elif isinstance(event, yaml.CollectionStartEvent):
                holding.append((event.anchor, total))
                sizes.pop(event.anchor or "", None)
                if len(holding) > MAX_DEPTH:
                    raise BadInput(f"{place}: nested more than {MAX_DEPTH} deep")
            elif event.anchor is not None:
                sizes[event.anchor] = 1
            total += 1
            if total > MAX_VALUES:
                raise BadInput(f"{place}: more than {MAX_VALUES:,} values, counting what aliases stand for")
    except yaml.YAMLError as error:
        raise BadInput(f"{where}: {_reason(error)}") from None


def _reason(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"{line}not valid YAML: {error.problem or error.context}"
    return f"not valid YAML: {' '.join(str(error).split())}"


def _yaml_name(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"{str(value)[:60]!r}"
