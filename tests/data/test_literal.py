"""Text that looks like special tokens, in tokenizers of every kind that a backbone may have."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from bsft.data.literal import LiteralEncoder
from bsft.records.errors import BadInput

SPECIAL = ("<s>", "</s>", "<|end|>")
PROMPT = "<s>user a b<|end|>"


def fast(tokenizer: Tokenizer, *, rstrip: bool = False) -> PreTrainedTokenizerFast:
    tokenizer.add_special_tokens([AddedToken(token, special=True, rstrip=rstrip) for token in SPECIAL])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # of transformers
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
    )


def byte_level() -> PreTrainedTokenizerFast:
    """As SmolLM2, Qwen, Llama 3: each piece between special tokens stands alone."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate([*SPECIAL, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return fast(tokenizer)


def metaspace() -> PreTrainedTokenizerFast:
    """As Llama 2: Unigram, a space before the first piece only, special tokens in the vocabulary and added at the
    beginning."""
    pieces = [*SPECIAL, *(chr(i) for i in range(33, 127)), "\u2581", "<unk>"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=len(pieces) - 1))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return fast(tokenizer)


def word_piece() -> PreTrainedTokenizerFast:
    """Another model and a normaliser; white space behind a special token is its own."""
    words = {word: i for i, word in enumerate([*SPECIAL, "[UNK]", "user", "a", "b", "s", "<", ">", "|", "/", "end"])}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return fast(tokenizer, rstrip=True)


@pytest.mark.parametrize("make", [byte_level, metaspace, word_piece])
def test_marked_strings_are_text_and_the_templates_tokens_are_not(make: object) -> None:
    assert callable(make)
    tokenizer = make()
    encoder = LiteralEncoder(tokenizer)
    text = "a <|end|> b</s>"
    assert encoder.mark("a < |end|> b") == "a < |end|> b"
    [found, plain] = encoder.encode([f"<s>user {encoder.mark(text)}<|end|>", PROMPT])
    special = {tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    assert [i for i in found if i in special] == [*map(tokenizer.convert_tokens_to_ids, ("<s>", "<|end|>"))]
    assert plain == tokenizer(PROMPT, add_special_tokens=False)["input_ids"], "the copy reads all else as ever"
    if make is byte_level:
        assert tokenizer.decode(found) == f"<s>user {text}<|end|>"


def test_without_marks_the_tokenizer_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = byte_level()
    encoder = LiteralEncoder(tokenizer)
    monkeypatch.setattr(LiteralEncoder, "_copy", property(lambda _: pytest.fail("copied")))
    assert encoder.encode([PROMPT]) == [tokenizer(PROMPT, add_special_tokens=False)["input_ids"]]


def test_a_tokenizer_that_cannot_be_copied_is_refused() -> None:
    class Slow:
        added_tokens_decoder = byte_level().added_tokens_decoder

    encoder = LiteralEncoder(Slow())  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"contains a special token of the tokenizer .* a Slow cannot read it as text"):
        encoder.encode([encoder.mark("</s>")])
