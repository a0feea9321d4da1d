"""Small tokenizers whose chat templates are written in the manner of the families of models in use."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

_CORPUS = [
    "Stop: the chart errs. The potassium is low. Give it now, please.",
    "system user assistant model Bed 7 has had a fever since 3 days. Reply. Nurse: Allergic to codeine.",
    "[INST] [/INST] <<SYS>> <</SYS>> Today Date: 01 Jan 2025 How is the potassium? The potassium is high.",
]
Base = Literal["byte_level", "metaspace", "legacy"]


@dataclass(frozen=True)
class Family:
    """A way of writing conversations.

    `between` is what stands before a reply after the generation prompt (None: the generation prompt is not how the
    conversation goes on), `end` the token that ends a turn, `starts_with` what every prompt begins with, once.
    """

    template: str
    tokens: Sequence[str]
    end: str
    starts_with: str | None = None
    bos: str | None = None
    eos: str | None = None
    base: Base = "byte_level"
    between: str | None = ""
    merges_system: bool = False
    leading: Sequence[str] = ()
    strip_right: Sequence[str] = ()

    def tokenizer(self) -> PreTrainedTokenizerFast:
        backend = Tokenizer.from_str(_trained(self.base))
        named = [token for token in (self.bos, self.eos) if token is not None]
        every = dict.fromkeys([*named, *self.tokens, *self.leading])
        backend.add_special_tokens([AddedToken(t, special=True, rstrip=t in self.strip_right) for t in every])
        if self.leading:
            ids = [(token, backend.token_to_id(token)) for token in self.leading]
            single = " ".join([*self.leading, "$A"])
            backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
        fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # of transformers
            tokenizer_object=backend, bos_token=self.bos, eos_token=self.eos
        )
        fast.chat_template = self.template
        return fast


@lru_cache
def _trained(base: Base) -> str:
    """A tokenizer with merges; `legacy` puts a space before every piece between special tokens, as Llama 2's does."""
    if base == "byte_level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        if base == "metaspace":
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        else:
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Metaspace()
        alphabet = [*string.printable, "▁"]
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, special_tokens=["<unk>"])
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return str(tokenizer.to_str())


