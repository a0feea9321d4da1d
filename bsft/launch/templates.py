"""The conversations of every job, written once before the first job starts: with the chat template of its model, the
system prompt of its method and as many exchanges as that shows."""

from __future__ import annotations

from functools import lru_cache

from bsft import config as cfg
from bsft.data.chat_format import ChatFormat
from bsft.data.conversation import Conversation, Exchange
from bsft.data.methods import method_of
from bsft.launch.tokenizer_files import format_of
from bsft.records.errors import BadInput


def check_template(job: cfg.Config) -> None:
    """
    Raises:
        BadInput: the model's chat template cannot write the conversations of the job's method.
    """
    method, where = method_of(job.method), f"model={job.model.name}: "
    try:
        chat = format_of(job.model)
        if chat is not None:
            special = tuple(sorted(chat.special_tokens.items()))
            _write_one(
                chat.template, special, chat.unsplittable, method.system_prompt, method.n_exemplars, job.model.date
            )
    except BadInput as error:
        raise BadInput(where + str(error).removeprefix(where)) from None


@lru_cache
def _write_one(
    template: str,
    special_tokens: tuple[tuple[str, str], ...],
    unsplittable: frozenset[str],
    system_prompt: str,
    n_exchanges: int,
    date: str,
) -> None:
    """Once for all jobs that differ in nothing else. The texts of exchanges stand for exemplars, which nobody has read
    yet."""
    chat = ChatFormat(template, dict(special_tokens), unsplittable)
    exchanges = [Exchange(f"Question {i}?", f"Reply {i}.") for i in range(n_exchanges)]
    Conversation(chat, system_prompt, exchanges, date=date)
