"""Chat templates of every family: what is trained, scored and generated from is what the template itself writes."""

from __future__ import annotations

import datetime

import pytest
import transformers.utils.chat_template_utils as transformers_templates
from families import FAMILIES, Family
from making import SHORT_PROMPT, decoded, items_of, method_config
from transformers import PreTrainedTokenizerBase

from bsft.config import DEFAULT_DATE
from bsft.data import chat_format as own_templates
from bsft.data.methods import method_of
from bsft.data.render import Renderer
from bsft.data.vocabulary import BehaviorVocabulary
from bsft.records.schema import Item

EXEMPLARS = items_of([7])[:2]
ITEMS = items_of([0, 1])
TODAY = datetime.datetime.fromisoformat(DEFAULT_DATE)
DATE_STRING = TODAY.strftime("%d %b %Y")


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """What transformers compares with is rendered on the configured day."""
    set_today(monkeypatch, TODAY)


def set_today(monkeypatch: pytest.MonkeyPatch, day: datetime.datetime) -> None:
    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return day

    for module in (transformers_templates, own_templates):
        monkeypatch.setattr(module, "datetime", Frozen)


every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def renderer_of(
    tokenizer: PreTrainedTokenizerBase, method: str = "general_sft", exemplars: list[Item] | None = None
) -> Renderer:
    chosen = method_of(method_config(method))
    vocabulary = BehaviorVocabulary.add_to(tokenizer) if chosen.behavior else None
    return Renderer(tokenizer, chosen, vocabulary=vocabulary, exemplars=exemplars or [])


def conversation(family: Family, item: Item, exemplars: list[Item]) -> list[dict[str, str]]:
    """The messages as one would write them by hand for this family."""
    renderer = renderer_of(FAMILIES["smollm2"].tokenizer())
    texts = [text for shown in exemplars for text in (renderer.scene(shown, ()), shown.gold.text)]
    first, *rest = [*texts, renderer.scene(item, ())]
    if family.merges_system:
        first = f"{SHORT_PROMPT}\n\n{first}"
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate([first, *rest])]
    return messages if family.merges_system else [{"role": "system", "content": SHORT_PROMPT}, *messages]


def written(tokenizer: PreTrainedTokenizerBase, family: Family, messages: list[dict[str, str]], reply: str) -> str:
    """What transformers' own rendering makes of a conversation, up to the token that ends the reply."""
    whole = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": reply}], tokenize=False, date_string=DATE_STRING
    )
    assert isinstance(whole, str)
    at = whole.rindex(reply) + len(reply)
    if family.end not in whole[at:]:
        assert not whole[at:], "left open, and the next turn begins with the token"
        return whole + family.end
    return whole[: whole.index(family.end, at) + len(family.end)]


def ids_of(tokenizer: PreTrainedTokenizerBase, family: Family, text: str) -> tuple[int, ...]:
    """What the tokenizer reads; what it puts first comes once."""
    add = family.starts_with is not None and not text.startswith(family.starts_with)
    return tuple(tokenizer(text, add_special_tokens=add)["input_ids"])


@every_family
@pytest.mark.parametrize("exemplars", [[], EXEMPLARS], ids=["zero_shot", "few_shot"])
def test_a_sequence_is_what_the_template_writes(family: Family, exemplars: list[Item]) -> None:
    tokenizer = family.tokenizer()
    renderer = renderer_of(tokenizer, exemplars=exemplars)
    for item in ITEMS:
        messages = conversation(family, item, exemplars)
        example, candidates = renderer.example(item), renderer.candidates(item)
        assert example.ids == ids_of(tokenizer, family, written(tokenizer, family, messages, item.gold.text))
        for option, ids in zip(item.options, candidates.option_ids, strict=True):
            text = written(tokenizer, family, messages, option.text)
            assert candidates.prompt_ids + ids == ids_of(tokenizer, family, text)
        gold = [option.label for option in item.options].index(item.label)
        assert (example.prompt_ids, example.answer_ids) == (candidates.prompt_ids, candidates.option_ids[gold])


