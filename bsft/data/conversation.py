"""How a chat template writes the conversations of one method: what stands before a reply, the reply, what ends it.

Whatever a template does with a last turn, a system prompt or white space, its own rendering of the whole conversation
decides: the prompt is what it writes before the reply, the reply is what it makes of it, up to the token that ends the
turn.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bsft.data.chat_format import ChatFormat, ChatTemplate, Message
from bsft.records.errors import BadInput, shortened

_REPLY = "Areplythatnobodygives"
_SCENE = "Ascenethatnobodysees"
"""Stand in for texts, to see where a template puts them."""
_ADVICE = "set model.chat_template=chatml"


@dataclass(frozen=True)
class Exchange:
    """An earlier turn of the user and the assistant's reply to it."""

    user: str
    assistant: str


class Conversation:
    """A system prompt and earlier exchanges, followed by a scene and the reply to it."""

    def __init__(self, chat: ChatFormat, system_prompt: str, exchanges: Sequence[Exchange] = (), *, date: str) -> None:
        """Templates that write the date write `date` (ISO 8601).

        Raises:
            BadInput: the template refuses or leaves out a part of the conversation, begins it twice, or does not end
                a reply with one token.
        """
        self._template = ChatTemplate(chat, date)
        self._system_prompt = system_prompt
        self._exchanges = exchanges
        self.merges_system_prompt = False
        """The template knows no system role, so the system prompt stands in the first turn of the user."""
        if self._problem() is not None:
            self.merges_system_prompt = True
            if (problem := self._problem()) is not None:
                raise BadInput(f"{problem}; {_ADVICE}")
        if (bos := chat.special_tokens.get("bos_token")) and self.prompt(_SCENE).startswith(bos + bos):
            raise BadInput(f"the chat template begins with two {bos} tokens; {_ADVICE}")
        self._before_end, self.end_of_turn = self._find_end_of_turn(chat)

    def prompt(self, scene: str) -> str:
        """Everything before the reply."""
        return self._around(self._messages(scene))[0]

    def replies(self, scene: str, replies: Iterable[str]) -> tuple[str, list[str]]:
        """The prompt and what follows it: each reply as the template writes it, with its end of turn.

        Raises:
            BadInput: the template changes more of a reply than white space at its ends.
        """
        messages = self._messages(scene)
        before, after = self._around(messages)
        return before, [self._reply(messages, before, after, reply) for reply in replies]

    def _reply(self, messages: list[Message], before: str, after: str, reply: str) -> str:
        whole = self._template.render([*messages, {"role": "assistant", "content": reply}])
        written = whole[len(before) : len(whole) - len(after)]
        if before + written + after != whole or written.strip() != reply.strip():
            raise BadInput(f"the chat template does not write the reply {shortened(reply)!r} as it is; {_ADVICE}")
        return written + self._before_end + self.end_of_turn

    def _messages(self, scene: str) -> list[Message]:
        earlier = [text for exchange in self._exchanges for text in (exchange.user, exchange.assistant)]
        if not self.merges_system_prompt:
            return [{"role": "system", "content": self._system_prompt}, *_alternating([*earlier, scene])]
        first, *rest = [*earlier, scene]
        return _alternating([f"{self._system_prompt}\n\n{first}" if self._system_prompt.strip() else first, *rest])

    def _around(self, messages: Sequence[Message]) -> tuple[str, str]:
        """What the template writes before a reply and after it."""
        whole = self._template.render([*messages, {"role": "assistant", "content": _REPLY}])
        before, found, after = whole.partition(_REPLY)
        if not found or _REPLY in after:
            raise BadInput("the chat template does not write a reply of the assistant exactly once")
        return before, after

    def _problem(self) -> str | None:
        """What is wrong with the conversation as the template writes it, or None."""
        messages = self._messages(_SCENE)
        try:
            before, _ = self._around(messages)
            marked = [{**message, "content": f"Turn{i}thatnobodysays"} for i, message in enumerate(messages)]
            outline, _ = self._around(marked)
        except BadInput as error:
            return str(error)
        return _left_out(messages, before) or _left_out(marked, outline)

    def _find_end_of_turn(self, chat: ChatFormat) -> tuple[str, str]:
        """White space and the token that end a reply. A template that leaves the last turn open ends it with the token
        that follows when the conversation goes on."""
        messages = self._messages(_SCENE)
        after = written = self._around(messages)[1]
        if not after.strip():
            goes_on = [*messages, {"role": "assistant", "content": _REPLY}, {"role": "user", "content": _SCENE}]
            after = self._template.render(goes_on).partition(_REPLY)[2]
        found = _pattern_of(chat.unsplittable).search(after)
        if found is None or after[: found.start()].strip():
            shown = repr(written.strip()[:40]) if written.strip() else "nothing"
            raise BadInput(
                f"the chat template ends a reply with {shown}, where one token has to stand that says where a reply "
                f"stops; {_ADVICE}"
            )
        return after[: found.start()], found[0]


def _alternating(texts: Sequence[str]) -> list[Message]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def _left_out(messages: Sequence[Message], written: str) -> str | None:
    """The first turn that a rendering lacks; a template may put the system prompt where it likes."""
    at = 0
    for message in messages:
        text = message["content"].strip()
        if message["role"] == "system":
            found = written.find(text)
        else:
            found = at = written.find(text, at)
            at += len(text)
        if found < 0:
            return f"the chat template leaves out a turn of the {message['role']}, {shortened(text)!r}"
    return None


def _pattern_of(unsplittable: frozenset[str]) -> re.Pattern[str]:
    """Tokens that can end a turn, longest first, because one may begin another; white space alone ends nothing."""
    tokens = sorted((token for token in unsplittable if token.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, tokens)) or r"(?!)")
