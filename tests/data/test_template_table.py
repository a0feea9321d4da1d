"""The table of docs/templates.md says what the tests' tokenizers do."""

from __future__ import annotations

from pathlib import Path

from families import FAMILIES, Family
from making import SHORT_PROMPT, items_of

from bsft.data.chat_format import ChatFormat
from bsft.data.conversation import Conversation
from bsft.data.methods import Method
from bsft.data.render import Renderer

DOCS = Path(__file__).parents[2] / "docs" / "templates.md"
HEADING = "| template like that of | begins with | system prompt | before the reply | after the reply | stops at |"


def code(text: str) -> str:
    return f"`{text}`".replace("\n", "\\n").replace("|", "\\|") if text else "nothing"


def row(name: str, family: Family) -> str:
    tokenizer = family.tokenizer()
    chat = ChatFormat.of(tokenizer)
    conversation = Conversation(chat, SHORT_PROMPT, date="2025-01-01")
    first = Renderer(tokenizer, Method("m", SHORT_PROMPT), vocabulary=None).candidates(items_of([0])[0]).prompt_ids[0]
    begins = tokenizer.convert_ids_to_tokens(first)
    system = "merged into the first turn of the user" if conversation.merges_system_prompt else "as the template has it"
    whole = tokenizer.apply_chat_template(
        [*map(dict, conversation._messages("SCENE")), {"role": "assistant", "content": "REPLY"}], tokenize=False
    )
    assert isinstance(whole, str) and isinstance(begins, str)
    before = "other than the generation prompt" if family.between is None else code(family.between)
    shown = [code(begins) if family.starts_with else "nothing", system, before]
    return f"| {name} | " + " | ".join([*shown, code(whole.partition("REPLY")[2]), code(family.end)]) + " |"


def test_the_table_is_that_of_the_tests() -> None:
    text = DOCS.read_text(encoding="utf-8")
    start = text.index(HEADING)
    lines = text[start : text.index("\n\n", start)].splitlines()
    assert lines[2:] == [row(name, family) for name, family in FAMILIES.items()]
