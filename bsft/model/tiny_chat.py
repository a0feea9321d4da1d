"""What the tiny tokenizer's special tokens are and how it writes a conversation. Imports no torch."""

from __future__ import annotations

from bsft.data.chat_format import CHATML_END, CHATML_START, ChatFormat, chatml

SPECIAL_TOKENS = {"bos_token": CHATML_START, "eos_token": CHATML_END, "pad_token": "<|endoftext|>"}
_ADDED = frozenset(SPECIAL_TOKENS.values())
TINY_CHAT = ChatFormat(chatml(SPECIAL_TOKENS, _ADDED), SPECIAL_TOKENS, _ADDED)