_ALTERNATE = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
)
_CHATML_TURNS = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_GEMMA_TURNS = (
    "{% for m in messages %}" + _ALTERNATE + "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + (first_turn if loop.first and first_turn else '') + m['content'] | trim }}"
    "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def _gemma(template: str, *, merges_system: bool = False) -> Family:
    tokens, end, bos = ("<pad>", "<start_of_turn>", "<end_of_turn>"), "<end_of_turn>", "<bos>"
    return Family(
        template, tokens, end, bos, bos, "<eos>", base="metaspace", merges_system=merges_system, leading=(bos,)
    )


def _turns(
    template: str,
    *,
    end: str = "</turn>",
    starts_with: str | None = None,
    between: str = "",
    merges_system: bool = False,
) -> Family:
    tokens, bos, eos = ("<turn>", "</turn>"), "<bos>", "</s>"
    return Family(template, tokens, end, starts_with, bos, eos, between=between, merges_system=merges_system)


FAMILIES: dict[str, Family] = {
    "llama_2": Family(
        "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\n' + messages[0]['content'] + "
        "'\n<</SYS>>\n\n' %}{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
        "{% for m in messages %}" + _ALTERNATE + "{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + (system if loop.first else '') + m['content'].strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        (),
        "</s>",
        starts_with="<s>",
        bos="<s>",
        eos="</s>",
        base="legacy",
        between=" ",
        leading=("<s>",),
    ),
    "llama_3.2": Family(
        "{{- bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim %}"
        "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
        "{{- '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: ' }}"
        "{{- date_string + '\n\n' + system + '<|eot_id|>' }}"
        "{% for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
        "{{- m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        starts_with="<|begin_of_text|>",
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        leading=("<|begin_of_text|>",),
    ),
    "mistral": Family(
        "{{ bos_token }}{% for m in messages %}" + _ALTERNATE + "{% if m['role'] == 'user' %}"
        "{{ ' [INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}"
        "{% endfor %}",
        (),
        "</s>",
        starts_with="<s>",
        bos="<s>",
        eos="</s>",
        base="metaspace",
        between=" ",
        merges_system=True,
        leading=("<s>",),
    ),
    "mistral_system_last": Family(
        "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
        "{% set messages = messages[1:] %}{% endif %}{{ bos_token }}{% for m in messages %}"
        "{% if m['role'] == 'user' %}[INST] {% if loop.last and system is defined %}{{ system + '\n\n' }}{% endif %}"
        "{{ m['content'] + '[/INST]' }}{% else %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}",
        ("[INST]", "[/INST]"),
        "</s>",
        starts_with="<s>",
        bos="<s>",
        eos="</s>",
        base="metaspace",
        between=" ",
        merges_system=True,
    ),
    "gemma_2": _gemma(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}" + _GEMMA_TURNS,
        merges_system=True,
    ),
    "system_dropped": _gemma(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set messages = messages[1:] %}{% endif %}"
        + _GEMMA_TURNS,
        merges_system=True,
    ),
    "gemma_3": _gemma(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first_turn = messages[0]['content'] + '\n\n' %}"
        "{% set messages = messages[1:] %}{% endif %}" + _GEMMA_TURNS,
    ),
    "qwen_2.5": Family(
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are Q.<|im_end|>\n' }}{% endif %}"
        + _CHATML_TURNS,
        _CHATML_TOKENS,
        "<|im_end|>",
        eos="<|im_end|>",
    ),
    "qwen_3": Family(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{{ m['content'].split('</think>')[-1].lstrip('\n') + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt "
        "%}{{ '<|im_start|>assistant\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}",
        (*_CHATML_TOKENS, "<think>", "</think>"),
        "<|im_end|>",
        eos="<|im_end|>",
        between="<think>\n\n</think>\n\n",
    ),
    "phi_3": Family(
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>",
        bos="<s>",
        eos="<|endoftext|>",
        base="metaspace",
        strip_right=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    ),
    "smollm2": Family(
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
        + _CHATML_TURNS,
        _CHATML_TOKENS,
        "<|im_end|>",
        starts_with="<|im_start|>",
        bos="<|im_start|>",
        eos="<|im_end|>",
    ),
    "zephyr": Family(
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}"
        "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}",
        (),
        "</s>",
        starts_with="<s>",
        bos="<s>",
        eos="</s>",
        base="legacy",
        leading=("<s>",),
    ),
    "command_r": Family(
        "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|>' + "
        "{'system': '<|SYSTEM_TOKEN|>', 'user': '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>'}[m['role']] }}"
        "{{ m['content'].strip() + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        ("<|START_OF_TURN_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        "<|END_OF_TURN_TOKEN|>",
        starts_with="<BOS_TOKEN>",
        bos="<BOS_TOKEN>",
        eos="<|END_OF_TURN_TOKEN|>",
        leading=("<BOS_TOKEN>",),
    ),
    "deepseek_r1": Family(
        "{% set ns = namespace(system='') %}{% for m in messages %}{% if m['role'] == 'system' %}"
        "{% set ns.system = m['content'] %}{% endif %}{% endfor %}{{ bos_token + ns.system }}{% for m in messages %}"
        "{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% elif m['role'] == 'assistant' %}"
        "{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
        ("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        "<｜end▁of▁sentence｜>",
        starts_with="<｜begin▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        eos="<｜end▁of▁sentence｜>",
        between=None,
        leading=("<｜begin▁of▁sentence｜>",),
    ),
    "glm_4": Family(
        "[gMASK]<sop>{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>"),
        "<|user|>",
        starts_with="[gMASK]",
        eos="<|endoftext|>",
        leading=("[gMASK]", "<sop>"),
    ),
    "marked_for_training": _turns(
        "{% for m in messages %}{{ '<turn>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
        "{% generation %}{{ m['content'] + '</turn>\n' }}{% endgeneration %}{% else %}{{ m['content'] + '</turn>\n' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<turn>assistant\n' }}{% endif %}",
    ),
    "no_system_role": _turns(
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('system turns are not known here') }}"
        "{% endif %}{% for m in messages %}<turn>{{ m.role }}\n{{ m.content | trim }}</turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<turn>assistant\n{% endif %}",
        starts_with="<bos>",
        merges_system=True,
    ),
    "space_before_reply": _turns(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{% else %}"
        "[{{ m.role }}] {{ m.content }} [/{{ m.role }}]{% endif %}{% endfor %}",
        starts_with="<bos>",
        between=" ",
        end="</s>",
    ),
    "empty_think_block": _turns(
        "{% for m in messages %}{% if m.role == 'assistant' and loop.last %}<turn>assistant\n<think>\n\n</think>\n\n"
        "{{ m.content }}</turn>\n{% else %}<turn>{{ m.role }}\n{{ m.content }}</turn>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<turn>assistant\n{% endif %}",
        between="<think>\n\n</think>\n\n",
    ),
    "todays_date": _turns(
        "{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{{ bos_token }}"
        "<turn>system\nToday: {{ date_string }}, {{ strftime_now('%Y-%m-%d') }}</turn>\n{% for m in messages %}"
        "<turn>{{ m.role }}\n{{ m.content }}</turn>\n{% endfor %}{% if add_generation_prompt %}<turn>assistant\n"
        "{% endif %}",
        starts_with="<bos>",
    ),
    "two_end_tokens": _turns(
        "{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}</turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<turn>assistant\n{% else %}{{ eos_token }}{% endif %}",
    ),
}