@every_family
@pytest.mark.parametrize("exemplars", [[], EXEMPLARS], ids=["zero_shot", "few_shot"])
def test_the_behaviour_token_stands_directly_before_the_reply(family: Family, exemplars: list[Item]) -> None:
    tokenizer = family.tokenizer()
    renderer = renderer_of(tokenizer, "behavior_sft", exemplars)
    for item in ITEMS:
        example, reply = renderer.example(item), item.gold.text
        text = written(tokenizer, family, conversation(family, item, exemplars), reply)
        before, after = text[: text.rindex(reply)], text[text.rindex(reply) :]
        assert example.ids == ids_of(tokenizer, family, f"{before}<|{item.gold_behavior}|>{after}")
        assert example.prompt_ids == ids_of(tokenizer, family, before)
        assert decoded(tokenizer, example.answer_ids).lstrip().startswith(reply)
        marked = renderer.candidates(item)
        assert marked.prompt_ids == example.prompt_ids and example.answer_ids in marked.option_ids


@every_family
@pytest.mark.parametrize("method", ["baseline", "behavior_sft"])
def test_a_reply_ends_with_one_token_and_a_prompt_begins_once(family: Family, method: str) -> None:
    tokenizer = family.tokenizer()
    renderer = renderer_of(tokenizer, method, EXEMPLARS)
    assert renderer.end_of_turn == family.end
    end = tokenizer.convert_tokens_to_ids(family.end)
    for item in ITEMS:
        found = renderer.candidates(item)
        assert all(ids.count(end) == 1 and ids[-1] == end for ids in found.option_ids)
        if family.starts_with is None:
            assert found.prompt_ids[0] != tokenizer.bos_token_id
        else:
            first = tokenizer.convert_tokens_to_ids(family.starts_with)
            assert found.prompt_ids[0] == first != found.prompt_ids[1]


@every_family
def test_what_stands_between_the_generation_prompt_and_the_reply_is_kept(family: Family) -> None:
    tokenizer = family.tokenizer()
    for item in ITEMS:
        messages = conversation(family, item, EXEMPLARS)
        generation = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, date_string=DATE_STRING
        )
        assert isinstance(generation, str)
        prompt = renderer_of(tokenizer, exemplars=EXEMPLARS).prompt(item)
        if family.between is None:
            assert not prompt.startswith(generation)
        else:
            assert prompt == generation + family.between


@every_family
def test_the_shared_prefix_begins_every_prompt(family: Family) -> None:
    renderer = renderer_of(family.tokenizer(), exemplars=EXEMPLARS)
    prefix = renderer.shared_prefix()
    assert len(prefix) > 20
    assert all(renderer.candidates(item).prompt_ids[: len(prefix)] == prefix for item in ITEMS)


@every_family
def test_prompts_are_the_same_on_every_day(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = family.tokenizer()

    found = []
    for day in (datetime.datetime(2026, 3, 1), datetime.datetime(2031, 12, 24)):
        set_today(monkeypatch, day)
        found.append([renderer_of(tokenizer).example(item).ids for item in ITEMS])
    assert found[0] == found[1]


def test_the_date_is_the_configured_one() -> None:
    for name in ("llama_3.2", "todays_date"):
        renderer = Renderer(
            FAMILIES[name].tokenizer(), method_of(method_config("baseline")), vocabulary=None, date="2024-07-26"
        )
        assert "26 Jul 2024" in renderer.prompt(ITEMS[0])
    assert "26 Jul 2024, 2024-07-26" in renderer.prompt(ITEMS[0])


@pytest.mark.parametrize("family", ["gemma_2", "llama_3.2", "llama_2", "command_r"])
def test_white_space_that_a_template_strips_is_stripped(family: str) -> None:
    renderer = renderer_of(FAMILIES[family].tokenizer())
    [item] = [i for i in ITEMS if i.task == "treatment_planning"][:1]
    spaced = item.model_copy(
        update={"options": [o.model_copy(update={"text": f"\n {o.text} \n"}) for o in item.options]}
    )
    assert renderer.candidates(spaced).option_ids == renderer.candidates(item).option_ids


def test_a_template_does_not_read_what_people_wrote() -> None:
    """Qwen 3 leaves out what stands before `</think>`; in a scene or a reply that is text like any other."""
    tokenizer = FAMILIES["qwen_3"].tokenizer()
    renderer = renderer_of(tokenizer)
    one = ITEMS[0]
    options = [one.options[0].model_copy(update={"text": "It <think> is </think> low."}), *one.options[1:]]
    found = renderer.candidates(one.model_copy(update={"query": "Is </think> a tag?", "options": options}))
    assert "Is </think> a tag?" in decoded(tokenizer, found.prompt_ids)
    assert decoded(tokenizer, found.option_ids[0]) == "It <think> is </think> low.<|im_end|>"
    think = tokenizer.convert_tokens_to_ids("</think>")
    assert found.prompt_ids.count(think) == 1 and think not in found.option_ids[0]
